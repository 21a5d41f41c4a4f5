package ca

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// rollNew is a CA whose class 0 has the new key 2 beside the current key 1.
func rollNew(t *testing.T, held resources.Set, more ...es.Event) []es.Event {
	t.Helper()
	return slices.Concat(certified(t, held), []es.Event{KeyRollInitiated{Class: "0", Parent: "up", KeyID: key(2)}, KeyStaged{Class: "0", KeyID: key(2), Cert: record(key(2), held, "2000")}}, more)
}

func TestInitiateKeyRoll(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	roll := InitiateKeyRoll{NewKeys: map[string]cert.KeyID{"0": key(2)}}
	for name, tc := range map[string]struct {
		given []es.Event
		then  []es.Event
	}{
		"active":       {certified(t, held), []es.Event{KeyRollInitiated{Class: "0", Parent: "up", KeyID: key(2)}}},
		"pending":      {certified(t, held)[:4], nil},
		"roll pending": {append(certified(t, held), KeyRollInitiated{Class: "0", Parent: "up", KeyID: key(3)}), nil},
		"roll new":     {rollNew(t, held), nil},
		"roll old":     {rollNew(t, held, KeyActivationStarted{Class: "0", KeyID: key(2)}, KeyRollActivated{Class: "0", KeyID: key(2), OldKey: key(1)}), nil},
		"no class":     {certified(t, held)[:1], nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := roll.Process(given(t, tc.given...), noon)
			if err != nil || !reflect.DeepEqual(got, tc.then) {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.then)
			}
		})
	}
	_, err := InitiateKeyRoll{}.Process(given(t, certified(t, held)...), noon)
	wantFault(t, err, fault.Conflict, "class-without-key")
}

func TestActivateKeyRoll(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	started := KeyActivationStarted{Class: "0", KeyID: key(2)}
	for name, tc := range map[string]struct {
		given []es.Event
		then  []es.Event
		fault string
	}{
		"staged":            {rollNew(t, held), []es.Event{started}, ""},
		"nothing staged":    {certified(t, held), nil, ""},
		"twice":             {rollNew(t, held, started), nil, ""},
		"new is asked for":  {rollNew(t, held, CertificateRequested{Class: "0", Parent: "up", KeyID: key(2)}), nil, "key-roll-pending-requests"},
		"current asked for": {rollNew(t, held, CertificateRequested{Class: "0", Parent: "up", KeyID: key(1)}), nil, "key-roll-pending-requests"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ActivateKeyRoll{}.Process(given(t, tc.given...), noon)
			if tc.fault != "" {
				wantFault(t, err, fault.Invalid, tc.fault)
				return
			}
			if err != nil || !reflect.DeepEqual(got, tc.then) {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.then)
			}
		})
	}
}

// busy is a CA in a roll with two routes and a child's certificate.
func busy(t *testing.T, more ...es.Event) []es.Event {
	t.Helper()
	a, b := roa(t, "10.0.0.0/16-16 => 1"), roa(t, "10.1.0.0/16-16 => 1")
	return rollNew(t, set(t, "", "10.0.0.0/8", ""), append([]es.Event{
		ROAsConfigured{Added: []ConfiguredROA{{ROA: a}, {ROA: b}}},
		ROAsIssued{Class: "0", Issued: []IssuedROA{issued("a.roa", "31", a), issued("b.roa", "32", b)}},
		ChildAdded{Child: "kid", Resources: set(t, "", "10.2.0.0/16", "")},
		ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("kid", key(20), set(t, "", "10.2.0.0/16", ""), "33")}},
		KeyActivationStarted{Class: "0", KeyID: key(2)},
	}, more...)...)
}

// stagedAll is what the new key must sign for that.
func stagedAll(t *testing.T) []es.Event {
	t.Helper()
	return []es.Event{
		ROAsStaged{Class: "0", KeyID: key(2), Issued: []IssuedROA{issued("a.roa", "41", roa(t, "10.0.0.0/16-16 => 1")), issued("b.roa", "42", roa(t, "10.1.0.0/16-16 => 1"))}},
		ChildCertificatesStaged{Class: "0", KeyID: key(2), Certs: []IssuedCert{childCert("kid", key(20), set(t, "", "10.2.0.0/16", ""), "43")}},
	}
}

