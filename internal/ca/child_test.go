package ca

import (
	"reflect"
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

func TestAddChild(t *testing.T) {
	s := given(t, append(certified(t, set(t, "AS1-AS10", "10.0.0.0/8", "")), ChildAdded{Child: "kid", Resources: set(t, "", "10.0.0.0/16", "")})...)
	add := func(name string, res resources.Set) AddChild {
		return AddChild{Child: name, IDCert: []byte{3}, Resources: res}
	}
	got, err := add("new", set(t, "AS5", "10.3.0.0/16", "")).Process(s, noon)
	if err != nil || !reflect.DeepEqual(got, []es.Event{ChildAdded{Child: "new", IDCert: []byte{3}, Resources: set(t, "AS5", "10.3.0.0/16", "")}}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for code, cmd := range map[string]AddChild{
		"ca-child-resources-required": add("new", resources.Set{}),
		"ca-child-resources-extra":    add("new", set(t, "AS11", "10.3.0.0/16", "")),
	} {
		_, err := cmd.Process(s, noon)
		wantFault(t, err, fault.Invalid, code)
	}
	_, err = add("kid", set(t, "", "10.3.0.0/16", "")).Process(s, noon)
	wantFault(t, err, fault.Exists, "ca-child-duplicate")
}

func TestUpdateChildResources(t *testing.T) {
	s := given(t, append(certified(t, set(t, "", "10.0.0.0/8", "")), ChildAdded{Child: "kid", Resources: set(t, "", "10.0.0.0/16", "")})...)
	if got, err := (UpdateChildResources{Child: "kid", Resources: set(t, "", "10.0.0.0/16", "")}).Process(s, noon); err != nil || len(got) != 0 {
		t.Errorf("the same resources again: %+v, %v", got, err)
	}
	lost := given(t, append(certified(t, set(t, "", "10.0.0.0/8", "")), ChildAdded{Child: "kid", Resources: set(t, "", "11.0.0.0/16", "")})...)
	if got, err := (UpdateChildResources{Child: "kid", Resources: set(t, "", "11.0.0.0/16", "")}).Process(lost, noon); err != nil || len(got) != 0 {
		t.Errorf("the same resources, which the CA lost meanwhile: %+v, %v", got, err)
	}
	_, err := UpdateChildResources{Child: "none", Resources: set(t, "", "10.0.0.0/16", "")}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "ca-child-unknown")
	_, err = UpdateChildResources{Child: "kid", Resources: set(t, "", "11.0.0.0/16", "")}.Process(s, noon)
	wantFault(t, err, fault.Invalid, "ca-child-resources-extra")
}

func childCert(child string, k cert.KeyID, res resources.Set, serial string) IssuedCert {
	return IssuedCert{Child: child, CertRecord: record(k, res, serial)}
}

func TestPlanChildCert(t *testing.T) {
	events := append(certified(t, set(t, "AS1-AS10", "10.0.0.0/8", "")),
		ChildAdded{Child: "kid", Resources: set(t, "AS5", "10.0.0.0/16", "")}, ChildAdded{Child: "other", Resources: set(t, "", "10.1.0.0/16", "")},
		ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("other", key(20), set(t, "", "10.1.0.0/16", ""), "20")}})
	s := given(t, events...)
	req := &cert.Request{KeyID: key(30), SIA: cert.SIA{Repository: "rsync://h/m/kid/0/", Manifest: "rsync://h/m/kid/0/x.mft"}}
	p, err := s.PlanChildCert("kid", "0", req, resources.Limit{})
	if err != nil || !p.Resources.Equal(set(t, "AS5", "10.0.0.0/16", "")) || p.URI != "rsync://localhost/repo/ca1/0/"+key(30).String()+".cer" {
		t.Fatalf("got %+v, %v", p, err)
	}
	_, err = s.PlanChildCert("kid", "1", req, resources.Limit{})
	wantFault(t, err, fault.NotFound, "rc-unknown")
	_, err = s.PlanChildCert("none", "0", req, resources.Limit{})
	wantFault(t, err, fault.NotFound, "ca-child-unknown")
	_, err = s.PlanChildCert("kid", "0", &cert.Request{KeyID: key(20)}, resources.Limit{})
	wantFault(t, err, fault.Exists, "key-re-use")
	revoked := given(t, append(events, ChildCertificatesRevoked{Class: "0", Keys: []cert.KeyID{key(20)}})...)
	_, err = revoked.PlanChildCert("other", "0", &cert.Request{KeyID: key(20)}, resources.Limit{})
	wantFault(t, err, fault.Exists, "key-re-use")
	empty := given(t, append(events, CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS1", "10.1.0.0/16", ""), "1001")})...)
	_, err = empty.PlanChildCert("kid", "0", req, resources.Limit{})
	wantFault(t, err, fault.Invalid, "rc-missing-resources")
	uncertified := given(t, append(events[:4:4], events[5:]...)...)
	_, err = uncertified.PlanChildCert("kid", "0", req, resources.Limit{})
	wantFault(t, err, fault.Unavailable, "key-no-current")
}

func TestEntitlements(t *testing.T) {
	s := given(t, append(certified(t, set(t, "AS1-AS10", "10.0.0.0/8", "")),
		ChildAdded{Child: "kid", Resources: set(t, "AS5", "10.0.0.0/16", "")}, ChildAdded{Child: "poor", Resources: set(t, "", "11.0.0.0/16", "")},
		ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("kid", key(20), set(t, "AS5", "10.0.0.0/16", ""), "20")}})...)
	got, err := s.Entitlements("kid", noon, policy)
	if err != nil || len(got) != 1 || len(got[0].Issued) != 1 || !got[0].Resources.Equal(set(t, "AS5", "10.0.0.0/16", "")) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if want := noon.Add(52 * week); !got[0].NotAfter.Equal(want) {
		t.Errorf("the child would ask again at once: not after %v, its certificate %v", got[0].NotAfter, want)
	}
	if got, err := s.Entitlements("poor", noon, policy); err != nil || len(got) != 0 {
		t.Errorf("a class without resources is listed: %+v, %v", got, err)
	}
}

