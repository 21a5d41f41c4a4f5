package ca

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

var update = flag.Bool("update", false, "rewrite golden files")

// examples has one event of every current form.
func examples(t *testing.T) []es.Event {
	res := set(t, "AS64496-AS64500", "10.0.0.0/8, 192.0.2.0-192.0.2.130", "2001:db8::/32")
	limited := childCert("kid", key(3), res, "18")
	limited.Limit = resources.Limit{V6: &resources.IPSet{}}
	r := ConfiguredROA{ROA: roa(t, "10.0.0.0/16-24 => 64496"), Comment: "größer"}
	contact := Parent{ServiceURI: "https://localhost:3000/rfc6492/up", ParentHandle: "up", ChildHandle: "ca1", IDCert: []byte{1, 2, 3}}
	return append(keyExamples(t, contact, limited), []es.Event{
		Initialized{Handle: "ca1", Identity: Identity{KeyID: key(1), Cert: []byte{1, 2}}},
		RepositoryConfigured{Repository: Repository{ServiceURI: "https://localhost:3000/rfc8181/ca1/", SIABase: "rsync://localhost/repo/ca1/", NotificationURI: "https://localhost:3000/rrdp/notification.xml", ServerIDCert: []byte{4}}},
		ParentAdded{Parent: "up", Contact: contact},
		ParentUpdated{Parent: "up", Contact: contact},
		ResourceClassAdded{Class: "0", Parent: "up", ParentClass: "default", KeyID: key(2)},
		ResourceClassRemoved{Class: "0", Parent: "up", Keys: []cert.KeyID{key(2)}},
		CertificateRequested{Class: "0", Parent: "up", KeyID: key(2)},
		CertificateReceived{Class: "0", KeyID: key(2), Cert: record(key(2), res, "17")},
		ChildAdded{Child: "kid", IDCert: []byte{5}, Resources: res},
		ChildResourcesUpdated{Child: "kid", Resources: res},
		ChildCertificatesIssued{Class: "0", Certs: []IssuedCert{childCert("kid", key(3), res, "18")}},
		ChildCertificatesRevoked{Class: "0", Keys: []cert.KeyID{key(3)}},
		ROAsConfigured{Added: []ConfiguredROA{r}, Removed: []ROA{roa(t, "2001:db8::/32-48 => 4294967295")}, Commented: []ConfiguredROA{r}},
		ROAsIssued{Class: "0", Issued: []IssuedROA{issued("x.roa", "19", r.ROA)}, Withdrawn: []string{"y.roa"}},
		RestoreNoted{Epoch: 7, Reason: "another cluster"},
		ReissueForced{},
		ASPAsConfigured{Added: []ASPA{{64496, []uint32{0}}}, Updated: []ASPAUpdate{{ASPA{64497, []uint32{1, 4294967295}}, []uint32{1}, []uint32{2}}}, Removed: []uint32{4294967295}},
		ASPAsIssued{Class: "0", Issued: []IssuedASPA{issuedASPA("20", 64496, 65001, 65002)}, Withdrawn: []uint32{64497}},
		ASPAsStaged{Class: "0", KeyID: key(9), Issued: []IssuedASPA{issuedASPA("22", 64496, 65001)}, Withdrawn: []uint32{64497}},
		RouterCertsStaged{Class: "0", KeyID: key(9), Issued: []IssuedRouterCert{issuedRouter("23", router(64496, 5))}, Withdrawn: []RouterKey{router(64497, 6)}},
		RouterKeysConfigured{Added: []ConfiguredRouterKey{{router(64496, 5), []byte{6}}}, Updated: []ConfiguredRouterKey{{router(4294967295, 7), []byte{8, 9}}}, Removed: []RouterKey{router(0, 8)}},
		RouterCertsIssued{Class: "0", Issued: []IssuedRouterCert{issuedRouter("21", router(64496, 5))}, Withdrawn: []RouterKey{router(64497, 6)}},
		GhostbustersConfigured{Added: []Ghostbusters{fullRecord()}, Updated: []Ghostbusters{record1("ops", "Ops")}, Removed: []string{"old"}},
		GhostbustersIssued{Class: "0", Issued: []IssuedGhostbusters{issuedRecord("24", fullRecord())}, Withdrawn: []string{"old"}},
		GhostbustersStaged{Class: "0", KeyID: key(9), Issued: []IssuedGhostbusters{issuedRecord("25", record1("ops", "Ops"))}, Withdrawn: []string{"old"}},
		ChecklistSigned{Class: "0", KeyID: key(2), Checklist: IssuedChecklist{
			Resources: res, Files: append(files("a.txt"), ChecklistEntry{Hash: Hash{1}}), Hash: HashOf([]byte("26")), Serial: "26", NotBefore: noon, NotAfter: noon.Add(week),
		}},
		ChecklistsRevoked{Class: "0", Serials: []string{"26"}, Reason: ChecklistsNotHeld},
		ChildSuspended{Child: "kid"},
		ChildUnsuspended{Child: "kid", Dropped: []cert.KeyID{key(3)}},
		IssuingPaused{},
		IssuingResumed{},
	}...)
}

