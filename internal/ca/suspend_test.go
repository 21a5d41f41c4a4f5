package ca

import (
	"reflect"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// family is a CA with two children that have a certificate each.
func family(t *testing.T) []es.Event {
	t.Helper()
	return append(certified(t, set(t, "AS1-AS10", "10.0.0.0/8", "")),
		ChildAdded{Child: "kid", Resources: set(t, "", "10.0.0.0/16", "")}, ChildAdded{Child: "other", Resources: set(t, "", "10.1.0.0/16", "")},
		ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{
			childCert("kid", key(20), set(t, "", "10.0.0.0/16", ""), "20"), childCert("other", key(21), set(t, "", "10.1.0.0/16", ""), "21"),
		}})
}

// then adds what a command decides to a history.
func then(t *testing.T, events []es.Event, cmd es.Command[State], at time.Time) []es.Event {
	t.Helper()
	more, err := cmd.Process(given(t, events...), at)
	if err != nil {
		t.Fatal(err)
	}
	return append(events[:len(events):len(events)], more...)
}

// published gives the keys of the children's certificates that are published.
func published(s *State) []string {
	var out []string
	for _, f := range s.Points(noon)[0].Files {
		out = append(out, f.Name[:40])
	}
	return out
}

func revokedSerials(s *State) []string {
	var out []string
	for _, r := range s.Classes["0"].Current.Revoked {
		out = append(out, r.Serial)
	}
	return out
}

func TestSuspendedChildHasNothing(t *testing.T) {
	events := then(t, family(t), SuspendChild{Child: "kid"}, noon)
	s := given(t, events...)
	if got := published(s); !reflect.DeepEqual(got, []string{key(21).String()}) {
		t.Errorf("published: %v", got)
	}
	if got := revokedSerials(s); !reflect.DeepEqual(got, []string{"20"}) {
		t.Errorf("revoked: %v", got)
	}
	offered, err := s.Entitlements("kid", noon, policy)
	if err != nil || len(offered) != 1 || len(offered[0].Issued) != 0 {
		t.Errorf("listed: %+v, %v", offered, err)
	}
	if got := s.SuspendedChildren(); !reflect.DeepEqual(got, []string{"kid"}) {
		t.Errorf("suspended: %v", got)
	}
	if plans := s.PlanChildCerts(noon); len(plans) != 0 {
		t.Errorf("planned: %+v", plans)
	}
	_, err = s.PlanChildCert("kid", "0", &cert.Request{KeyID: key(20)}, resources.Limit{})
	wantFault(t, err, fault.Conflict, "child-suspended")
	_, err = RecordChildCerts{Class: "0", Key: key(1), Issued: []IssuedCert{childCert("kid", key(20), set(t, "", "10.0.0.0/16", ""), "30")}}.Process(s, noon)
	wantFault(t, err, fault.Conflict, "cert-plan-stale")
}

