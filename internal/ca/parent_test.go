package ca

import (
	"reflect"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

func TestInitRefusesReservedAndBadNames(t *testing.T) {
	for _, name := range []string{"ta", "version"} {
		_, err := Init{Handle: name}.Process(new(State), noon)
		wantFault(t, err, fault.Invalid, "ta-name-reserved")
	}
	for _, name := range []string{"", "a b", "a/b", `a\b`, "ä"} {
		_, err := Init{Handle: name}.Process(new(State), noon)
		wantFault(t, err, fault.Invalid, "api-json")
	}
}

func TestSetParent(t *testing.T) {
	s := given(t, certified(t, set(t, "", "10.0.0.0/8", ""))...)
	same := s.Parents["up"]
	_, err := SetParent{Parent: "again", Contact: same}.Process(s, noon)
	wantFault(t, err, fault.Exists, "ca-parent-xml-duplicate")
	other := same
	other.ServiceURI = "https://localhost:3000/rfc6492/elsewhere"
	got, err := SetParent{Parent: "up", Contact: other}.Process(s, noon)
	if err != nil || !reflect.DeepEqual(got, []es.Event{ParentUpdated{Parent: "up", Contact: other}}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := (SetParent{Parent: "up", Contact: same}).Process(s, noon); err != nil || len(got) != 0 {
		t.Errorf("the contact that there is: got %+v, %v", got, err)
	}
}

func TestRepositoryTwice(t *testing.T) {
	s := given(t, certified(t, set(t, "", "10.0.0.0/8", ""))...)
	_, err := ConfigureRepository{Repository: *s.Repository}.Process(s, noon)
	wantFault(t, err, fault.Invalid, "ca-repo-same")
}

func TestUpdateEntitlements(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	s := given(t, certified(t, held)...)
	same := Entitlement{Class: "0", Resources: held, NotAfter: noon.Add(52 * week)}
	more := Entitlement{Class: "0", Resources: set(t, "", "10.0.0.0/7", ""), NotAfter: noon.Add(52 * week)}
	longer := Entitlement{Class: "0", Resources: held, NotAfter: noon.Add(53 * week)}
	extra := Entitlement{Class: "x", Resources: set(t, "AS1", "", ""), NotAfter: noon.Add(52 * week)}
	ask := CertificateRequested{Class: "0", Parent: "up", KeyID: key(1)}
	for name, tc := range map[string]struct {
		offered []Entitlement
		then    []es.Event
	}{
		"as before": {[]Entitlement{same}, nil},
		"grown":     {[]Entitlement{more}, []es.Event{ask}},
		"longer":    {[]Entitlement{longer}, []es.Event{ask}},
		"another":   {[]Entitlement{same, extra}, []es.Event{ResourceClassAdded{Class: "1", Parent: "up", ParentClass: "x", KeyID: key(7)}}},
		"gone":      {nil, []es.Event{ResourceClassRemoved{Class: "0", Parent: "up", Keys: []cert.KeyID{key(1)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := UpdateEntitlements{Parent: "up", Entitlements: tc.offered, NewKeys: map[string]cert.KeyID{"x": key(7)}}.Process(s, noon)
			if err != nil || !reflect.DeepEqual(got, tc.then) {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.then)
			}
		})
	}
	_, err := UpdateEntitlements{Parent: "up", Entitlements: []Entitlement{extra}}.Process(s, noon)
	wantFault(t, err, fault.Conflict, "class-without-key")
	_, err = UpdateEntitlements{Parent: "other"}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "ca-parent-unknown")
}

// Where the parent has replaced our certificate, with what we are entitled to
// or, until we ask, with less, we ask.
func TestAReplacedCertificateIsAskedFor(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	s := given(t, certified(t, held)...)
	ours, other, elsewhere := s.Classes["0"].Current.Cert, HashOf(nil), "rsync://localhost/repo/moved/0/x.cer"
	fresh := noon.Add(-50 * time.Minute)
	for name, tc := range map[string]struct {
		uri    string
		hashes []Hash // that the parent lists for our key
		at     time.Time
		asked  bool
	}{
		"ours":                   {ours.URI, []Hash{ours.Hash}, noon, false},
		"ours in another place":  {elsewhere, []Hash{ours.Hash}, noon, false},
		"replaced":               {ours.URI, []Hash{other}, noon, true},
		"replaced, but not long": {ours.URI, []Hash{other}, fresh, false},
		"replaced and moved":     {elsewhere, []Hash{other}, fresh, true},
		"ours beside another":    {ours.URI, []Hash{other, ours.Hash}, noon, false},
	} {
		e := Entitlement{Class: "0", Resources: held, NotAfter: noon.Add(52 * week)}
		for _, h := range tc.hashes {
			e.Issued = append(e.Issued, ListedCert{URI: tc.uri, Hash: h, KeyID: key(1)})
		}
		var want []es.Event
		if tc.asked {
			want = []es.Event{CertificateRequested{Class: "0", Parent: "up", KeyID: key(1)}}
		}
		got, err := UpdateEntitlements{Parent: "up", Entitlements: []Entitlement{e}}.Process(s, tc.at)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// A name of a class is never used again, also when its class is gone.
func TestClassNamesAreNotReused(t *testing.T) {
	s := given(t, append(certified(t, set(t, "", "10.0.0.0/8", "")), ResourceClassRemoved{Class: "0", Parent: "up"})...)
	got, err := UpdateEntitlements{
		Parent: "up", Entitlements: []Entitlement{{Class: "0", Resources: set(t, "AS1", "", "")}}, NewKeys: map[string]cert.KeyID{"0": key(7)},
	}.Process(s, noon)
	if want := []es.Event{ResourceClassAdded{Class: "1", Parent: "up", ParentClass: "0", KeyID: key(7)}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestReceiveCertificate(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	s := given(t, certified(t, held)...)
	_, err := ReceiveCertificate{Class: "0", Cert: record(key(5), held, "9")}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "key-no-match")
	_, err = ReceiveCertificate{Class: "4", Cert: record(key(1), held, "9")}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "rc-unknown")
	if got, err := (ReceiveCertificate{Class: "0", Cert: s.Classes["0"].Current.Cert}).Process(s, noon); err != nil || len(got) != 0 {
		t.Errorf("the same certificate again: %+v, %v", got, err)
	}
}

func TestOpenRequests(t *testing.T) {
	base := certified(t, set(t, "", "10.0.0.0/8", ""))
	pending := given(t, base[:4]...)
	got := pending.OpenRequests("up")
	want := []CertRequest{{Class: "0", ParentClass: "0", KeyID: key(1), SIA: cert.SIA{
		Repository: "rsync://localhost/repo/ca1/0/", Manifest: "rsync://localhost/repo/ca1/0/" + key(1).String() + ".mft", Notify: "https://localhost:3000/rrdp/notification.xml",
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := given(t, base...).OpenRequests("up"); len(got) != 0 {
		t.Errorf("nothing is open, got %+v", got)
	}
}
