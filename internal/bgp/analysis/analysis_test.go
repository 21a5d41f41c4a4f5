package analysis_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"baleen/internal/bgp"
	"baleen/internal/bgp/analysis"
	"baleen/internal/ca"
	"baleen/internal/rpki/resources"
)

// roa reads "PREFIX[-MAXLENGTH] => AS".
func roa(text string) ca.ConfiguredROA {
	route, as, _ := strings.Cut(text, " => ")
	prefix, length, ok := strings.Cut(route, "-")
	p := netip.MustParsePrefix(prefix)
	r := ca.ROA{Prefix: p, MaxLength: p.Bits(), ASID: number(as)}
	if ok {
		r.MaxLength = int(number(length))
	}
	return ca.ConfiguredROA{ROA: r}
}

func number(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		panic(err)
	}
	return uint32(n)
}

func roas(texts ...string) (out []ca.ConfiguredROA) {
	for _, text := range texts {
		out = append(out, roa(text))
	}
	return out
}

// seen reads lines of "PREFIX AS".
func seen(lines ...string) *bgp.Set {
	list := make([]bgp.Announcement, 0, len(lines))
	for _, line := range lines {
		prefix, as, _ := strings.Cut(line, " ")
		list = append(list, bgp.Announcement{Prefix: netip.MustParsePrefix(prefix), Origin: number(as)})
	}
	return bgp.NewSet(list)
}

func set(v4, v6 string) resources.Set {
	a, err := resources.ParseIPSet(v4, resources.IPv4)
	if err != nil {
		panic(err)
	}
	b, err := resources.ParseIPSet(v6, resources.IPv6)
	if err != nil {
		panic(err)
	}
	return resources.Set{V4: a, V6: b}
}

// lines writes a report, an entry a line.
func lines(r analysis.Report) string {
	var b strings.Builder
	for _, e := range r {
		what := e.ROA.ROA.String()
		if e.State.OfAnnouncement() {
			what = route(e.Announcement)
		}
		fmt.Fprintf(&b, "%s %s", e.State, what)
		if e.AllowedBy != nil {
			fmt.Fprintf(&b, " allowed_by=%s", e.AllowedBy)
		}
		list(&b, "disallowed_by", e.DisallowedBy, ca.ROA.String)
		list(&b, "made_redundant_by", e.MadeRedundantBy, ca.ROA.String)
		list(&b, "authorizes", e.Authorizes, route)
		list(&b, "disallows", e.Disallows, route)
		b.WriteByte('\n')
	}
	return b.String()
}

func list[E any](b *strings.Builder, name string, items []E, text func(E) string) {
	if len(items) > 0 {
		fmt.Fprintf(b, " %s=[%s]", name, join(items, text))
	}
}

func join[E any](items []E, text func(E) string) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = text(item)
	}
	return strings.Join(texts, ", ")
}

func route(a bgp.Announcement) string { return fmt.Sprintf("%s by %d", a.Prefix, a.Origin) }

func configured(r ca.ConfiguredROA) string { return r.ROA.String() }

// advice writes a suggestion, a list a line.
func advice(s analysis.Suggestion) string {
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, text)
		}
	}
	line("stale", join(s.Stale, configured))
	line("not_found", join(s.NotFound, route))
	line("invalid_asn", join(s.InvalidASN, route))
	line("invalid_length", join(s.InvalidLength, route))
	line("too_permissive", join(s.TooPermissive, func(r analysis.Replacement) string {
		return configured(r.Current) + " -> " + join(r.New, route)
	}))
	line("disallowing", join(s.Disallowing, configured))
	line("redundant", join(s.Redundant, configured))
	line("not_held", join(s.NotHeld, configured))
	line("as0_redundant", join(s.AS0Redundant, configured))
	line("keep", join(s.Keep, configured))
	line("keep_disallowing", join(s.KeepDisallowing, route))
	return b.String()
}

// example is what is announced around a CA with several kinds of mistakes.
func example(texts ...string) analysis.Input {
	return analysis.Input{
		ROAs: roas(texts...), Held: set("10.0.0.0/16, 192.168.0.0/16", "2001:db8::/32"),
		Seen: seen("10.0.0.0/22 64496", "10.0.2.0/23 64496", "10.0.0.0/24 64496", "10.0.0.0/22 64497", "10.0.0.0/21 64497",
			"192.168.0.0/24 64496", "192.168.0.0/24 64497", "192.168.1.0/24 64497", "2001:db8::/32 64498"),
	}
}

