package audit_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// texts gives the rows of a query, each as text.
func texts(t testing.TB, w *world, query string, args ...any) []string {
	t.Helper()
	rows, err := w.db.Query(t.Context(), "SELECT q::text FROM ("+query+") q", args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// holder is a world with one CA that holds all resources.
func holder(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.at("02 08:00")
	w.check(w.pubs.Init(w.ctx(), es.Actor{Name: "baleen"}, pubserver.InitParams{
		RRDPBase: "https://rpki.example.net/rrdp/", RsyncBase: rsyncBase, KeyID: key(91), IDCert: identity(),
	}))
	w.newCA("user:alice", "isp")
	w.parent("user:alice", "isp", ta.Handle, ta.ClassName, nirKey, resources.AllResources())
	return w
}

// nested are prefixes of which many cover others, of both families.
var nested = []string{
	"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "10.0.0.0/24", "10.0.0.0/32", "10.0.1.0/24", "192.0.2.0/25", "192.0.2.128/25",
	"::/0", "2001:db8::/32", "2001:db8::/33", "2001:db8:8000::/33", "2001:db8::/64", "2001:db8::1/128", "64:ff9b::/96",
}

// TestConfigurationIsTheFoldOfTheLog lets a CA change its routes at random and
// compares what the schema says of every moment with the state of that moment.
func TestConfigurationIsTheFoldOfTheLog(t *testing.T) {
	w := holder(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	have := map[ca.ROA]string{}
	since := map[ca.ROA]time.Time{}
	var periods, moments []string
	began := w.now
	for n := range 60 {
		w.now = w.now.Add(time.Minute)
		var cmd ca.ConfigureROAs
		touched := map[ca.ROA]bool{}
		for range 1 + rnd.IntN(4) {
			p := netip.MustParsePrefix(nested[rnd.IntN(len(nested))])
			r := ca.ROA{ASID: 64496 + uint32(rnd.IntN(2)), Prefix: p, MaxLength: p.Bits()}
			comment := []string{"", "old", "new"}[rnd.IntN(3)]
			was, there := have[r]
			switch {
			case touched[r], there && was == comment:
				continue
			case there && rnd.IntN(2) == 0:
				cmd.Removed = append(cmd.Removed, r)
				periods = append(periods, period(r, was, since[r], &w.now))
				delete(have, r)
				if rnd.IntN(3) > 0 { // removed and added again, in one change
					break
				}
				fallthrough
			case !there:
				cmd.Added = append(cmd.Added, ca.ConfiguredROA{ROA: r, Comment: comment})
				have[r], since[r] = comment, w.now
			default:
				cmd.Added = append(cmd.Added, ca.ConfiguredROA{ROA: r, Comment: comment})
				have[r] = comment
			}
			touched[r] = true
		}
		if len(touched) == 0 {
			continue
		}
		w.ca(fmt.Sprintf("user:%d", n), "isp", cmd)
		moments = append(moments, fold(have, since)...)
		same(t, "the state", fold(have, since), stateOf(w))
	}
	for r, comment := range have {
		periods = append(periods, period(r, comment, since[r], nil))
	}
	slices.Sort(periods)
	same(t, "roa_configuration", sorted(texts(t, w, `SELECT prefix, max_length, asid, comment, valid_from, valid_to FROM audit.roa_configuration`)), periods)

	var got []string
	for at := began.Add(time.Minute); !at.After(w.now); at = at.Add(time.Minute) {
		if n := len(texts(t, w, "SELECT 1 FROM audit.roa_change WHERE at = $1", at)); n > 0 {
			got = append(got, sorted(texts(t, w, `SELECT prefix, max_length, asid, comment, since FROM audit.roas_at('isp', $1)`, at))...)
		}
	}
	same(t, "roas_at", got, moments)
	if n := len(texts(t, w, "SELECT * FROM audit.roas_at('isp', $1)", began)); n > 0 {
		t.Errorf("%d routes before the first change", n)
	}
}

func sorted(list []string) []string { slices.Sort(list); return list }

func row(r ca.ROA, comment string, rest ...*time.Time) string {
	fields := []string{r.Prefix.String(), fmt.Sprint(r.MaxLength), fmt.Sprint(r.ASID), comment}
	for _, at := range rest {
		if at == nil {
			fields = append(fields, "")
			continue
		}
		fields = append(fields, `"`+at.Format("2006-01-02 15:04:05+00")+`"`)
	}
	return "(" + strings.Join(fields, ",") + ")"
}

func period(r ca.ROA, comment string, from time.Time, to *time.Time) string {
	return row(r, comment, &from, to)
}

func fold(have map[ca.ROA]string, since map[ca.ROA]time.Time) []string {
	var out []string
	for r, comment := range have {
		from := since[r]
		out = append(out, row(r, comment, &from))
	}
	return sorted(out)
}

func stateOf(w *world) (out []string) {
	w.check(w.cas.View(w.ctx(), "isp", func(s *ca.State, _ int64) error {
		for r, c := range s.ROAs {
			at := c.Since.UTC()
			out = append(out, row(r, c.Comment, &at))
		}
		return nil
	}))
	return sorted(out)
}

// TestWhoChanged compares the search with one over everything, for every
// prefix and every way to match, and after a change so large that the index
// knows only that it is large.
func TestWhoChanged(t *testing.T) {
	w := holder(t)
	matches := map[string]func(changed, asked netip.Prefix) bool{
		"equal":    func(c, a netip.Prefix) bool { return c == a },
		"covering": func(c, a netip.Prefix) bool { return c.Bits() <= a.Bits() && c.Contains(a.Addr()) },
		"covered":  func(c, a netip.Prefix) bool { return a.Bits() <= c.Bits() && a.Contains(c.Addr()) },
		"related":  func(c, a netip.Prefix) bool { return c.Overlaps(a) },
	}
	var lines []netip.Prefix
	compare := func() {
		t.Helper()
		for _, asked := range append(slices.Clone(nested), "10.0.0.0/30", "172.16.0.0/12", "fe80::/10") {
			asked := netip.MustParsePrefix(asked)
			for how, matches := range maps.All(matches) {
				want := 0
				for _, p := range lines {
					if matches(p, asked) {
						want++
					}
				}
				if got := len(texts(t, w, "SELECT * FROM audit.who_changed($1, $2)", asked, how)); got != want {
					t.Errorf("%s %s: %d changes, want %d", how, asked, got, want)
				}
			}
		}
	}
	for _, p := range nested {
		w.now = w.now.Add(time.Minute)
		prefix := netip.MustParsePrefix(p)
		line := fmt.Sprintf("%s-%d => 64496", p, prefix.Bits())
		w.roas("user:alice", "isp", line)
		w.roas("user:bob", "isp", line+" # mine")
		w.roas("user:bob", "isp", "-"+line)
		lines = append(lines, prefix, prefix, prefix)
	}
	compare()

	w.now = w.now.Add(time.Minute)
	var many []string
	for n := range 2500 {
		p := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 0, byte(n >> 8), byte(n)}), 64)
		many, lines = append(many, fmt.Sprintf("%s-64 => 64496", p)), append(lines, p)
	}
	w.roas("user:carol", "isp", many...)
	compare()

	if _, err := w.db.Exec(t.Context(), "SELECT * FROM audit.who_changed('10.0.0.0/8', 'similar')"); err == nil || !strings.Contains(err.Error(), "match must be") {
		t.Errorf("an unknown way to match: %v", err)
	}
}

