package audit_test

import (
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// dayOfContacts is about whom isp1 names to be called, and what it signed.
func (w *world) dayOfContacts() {
	w.at("08 09:00")
	w.ca("user:alice", "isp1", ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{contact("noc", "Day shift", "noc@isp1.example"), contact("abuse", "Abuse desk", "abuse@isp1.example")}})
	w.at("08 09:00:03")
	w.issue("isp1")
	w.at("08 10:00")
	w.sign("user:alice", "isp1", "letter of authority for 10.0.0.0/24", set("AS64496", "10.0.0.0/24", ""), "loa.pdf")
	w.at("08 10:30")
	w.refuse("user:bob", "isp1", "ca-rsc-not-entitled", ca.SignChecklist{ChecklistRequest: checklist(w.now, set("AS64510", "", ""), "loa.pdf"), MaxValid: 365 * 24 * time.Hour})
	w.at("08 11:00")
	w.ca("user:bob", "isp1", ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{contact("noc", "Night shift", "night@isp1.example")}, Remove: []string{"abuse"}})
	w.at("08 11:00:03")
	w.issue("isp1")
	w.at("08 11:30")
	made := w.sign("user:bob", "isp1", "invoice and terms", set("AS64497", "", ""), "invoice.pdf", "terms.txt")
	w.at("08 12:00")
	w.ca("user:alice", "isp1", ca.RevokeChecklist{Serial: made})
}

func contact(name, fn, email string) ca.Ghostbusters {
	return ca.Ghostbusters{Name: name, Contact: gbr.Contact{FN: fn, Email: []string{email}}}
}

func checklist(now time.Time, held resources.Set, files ...string) ca.ChecklistRequest {
	r := ca.ChecklistRequest{Resources: held, NotAfter: now.AddDate(0, 0, 30)}
	for _, name := range files {
		r.Files = append(r.Files, ca.ChecklistEntry{Name: name, Hash: ca.HashOf([]byte(name))})
	}
	return r
}

// sign does what the server does for a checklist, and gives its serial number.
func (w *world) sign(actor, handle, name string, held resources.Set, files ...string) string {
	w.t.Helper()
	const year = 365 * 24 * time.Hour
	r := checklist(w.now, held, files...)
	var plan ca.ChecklistPlan
	w.check(w.cas.View(w.ctx(), handle, func(s *ca.State, _ int64) (err error) {
		plan, err = s.PlanChecklist(w.now, r, year)
		return err
	}))
	text := w.content(name)
	w.published(text)
	w.ca(actor, handle, ca.SignChecklist{ChecklistRequest: r, MaxValid: year, Signed: &ca.ChecklistSignature{
		Class: plan.Class, Key: plan.Key, Hash: ca.HashOf(text), Serial: serial(text), NotBefore: w.now.Add(-5 * time.Minute),
	}})
	return serial(text)
}

// issueGhostbusters does what the task does for Ghostbusters records.
func (w *world) issueGhostbusters(handle string) {
	w.t.Helper()
	const year = 52 * 7 * 24 * time.Hour
	var plans []ca.GhostbustersPlan
	w.check(w.cas.View(w.ctx(), handle, func(s *ca.State, _ int64) error {
		plans = s.PlanGhostbusters(w.now, ca.Policy{GhostbustersRenewBefore: year / 13})
		return nil
	}))
	for _, p := range plans {
		cmd := ca.RecordGhostbusters{Class: p.Class, Key: p.Key, Withdrawn: p.Withdraw}
		for _, g := range p.Issue {
			text := w.content(g.FileName())
			cmd.Issued = append(cmd.Issued, ca.IssuedGhostbusters{Ghostbusters: g, Hash: ca.HashOf(text), Serial: serial(text), NotBefore: w.now.Add(-5 * time.Minute), NotAfter: w.now.Add(year)})
			w.published(text)
		}
		w.ca("task:ca_issue", handle, cmd)
	}
}

// rollTo gives isp another key, which signs everything again.
func (w *world) rollTo(from, to byte) {
	w.t.Helper()
	w.now = w.now.Add(time.Hour)
	w.ca("user:bob", "isp", ca.InitiateKeyRoll{NewKeys: map[string]cert.KeyID{"0": key(to)}})
	w.ca("task:ca_sync_parent", "isp", ca.ReceiveCertificate{Class: "0", Cert: w.record(ta.Handle, "isp", key(to), resources.AllResources())})
	w.now = w.now.Add(time.Hour)
	w.ca("user:bob", "isp", ca.ActivateKeyRoll{})
	w.issueGhostbusters("isp")
	w.now = w.now.Add(time.Minute)
	w.ca("task:ca_issue", "isp", ca.SwitchKeys{Class: "0", Key: key(to)})
	w.ca("task:ca_issue", "isp", ca.RequestRevocation{Class: "0", Key: key(from)})
	w.ca("task:ca_sync_parent", "isp", ca.FinishRevocation{Class: "0", ParentClass: ta.ClassName, Key: key(from)})
}

