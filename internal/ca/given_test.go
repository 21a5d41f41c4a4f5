package ca

import (
	"encoding/json"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

var noon = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// policy is the default of the settings.
var policy = Policy{
	ROAAggregate: 100, ROADeaggregate: 90, ROAValid: 52 * week, ROARenewBefore: 4 * week, ChildValid: 52 * week, ChildRenewBefore: 4 * week,
	ASPAValid: 52 * week, ASPARenewBefore: 4 * week, RouterValid: 52 * week, RouterRenewBefore: 4 * week,
	GhostbustersValid: 52 * week, GhostbustersRenewBefore: 4 * week,
}

const week = 7 * 24 * time.Hour

// given folds events into a state, one command each, a second apart, and
// checks that the state survives a snapshot.
func given(t *testing.T, events ...es.Event) *State {
	t.Helper()
	s := new(State)
	for i, e := range events {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Type().Codec.Decode(e.EventName(), raw)
		if err != nil {
			t.Fatal(err)
		}
		apply(s, es.Meta{Handle: "ca1", Version: int64(i), At: noon.Add(time.Duration(i-len(events)) * time.Second)}, back)
	}
	first, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again := new(State)
	if err := json.Unmarshal(first, again); err != nil {
		t.Fatalf("the snapshot cannot be read back: %v", err)
	}
	second, err := json.Marshal(again)
	if err != nil || string(first) != string(second) {
		t.Fatalf("the snapshot changes the state:\n%s\n%s (%v)", first, second, err)
	}
	return again
}

func set(t *testing.T, as, v4, v6 string) resources.Set {
	t.Helper()
	var s resources.Set
	raw, err := json.Marshal(map[string]string{"asn": as, "ipv4": v4, "ipv6": v6})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func key(n byte) cert.KeyID { return cert.KeyID{19: n} }

func roa(t *testing.T, text string) ROA {
	t.Helper()
	var r ROA
	if err := r.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return r
}

// certified is a CA with one class that holds these resources.
func certified(t *testing.T, held resources.Set) []es.Event {
	t.Helper()
	return []es.Event{
		Initialized{Handle: "ca1", Identity: Identity{KeyID: key(99), Cert: []byte{1}}},
		RepositoryConfigured{Repository: Repository{ServiceURI: "https://localhost:3000/rfc8181/ca1/", SIABase: "rsync://localhost/repo/ca1/", NotificationURI: "https://localhost:3000/rrdp/notification.xml"}},
		ParentAdded{Parent: "up", Contact: Parent{ServiceURI: "https://localhost:3000/rfc6492/up", ParentHandle: "up", ChildHandle: "ca1", IDCert: []byte{2}}},
		ResourceClassAdded{Class: "0", Parent: "up", ParentClass: "0", KeyID: key(1)},
		CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), held, "1000")},
	}
}

func record(k cert.KeyID, held resources.Set, serial string) CertRecord {
	return CertRecord{
		URI: "rsync://localhost/repo/up/0/" + k.String() + ".cer", Hash: HashOf([]byte(serial)), Serial: serial, KeyID: k, Resources: held,
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(52 * week),
		SIA: SIA{Repository: "rsync://localhost/repo/ca1/0/", Manifest: "rsync://localhost/repo/ca1/0/" + k.String() + ".mft"},
	}
}

func issued(name, serial string, roas ...ROA) IssuedROA {
	return IssuedROA{Name: name, Authorizations: roas, Hash: HashOf([]byte(name + serial)), Serial: serial, NotBefore: noon, NotAfter: noon.Add(52 * week)}
}

func issuedASPA(serial string, customer uint32, providers ...uint32) IssuedASPA {
	return IssuedASPA{ASPA: ASPA{Customer: customer, Providers: providers}, Hash: HashOf([]byte(serial)), Serial: serial, NotBefore: noon, NotAfter: noon.Add(52 * week)}
}

func router(as uint32, n byte) RouterKey { return RouterKey{ASID: as, KeyID: key(n)} }

func issuedRouter(serial string, r RouterKey) IssuedRouterCert {
	return IssuedRouterCert{Router: r, Hash: HashOf([]byte(serial)), Serial: serial, NotBefore: noon, NotAfter: noon.Add(52 * week)}
}

// wantFault checks the code and kind of a refusal.
func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil {
		t.Fatalf("not refused, want %s", code)
	}
	if fault.Code(err) != code || fault.Of(err) != kind {
		t.Fatalf("got %v %q (%v), want %v %q", fault.Of(err), fault.Code(err), err, kind, code)
	}
}