// TestAChangeMayBeOfAnySize stores more routes in one change than a search
// index could hold.
func TestAChangeMayBeOfAnySize(t *testing.T) {
	w := holder(t)
	var cmd ca.ConfigureROAs
	for n := range 12_000 {
		p := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(n >> 8), 15: byte(n)}), 128)
		cmd.Added = append(cmd.Added, ca.ConfiguredROA{ROA: ca.ROA{ASID: 64496, Prefix: p, MaxLength: 128}})
	}
	w.ca("user:alice", "isp", cmd)
	same(t, "who changed", texts(t, w, "SELECT actor, changed FROM audit.who_changed('2001:db8::2a')"), []string{"(user:alice,2001:db8::2a/128)"})
}

// TestClassThatIsGone ends everything under it: objects, certificates, those
// of children too.
func TestClassThatIsGone(t *testing.T) {
	w := holder(t)
	held := set("AS64496", "10.0.0.0/8", "")
	w.ca("user:alice", "isp", ca.AddChild{Child: "customer", IDCert: []byte("id"), Resources: held})
	w.certify("child:customer", "isp", "customer", w.record("isp", "customer", key(7), held))
	w.roas("user:alice", "isp", "10.0.0.0/8-8 => 64496")
	w.issue("isp")
	w.now = w.now.Add(time.Hour)
	w.ca("task:ca_issue", "isp", ca.RecordROAs{Class: "0", Key: w.keyOf("isp").String(), Issued: w.renewed("isp")})
	w.now = w.now.Add(time.Hour)
	w.ca("task:ca_sync_parent", "isp", ca.UpdateEntitlements{Parent: ta.Handle})

	same(t, "objects", texts(t, w, "SELECT withdrawn_how, withdrawn_at - issued_at FROM audit.roa_object ORDER BY issued_at"),
		[]string{"(replaced,01:00:02)", "(class_removed,01:00:00)"})
	same(t, "children's certificates", texts(t, w, "SELECT child, revoked_how, revoked_by FROM audit.certificate_issued"),
		[]string{"(customer,class_removed,task:ca_sync_parent)"})
	same(t, "own certificates", texts(t, w, "SELECT class, replaced_at IS NULL FROM audit.certificate_received"), []string{"(0,f)"})
	same(t, "classes", texts(t, w, "SELECT closed_how, closed_by FROM audit.resource_class"), []string{"(class_removed,task:ca_sync_parent)"})
	same(t, "configuration", texts(t, w, "SELECT prefix, valid_to FROM audit.roa_configuration"), []string{"(10.0.0.0/8,)"})
}

