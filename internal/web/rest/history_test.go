package rest

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

var update = flag.Bool("update", false, "write golden files instead of comparing")

// object gives a certificate made for the tests of package cert.
func object(t *testing.T, name string) []byte {
	t.Helper()
	der, err := os.ReadFile(filepath.Join("../../rpki/cert/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func set(t *testing.T, text string) resources.Set {
	t.Helper()
	var s resources.Set
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func key(n byte) cert.KeyID { return cert.KeyID{0: 0xAB, 19: n} }

func at(sec int) time.Time { return time.Date(2026, 11, 22, 11, 12, sec, 917344000, time.UTC) }

func roa(prefix string, length int, as uint32) ca.ROA {
	return ca.ROA{ASID: as, Prefix: netip.MustParsePrefix(prefix), MaxLength: length}
}

// past is a history made by hand: one of each command, with its events.
func past(t *testing.T) ([]pgstore.StoredCommand, map[ca.Hash][]byte) {
	t.Helper()
	id, caCert := object(t, "identity.cer"), object(t, "ca.cer")
	held := set(t, `{"asn":"AS64496-AS64511","ipv4":"10.0.0.0/8, 192.0.2.1","ipv6":""}`)
	hash := ca.HashOf(caCert)
	rec := ca.CertRecord{
		URI: "rsync://localhost/repo/testbed/0/X.cer", Hash: hash, Serial: "17", KeyID: key(1), Resources: held, NotBefore: at(0).Truncate(time.Second),
		NotAfter: at(0).Truncate(time.Second).AddDate(1, 0, 0), SIA: ca.SIA{Repository: "rsync://localhost/repo/ca1/0/", Manifest: "rsync://localhost/repo/ca1/0/X.mft"},
	}
	contact := ca.Parent{ServiceURI: "https://localhost:3000/rfc6492/testbed", ParentHandle: "testbed", ChildHandle: "ca1", IDCert: id}
	repo := ca.Repository{ServiceURI: "https://localhost:3000/rfc8181/ca1/", SIABase: "rsync://localhost/repo/ca1/", ServerIDCert: id}
	issued := func(child string, n byte) ca.IssuedCert {
		r := rec
		r.KeyID = key(n)
		return ca.IssuedCert{CertRecord: r, Child: child}
	}
	plain, commented := ca.ConfiguredROA{ROA: roa("10.0.0.0/16", 24, 64496)}, ca.ConfiguredROA{ROA: roa("2001:db8::/48", 48, 64497), Comment: "ours"}
	object1 := ca.IssuedROA{Name: "31302e302e302e302f31362d3234203d3e203634343936.roa", Authorizations: []ca.ROA{plain.ROA}, Hash: hash, Serial: "18", NotBefore: rec.NotBefore, NotAfter: rec.NotAfter}
	object2 := ca.IssuedROA{Name: "AS64496.roa", Authorizations: []ca.ROA{plain.ROA, roa("10.1.0.0/16", 16, 64496)}, Hash: hash, Serial: "19", NotBefore: rec.NotBefore, NotAfter: rec.NotAfter}

	h := &maker{t: t}
	h.add(ca.Init{Handle: "ca1", Identity: ca.Identity{KeyID: key(9), Cert: id}}, ca.Initialized{Handle: "ca1", Identity: ca.Identity{KeyID: key(9), Cert: id}})
	h.add(ca.ConfigureRepository{Repository: repo}, ca.RepositoryConfigured{Repository: repo})
	h.add(ca.SetParent{Parent: "p", Contact: contact}, ca.ParentAdded{Parent: "p", Contact: contact})
	h.add(ca.SetParent{Parent: "p", Contact: contact}, ca.ParentUpdated{Parent: "p", Contact: contact})
	h.add(ca.UpdateEntitlements{Parent: "p", Entitlements: []ca.Entitlement{{Class: "default", Resources: held}, {Class: "x"}}},
		ca.ResourceClassRemoved{Class: "0", Parent: "p", Keys: []cert.KeyID{key(1), key(2)}}, ca.ResourceClassAdded{Class: "1", Parent: "p", ParentClass: "default", KeyID: key(3)},
		ca.CertificateRequested{Class: "1", Parent: "p", KeyID: key(3)})
	h.add(ca.ReceiveCertificate{Class: "1", Cert: rec}, ca.CertificateReceived{Class: "1", KeyID: key(1), Cert: rec})
	h.add(ca.AddChild{Child: "kid", IDCert: id, IDKey: key(8), Resources: held}, ca.ChildAdded{Child: "kid", IDCert: id, Resources: held})
	h.add(ca.UpdateChildResources{Child: "kid", Resources: held}, ca.ChildResourcesUpdated{Child: "kid", Resources: held})
	h.add(ca.RecordChildCerts{Class: "1", Key: key(1), Issued: []ca.IssuedCert{issued("kid", 4)}}, ca.ChildCertificatesIssued{Class: "1", Certs: []ca.IssuedCert{issued("kid", 4)}})
	h.add(ca.RecordChildCerts{Class: "1", Key: key(1), Issued: []ca.IssuedCert{issued("kid", 4), issued("kid2", 5)}, Revoked: []cert.KeyID{key(6), key(7)}},
		ca.ChildCertificatesIssued{Class: "1", Certs: []ca.IssuedCert{issued("kid", 4), issued("kid2", 5)}}, ca.ChildCertificatesRevoked{Class: "1", Keys: []cert.KeyID{key(6), key(7)}})
	h.add(ca.ConfigureROAs{Added: []ca.ConfiguredROA{plain, commented}, Removed: []ca.ROA{roa("10.9.0.0/16", 16, 0)}},
		ca.ROAsConfigured{Added: []ca.ConfiguredROA{plain, commented}, Removed: []ca.ROA{roa("10.9.0.0/16", 16, 0)}})
	h.add(ca.ConfigureROAs{Added: []ca.ConfiguredROA{{ROA: commented.ROA}, {ROA: plain.ROA, Comment: "a > b"}}}, ca.ROAsConfigured{Commented: []ca.ConfiguredROA{{ROA: commented.ROA}, {ROA: plain.ROA, Comment: "a > b"}}})
	h.add(ca.RecordROAs{Class: "1", Key: key(1).String(), Issued: []ca.IssuedROA{object1}, Withdrawn: []string{object1.Name, "AS1.roa", "odd.roa"}},
		ca.ROAsIssued{Class: "1", Issued: []ca.IssuedROA{object1}, Withdrawn: []string{object1.Name, "AS1.roa", "odd.roa"}})
	h.add(ca.NoteRestore{Epoch: 7, Reason: "another cluster"}, ca.RestoreNoted{Epoch: 7, Reason: "another cluster"})
	h.add(ca.RecordROAs{Class: "1", Key: key(1).String(), Issued: []ca.IssuedROA{object2}}, ca.ROAsIssued{Class: "1", Issued: []ca.IssuedROA{object2}})
	h.refuse(ca.ConfigureROAs{Added: []ca.ConfiguredROA{plain}}, "ca-roa-delta-error", "ROA delta rejected:\n\n'…' ")
	h.refuse(ca.SetParent{Parent: "q", Contact: contact}, "ca-parent-xml-duplicate", "CA 'ca1' already has a parent named 'p' for this XML")
	h.refuse(ca.UpdateChildResources{Child: "nope", Resources: held}, "ca-child-unknown", "CA 'ca1' does not have a child named 'nope'")
	ders := map[ca.Hash][]byte{hash: caCert}
	h.addASObjects(ders, rec)
	h.addObjects(rec)
	h.roll(rec, contact, id)
	h.addImport(held, id, issued("kid3", 6))
	h.add(later{}, surprise{})
	return h.commands, ders
}

// roll adds what can happen to keys, and to parties that are changed or left.
func (h *maker) roll(rec ca.CertRecord, contact ca.Parent, id []byte) {
	h.t.Helper()
	old, fresh := key(1), key(2)
	held := rec.Resources
	h.add(ca.InitiateKeyRoll{NewKeys: map[string]cert.KeyID{"1": fresh}}, ca.KeyRollInitiated{Class: "1", Parent: "p", KeyID: fresh})
	h.add(ca.ReceiveCertificate{Class: "1", Cert: rec}, ca.KeyStaged{Class: "1", KeyID: fresh, Cert: rec})
	h.add(ca.ActivateKeyRoll{}, ca.KeyActivationStarted{Class: "1", KeyID: fresh})
	h.add(ca.RecordROAs{Class: "1", Key: fresh.String(), Issued: []ca.IssuedROA{{Name: "AS1.roa"}}, Withdrawn: []string{"AS2.roa"}},
		ca.ROAsStaged{Class: "1", KeyID: fresh, Issued: []ca.IssuedROA{{Name: "AS1.roa"}}, Withdrawn: []string{"AS2.roa"}})
	h.add(ca.RecordChildCerts{Class: "1", Key: fresh, Revoked: []cert.KeyID{key(4)}}, ca.ChildCertificatesStaged{Class: "1", KeyID: fresh, Withdrawn: []cert.KeyID{key(4)}})
	h.add(ca.SwitchKeys{Class: "1", Key: fresh}, ca.KeyRollActivated{Class: "1", KeyID: fresh, OldKey: old})
	h.add(ca.RequestRevocation{Class: "1", Key: old}, ca.KeyRevocationRequested{Class: "1", Parent: "p", KeyID: old})
	h.add(ca.FinishRevocation{Class: "1", ParentClass: "default", Key: old}, ca.KeyRollFinished{Class: "1", KeyID: old})
	h.add(ca.UpdateEntitlements{Parent: "p"}, ca.UnexpectedKeyFound{Class: "1", Parent: "p", KeyID: key(5)})
	h.add(ca.FinishRevocation{Class: "1", ParentClass: "default", Key: key(5)}, ca.UnexpectedKeyRevoked{Class: "1", KeyID: key(5)})
	h.add(ca.DropKey{Class: "1", Key: fresh, Reason: "refused"}, ca.KeyRollAbandoned{Class: "1", KeyID: fresh, Reason: "refused"})
	h.add(ca.DropKey{Class: "1", Key: old, Reason: "refused"}, ca.ResourceClassRemoved{Class: "1", Parent: "p", Keys: []cert.KeyID{old}})
	h.add(ca.LeaveRepository{ServiceURI: "https://localhost:3000/rfc8181/ca1/"}, ca.RepositoryLeft{ServiceURI: "https://localhost:3000/rfc8181/ca1/"})
	mapping := &ca.ClassMapping{Ours: "1", Theirs: "lacnic"}
	h.add(ca.UpdateChild{Child: "kid", IDCert: id, IDKey: key(8)}, ca.ChildIDCertUpdated{Child: "kid", IDCert: id})
	h.add(ca.UpdateChild{Child: "kid", Resources: &held}, ca.ChildResourcesUpdated{Child: "kid", Resources: held})
	h.add(ca.UpdateChild{Child: "kid", Class: mapping}, ca.ChildClassMapped{Child: "kid", Class: "1", Name: "lacnic"})
	h.add(ca.UpdateChild{Child: "kid", IDCert: id, IDKey: key(8), Resources: &held, Class: mapping}, ca.ChildIDCertUpdated{Child: "kid", IDCert: id})
	h.add(ca.RevokeChildKey{Child: "kid", Class: "lacnic", Key: key(4)}, ca.ChildCertificatesRevoked{Class: "1", Keys: []cert.KeyID{key(4)}})
	h.add(ca.RemoveChild{Child: "kid"}, ca.ChildRemoved{Child: "kid"})
	h.add(ca.RemoveParent{Parent: "p"}, ca.ParentRemoved{Parent: "p", Contact: contact})
	h.add(ca.RenewIdentity{Identity: ca.Identity{KeyID: key(7), Cert: id}}, ca.IdentityRenewed{Identity: ca.Identity{KeyID: key(7), Cert: id}, OldKey: key(9)})
	h.add(ca.Delete{}, ca.Deleted{Keys: []cert.KeyID{key(7)}})
}

// later and surprise stand for what a newer program stored.
type later struct{}

func (later) CommandName() string                              { return "do_something_new" }
func (later) Process(*ca.State, time.Time) ([]es.Event, error) { return nil, nil }

type surprise struct{}

func (surprise) EventName() string { return "something_happened/3" }

type maker struct {
	t        *testing.T
	commands []pgstore.StoredCommand
}

func (h *maker) add(cmd es.Command[ca.State], events ...es.Event) {
	h.t.Helper()
	payload, err := json.Marshal(cmd)
	if err != nil {
		h.t.Fatal(err)
	}
	h.commands = append(h.commands, pgstore.StoredCommand{
		Version: int64(len(h.commands)), At: at(len(h.commands)), Actor: es.Actor{Name: "user:admin-token"}, Name: cmd.CommandName(), Payload: payload,
		Outcome: pgstore.OutcomeOK, Events: events,
	})
}

func (h *maker) refuse(cmd es.Command[ca.State], code, msg string) {
	h.t.Helper()
	h.add(cmd)
	last := &h.commands[len(h.commands)-1]
	last.Outcome, last.Fault = pgstore.OutcomeRefused, &pgstore.StoredFault{Code: code, Msg: msg}
}

func TestHistoryIsToldInTheWordsOfTheAPI(t *testing.T) {
	commands, ders := past(t)
	var summaries []api.CommandSummary
	var details []api.CommandDetails
	for _, cmd := range commands {
		s, err := commandSummary("ca1", cmd)
		if err != nil {
			t.Fatal(err)
		}
		d, err := commandDetails("ca1", cmd, ders)
		if err != nil {
			t.Fatal(err)
		}
		summaries, details = append(summaries, s), append(details, d)
	}
	golden(t, "summaries", summaries)
	golden(t, "details", details)
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	text, err := api.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", " "); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s differs; got\n%s", path, b.Bytes())
	}
}

// TestEverySummaryIsComplete needs an entry in the table for every command
// that a CA knows: only names that it does not know may fall through.
func TestEverySummaryIsComplete(t *testing.T) {
	commands, _ := past(t)
	for _, cmd := range commands {
		d, err := describeCommand(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if fell := d.msg == cmd.Name; fell != (cmd.Name == later{}.CommandName()) {
			t.Errorf("%s is told as %+v", cmd.Name, d)
		}
	}
	broken := pgstore.StoredCommand{Name: "add_child", Payload: json.RawMessage(`[]`)}
	if _, err := describeCommand(broken); err == nil {
		t.Error("a payload that cannot be read was told")
	}
}

// D25: people and scripts write times in seconds, the API's reference in
// milliseconds; both are understood.
func TestTimesInSecondsOrMilliseconds(t *testing.T) {
	for _, tt := range []struct {
		n    int64
		want string
	}{
		{1795345932123, "2026-11-22T11:12:12.123Z"},
		{1795345932, "2026-11-22T11:12:12.999Z"},
		{0, "1970-01-01T00:00:00.999Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{9223372036854775807, "9999-12-31T23:59:59.999Z"},
		{-9223372036854775808, "0001-01-01T00:00:00Z"},
	} {
		if text := instant(tt.n, 999*time.Millisecond).Format(time.RFC3339Nano); text != tt.want {
			t.Errorf("%d: got %s, want %s", tt.n, text, tt.want)
		}
	}
}
