package ca

import (
	"reflect"
	"strings"
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

var elsewhere = Repository{ServiceURI: "https://other.example/rfc8181/ca1/", SIABase: "rsync://other.example/repo/ca1/", NotificationURI: "https://other.example/rrdp/notification.xml"}

func TestChangeOfRepository(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	move := ConfigureRepository{Repository: elsewhere, NewKeys: map[string]cert.KeyID{"0": key(2)}}
	s := given(t, certified(t, held)...)
	got, err := move.Process(s, noon)
	want := []es.Event{KeyRollInitiated{Class: "0", Parent: "up", KeyID: key(2)}, RepositoryConfigured{Repository: elsewhere}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	_, err = ConfigureRepository{Repository: elsewhere}.Process(s, noon)
	wantFault(t, err, fault.Conflict, "class-without-key")
	_, err = move.Process(given(t, rollNew(t, held)...), noon)
	wantFault(t, err, fault.Invalid, "key-roll-disallowed")
	if got, err := move.Process(given(t, certified(t, held)[:4]...), noon); err != nil || len(got) != 1 {
		t.Errorf("a class without certificate: %+v, %v", got, err)
	}

	moving := append(certified(t, held), want...)
	s = given(t, moving...)
	old := *given(t, certified(t, held)...).Repository
	if r := s.OpenRequests("up"); len(r) != 1 || r[0].SIA.Repository != "rsync://other.example/repo/ca1/0/" {
		t.Errorf("the new key asks for %+v", r)
	}
	next := record(key(2), held, "2000")
	_, err = ReceiveCertificate{Class: "0", Cert: next}.Process(s, noon)
	wantFault(t, err, fault.Conflict, "cert-plan-stale") // it is for the old place
	next.SIA = SIA{Repository: "rsync://other.example/repo/ca1/0/", Manifest: "rsync://other.example/repo/ca1/0/" + key(2).String() + ".mft"}
	staged, err := ReceiveCertificate{Class: "0", Cert: next}.Process(s, noon)
	if err != nil || !reflect.DeepEqual(staged, []es.Event{KeyStaged{Class: "0", KeyID: key(2), Cert: next}}) {
		t.Fatalf("got %+v, %v", staged, err)
	}
	moving = append(moving, staged...)
	s = given(t, moving...)
	if p := s.Points(noon); len(p) != 2 || p[0].Repository != old.ServiceURI || p[1].Repository != elsewhere.ServiceURI {
		t.Errorf("points %+v", p)
	}
	if got := s.Repositories(); !reflect.DeepEqual(got, []Repository{elsewhere, old}) || len(s.AbandonedRepositories()) != 0 {
		t.Errorf("in use: %+v; left: %+v", got, s.AbandonedRepositories())
	}
	moving = append(moving, KeyActivationStarted{Class: "0", KeyID: key(2)}, KeyRollActivated{Class: "0", KeyID: key(2), OldKey: key(1)})
	if got := given(t, moving...).Repositories(); len(got) != 2 {
		t.Errorf("in use: %+v", got)
	}
	s = given(t, append(moving, KeyRollFinished{Class: "0", KeyID: key(1)})...)
	if got := s.AbandonedRepositories(); !reflect.DeepEqual(got, []Repository{old}) || len(s.Repositories()) != 1 {
		t.Errorf("left: %+v; in use: %+v", got, s.Repositories())
	}
	leave := LeaveRepository{ServiceURI: old.ServiceURI, SIABase: old.SIABase, GivenUp: true}
	got, err = leave.Process(s, noon)
	if err != nil || !reflect.DeepEqual(got, []es.Event{RepositoryLeft(leave)}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := (LeaveRepository{ServiceURI: elsewhere.ServiceURI, SIABase: elsewhere.SIABase}).Process(s, noon); err != nil || len(got) != 0 {
		t.Errorf("the repository in use is left: %+v, %v", got, err)
	}
}

func TestRemoveParent(t *testing.T) {
	s := given(t, rollNew(t, set(t, "", "10.0.0.0/8", ""), UnexpectedKeyFound{Class: "0", Parent: "up", KeyID: key(50)})...)
	got, err := RemoveParent{Parent: "up"}.Process(s, noon)
	want := []es.Event{
		ResourceClassRemoved{Class: "0", Parent: "up", Keys: []cert.KeyID{key(2), key(1)}},
		ParentRemoved{Parent: "up", Contact: s.Parents["up"], Revoke: []KeyClaim{{"0", key(2)}, {"0", key(1)}, {"0", key(50)}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	_, err = RemoveParent{Parent: "down"}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "ca-parent-unknown")
}

// A refused key of a roll goes alone; with the current one the class goes.
func TestDropKey(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	s := given(t, rollNew(t, held)...)
	for _, tc := range []struct {
		key  byte
		then []es.Event
	}{
		{2, []es.Event{KeyRollAbandoned{Class: "0", KeyID: key(2), Reason: "why"}}},
		{1, []es.Event{ResourceClassRemoved{Class: "0", Parent: "up", Keys: []cert.KeyID{key(2), key(1)}}}},
		{9, nil},
	} {
		got, err := DropKey{Class: "0", Key: key(tc.key), Reason: "why"}.Process(s, noon)
		if err != nil || !reflect.DeepEqual(got, tc.then) {
			t.Errorf("key %d: got %+v, %v, want %+v", tc.key, got, err, tc.then)
		}
	}
	if c := given(t, rollNew(t, held, KeyRollAbandoned{Class: "0", KeyID: key(2)})...).Classes["0"]; c.New != nil || c.Current == nil {
		t.Errorf("got %+v", c)
	}
}

func TestRemoveChild(t *testing.T) {
	s := given(t, busy(t, stagedAll(t)...)...)
	got, err := RemoveChild{Child: "kid"}.Process(s, noon)
	want := []es.Event{
		ChildCertificatesStaged{Class: "0", KeyID: key(2), Withdrawn: []cert.KeyID{key(20)}},
		ChildCertificatesRevoked{Class: "0", Keys: []cert.KeyID{key(20)}},
		ChildRemoved{Child: "kid"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	s = given(t, busy(t, append(stagedAll(t), want...)...)...)
	if c := s.Classes["0"]; len(c.Certs)+len(c.New.Certs) != 0 || len(c.New.Revoked) != 1 || c.New.Revoked[0].Serial != "43" || c.Current.Revoked[0].Serial != "33" {
		t.Errorf("left: %+v, new key %+v", c, c.New)
	}
	_, err = RemoveChild{Child: "none"}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "ca-child-unknown")
}

func TestRenewAndDelete(t *testing.T) {
	s := given(t, rollNew(t, set(t, "", "10.0.0.0/8", ""))...)
	next := Identity{KeyID: key(98), Cert: []byte{9}}
	got, err := RenewIdentity{Identity: next}.Process(s, noon)
	if err != nil || !reflect.DeepEqual(got, []es.Event{IdentityRenewed{Identity: next, OldKey: key(99)}}) {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = Delete{}.Process(s, noon)
	want := []es.Event{Deleted{Keys: []cert.KeyID{key(99), key(2), key(1)}, Repositories: []string{"https://localhost:3000/rfc8181/ca1/"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// Several changes of a child are one: what is refused in part is refused.
func TestUpdateChild(t *testing.T) {
	held := set(t, "AS1-AS10", "10.0.0.0/8", "")
	events := append(certified(t, held),
		ChildAdded{Child: "kid", IDCert: []byte{1}, Resources: set(t, "", "10.0.0.0/16", "")},
		ChildAdded{Child: "old", Resources: set(t, "", "10.1.0.0/16", "")},
		ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("old", key(20), set(t, "", "10.1.0.0/16", ""), "20")}})
	s := given(t, events...)
	some, none, extra := set(t, "AS1", "", ""), resources.Set{}, set(t, "AS11", "", "")
	for name, tc := range map[string]struct {
		when  UpdateChild
		then  []es.Event
		fault string
	}{
		"all": {
			UpdateChild{Child: "kid", IDCert: []byte{2}, Resources: &some, Class: &ClassMapping{"0", "lacnic"}},
			[]es.Event{ChildIDCertUpdated{"kid", []byte{2}}, ChildResourcesUpdated{"kid", some}, ChildClassMapped{"kid", "0", "lacnic"}},
			"",
		},
		"nothing new":     {UpdateChild{Child: "kid", IDCert: []byte{1}, Class: &ClassMapping{"0", "0"}}, nil, ""},
		"unknown class":   {UpdateChild{Child: "kid", Class: &ClassMapping{"7", "x"}}, []es.Event{ChildClassMapped{"kid", "7", "x"}}, ""},
		"nobody":          {UpdateChild{Child: "none", IDCert: []byte{2}}, nil, "ca-child-unknown"},
		"no resources":    {UpdateChild{Child: "kid", IDCert: []byte{2}, Resources: &none}, nil, "ca-child-resources-required"},
		"extra resources": {UpdateChild{Child: "kid", IDCert: []byte{2}, Resources: &extra}, nil, "ca-child-resources-extra"},
		"has a key":       {UpdateChild{Child: "old", IDCert: []byte{2}, Class: &ClassMapping{"0", "x"}}, nil, "general-error"},
		"no name":         {UpdateChild{Child: "kid", IDCert: []byte{2}, Class: &ClassMapping{"0", ""}}, nil, "general-error"},
		"long name":       {UpdateChild{Child: "kid", Class: &ClassMapping{"0", strings.Repeat("x", 1025)}}, nil, "general-error"},
		"taken name":      {UpdateChild{Child: "kid", Class: &ClassMapping{"7", "0"}}, nil, "general-error"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.when.Process(s, noon)
			if tc.fault != "" {
				if fault.Code(err) != tc.fault {
					t.Errorf("got %v, want %s", err, tc.fault)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tc.then) {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.then)
			}
		})
	}
}

// A child that calls a class by another name is understood in all it asks.
func TestClassNamesOfChildren(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	events := append(certified(t, held), ChildAdded{Child: "kid", Resources: held}, ChildClassMapped{Child: "kid", Class: "0", Name: "1"})
	s := given(t, events...)
	offered, err := s.Entitlements("kid", noon, policy)
	if err != nil || len(offered) != 1 || offered[0].Class != "1" {
		t.Fatalf("got %+v, %v", offered, err)
	}
	req := &cert.Request{KeyID: key(30)}
	_, err = s.PlanChildCert("kid", "0", req, resources.Limit{})
	wantFault(t, err, fault.NotFound, "rc-unknown")
	if p, err := s.PlanChildCert("kid", "1", req, resources.Limit{}); err != nil || p.Class != "0" {
		t.Errorf("got %+v, %v", p, err)
	}
	// No class of ours gets a name that a child uses for another.
	got, err := UpdateEntitlements{Parent: "up", Entitlements: []Entitlement{{Class: "0", Resources: held, NotAfter: noon.Add(52 * week)}, {Class: "x"}}, NewKeys: map[string]cert.KeyID{"x": key(7)}}.Process(s, noon)
	if want := []es.Event{ResourceClassAdded{Class: "2", Parent: "up", ParentClass: "x", KeyID: key(7)}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	s = given(t, append(events, ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("kid", key(30), held, "30")}})...)
	_, err = RevokeChildKey{Child: "kid", Class: "0", Key: key(30)}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "rc-unknown")
	_, err = RevokeChildKey{Child: "kid", Class: "1", Key: key(31)}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "key-no-cert")
	_, err = RevokeChildKey{Child: "none", Class: "1", Key: key(30)}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "ca-child-unknown")
	revoked, err := RevokeChildKey{Child: "kid", Class: "1", Key: key(30)}.Process(s, noon)
	if want := []es.Event{ChildCertificatesRevoked{Class: "0", Keys: []cert.KeyID{key(30)}}}; err != nil || !reflect.DeepEqual(revoked, want) {
		t.Errorf("got %+v, %v, want %+v", revoked, err, want)
	}
	if s := given(t, append(events, ChildClassMapped{Child: "kid", Class: "0", Name: "0"})...); len(s.Children["kid"].ClassNames) != 0 {
		t.Error("our own name does not end the mapping")
	}
}

// What a child limits itself to is checked, kept, and never empty.
func TestLimits(t *testing.T) {
	s := given(t, append(certified(t, set(t, "AS1-AS10", "10.0.0.0/8", "")), ChildAdded{Child: "kid", Resources: set(t, "AS5", "10.0.0.0/16", "")})...)
	none, as5, as6 := set(t, "", "", ""), set(t, "AS5", "", ""), set(t, "AS6", "", "")
	req := &cert.Request{KeyID: key(30)}
	limit := resources.Limit{V4: &none.V4}
	if p, err := s.PlanChildCert("kid", "0", req, limit); err != nil || !p.Resources.Equal(as5) || !p.Limit.Equal(limit) {
		t.Errorf("got %+v, %v", p, err)
	}
	_, err := s.PlanChildCert("kid", "0", req, resources.Limit{AS: &as6.AS})
	wantFault(t, err, fault.Invalid, "rfc6492-protocol")
	_, err = s.PlanChildCert("kid", "0", req, resources.Limit{AS: &none.AS, V4: &none.V4})
	wantFault(t, err, fault.Invalid, "rc-missing-resources")
}

// No child gets a certificate for a key of the CA itself.
func TestOwnKeysAreTaken(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	s := given(t, rollNew(t, held, ChildAdded{Child: "kid", Resources: held})...)
	for _, k := range []byte{1, 2, 99} {
		_, err := s.PlanChildCert("kid", "0", &cert.Request{KeyID: key(k)}, resources.Limit{})
		wantFault(t, err, fault.Exists, "key-re-use")
	}
	if c := s.Claims(); len(c) != 1 || len(c["up"]) != 2 {
		t.Errorf("claims: %+v", c)
	}
}
