package analysis_test

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"baleen/internal/bgp"
	"baleen/internal/bgp/analysis"
	"baleen/internal/ca"
	"baleen/internal/rpki/resources"
)

// plain is the comparison as the rules are written down, each ROA against each
// announcement.
type plain struct {
	held []ca.ConfiguredROA
	seen []bgp.Announcement
}

func covers(p, q netip.Prefix) bool { return p.Bits() <= q.Bits() && p.Contains(q.Addr()) }

func (p plain) announcement(a bgp.Announcement) analysis.Entry {
	e := analysis.Entry{State: analysis.NotFound, Announcement: a}
	origin, named := false, false
	var covering []ca.ROA
	for _, r := range p.held {
		if !covers(r.ROA.Prefix, a.Prefix) {
			continue
		}
		covering = append(covering, r.ROA)
		same := r.ROA.ASID == a.Origin && a.Origin != 0
		if same && a.Prefix.Bits() <= r.ROA.MaxLength && e.AllowedBy == nil {
			e.AllowedBy = &r.ROA
		}
		origin, named = origin || same, named || r.ROA.ASID != 0
	}
	switch {
	case len(covering) == 0:
		return e
	case e.AllowedBy != nil:
		e.State = analysis.Valid
		return e
	case origin:
		e.State = analysis.InvalidLength
	case named:
		e.State = analysis.InvalidASN
	default:
		e.State = analysis.Disallowed
	}
	e.DisallowedBy = covering
	return e
}

func (p plain) roa(r ca.ConfiguredROA) analysis.Entry {
	e := analysis.Entry{ROA: r}
	var covered, authorizes, disallows []bgp.Announcement
	longest := 0
	for _, a := range p.seen {
		if !covers(r.ROA.Prefix, a.Prefix) {
			continue
		}
		covered = append(covered, a)
		switch s := p.announcement(a).State; {
		case s == analysis.Valid && a.Origin == r.ROA.ASID && a.Prefix.Bits() <= r.ROA.MaxLength:
			authorizes = append(authorizes, a)
			if a.Prefix.Bits() == r.ROA.MaxLength {
				longest++
			}
		case s == analysis.InvalidLength || s == analysis.InvalidASN:
			disallows = append(disallows, a)
		}
	}
	var others, including []ca.ROA
	for _, o := range p.held {
		if o.ROA != r.ROA && covers(o.ROA.Prefix, r.ROA.Prefix) {
			others = append(others, o.ROA)
			if o.ROA.ASID == r.ROA.ASID && o.ROA.MaxLength >= r.ROA.MaxLength {
				including = append(including, o.ROA)
			}
		}
	}
	all := 1 << (r.ROA.MaxLength - r.ROA.Prefix.Bits())
	switch {
	case r.ROA.ASID == 0 && len(others) > 0:
		e.State, e.MadeRedundantBy = analysis.AS0Redundant, others
		return e
	case r.ROA.ASID == 0:
		e.State, e.Disallows = analysis.AS0, covered
		return e
	case len(including) > 0:
		e.State, e.MadeRedundantBy = analysis.Redundant, including
	case len(authorizes)+len(disallows) == 0:
		e.State = analysis.Unseen
	case longest > 0 && longest < all:
		e.State = analysis.TooPermissive
	case len(authorizes) == 0:
		e.State = analysis.Disallowing
	default:
		e.State = analysis.Seen
	}
	e.Authorizes, e.Disallows = authorizes, disallows
	return e
}