func TestSuspendDoesNothingTwice(t *testing.T) {
	lonely := append(certified(t, set(t, "", "10.0.0.0/8", "")), ChildAdded{Child: "kid", Resources: set(t, "", "10.0.0.0/16", "")})
	for name, c := range map[string]struct {
		events []es.Event
		cmd    es.Command[State]
	}{
		"suspended":           {then(t, family(t), SuspendChild{Child: "kid"}, noon), SuspendChild{Child: "kid"}},
		"without certificate": {lonely, SuspendChild{Child: "kid"}},
		"active":              {family(t), UnsuspendChild{Child: "kid"}},
	} {
		if got, err := c.cmd.Process(given(t, c.events...), noon); err != nil || len(got) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	_, err := SuspendChild{Child: "none"}.Process(given(t, lonely...), noon)
	wantFault(t, err, fault.NotFound, "ca-child-unknown")
	_, err = UnsuspendChild{Child: "none"}.Process(given(t, lonely...), noon)
	wantFault(t, err, fault.NotFound, "ca-child-unknown")
}

// Un-suspending plans the same certificate anew, with a serial that is not
// revoked.
func TestUnsuspend(t *testing.T) {
	events := then(t, family(t), SuspendChild{Child: "kid"}, noon)
	events = then(t, events, UnsuspendChild{Child: "kid"}, noon)
	plans := given(t, events...).PlanChildCerts(noon)
	if len(plans) != 1 || len(plans[0].Revoke) != 0 || len(plans[0].Shrink) != 1 || plans[0].Shrink[0].Old.Serial != "20" ||
		!plans[0].Shrink[0].Resources.Equal(set(t, "", "10.0.0.0/16", "")) {
		t.Fatalf("planned: %+v", plans)
	}
	events = then(t, events, RecordChildCerts{Class: "0", Key: key(1), Issued: []IssuedCert{childCert("kid", key(20), set(t, "", "10.0.0.0/16", ""), "30")}}, noon)
	s := given(t, events...)
	if got := published(s); len(got) != 2 {
		t.Errorf("published: %v", got)
	}
	if got := revokedSerials(s); !reflect.DeepEqual(got, []string{"20"}) {
		t.Errorf("revoked: %v", got)
	}
	if s.Children["kid"].Suspended || len(s.SuspendedChildren()) != 0 {
		t.Error("still suspended")
	}
}

// After a child was suspended and is active again nothing is left aside, so
// that whatever happens next cannot bring the old copy back (defect D7).
func TestNoStaleCopyComesBack(t *testing.T) {
	events := then(t, family(t), SuspendChild{Child: "kid"}, noon)
	events = then(t, events, UnsuspendChild{Child: "kid"}, noon)
	events = then(t, events, RecordChildCerts{Class: "0", Key: key(1), Issued: []IssuedCert{childCert("kid", key(20), set(t, "", "10.0.0.0/16", ""), "30")}}, noon)
	events = append(events, CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "", "10.0.0.0/17, 10.1.0.0/16", ""), "1001")})
	s := given(t, events...)
	if n := len(s.Children["kid"].Withheld); n != 0 {
		t.Errorf("%d certificates are still kept aside", n)
	}
	plans := s.PlanChildCerts(noon)
	if len(plans) != 1 || len(plans[0].Revoke) != 0 || len(plans[0].Shrink) != 1 || plans[0].Shrink[0].Old.Serial != "30" {
		t.Errorf("the shrink takes the old copy: %+v", plans)
	}
	// The child asks by itself before the task comes: then the task has nothing to do.
	asked := then(t, family(t), SuspendChild{Child: "kid"}, noon)
	asked = then(t, asked, UnsuspendChild{Child: "kid"}, noon)
	asked = append(asked, ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("kid", key(20), set(t, "", "10.0.0.0/16", ""), "31")}})
	if plans := given(t, asked...).PlanChildCerts(noon); len(plans) != 0 {
		t.Errorf("planned again: %+v", plans)
	}
}

// What is kept aside lives with the child: without the child there is nothing
// of it (defect D8).
func TestSuspendedChildThatIsRemovedLeavesNothing(t *testing.T) {
	s := given(t, then(t, family(t), SuspendChild{Child: "kid"}, noon)...)
	delete(s.Children, "kid") // as its removal does
	if got := published(s); !reflect.DeepEqual(got, []string{key(21).String()}) {
		t.Errorf("published: %v", got)
	}
	if plans := s.PlanChildCerts(noon); len(plans) != 0 {
		t.Errorf("planned: %+v", plans)
	}
	for k, c := range s.Classes["0"].Certs {
		if c.Child == "kid" {
			t.Errorf("certificate of key %s is left", k)
		}
	}
	if got := revokedSerials(s); !reflect.DeepEqual(got, []string{"20"}) {
		t.Errorf("revoked: %v", got)
	}
}