// Shrinking: what a child claims too much is signed again with less, or revoked.
func TestPlanChildCerts(t *testing.T) {
	s := given(t, append(certified(t, set(t, "AS1-AS10", "10.0.0.0/8", "")),
		ChildAdded{Child: "a", Resources: set(t, "", "10.0.0.0/15", "")}, ChildAdded{Child: "b", Resources: set(t, "", "10.2.0.0/16", "")}, ChildAdded{Child: "c", Resources: set(t, "", "10.0.128.0/17", "")},
		ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{
			childCert("a", key(20), set(t, "", "10.0.0.0/15", ""), "20"), childCert("b", key(21), set(t, "", "10.2.0.0/16", ""), "21"), childCert("c", key(22), set(t, "", "10.0.128.0/17", ""), "22"),
		}},
		CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS1", "10.0.0.0/16", ""), "1001")})...)
	plans := s.PlanChildCerts(noon)
	if len(plans) != 1 || len(plans[0].Shrink) != 1 || plans[0].Shrink[0].Old.Child != "a" || !plans[0].Shrink[0].Resources.Equal(set(t, "", "10.0.0.0/16", "")) {
		t.Fatalf("got %+v", plans)
	}
	if !reflect.DeepEqual(plans[0].Revoke, []cert.KeyID{key(21)}) {
		t.Errorf("revoked: %v", plans[0].Revoke)
	}
	if files := s.Points(noon)[0].Files; len(files) != 1 || files[0].Name != key(22).String()+".cer" {
		t.Errorf("published meanwhile: %+v", files)
	}
	over := RecordChildCerts{Class: "0", Key: key(1), Issued: []IssuedCert{childCert("a", key(20), set(t, "", "10.0.0.0/15", ""), "30")}}
	_, err := over.Process(s, noon)
	wantFault(t, err, fault.Conflict, "cert-plan-stale")
}

// What a task signed in place of a certificate that the child exchanged
// meanwhile does not take the place of the new one.
func TestWhatAChildGotMeanwhileStays(t *testing.T) {
	whole, less := set(t, "", "10.0.0.0/16", ""), set(t, "", "10.0.0.0/17", "")
	old := childCert("kid", key(20), less, "20")
	events := append(certified(t, set(t, "", "10.0.0.0/8", "")), ChildAdded{Child: "kid", Resources: whole}, ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{old}})
	cmd := RecordChildCerts{Class: "0", Key: key(1), Issued: []IssuedCert{childCert("kid", key(20), less, "21")}, Replaces: map[cert.KeyID]Hash{key(20): old.Hash}}
	if got, err := cmd.Process(given(t, events...), noon); err != nil || len(got) != 1 {
		t.Errorf("the same certificate: %+v, %v", got, err)
	}
	s := given(t, append(events, ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("kid", key(20), whole, "22")}})...)
	_, err := cmd.Process(s, noon)
	wantFault(t, err, fault.Conflict, "cert-plan-stale")
}
