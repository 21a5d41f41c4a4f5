package ca

import (
	"testing"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
)

// everything is a CA that issued one object of each kind.
func everything(t *testing.T) []es.Event {
	held := set(t, "AS64496", "10.0.0.0/8", "")
	r := roa(t, "10.0.0.0/16-16 => 64496")
	kid := childCert("kid", key(3), set(t, "", "10.1.0.0/16", ""), "18")
	return append(certified(t, held),
		ROAsConfigured{Added: []ConfiguredROA{{ROA: r}}},
		ROAsIssued{Class: "0", Issued: []IssuedROA{issued("31302e302e302e302f31362d3136203d3e203634343936.roa", "19", r)}},
		ASPAsConfigured{Added: []ASPA{{64496, []uint32{65001}}}},
		ASPAsIssued{Class: "0", Issued: []IssuedASPA{issuedASPA("20", 64496, 65001)}},
		RouterKeysConfigured{Added: []ConfiguredRouterKey{{router(64496, 5), []byte{6}}}},
		RouterCertsIssued{Class: "0", Issued: []IssuedRouterCert{issuedRouter("21", router(64496, 5))}},
		GhostbustersConfigured{Added: []Ghostbusters{record1("noc", "NOC")}},
		GhostbustersIssued{Class: "0", Issued: []IssuedGhostbusters{issuedRecord("22", record1("noc", "NOC"))}},
		ChildAdded{Child: "kid", Resources: kid.Resources},
		ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{kid}},
	)
}

// planned counts what is to be signed.
func planned(s *State) (out [5]int) {
	for _, p := range s.PlanROAs(noon, policy) {
		out[0] += len(p.Issue)
	}
	for _, p := range s.PlanASPAs(noon, policy) {
		out[1] += len(p.Issue)
	}
	for _, p := range s.PlanRouterCerts(noon, policy) {
		out[2] += len(p.Issue)
	}
	for _, p := range s.PlanChildCerts(noon) {
		out[3] += len(p.Shrink)
	}
	for _, p := range s.PlanGhostbusters(noon, policy) {
		out[4] += len(p.Issue)
	}
	return out
}

func TestForcedReissueIsForEverythingOnce(t *testing.T) {
	want := func(when string, s *State, n [5]int) {
		t.Helper()
		if got := planned(s); got != n {
			t.Errorf("%s: ROAs, ASPAs, router and child certificates, records to sign: %v, want %v", when, got, n)
		}
	}
	events := everything(t)
	want("before", given(t, events...), [5]int{})
	ev, err := ForceReissue{}.Process(given(t, events...), noon)
	if err != nil || len(ev) != 1 {
		t.Fatalf("decided %v, %v", ev, err)
	}
	events = append(events, ev...)
	want("forced", given(t, events...), [5]int{1, 1, 1, 1, 1})
	s := given(t, events...)
	if files := s.Points(noon)[0].Files; len(files) != 5 {
		t.Errorf("what waits to be issued again is not published: %v", files)
	}
	events = append(events,
		ROAsIssued{Class: "0", Issued: []IssuedROA{issued("31302e302e302e302f31362d3136203d3e203634343936.roa", "29", roa(t, "10.0.0.0/16-16 => 64496"))}},
		ASPAsIssued{Class: "0", Issued: []IssuedASPA{issuedASPA("30", 64496, 65001)}},
	)
	want("half way", given(t, events...), [5]int{0, 0, 1, 1, 1})
	events = append(events,
		RouterCertsIssued{Class: "0", Issued: []IssuedRouterCert{issuedRouter("31", router(64496, 5))}},
		ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("kid", key(3), set(t, "", "10.1.0.0/16", ""), "28")}},
		GhostbustersIssued{Class: "0", Issued: []IssuedGhostbusters{issuedRecord("32", record1("noc", "NOC"))}},
	)
	want("at the end", given(t, events...), [5]int{})
	if n := len(given(t, events...).Classes["0"].Current.Revoked); n != 5 {
		t.Errorf("%d revocations, want one for each object", n)
	}
}

func TestForcedReissueOfNothing(t *testing.T) {
	ev, err := ForceReissue{}.Process(given(t, certified(t, set(t, "AS64496", "", ""))...), noon)
	if err != nil || len(ev) > 0 {
		t.Errorf("decided %v, %v", ev, err)
	}
}

func TestForcedReissueDuringARoll(t *testing.T) {
	held := set(t, "AS64496", "10.0.0.0/8", "")
	r := roa(t, "10.0.0.0/16-16 => 64496")
	name := "31302e302e302e302f31362d3136203d3e203634343936.roa"
	events := append(certified(t, held),
		ROAsConfigured{Added: []ConfiguredROA{{ROA: r}}},
		ROAsIssued{Class: "0", Issued: []IssuedROA{issued(name, "19", r)}},
		KeyRollInitiated{Class: "0", Parent: "up", KeyID: key(9)},
		KeyStaged{Class: "0", KeyID: key(9), Cert: record(key(9), held, "1001")},
		KeyActivationStarted{Class: "0", KeyID: key(9)},
		ROAsStaged{Class: "0", KeyID: key(9), Issued: []IssuedROA{issued(name, "20", r)}},
		ReissueForced{},
	)
	var keys []cert.KeyID
	s := given(t, events...)
	for _, p := range s.PlanROAs(noon, policy) {
		keys = append(keys, p.Key)
	}
	if len(keys) != 2 || len(s.ReadyKeys(noon, policy)) > 0 {
		t.Errorf("keys that must sign again: %v, ready: %v", keys, s.ReadyKeys(noon, policy))
	}
}