func plainReport(in analysis.Input) (out analysis.Report) {
	var p plain
	scope := in.Held
	if in.Scope != nil {
		scope = scope.Intersect(*in.Scope)
	}
	sorted := slices.SortedFunc(slices.Values(in.ROAs), func(a, b ca.ConfiguredROA) int { return ca.CompareROAs(a.ROA, b.ROA) })
	for _, r := range sorted {
		if in.Held.ContainsPrefix(r.ROA.Prefix) {
			p.held = append(p.held, r)
		}
	}
	for _, a := range in.Seen.Within(netip.MustParsePrefix("0.0.0.0/0")) {
		if scope.ContainsPrefix(a.Prefix) {
			p.seen = append(p.seen, a)
		}
	}
	for _, r := range sorted {
		switch {
		case in.Scope != nil && !in.Scope.ContainsPrefix(r.ROA.Prefix):
		case !in.Held.ContainsPrefix(r.ROA.Prefix):
			out = append(out, analysis.Entry{State: analysis.NotHeld, ROA: r})
		default:
			out = append(out, p.roa(r))
		}
	}
	for _, a := range p.seen {
		out = append(out, p.announcement(a))
	}
	slices.SortStableFunc(out, func(a, b analysis.Entry) int { return cmp.Compare(a.State, b.State) })
	return out
}

// drawPrefix keeps to a few addresses, so that much is nested.
func drawPrefix(t *rapid.T, name string) netip.Prefix {
	bits := rapid.IntRange(4, 9).Draw(t, name+" length")
	p, _ := netip.AddrFrom4([4]byte{rapid.Byte().Draw(t, name), 128}).Prefix(bits)
	return p
}

func drawSet(t *rapid.T, name string) resources.Set {
	var list []netip.Prefix
	for range rapid.IntRange(0, 4).Draw(t, name+" blocks") {
		list = append(list, drawPrefix(t, name))
	}
	return resources.Set{V4: resources.IPSetOf(resources.IPv4, list...)}
}

// TestTheRulesAsWritten compares with the plain reading of the rules.
func TestTheRulesAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := analysis.Input{Held: drawSet(t, "held")}
		if rapid.Bool().Draw(t, "everything is held") {
			in.Held = resources.AllResources()
		}
		if rapid.Bool().Draw(t, "scoped") {
			scope := drawSet(t, "scope")
			in.Scope = &scope
		}
		var list []bgp.Announcement
		for range rapid.IntRange(0, 20).Draw(t, "announcements") {
			list = append(list, bgp.Announcement{Prefix: drawPrefix(t, "announcement"), Origin: rapid.Uint32Range(0, 3).Draw(t, "origin")})
		}
		in.Seen = bgp.NewSet(list)
		there := map[ca.ROA]bool{}
		for range rapid.IntRange(0, 12).Draw(t, "ROAs") {
			p := drawPrefix(t, "ROA")
			r := ca.ROA{Prefix: p, MaxLength: rapid.IntRange(p.Bits(), 10).Draw(t, "maximum"), ASID: rapid.Uint32Range(0, 3).Draw(t, "AS")}
			if !there[r] {
				there[r] = true
				in.ROAs = append(in.ROAs, ca.ConfiguredROA{ROA: r})
			}
		}
		c := analysis.Compare(in)
		report := c.Report()
		if got, want := lines(report), lines(plainReport(in)); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
		checkStats(t, c.Stats(), report)
		if got := slices.ContainsFunc(report, func(e analysis.Entry) bool {
			return e.State == analysis.InvalidASN || e.State == analysis.InvalidLength
		}); got != c.InvalidAnnouncements() {
			t.Errorf("the report has invalid announcements: %t", got)
		}
	})
}

func checkStats(t *rapid.T, st analysis.Stats, report analysis.Report) {
	n := map[analysis.State]int{}
	ofROAs := 0
	for _, e := range report {
		n[e.State]++
		if !e.State.OfAnnouncement() {
			ofROAs++
		}
	}
	want := analysis.Stats{
		Valid: n[analysis.Valid], InvalidASN: n[analysis.InvalidASN], InvalidLength: n[analysis.InvalidLength], Disallowed: n[analysis.Disallowed],
		NotFound: n[analysis.NotFound], TooPermissive: n[analysis.TooPermissive], Redundant: n[analysis.Redundant] + n[analysis.AS0Redundant],
		Stale: n[analysis.Unseen], Disallowing: n[analysis.Disallowing], NotHeld: n[analysis.NotHeld], ROAs: ofROAs,
	}
	if st != want {
		t.Errorf("counted %+v, listed %+v", st, want)
	}
}