// The keys change places only when what was staged is exactly what is wanted.
func TestSwitchKeys(t *testing.T) {
	less := record(key(2), set(t, "", "10.0.0.0/15", ""), "2001")
	change := SwitchKeys{Class: "0", Key: key(2)}
	done := []es.Event{KeyRollActivated{Class: "0", KeyID: key(2), OldKey: key(1)}}
	all := stagedAll(t)
	for name, tc := range map[string]struct {
		given []es.Event
		then  []es.Event
	}{
		"complete":            {all, done},
		"no ROA":              {all[1:], nil},
		"no certificate":      {all[:1], nil},
		"route added":         {append(slices.Clone(all), ROAsConfigured{Added: []ConfiguredROA{{ROA: roa(t, "10.9.0.0/16-16 => 1")}}}), nil},
		"route removed":       {append(slices.Clone(all), ROAsConfigured{Removed: []ROA{roa(t, "10.0.0.0/16-16 => 1")}}), nil},
		"foreign route":       {append(slices.Clone(all), ROAsConfigured{Added: []ConfiguredROA{{ROA: roa(t, "11.0.0.0/16-16 => 1")}}}), done},
		"child shrunk":        {append(slices.Clone(all), ChildResourcesUpdated{Child: "kid", Resources: set(t, "", "10.2.0.0/24", "")}), nil},
		"child gone":          {append(slices.Clone(all), ChildCertificatesRevoked{Class: "0", Keys: []cert.KeyID{key(20)}}, ChildRemoved{Child: "kid"}), done},
		"child asked again":   {append(slices.Clone(all), ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("kid", key(20), set(t, "", "10.2.0.0/24", ""), "44")}}), nil},
		"new key has less":    {append(slices.Clone(all), CertificateReceived{Class: "0", KeyID: key(2), Cert: less}), nil},
		"less, and put right": {[]es.Event{CertificateReceived{Class: "0", KeyID: key(2), Cert: less}, all[0]}, done},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := change.Process(given(t, busy(t, tc.given...)...), noon)
			if tc.then == nil {
				wantFault(t, err, fault.Conflict, "key-roll-incomplete")
			} else if err != nil || !reflect.DeepEqual(got, tc.then) {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.then)
			}
		})
	}
	if got, err := change.Process(given(t, rollNew(t, set(t, "", "10.0.0.0/8", ""))...), noon); err != nil || len(got) != 0 {
		t.Errorf("not activated: %+v, %v", got, err)
	}
}

