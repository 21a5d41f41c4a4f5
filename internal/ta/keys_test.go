package ta_test

import (
	"math/big"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
	"baleen/internal/ta"
)

func TestAnnouncements(t *testing.T) {
	uri := []string{"https://example.net/ta/next.cer"}
	real := begun()
	real.TA.KeyID, real.TAL.SPKI = idOf(taKey()), spkiOf(taKey())
	plain := ta.Announcement{Comments: []string{}}
	next := ta.Announcement{Comments: []string{"ours"}, Successor: &ta.KeyInfo{Comments: []string{}, URIs: uri, SPKI: spkiOf(childKey())}}
	itself := ta.Announcement{Comments: []string{}, Predecessor: &ta.KeyInfo{Comments: []string{}, URIs: uri, SPKI: spkiOf(taKey())}}
	nowhere := ta.Announcement{Comments: []string{}, Successor: &ta.KeyInfo{Comments: []string{}, URIs: []string{}, SPKI: spkiOf(childKey())}}
	said := ta.KeysAnnounced{Announcement: &plain}
	for name, tt := range map[string]decision[ta.SignerState]{
		"the current key":   {given: []es.Event{real}, when: ta.AnnounceKeys(said), then: []es.Event{said}},
		"a successor":       {given: []es.Event{real}, when: ta.AnnounceKeys{Announcement: &next}, then: []es.Event{ta.KeysAnnounced{Announcement: &next}}},
		"nothing any more":  {given: []es.Event{real, said}, when: ta.AnnounceKeys{}, then: []es.Event{ta.KeysAnnounced{}}},
		"still nothing":     {given: []es.Event{real}, when: ta.AnnounceKeys{}},
		"its own successor": {given: []es.Event{real}, when: ta.AnnounceKeys{Announcement: &itself}, fault: "general-error", kind: fault.Invalid},
		"no URI":            {given: []es.Event{real}, when: ta.AnnounceKeys{Announcement: &nowhere}, fault: "general-error", kind: fault.Invalid},
		"no signer":         {when: ta.AnnounceKeys{Announcement: &plain}, fault: "ta-not-initialized", kind: fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, ta.SignerType()) })
	}
}

// What is said of the keys is signed anew with every manifest, listed in it, and
// what it replaces is revoked; for a proxy that would not publish it there is
// none.
func TestAnnouncementsAreIssued(t *testing.T) {
	var numbers serials
	root := must(ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
		Repository: repo, HTTPS: []string{"https://example.net/ta/ta.cer"}, Rsync: "rsync://example.net/ta/ta.cer", Serial: big.NewInt(99), Now: start, Timing: timing,
	}, taKey()))
	own := must(cert.Decode(root.DER))
	sign := func(p ta.Plan) ta.Signed {
		t.Helper()
		made := must(p.Sign(ta.Keys{TA: own, Signer: taKey(), Manifest: eeKey(), Announcement: secondKey(), Serials: numbers.take(p.Serials())}))
		if err := made.Check(own, p.Now); err != nil {
			t.Fatal(err)
		}
		return made
	}
	first := sign(must(ta.PlanInit(root.Record, 1, start, timing)))
	s := fold(t, ta.SignerType(), []es.Event{
		ta.SignerInitialized{Identity: signID, ProxyID: proxyID, TA: root.Record, TAL: root.TAL, Objects: first.Objects},
		ta.KeysAnnounced{Announcement: &ta.Announcement{Comments: []string{"ours"}, Successor: &ta.KeyInfo{
			Comments: []string{}, URIs: []string{"https://example.net/ta/next.cer"}, SPKI: spkiOf(childKey()),
		}}},
	})
	exchange := func(nonce string, seen uint64) ta.Signed {
		t.Helper()
		at := start.Add(time.Duration(s.Objects.Number) * time.Hour)
		r := asked(nonce, at)
		r.Seen = seen
		made := sign(must(s.PlanRequest(r, at, timing)))
		for _, e := range must(made.Command().Process(s, at)) {
			ta.SignerType().Apply(s, es.Meta{At: at}, e)
		}
		return made
	}
	made := exchange("n1", 1)
	name := root.Record.KeyID.String() + ".tak"
	if files := s.Objects.Published(); len(files) != 3 || s.Objects.Keys == nil || s.Objects.Keys.Name != name || len(made.DER()) != 3 {
		t.Fatalf("published %v", files)
	}
	said, broken := profile.TAK(made.Announcement)
	if len(broken) > 0 || said.TAK.Current.ID() != idOf(taKey()) || said.TAK.Successor.ID() != idOf(childKey()) || len(said.TAK.Current.URIs) != 2 {
		t.Errorf("says %+v, %v", said.TAK, broken)
	}
	was := s.Objects.Keys.Serial
	exchange("n2", 2)
	if r := s.Objects.Revoked; len(r) != 1 || r[0].Serial != was || s.Objects.Keys.Serial == was {
		t.Errorf("revoked %+v, now %+v", r, s.Objects.Keys)
	}
	exchange("n3", 0) // other software
	if s.Objects.Keys != nil || len(s.Objects.Published()) != 2 || len(s.Objects.Revoked) != 2 {
		t.Errorf("for other software there is %+v", s.Objects)
	}
	plan := must(s.PlanRequest(ta.Request{Nonce: "n4", MadeAt: start.Add(9 * time.Hour), Seen: 1}, start.Add(9*time.Hour), timing))
	if _, err := plan.Sign(ta.Keys{TA: own, Signer: taKey(), Manifest: eeKey(), Serials: numbers.take(plan.Serials())}); err == nil {
		t.Error("signed without a key of its own")
	}
}