// renewed gives the issued objects of class 0, signed again.
func (w *world) renewed(handle string) (out []ca.IssuedROA) {
	w.t.Helper()
	w.check(w.cas.View(w.ctx(), handle, func(s *ca.State, _ int64) error {
		for _, r := range s.Classes["0"].ROAs {
			text := w.content(r.Name)
			r.Hash, r.Serial, r.NotAfter = ca.HashOf(text), serial(text), r.NotAfter.AddDate(0, 1, 0)
			out = append(out, r)
		}
		return nil
	}))
	return out
}

// TestTrustAnchorRevokes tells a certificate that was revoked from one that
// was left out because it had expired.
func TestTrustAnchorRevokes(t *testing.T) {
	w := newWorld(t)
	w.dayOfSetup()
	short := w.taObjects(3, key(nirKey), key(50), key(51))
	expiring := short.Issued[key(51)]
	expiring.NotAfter = w.now.Add(time.Hour)
	short.Issued[key(51)] = expiring
	w.exchangeTA("a", short)
	w.now = w.now.Add(2 * time.Hour)
	rest := short
	rest.Number, rest.Issued = 4, map[cert.KeyID]ta.IssuedCert{key(nirKey): short.Issued[key(nirKey)]}
	w.exchangeTA("b", rest)

	same(t, "certificates", texts(t, w, `SELECT right(key_id, 2), issued_at, revoked_at, revoked_how FROM audit.certificate_issued
		WHERE ca = 'ta' ORDER BY issued_at, key_id`), []string{
		`(01,"2026-11-02 08:10:00+00","2026-11-02 08:35:00+00",replaced)`,
		`(01,"2026-11-02 08:35:00+00",,)`,
		`(32,"2026-11-02 08:35:00+00","2026-11-02 10:35:00+00",revoked)`,
		`(33,"2026-11-02 08:35:00+00",,)`,
	})
}

func (w *world) exchangeTA(nonce string, o ta.Objects) {
	w.t.Helper()
	w.ta("task:ta_sign", ta.MakeSignerRequest{Nonce: nonce})
	w.ta("task:ta_sign", ta.ProcessSignerResponse{Response: ta.Response{Nonce: nonce, Objects: o}})
}

// TestPublishedIsWhatTheServerSays compares the views with what the
// publication server itself answers, at every moment of the history.
func TestPublishedIsWhatTheServerSays(t *testing.T) {
	w := tell(t)
	for _, at := range []string{"02 07:59", "02 08:00", "02 09:00:05", "03 12:00", "04 09:30", "05 10:00", "05 23:00", "06 09:00", "06 23:00"} {
		moment := w.time(at)
		published, err := w.pubs.PublishedAt(t.Context(), moment)
		w.check(err)
		var want, wantROAs []string
		for _, p := range published {
			want = append(want, "("+p.Publisher+","+p.URI+")")
			if strings.HasSuffix(p.URI, ".roa") {
				wantROAs = append(wantROAs, "("+p.URI+")")
			}
		}
		same(t, at, texts(t, w, "SELECT publisher, uri FROM audit.published_at($1)", moment), want)
		same(t, at, sorted(texts(t, w, "SELECT uri FROM audit.vrps_at($1)", moment)), wantROAs)
		same(t, at, texts(t, w, `SELECT publisher, uri FROM audit.publication
			WHERE published_at <= $1 AND (withdrawn_at IS NULL OR withdrawn_at > $1) ORDER BY uri`, moment), want)
	}
	if n := len(texts(t, w, "SELECT * FROM audit.vrps_at('2028-01-01')")); n != 0 {
		t.Errorf("%d expired routes", n)
	}
}

// TestEveryEventIsKnown fails when a kind of event is added and nobody thought
// of the people who read the log: show it in a view, or list it here.
func TestEveryEventIsKnown(t *testing.T) {
	shown := schemaText(t)
	onlyAsEvents := []string{
		"certificate_requested/1", "ta_signer_initialized/1", "request_processed/1",
		"signer_request_made/1", "child_request_added/1", "child_response_given/1",
		"key_roll_initiated/1", "key_activation_started/1", "key_revocation_requested/1", "unexpected_key_found/1", "unexpected_key_revoked/1",
		"repository_left/1", "child_class_mapped/1", "reissue_forced/1", "identity_renewed/1", "ca_deleted/1",
		"issuing_paused/1", "issuing_resumed/1",
		"ta_reissued/1", "objects_recovered/1", "keys_announced/1", // only an offline signer has them, in its own log
	}
	for _, names := range [][]string{
		slices.Collect(maps.Keys(ca.Type().Codec)), slices.Collect(maps.Keys(ta.ProxyType().Codec)),
		slices.Collect(maps.Keys(ta.SignerType().Codec)), slices.Collect(maps.Keys(pubserver.Type().Codec)),
	} {
		for _, name := range names {
			if !strings.Contains(shown, "'"+name+"'") && !slices.Contains(onlyAsEvents, name) {
				t.Errorf("no view of schema audit knows the event %s", name)
			}
		}
	}
}