// After the switch the old key has revoked all, under its own CRL, and the new
// one has the same names.
func TestActivated(t *testing.T) {
	s := given(t, busy(t, append(stagedAll(t), KeyRollActivated{Class: "0", KeyID: key(2), OldKey: key(1)})...)...)
	points := s.Points(noon)
	if len(points) != 2 || points[0].Key != key(2) || points[1].Key != key(1) {
		t.Fatalf("got %+v", points)
	}
	var names, serials []string
	for _, f := range points[0].Files {
		names = append(names, f.Name)
	}
	for _, r := range points[1].Revoked {
		serials = append(serials, r.Serial)
	}
	if want := []string{key(20).String() + ".cer", "a.roa", "b.roa"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	if want := []string{"31", "32", "33"}; !slices.Equal(serials, want) || len(points[1].Files) != 0 {
		t.Errorf("the old key has %v and revoked %v, want %v", points[1].Files, serials, want)
	}
	if len(points[0].Revoked) != 0 {
		t.Errorf("the new key revoked %v", points[0].Revoked)
	}
	if use := s.Children["kid"].Keys[key(20)]; use.Revoked {
		t.Error("the child's key is taken for revoked")
	}
	if got := s.OpenRevocations("up"); len(got) != 0 {
		t.Errorf("revoked before the new set is published: %+v", got)
	}
}

// What the new key does not hold, nobody gets from it.
func TestStagedPlansFollowTheNewCertificate(t *testing.T) {
	s := given(t, busy(t, CertificateReceived{Class: "0", KeyID: key(2), Cert: record(key(2), set(t, "", "10.0.0.0/16, 10.2.0.0/24", ""), "2001")})...)
	var staged ROAPlan
	for _, p := range s.PlanROAs(noon, policy) {
		if p.Key == key(2) {
			staged = p
		}
	}
	if len(staged.Issue) != 1 || staged.Issue[0].ROAs[0] != roa(t, "10.0.0.0/16-16 => 1") {
		t.Errorf("got %+v", staged)
	}
	certs := s.PlanChildCerts(noon)
	if len(certs) != 1 || certs[0].Key != key(2) || len(certs[0].Shrink) != 1 || !certs[0].Shrink[0].Resources.Equal(set(t, "", "10.2.0.0/24", "")) {
		t.Errorf("got %+v", certs)
	}
	over := RecordROAs{Class: "0", Key: key(2).String(), Issued: []IssuedROA{issued("b.roa", "42", roa(t, "10.1.0.0/16-16 => 1"))}}
	_, err := over.Process(s, noon)
	wantFault(t, err, fault.Conflict, "roa-plan-stale")
	overCert := RecordChildCerts{Class: "0", Key: key(2), Issued: []IssuedCert{childCert("kid", key(20), set(t, "", "10.2.0.0/16", ""), "43")}}
	_, err = overCert.Process(s, noon)
	wantFault(t, err, fault.Conflict, "cert-plan-stale")
	if got := s.ReadyKeys(noon, policy); len(got) != 0 {
		t.Errorf("ready: %+v", got)
	}
}

// Both keys of a roll follow what the parent offers, each with its own request;
// the old key of a finished one does not, nor is anything filed for another key
// in its name (defect D14).
func TestEveryKeyAsksForItself(t *testing.T) {
	held, more := set(t, "", "10.0.0.0/8", ""), set(t, "", "10.0.0.0/7", "")
	offer := UpdateEntitlements{Parent: "up", Entitlements: []Entitlement{{Class: "0", Resources: more, NotAfter: noon.Add(52 * week)}}}
	s := given(t, rollNew(t, held)...)
	got, err := offer.Process(s, noon)
	want := []es.Event{CertificateRequested{Class: "0", Parent: "up", KeyID: key(1)}, CertificateRequested{Class: "0", Parent: "up", KeyID: key(2)}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	s = given(t, rollNew(t, held, want...)...)
	var asked []cert.KeyID
	for _, r := range s.OpenRequests("up") {
		asked = append(asked, r.KeyID)
		if r.SIA.Manifest != "rsync://localhost/repo/ca1/0/"+r.KeyID.String()+".mft" {
			t.Errorf("key %s asks for %+v", r.KeyID, r.SIA)
		}
	}
	if !slices.Equal(asked, []cert.KeyID{key(1), key(2)}) {
		t.Errorf("asked for %v", asked)
	}
	s = given(t, rollNew(t, held, want[1], CertificateReceived{Class: "0", KeyID: key(2), Cert: record(key(2), more, "2001")})...)
	if c := s.Classes["0"]; c.New.Requested || !c.New.Cert.Resources.Equal(more) || !c.Current.Cert.Resources.Equal(held) {
		t.Errorf("got %+v and %+v", c.New, c.Current)
	}
	s = given(t, rollNew(t, held, KeyActivationStarted{Class: "0", KeyID: key(2)}, KeyRollActivated{Class: "0", KeyID: key(2), OldKey: key(1)})...)
	got, err = offer.Process(s, noon)
	if want := []es.Event{CertificateRequested{Class: "0", Parent: "up", KeyID: key(2)}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestRevocationOfTheOldKey(t *testing.T) {
	events := rollNew(t, set(t, "", "10.0.0.0/8", ""), KeyActivationStarted{Class: "0", KeyID: key(2)}, KeyRollActivated{Class: "0", KeyID: key(2), OldKey: key(1)})
	s := given(t, events...)
	finish := FinishRevocation{Class: "0", ParentClass: "0", Key: key(1)}
	if got, err := finish.Process(s, noon); err != nil || len(got) != 0 {
		t.Errorf("finished before it was asked for: %+v, %v", got, err)
	}
	ask := s.RetiredKeys()
	if !slices.Equal(ask, []RequestRevocation{{Class: "0", Key: key(1)}}) {
		t.Fatalf("got %+v", ask)
	}
	got, err := ask[0].Process(s, noon)
	if want := []es.Event{KeyRevocationRequested{Class: "0", Parent: "up", KeyID: key(1)}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	s = given(t, append(events, got...)...)
	if got := s.OpenRevocations("up"); !slices.Equal(got, []FinishRevocation{finish}) {
		t.Errorf("got %+v", got)
	}
	got, err = finish.Process(s, noon)
	if want := []es.Event{KeyRollFinished{Class: "0", KeyID: key(1)}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A key that the parent lists and that is none of ours is asked for once.
func TestUnexpectedKeys(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	current := record(key(1), held, "1000")
	list := func(keys ...byte) UpdateEntitlements {
		e := Entitlement{Class: "0", Resources: held, NotAfter: noon.Add(52 * week), Issued: []ListedCert{}}
		for _, k := range keys {
			e.Issued = append(e.Issued, ListedCert{URI: "rsync://localhost/repo/up/0/" + key(k).String() + ".cer", Hash: current.Hash, KeyID: key(k)})
		}
		return UpdateEntitlements{Parent: "up", Entitlements: []Entitlement{e}}
	}
	found := UnexpectedKeyFound{Class: "0", Parent: "up", KeyID: key(50)}
	for name, tc := range map[string]struct {
		given []es.Event
		keys  []byte
		then  []es.Event
	}{
		"ours":       {nil, []byte{1}, nil},
		"foreign":    {nil, []byte{1, 50}, []es.Event{found}},
		"known":      {[]es.Event{found}, []byte{1, 50}, nil},
		"gone":       {[]es.Event{found}, []byte{1}, []es.Event{UnexpectedKeyRevoked{Class: "0", KeyID: key(50)}}},
		"ours lost":  {nil, nil, []es.Event{CertificateRequested{Class: "0", Parent: "up", KeyID: key(1)}}},
		"not listed": {nil, []byte{50}, []es.Event{CertificateRequested{Class: "0", Parent: "up", KeyID: key(1)}, found}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := list(tc.keys...).Process(given(t, append(certified(t, held), tc.given...)...), noon)
			if err != nil || !reflect.DeepEqual(got, tc.then) {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.then)
			}
		})
	}
	s := given(t, append(certified(t, held), found)...)
	if got := s.OpenRevocations("up"); len(got) != 1 || got[0].Key != key(50) {
		t.Errorf("got %+v", got)
	}
}

// A parent that offers less time than it gave is not asked without end.
func TestAFreshCertificateIsNotExchangedForAShorterOne(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	shorter := UpdateEntitlements{Parent: "up", Entitlements: []Entitlement{{Class: "0", Resources: held, NotAfter: noon.Add(20 * week)}}}
	s := given(t, certified(t, held)...)
	if got, err := shorter.Process(s, noon.Add(-50*time.Minute)); err != nil || len(got) != 0 {
		t.Errorf("fresh: %+v, %v", got, err)
	}
	if got, err := shorter.Process(s, noon); err != nil || len(got) != 1 {
		t.Errorf("settled: %+v, %v", got, err)
	}
}

// Facts about a key that is not there change nothing about those that are.
func TestFactsAboutOtherKeysChangeNothing(t *testing.T) {
	held := set(t, "", "10.0.0.0/8", "")
	want := given(t, rollNew(t, held)...).Classes["0"].New
	for _, e := range keyExamples(t, Parent{}, childCert("kid", key(3), held, "9")) { // about key 4
		if _, replaces := e.(KeyStaged); replaces {
			continue
		}
		if got := given(t, rollNew(t, held, e)...).Classes["0"]; got != nil && !reflect.DeepEqual(got.New, want) {
			t.Errorf("%s: %+v, want %+v", e.EventName(), got.New, want)
		}
	}
}