// keyExamples has those about keys and parties that are left.
func keyExamples(t *testing.T, contact Parent, limited IssuedCert) []es.Event {
	return []es.Event{
		KeyRollInitiated{Class: "0", Parent: "up", KeyID: key(4)},
		KeyStaged{Class: "0", KeyID: key(4), Cert: record(key(4), limited.Resources, "20")},
		KeyActivationStarted{Class: "0", KeyID: key(4)},
		ROAsStaged{Class: "0", KeyID: key(4), Issued: []IssuedROA{issued("x.roa", "19", roa(t, "10.0.0.0/16-24 => 64496"))}, Withdrawn: []string{"y.roa"}},
		ChildCertificatesStaged{Class: "0", KeyID: key(4), Certs: []IssuedCert{limited}, Withdrawn: []cert.KeyID{key(5)}},
		KeyRollActivated{Class: "0", KeyID: key(4), OldKey: key(2)},
		KeyRevocationRequested{Class: "0", Parent: "up", KeyID: key(2)},
		KeyRollFinished{Class: "0", KeyID: key(2)},
		KeyRollAbandoned{Class: "0", KeyID: key(4), Reason: "refused"},
		UnexpectedKeyFound{Class: "0", Parent: "up", KeyID: key(6)},
		UnexpectedKeyRevoked{Class: "0", KeyID: key(6)},
		RepositoryLeft{ServiceURI: "https://localhost:3000/rfc8181/ca1/", SIABase: "rsync://localhost/repo/ca1/", GivenUp: true},
		ParentRemoved{Parent: "up", Contact: contact, Revoke: []KeyClaim{{Class: "default", KeyID: key(2)}}},
		ChildIDCertUpdated{Child: "kid", IDCert: []byte{6}},
		ChildClassMapped{Child: "kid", Class: "0", Name: "lacnic"},
		ChildRemoved{Child: "kid"},
		IdentityRenewed{Identity: Identity{KeyID: key(7), Cert: []byte{7}}, OldKey: key(1)},
		Deleted{Keys: []cert.KeyID{key(1), key(2)}, Repositories: []string{"https://localhost:3000/rfc8181/ca1/"}},
	}
}

// Stored payloads are frozen: what is in testdata was written by a release and
// must be read for ever.
func TestStoredEventsAreFrozen(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range examples(t) {
		name := e.EventName()
		seen[name] = true
		file := filepath.Join("testdata", "events", strings.ReplaceAll(name, "/", ".")+".json")
		got, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is written differently now:\n%s", name, got)
		}
		back, err := codec().Decode(name, want)
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%s is read as %+v, %v, want %+v", name, back, err, e)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(codec())) {
		if !seen[name] {
			t.Errorf("%s has no golden file", name)
		}
	}
}

func FuzzStoredEvents(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "events", "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		f.Add(strings.Replace(name, ".", "/", 1), raw)
	}
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		e, err := codec().Decode(name, raw)
		if err != nil {
			return
		}
		once, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("%s was read but cannot be written: %v", name, err)
		}
		again, err := codec().Decode(name, once)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(once) != string(twice) {
			t.Errorf("%s changes by being read: %s, %s", name, once, twice)
		}
		apply(given(t, certified(t, set(t, "", "10.0.0.0/8", ""))...), es.Meta{At: noon}, e)
	})
}
