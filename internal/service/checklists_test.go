package service_test

import (
	"crypto/sha256"
	"path"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/rsc"
	"baleen/internal/service"
)

// sign has a checklist of one file signed with these resources.
func (w *world) sign(as, v4 string) (service.Checklist, error) {
	return w.SignChecklist(w.T.Context(), operator, "ca1", ca.ChecklistRequest{
		Resources: set(as, v4, ""), Files: []ca.ChecklistEntry{{Name: "letter.pdf", Hash: sha256.Sum256([]byte("letter"))}, {Hash: ca.Hash{1}}},
		NotAfter: w.Now().Add(week),
	}, nil)
}

func (w *world) mustSign(as, v4 string) service.Checklist {
	w.T.Helper()
	made, err := w.sign(as, v4)
	if err != nil {
		w.T.Fatal(err)
	}
	return made
}

// revoked says what a relying party finds: whether a checklist is valid but for
// its being on the CRL that it names.
func (w *world) revoked(made service.Checklist) bool {
	w.T.Helper()
	objects, err := w.Repository()
	if err != nil {
		w.T.Fatal(err)
	}
	o, err := cms.Decode(made.DER)
	if err != nil {
		w.T.Fatal(err)
	}
	ee, err := cert.Decode(o.EE)
	if err != nil {
		w.T.Fatal(err)
	}
	issuer, err := cert.Decode(objects[ee.AIA])
	if err != nil {
		w.T.Fatalf("%s: %v", ee.AIA, err)
	}
	if err := profile.CheckChecklist(made.DER, issuer, w.Now()); err != nil {
		w.T.Fatal(err)
	}
	list, err := crl.Decode(objects[ee.CRLDP])
	if err != nil {
		w.T.Fatalf("%s: %v", ee.CRLDP, err)
	}
	return list.Revoked(ee.Serial)
}

// kept wants so many checklists of ca1, all else valid and nothing to find.
func (w *world) kept(when string, n int) {
	w.T.Helper()
	list, _, err := w.Checklists(w.T.Context(), "ca1")
	if err != nil || len(list) != n {
		w.T.Errorf("%s: got %v, %v, want %d", when, list, err, n)
	}
	if _, err := w.ValidateAll(); err != nil {
		w.T.Errorf("%s: %v", when, err)
	}
	if findings, infos := w.Verify(); len(findings)+len(infos) > 0 {
		w.T.Errorf("%s: findings %q, infos %q", when, findings, infos)
	}
}

// A checklist is valid, on no manifest, can be had again, and ends by being
// revoked.
func TestChecklistIsHandedOut(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS65000-AS65001", "10.0.0.0/16", ""))
	before, _ := w.Repository()
	made := w.mustSign("AS65000", "10.0.0.0/24")
	w.Settle()
	if w.revoked(made) {
		t.Error("revoked at once")
	}
	after, _ := w.Repository()
	for uri := range after {
		if _, ok := before[uri]; !ok || path.Ext(uri) == ".sig" {
			t.Errorf("%s is published", uri)
		}
	}
	w.kept("signed", 1)
	o, err := cms.Decode(made.DER)
	if err != nil {
		t.Fatal(err)
	}
	says, err := rsc.Decode(o.Content)
	if err != nil || !says.Resources.Equal(set("AS65000", "10.0.0.0/24", "")) || len(says.Files) != 2 || says.Files[0] != (rsc.File{Name: "letter.pdf", Hash: sha256.Sum256([]byte("letter"))}) {
		t.Errorf("got %v, %v", says, err)
	}
	again, err := w.Checklist(t.Context(), "ca1", made.Serial)
	if err != nil || string(again.DER) != string(made.DER) || again.Hash != ca.HashOf(made.DER) || again.Class != "0" {
		t.Errorf("got %+v, %v", again, err)
	}

	// Though nobody publishes it, verify misses it when it is gone.
	if _, err := w.DB.Exec(t.Context(), "DELETE FROM der_object WHERE hash = $1", made.Hash[:]); err != nil {
		t.Fatal(err)
	}
	if findings, _ := w.Verify(); len(findings) != 1 || !strings.Contains(findings[0], "signed checklist "+made.Serial) || !strings.Contains(findings[0], "missing") {
		t.Errorf("found %q", findings)
	}

	if err := w.RevokeChecklist(t.Context(), operator, "ca1", made.Serial, nil); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if !w.revoked(made) {
		t.Error("not on the CRL")
	}
	w.kept("revoked", 0)
	if err := w.RevokeChecklist(t.Context(), operator, "ca1", made.Serial, nil); fault.Code(err) != "ca-rsc-unknown" {
		t.Errorf("got %v", err)
	}
	if _, err := w.Checklist(t.Context(), "ca1", made.Serial); fault.Code(err) != "ca-rsc-unknown" {
		t.Errorf("got %v", err)
	}

	// What was refused is in the log, with who wanted it.
	if _, err := w.sign("AS65002", ""); fault.Code(err) != "ca-rsc-not-entitled" {
		t.Errorf("got %v", err)
	}
	var refused int
	if err := w.DB.QueryRow(t.Context(), "SELECT count(*) FROM es_command WHERE name = 'sign_checklist' AND outcome = 'refused' AND actor = $1", operator.Name).Scan(&refused); err != nil || refused != 1 {
		t.Errorf("%d refusals, %v", refused, err)
	}
	var events string
	if err := w.DB.QueryRow(t.Context(), "SELECT string_agg(name, ' ' ORDER BY version) FROM es_event WHERE name LIKE 'checklist%'").Scan(&events); err != nil || events != "checklist_signed/1 checklists_revoked/1" {
		t.Errorf("got %s, %v", events, err)
	}
	if _, err := w.SignChecklist(t.Context(), operator, "nobody", ca.ChecklistRequest{}, nil); fault.Code(err) != "ca-unknown" {
		t.Errorf("an unknown CA: %v", err)
	}
}

// Checklists that say more than is held are revoked, and no others.
func TestChecklistsEndWithTheirResources(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS65000-AS65001", "10.0.0.0/16", ""))
	stays, goes := w.mustSign("AS65000", ""), w.mustSign("AS65001", "")
	w.resize("ca1", "AS65000", "10.0.0.0/16")
	w.kept("shrunk", 1)
	st := w.State("ca1")
	var serials []string
	for _, r := range st.Classes["0"].Current.Revoked {
		serials = append(serials, r.Serial)
	}
	if got := strings.Join(serials, " "); !strings.Contains(got, goes.Serial) || strings.Contains(got, stays.Serial) || w.revoked(stays) {
		t.Errorf("revoked: %s", got)
	}
}

// At the end of a key's roll its checklists are revoked; before it they are
// valid, and so is what is signed after it.
func TestChecklistsEndWithTheKey(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000-AS65001", "10.0.0.0/16", ""))
	made := w.mustSign("AS65000", "")
	if err := w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if w.revoked(made) || w.revoked(w.mustSign("AS65001", "")) {
		t.Error("revoked before the new key takes over")
	}
	w.kept("staged", 2)
	if err := w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.kept("rolled", 0)
	if w.revoked(w.mustSign("AS65000", "")) {
		t.Error("revoked")
	}
	w.kept("signed again", 1)
	w.Pass(week + time.Hour)
	w.Settle()
	w.kept("expired", 0)
}