// TestGhostbustersThatAreGone ends records in every way there is.
func TestGhostbustersThatAreGone(t *testing.T) {
	w := holder(t)
	w.ca("user:alice", "isp", ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{contact("a", "A", "a@example.net"), contact("b", "B", "b@example.net")}})
	w.issueGhostbusters("isp")
	w.now = w.now.AddDate(0, 11, 15) // due
	w.issueGhostbusters("isp")
	w.rollTo(nirKey, 60)
	w.ca("user:bob", "isp", ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{contact("b", "Bea", "b@example.net")}, Remove: []string{"a"}})
	w.issueGhostbusters("isp")
	w.now = w.now.Add(time.Hour)
	w.ca("task:ca_sync_parent", "isp", ca.UpdateEntitlements{Parent: ta.Handle})
	_, err := w.cas.Delete(w.ctx(), "isp", deleteCA{}, by("user:carol"))
	w.check(err)

	same(t, "records", texts(t, w, "SELECT name, contact ->> 'fn', withdrawn_how FROM audit.ghostbusters_object ORDER BY issued_at, issued_version, name"), []string{
		"(a,A,replaced)", "(b,B,replaced)", "(a,A,key_rolled)", "(b,B,key_rolled)", "(a,A,withdrawn)", "(b,B,replaced)", "(b,Bea,class_removed)",
	})
	same(t, "configured", texts(t, w, "SELECT name, fn, contact #>> '{email,0}', set_by, ended_by, ended_version > set_version FROM audit.ghostbusters_configuration ORDER BY set_version, name"), []string{
		"(a,A,a@example.net,user:alice,user:bob,t)", "(b,B,b@example.net,user:alice,user:bob,t)", "(b,Bea,b@example.net,user:bob,user:carol,t)",
	})
	same(t, "changes", texts(t, w, "SELECT change, subject, detail FROM audit.configuration_change WHERE change LIKE 'ghost%' ORDER BY version, change, subject"), []string{
		"(ghostbusters_added,a,A)", "(ghostbusters_added,b,B)", "(ghostbusters_removed,a,)", "(ghostbusters_updated,b,Bea)",
	})
}

// TestChecklistsThatAreGone ends checklists in every way there is.
func TestChecklistsThatAreGone(t *testing.T) {
	w := holder(t)
	as := set("AS64496", "", "")
	removed := w.sign("user:alice", "isp", "removed", as, "a", "b")
	w.sign("user:alice", "isp", "expires", as, "a")
	w.now = w.now.Add(time.Hour)
	w.ca("user:bob", "isp", ca.RevokeChecklist{Serial: removed})
	w.now = w.now.AddDate(0, 2, 0)
	w.sign("user:bob", "isp", "rolled", as, "a")
	w.rollTo(nirKey, 60)
	shrunk := w.sign("user:bob", "isp", "shrunk", set("AS64496-AS64497", "10.0.0.0/8", "2001:db8::/32"), "a")
	w.ca("task:ca_sync_parent", "isp", ca.ReceiveCertificate{Class: "0", Cert: w.record(ta.Handle, "isp", key(60), as)})
	w.ca("task:ca_issue", "isp", ca.RevokeChecklists{})
	w.now = w.now.Add(time.Minute)
	w.sign("user:bob", "isp", "stays", as, "a")
	same(t, "checklists", texts(t, w, "SELECT signed_by, asn, files, revoked_by, revoked_how, not_after > signed_at FROM audit.checklist ORDER BY signed_version"), []string{
		"(user:alice,AS64496,2,user:bob,removed,t)", "(user:alice,AS64496,1,,,t)", "(user:bob,AS64496,1,task:ca_issue,key_rolled,t)",
		"(user:bob,AS64496-AS64497,1,task:ca_issue,resources,t)", "(user:bob,AS64496,1,,,t)",
	})
	w.ca("task:ca_sync_parent", "isp", ca.UpdateEntitlements{Parent: ta.Handle})
	same(t, "the last", texts(t, w, "SELECT revoked_by, revoked_how FROM audit.checklist ORDER BY signed_version DESC LIMIT 1"), []string{"(task:ca_sync_parent,class_removed)"})
	same(t, "the one that expired", texts(t, w, "SELECT revoked_how FROM audit.checklist WHERE revoked_at IS NULL"), []string{"()"})
	same(t, "octets", texts(t, w, "SELECT ipv4, ipv6, convert_from(o.der, 'UTF8') LIKE 'shrunk of %' FROM audit.checklist c JOIN audit.object o USING (hash) WHERE serial = $1::numeric", shrunk), []string{"(10.0.0.0/8,2001:db8::/32,t)"})
	same(t, "files", texts(t, w, "SELECT ordinal, name, length(hash) FROM audit.checklist_file WHERE serial = $1::numeric", removed), []string{"(1,a,64)", "(2,b,64)"})
}
