package ca

import (
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
)

// The new key of a roll signs ASPAs and router certificates again, for nobody
// to see; it cannot take over before it has them all; and what the old key
// signed is revoked then (RFC 6489 section 2).
func TestASObjectsAreStaged(t *testing.T) {
	r := router(65000, 5)
	events := append(providersOf65000(t),
		ASPAsIssued{Class: "0", Issued: []IssuedASPA{issuedASPA("7", 65000, 65002, 65003, 65005)}},
		RouterKeysConfigured{Added: []ConfiguredRouterKey{{r, []byte{1}}}}, RouterCertsIssued{Class: "0", Issued: []IssuedRouterCert{issuedRouter("8", r)}},
		KeyRollInitiated{Class: "0", Parent: "up", KeyID: key(2)},
		KeyStaged{Class: "0", KeyID: key(2), Cert: record(key(2), set(t, "AS65000-AS65001", "10.0.0.0/16", ""), "1002")},
	)
	s := given(t, events...)
	aspas := RecordASPAs{Class: "0", Key: key(2), Issued: []IssuedASPA{issuedASPA("17", 65000, 65002, 65003, 65005)}}
	routers := RecordRouterCerts{Class: "0", Key: key(2), Issued: []IssuedRouterCert{issuedRouter("18", r)}}
	if plans := s.PlanASPAs(noon, policy); len(plans) != 0 {
		t.Errorf("planned before the activation: %+v", plans)
	}
	_, err := aspas.Process(s, noon)
	wantFault(t, err, fault.Conflict, "aspa-plan-stale")
	_, err = routers.Process(s, noon)
	wantFault(t, err, fault.Conflict, "router-plan-stale")

	events = append(events, KeyActivationStarted{Class: "0", KeyID: key(2)})
	for _, cmd := range []es.Command[State]{aspas, routers} {
		s = given(t, events...)
		_, err := SwitchKeys{Class: "0", Key: key(2)}.Process(s, noon)
		wantFault(t, err, fault.Conflict, "key-roll-incomplete")
		if ready := s.ReadyKeys(noon, policy); len(ready) != 0 {
			t.Errorf("ready too early: %v", ready)
		}
		got, err := cmd.Process(s, noon)
		if err != nil || len(got) != 1 {
			t.Fatalf("got %v, %v", got, err)
		}
		events = append(events, got...)
	}
	s = given(t, events...)
	if a, r := s.PlanASPAs(noon, policy), s.PlanRouterCerts(noon, policy); len(a)+len(r) != 0 {
		t.Errorf("a second plan is not empty: %+v, %+v", a, r)
	}
	points := s.Points(noon)
	if len(points) != 2 || len(points[0].Files) != 2 || len(points[1].Files) != 0 {
		t.Errorf("staged objects are published: %+v", points)
	}

	got, err := SwitchKeys{Class: "0", Key: key(2)}.Process(s, noon)
	if err != nil {
		t.Fatal(err)
	}
	s = given(t, append(events, got...)...)
	points = s.Points(noon)
	if len(points) != 2 || points[0].Key != key(2) || len(points[0].Files) != 2 || points[0].Files[0].Hash != HashOf([]byte("17")) || len(points[0].Revoked) != 0 {
		t.Errorf("got %+v", points)
	}
	if old := points[1].Revoked; len(old) != 2 || old[0].Serial != "7" || old[1].Serial != "8" {
		t.Errorf("revoked: %+v", old)
	}
}

// What changes while a roll is under way changes for both keys.
func TestStagedASObjectsFollowTheConfiguration(t *testing.T) {
	events := append(providersOf65000(t),
		ASPAsIssued{Class: "0", Issued: []IssuedASPA{issuedASPA("7", 65000, 65002, 65003, 65005)}},
		KeyStaged{Class: "0", KeyID: key(2), Cert: record(key(2), set(t, "AS65000-AS65001", "", ""), "1002")}, KeyActivationStarted{Class: "0", KeyID: key(2)},
		ASPAsStaged{Class: "0", KeyID: key(2), Issued: []IssuedASPA{issuedASPA("17", 65000, 65002, 65003, 65005)}},
		ASPAsConfigured{Removed: []uint32{65000}, Added: []ASPA{def(65001, 1)}},
	)
	s := given(t, events...)
	plans := s.PlanASPAs(noon, policy)
	if len(plans) != 2 || plans[0].Key != key(1) || plans[1].Key != key(2) {
		t.Fatalf("got %+v", plans)
	}
	for i, p := range plans {
		if len(p.Issue) != 1 || p.Issue[0].Customer != 65001 || len(p.Withdraw) != 1 {
			t.Errorf("got %+v", p)
		}
		rec := RecordASPAs{Class: "0", Key: p.Key, Issued: []IssuedASPA{issuedASPA("2"+p.Key.String(), 65001, 1)}, Withdrawn: p.Withdraw}
		got, err := rec.Process(s, noon)
		if err != nil || len(got) != 1 {
			t.Fatalf("plan %d: got %v, %v", i, got, err)
		}
		events = append(events, got...)
	}
	s = given(t, events...)
	if plans := s.PlanASPAs(noon, policy); len(plans) != 0 {
		t.Errorf("a second plan is not empty: %+v", plans)
	}
	if revoked := s.Classes["0"].New.Revoked; len(revoked) != 1 || revoked[0].Serial != "17" {
		t.Errorf("revoked by the new key: %+v", revoked)
	}
}