func TestUnsuspendDropsWhatDoesNotFit(t *testing.T) {
	shrunk := CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "", "10.0.0.0/17", ""), "1001")}
	for name, c := range map[string]struct {
		between []es.Event
		at      time.Time
	}{
		"the CA holds less":           {[]es.Event{shrunk}, noon},
		"the child may have less":     {[]es.Event{ChildResourcesUpdated{Child: "kid", Resources: set(t, "", "10.0.0.0/17", "")}}, noon},
		"less than a day is left":     {nil, noon.Add(52*week - 24*time.Hour)},
		"everything of it is expired": {nil, noon.Add(53 * week)},
	} {
		events := append(then(t, family(t), SuspendChild{Child: "kid"}, noon), c.between...)
		events = then(t, events, UnsuspendChild{Child: "kid"}, c.at)
		last, ok := events[len(events)-1].(ChildUnsuspended)
		if !ok || !reflect.DeepEqual(last.Dropped, []cert.KeyID{key(20)}) {
			t.Errorf("%s: %+v", name, events[len(events)-1])
		}
		s := given(t, events...)
		if len(s.Children["kid"].Withheld) != 0 {
			t.Errorf("%s: something is still kept aside", name)
		}
		// The key is not lost: the child may ask with it.
		if _, err := s.PlanChildCert("kid", "0", &cert.Request{KeyID: key(20)}, resources.Limit{}); err != nil {
			t.Errorf("%s: the child asks again: %v", name, err)
		}
	}
}

// A class or a key that goes meanwhile takes along what was kept aside.
func TestWithheldGoesWithItsClassAndKey(t *testing.T) {
	events := then(t, family(t), SuspendChild{Child: "kid"}, noon)
	s := given(t, append(events, ResourceClassRemoved{Class: "0", Parent: "up", Keys: []cert.KeyID{key(1)}})...)
	if n := len(s.Children["kid"].Withheld); n != 0 {
		t.Errorf("%d certificates of a class that is gone", n)
	}
	events = then(t, events, RecordChildCerts{Class: "0", Key: key(1), Revoked: []cert.KeyID{key(20)}}, noon)
	s = given(t, events...)
	if use := s.Children["kid"].Keys[key(20)]; !use.Revoked || len(s.Children["kid"].Withheld) != 0 {
		t.Errorf("a key that was revoked: %+v, kept aside: %v", use, s.Children["kid"].Withheld)
	}
	if got := revokedSerials(s); !reflect.DeepEqual(got, []string{"20"}) {
		t.Errorf("revoked: %v", got)
	}
}

// A child that is suspended again before its certificates were issued anew is
// suspended: nothing of it is published.
func TestSuspendAgainAtOnce(t *testing.T) {
	events := then(t, family(t), SuspendChild{Child: "kid"}, noon)
	events = then(t, events, UnsuspendChild{Child: "kid"}, noon)
	events = then(t, events, SuspendChild{Child: "kid"}, noon)
	s := given(t, events...)
	if got := s.SuspendedChildren(); !reflect.DeepEqual(got, []string{"kid"}) {
		t.Errorf("suspended: %v", got)
	}
	if plans := s.PlanChildCerts(noon); len(plans) != 0 {
		t.Errorf("planned: %+v", plans)
	}
	events = then(t, events, UnsuspendChild{Child: "kid"}, noon)
	if plans := given(t, events...).PlanChildCerts(noon); len(plans) != 1 || len(plans[0].Shrink) != 1 {
		t.Errorf("active again: %+v", plans)
	}
}

// With what a child may have from now on it is decided what fits it when it is
// active again.
func TestUnsuspendWithOtherResources(t *testing.T) {
	less, whole, active := set(t, "", "10.0.0.0/17", ""), set(t, "", "10.0.0.0/16", ""), false
	events := then(t, family(t), SuspendChild{Child: "kid"}, noon)
	events = append(events, ChildResourcesUpdated{Child: "kid", Resources: less})
	events = then(t, events, UpdateChild{Child: "kid", Resources: &whole, Suspend: &active}, noon)
	s := given(t, events...)
	if plans := s.PlanChildCerts(noon); s.Children["kid"].Suspended || len(plans) != 1 || len(plans[0].Shrink) != 1 {
		t.Errorf("planned: %+v", plans)
	}
}