var mistakes = []string{
	"10.0.0.0/22-23 => 64496", "10.0.4.0/24 => 0", "10.0.3.0/24 => 64497", "10.1.0.0/24 => 64497",
	"192.168.1.0/24 => 64497", "192.168.1.0/24 => 64498", "192.168.1.0/24 => 0",
}

func TestFullReport(t *testing.T) {
	c := analysis.Compare(example(mistakes...))
	const want = `roa_seen 192.168.1.0/24-24 => 64497 authorizes=[192.168.1.0/24 by 64497]
roa_unseen 10.0.3.0/24-24 => 64497
roa_unseen 192.168.1.0/24-24 => 64498
roa_too_permissive 10.0.0.0/22-23 => 64496 authorizes=[10.0.0.0/22 by 64496, 10.0.2.0/23 by 64496] disallows=[10.0.0.0/22 by 64497, 10.0.0.0/24 by 64496]
roa_as0 10.0.4.0/24-24 => 0
roa_as0_redundant 192.168.1.0/24-24 => 0 made_redundant_by=[192.168.1.0/24-24 => 64497, 192.168.1.0/24-24 => 64498]
roa_not_held 10.1.0.0/24-24 => 64497
announcement_valid 10.0.0.0/22 by 64496 allowed_by=10.0.0.0/22-23 => 64496
announcement_valid 10.0.2.0/23 by 64496 allowed_by=10.0.0.0/22-23 => 64496
announcement_valid 192.168.1.0/24 by 64497 allowed_by=192.168.1.0/24-24 => 64497
announcement_invalid_length 10.0.0.0/24 by 64496 disallowed_by=[10.0.0.0/22-23 => 64496]
announcement_invalid_asn 10.0.0.0/22 by 64497 disallowed_by=[10.0.0.0/22-23 => 64496]
announcement_not_found 10.0.0.0/21 by 64497
announcement_not_found 192.168.0.0/24 by 64496
announcement_not_found 192.168.0.0/24 by 64497
announcement_not_found 2001:db8::/32 by 64498
`
	if got := lines(c.Report()); got != want {
		t.Errorf("got\n%s", got)
	}
	if got, want := c.Stats(), (analysis.Stats{
		Valid: 3, InvalidASN: 1, InvalidLength: 1, NotFound: 4, TooPermissive: 1, Redundant: 1, Stale: 2, NotHeld: 1, ROAs: 7,
	}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !c.InvalidAnnouncements() {
		t.Error("there are invalid announcements")
	}
}

func TestSuggestions(t *testing.T) {
	in := example(mistakes...)
	const all = `stale: 10.0.3.0/24-24 => 64497, 192.168.1.0/24-24 => 64498
not_found: 10.0.0.0/21 by 64497, 192.168.0.0/24 by 64496, 192.168.0.0/24 by 64497, 2001:db8::/32 by 64498
invalid_asn: 10.0.0.0/22 by 64497
invalid_length: 10.0.0.0/24 by 64496
too_permissive: 10.0.0.0/22-23 => 64496 -> 10.0.0.0/22 by 64496, 10.0.2.0/23 by 64496
not_held: 10.1.0.0/24-24 => 64497
as0_redundant: 192.168.1.0/24-24 => 0
keep: 192.168.1.0/24-24 => 64497, 10.0.4.0/24-24 => 0
`
	if got := advice(analysis.Compare(in).Report().Suggestion()); got != all {
		t.Errorf("got\n%s", got)
	}
	scope := set("10.0.0.0/22", "")
	in.Scope = &scope
	const some = `stale: 10.0.3.0/24-24 => 64497
invalid_asn: 10.0.0.0/22 by 64497
invalid_length: 10.0.0.0/24 by 64496
too_permissive: 10.0.0.0/22-23 => 64496 -> 10.0.0.0/22 by 64496, 10.0.2.0/23 by 64496
`
	if got := advice(analysis.Compare(in).Report().Suggestion()); got != some {
		t.Errorf("got\n%s", got)
	}
}

// TestAS0 has the holder say that nobody may originate a prefix: that is not
// to be mended.
func TestAS0(t *testing.T) {
	c := analysis.Compare(example("10.0.0.0/22 => 0"))
	const want = `roa_as0 10.0.0.0/22-22 => 0 disallows=[10.0.0.0/22 by 64496, 10.0.0.0/22 by 64497, 10.0.0.0/24 by 64496, 10.0.2.0/23 by 64496]
announcement_disallowed 10.0.0.0/22 by 64496 disallowed_by=[10.0.0.0/22-22 => 0]
announcement_disallowed 10.0.0.0/22 by 64497 disallowed_by=[10.0.0.0/22-22 => 0]
announcement_disallowed 10.0.0.0/24 by 64496 disallowed_by=[10.0.0.0/22-22 => 0]
announcement_disallowed 10.0.2.0/23 by 64496 disallowed_by=[10.0.0.0/22-22 => 0]
`
	got := lines(c.Report())
	if part, _, _ := strings.Cut(got, "announcement_not_found"); part != want {
		t.Errorf("got\n%s", got)
	}
	if c.InvalidAnnouncements() {
		t.Error("what AS 0 disallows is no invalid that is to be mended")
	}
	s := c.Report().Suggestion()
	if len(s.KeepDisallowing) != 4 || len(s.NotFound) != 5 || len(s.InvalidASN)+len(s.InvalidLength) > 0 {
		t.Errorf("got\n%s", advice(s))
	}
	if st := c.Stats(); st.Disallowed != 4 || st.NotFound != 5 {
		t.Errorf("got %+v", st)
	}
}

func TestNothingIsKnown(t *testing.T) {
	in := example(mistakes...)
	in.Seen = nil
	c := analysis.Compare(in)
	for _, e := range c.Report() {
		if want := e.ROA.ROA.Prefix.String() == "10.1.0.0/24"; (e.State == analysis.NotHeld) != want || !want && e.State != analysis.NoAnnouncementInfo {
			t.Errorf("got %s %s", e.State, e.ROA)
		}
	}
	if st := c.Stats(); st != (analysis.Stats{NotHeld: 1, ROAs: 7}) || len(c.Report()) != 7 || c.InvalidAnnouncements() {
		t.Errorf("got %+v of %d", st, len(c.Report()))
	}
	if s := c.Report().Suggestion(); len(s.Keep) != 6 || len(s.NotHeld) != 1 {
		t.Errorf("got\n%s", advice(s))
	}
	in.Seen = seen() // nothing is announced, which is something else
	if st := analysis.Compare(in).Stats(); st.Stale != 4 {
		t.Errorf("got %+v", st)
	}
}

// TestEmpty has neither ROAs nor resources.
func TestEmpty(t *testing.T) {
	c := analysis.Compare(analysis.Input{Seen: seen("10.0.0.0/24 1")})
	if len(c.Report()) != 0 || c.Stats() != (analysis.Stats{}) || advice(c.Report().Suggestion()) != "" {
		t.Errorf("got\n%s", lines(c.Report()))
	}
}

// TestStatesOfROAs has one ROA in each state, and next to each the one that
// just is not.
func TestStatesOfROAs(t *testing.T) {
	held := set("10.0.0.0/8", "2001:db8::/32")
	for name, c := range map[string]struct {
		seen, roas []string
		want       string // of the first ROA
	}{
		"all of the longest are seen":     {[]string{"10.0.0.0/24 1", "10.0.1.0/24 1"}, []string{"10.0.0.0/23-24 => 1"}, "roa_seen"},
		"one of the longest is seen":      {[]string{"10.0.0.0/24 1"}, []string{"10.0.0.0/23-24 => 1"}, "roa_too_permissive"},
		"none of the longest is seen":     {[]string{"10.0.0.0/23 1"}, []string{"10.0.0.0/23-24 => 1"}, "roa_seen"},
		"very many are allowed":           {[]string{"2001:db8::1/128 1"}, []string{"2001:db8::/32-128 => 1"}, "roa_too_permissive"},
		"only others announce":            {[]string{"10.0.0.0/24 2"}, []string{"10.0.0.0/24 => 1"}, "roa_disallowing"},
		"too long":                        {[]string{"10.0.0.0/25 1"}, []string{"10.0.0.0/24 => 1"}, "roa_disallowing"},
		"others, who may":                 {[]string{"10.0.0.0/24 2"}, []string{"10.0.0.0/24 => 1", "10.0.0.0/24 => 2"}, "roa_unseen"},
		"nothing":                         {nil, []string{"10.0.0.0/24 => 1"}, "roa_unseen"},
		"less specific":                   {[]string{"10.0.0.0/23 1"}, []string{"10.0.0.0/24 => 1"}, "roa_unseen"},
		"the same with a longer maximum":  {[]string{"10.0.0.0/24 1"}, []string{"10.0.0.0/24 => 1", "10.0.0.0/24-25 => 1"}, "roa_redundant"},
		"the same with a shorter maximum": {[]string{"10.0.0.0/24 1"}, []string{"10.0.0.0/24-25 => 1", "10.0.0.0/24 => 1"}, "roa_seen"},
		"a shorter prefix, same maximum":  {[]string{"10.0.0.0/24 1"}, []string{"10.0.0.0/24 => 1", "10.0.0.0/23-24 => 1"}, "roa_redundant"},
		"a shorter prefix, less maximum":  {[]string{"10.0.0.0/24 1"}, []string{"10.0.0.0/24 => 1", "10.0.0.0/23 => 1"}, "roa_seen"},
		"a shorter prefix of another AS":  {[]string{"10.0.0.0/24 1"}, []string{"10.0.0.0/24 => 1", "10.0.0.0/23-24 => 2"}, "roa_seen"},
		"the other is not held":           {[]string{"10.0.0.0/24 1"}, []string{"10.0.0.0/24 => 1", "10.0.0.0/7-24 => 1"}, "roa_seen"},
		"AS 0 with a longer one":          {nil, []string{"10.0.0.0/23 => 0", "10.0.0.0/24 => 1"}, "roa_as0"},
		"AS 0 with a shorter one":         {nil, []string{"10.0.0.0/24 => 0", "10.0.0.0/8 => 1"}, "roa_as0_redundant"},
		"AS 0 below AS 0":                 {nil, []string{"10.0.0.0/24 => 0", "10.0.0.0/8 => 0"}, "roa_as0_redundant"},
		"AS 0 is announced":               {[]string{"10.0.0.0/24 0"}, []string{"10.0.0.0/24 => 0"}, "roa_as0"},
	} {
		in := analysis.Input{ROAs: roas(c.roas...), Held: held, Seen: seen(c.seen...)}
		got := ""
		for _, e := range analysis.Compare(in).Report() {
			if e.ROA == in.ROAs[0] && !e.State.OfAnnouncement() {
				got = e.State.String()
			}
			if e.State == analysis.Valid && e.Announcement.Origin == 0 {
				t.Errorf("%s: AS 0 originates something valid", name)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// TestScopeNarrowsWhatIsTold has ROAs above the scope, which are not told and
// still decide what is valid in it.
func TestScopeNarrowsWhatIsTold(t *testing.T) {
	scope := set("10.0.1.0/24, 172.16.0.0/12", "")
	c := analysis.Compare(analysis.Input{
		ROAs: roas("10.0.0.0/16-24 => 1", "10.0.1.0/24 => 2", "10.0.2.0/24 => 3", "172.16.0.0/16 => 4", "192.168.0.0/16 => 4"),
		Held: set("10.0.0.0/8", ""), Scope: &scope, Seen: seen("10.0.1.0/24 1", "10.0.1.0/24 3", "10.0.2.0/24 1", "172.16.0.0/16 4"),
	})
	const want = `roa_disallowing 10.0.1.0/24-24 => 2 disallows=[10.0.1.0/24 by 3]
roa_not_held 172.16.0.0/16-16 => 4
announcement_valid 10.0.1.0/24 by 1 allowed_by=10.0.0.0/16-24 => 1
announcement_invalid_asn 10.0.1.0/24 by 3 disallowed_by=[10.0.0.0/16-24 => 1, 10.0.1.0/24-24 => 2]
`
	if got := lines(c.Report()); got != want {
		t.Errorf("got\n%s", got)
	}
	if got, want := c.Stats(), (analysis.Stats{Valid: 1, InvalidASN: 1, Disallowing: 1, NotHeld: 1, ROAs: 2}); got != want {
		t.Errorf("got %+v", got)
	}
}
