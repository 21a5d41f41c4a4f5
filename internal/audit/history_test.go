package audit_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/login"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
)

// deleteCA ends a CA. It is a command of this test: its one event changes
// nothing, so that everything that ends, ends by the deletion.
type deleteCA struct{}

// CommandName names the command in the log.
func (deleteCA) CommandName() string { return "delete_ca" }

// Process always agrees.
func (deleteCA) Process(*ca.State, time.Time) ([]es.Event, error) {
	return []es.Event{ca.ROAsConfigured{}}, nil
}

// tell makes the history of the cookbook: a trust anchor, a national registry
// nir, and two members, in the first week of November 2026.
func tell(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.story()
	return w
}

func (w *world) story() {
	w.t.Helper()
	w.dayOfSetup()
	w.dayOfROAs()
	w.dayOfChanges()
	w.dayOfShrinking()
	w.dayOfDeletion()
	w.dayOfTrouble()
	w.dayOfProviders()
	w.dayOfContacts()
	w.exchanges()
}

var (
	nirHolds  = set("AS64496-AS64511", "10.0.0.0/8", "2001:db8::/32")
	isp1Holds = set("AS64496-AS64500", "10.0.0.0/16", "2001:db8:1::/48")
	isp2Holds = set("AS64501-AS64505", "10.1.0.0/16", "")
	isp2Later = set("AS64501-AS64505", "10.1.0.0/17", "")
)

// Keys of the CAs.
const (
	nirKey = iota + 1
	isp1Key
	isp2Key
	isp2SecondKey
)

func (w *world) dayOfSetup() {
	w.at("02 08:00")
	w.check(w.pubs.Init(w.ctx(), es.Actor{Name: "baleen"}, pubserver.InitParams{
		RRDPBase: "https://rpki.example.net/rrdp/", RsyncBase: rsyncBase, KeyID: key(91), IDCert: identity(),
	}))
	w.at("02 08:01")
	_, err := w.proxy.Create(w.ctx(), ta.Handle, ta.InitProxy{Identity: ta.Identity{KeyID: key(92), Cert: []byte("id of ta")}}, by("baleen"))
	w.check(err)
	w.publisher("baleen", ta.Handle)
	w.ta("baleen", ta.AddRepository{Repository: ta.Repository{
		ServiceURI: "https://rpki.example.net/rfc8181/ta/", SIABase: rsyncBase, NotificationURI: notification, ServerIDCert: []byte("id of the repository"),
	}})
	w.ta("baleen", ta.AddSigner{Signer: ta.Signer{
		Identity: ta.Identity{KeyID: key(93), Cert: []byte("id of the signer")}, Objects: w.taObjects(1),
		TA: ta.CertRecord{URI: "rsync://rpki.example.net/ta/ta.cer", KeyID: key(94), SIA: ta.SIA{Repository: rsyncBase}},
	}})

	w.at("02 08:10")
	w.newCA("user:admin", "nir")
	w.ta("user:admin", ta.AddChild{Child: "nir", IDCert: []byte("id of nir"), Resources: nirHolds})
	w.parent("user:admin", "nir", ta.Handle, ta.ClassName, nirKey, nirHolds)
	w.taIssue("n1", 2)
	w.at("02 08:15")
	w.publish("nir")

	w.at("02 08:20")
	w.newCA("user:alice", "isp1")
	w.ca("user:admin", "nir", ca.AddChild{Child: "isp1", IDCert: []byte("id of isp1"), Resources: isp1Holds})
	w.parent("user:alice", "isp1", "nir", "0", isp1Key, isp1Holds)
	w.at("02 08:25")
	w.publish("nir")

	w.at("02 08:30")
	w.newCA("user:alice", "isp2")
	w.ca("user:admin", "nir", ca.AddChild{Child: "isp2", IDCert: []byte("id of isp2"), Resources: isp2Holds})
	w.parent("user:alice", "isp2", "nir", "0", isp2Key, isp2Holds)
	w.at("02 08:35")
	w.publish("nir")
}

// taObjects is what the trust anchor has issued: to nir, made now.
func (w *world) taObjects(number uint64, to ...cert.KeyID) ta.Objects {
	w.t.Helper()
	o := ta.Objects{Number: number, ThisUpdate: w.now, NextUpdate: w.now.AddDate(0, 3, 0), Issued: map[cert.KeyID]ta.IssuedCert{}}
	for _, k := range to {
		r := w.record(ta.Handle, "nir", k, nirHolds)
		o.Issued[k] = ta.IssuedCert{Child: "nir", SPKI: []byte("key"), CertRecord: ta.CertRecord{
			URI: r.URI, Hash: ta.Hash(r.Hash), Serial: r.Serial, KeyID: k, Resources: nirHolds, NotBefore: r.NotBefore, NotAfter: r.NotAfter, SIA: ta.SIA(r.SIA),
		}}
	}
	return o
}

// taIssue is an exchange with the signer in which nir gets a certificate.
func (w *world) taIssue(nonce string, number uint64) {
	w.t.Helper()
	w.ta("task:ta_sign", ta.MakeSignerRequest{Nonce: nonce})
	o := w.taObjects(number, key(nirKey))
	w.ta("task:ta_sign", ta.ProcessSignerResponse{Response: ta.Response{Nonce: nonce, Objects: o}})
	c := o.Issued[key(nirKey)]
	w.bring(ta.Handle, map[string]ca.Hash{c.URI: ca.Hash(c.Hash)})
}

func (w *world) dayOfROAs() {
	w.at("02 09:00")
	w.roas("user:alice", "isp1", "10.0.0.0/16-24 => 64496 # core", "2001:db8:1::/48-48 => 64496")
	w.at("02 09:00:03")
	w.issue("isp1")
	w.at("02 09:30")
	w.refuse("user:bob", "isp1", "ca-roa-delta-error", w.delta("192.0.2.0/24-24 => 64496"))
	w.at("02 10:00")
	w.roas("user:alice", "isp2", "10.1.0.0/16-16 => 64501", "10.1.128.0/17-20 => 64502")
	w.at("02 10:00:03")
	w.issue("isp2")
	w.at("02 11:00")
	w.refuse("user:bob", "isp2", "ca-roa-delta-error", w.delta("-10.1.64.0/18-18 => 64501"))
}

func (w *world) dayOfChanges() {
	w.at("03 09:00")
	w.roas("user:bob", "isp1", "10.0.4.0/22-22 => 64497 # customer 7")
	w.at("03 09:00:03")
	w.issue("isp1")
	w.at("03 11:00")
	w.roas("user:bob", "isp1", "-10.0.0.0/16-24 => 64496", "10.0.0.0/16-16 => 64496 # core")
	w.at("03 11:00:03")
	w.issue("isp1")
	w.at("03 15:00")
	w.roas("user:alice", "isp1", "10.0.4.0/22-22 => 64497 # customer 7, ticket 42")
}

// dayOfShrinking takes half of isp2's addresses away.
func (w *world) dayOfShrinking() {
	w.at("04 09:00")
	w.ca("user:admin", "nir", ca.UpdateChildResources{Child: "isp2", Resources: isp2Later})
	w.at("04 09:00:03")
	r := w.record("nir", "isp2", key(isp2Key), isp2Later)
	w.certify("task:ca_issue", "nir", "isp2", r)
	w.at("04 09:00:05")
	w.publish("nir")
	w.at("04 09:00:10")
	w.ca("task:ca_sync_parent", "isp2", ca.ReceiveCertificate{Class: "0", Cert: r})
	w.at("04 09:00:13")
	w.issue("isp2")
	w.at("04 10:00")
	w.roas("user:alice", "isp2", "-10.1.0.0/16-16 => 64501", "10.1.0.0/17-17 => 64501")
	w.at("04 10:00:03")
	w.issue("isp2")
}

// dayOfDeletion ends isp2 and begins another CA of the same name.
func (w *world) dayOfDeletion() {
	w.at("05 10:00")
	w.check(w.pubs.RemovePublisher(w.ctx(), es.Actor{Name: "user:bob"}, "isp2"))
	w.serial()
	_, err := w.cas.Delete(w.ctx(), "isp2", deleteCA{}, by("user:bob"))
	w.check(err)
	w.at("05 10:05")
	w.ca("task:ca_issue", "nir", ca.RecordChildCerts{Class: "0", Key: key(nirKey), Revoked: []cert.KeyID{key(isp2Key)}})
	w.at("05 10:05:02")
	w.publish("nir")

	w.at("05 11:00")
	w.newCA("user:carol", "isp2")
	w.parent("user:carol", "isp2", "nir", "0", isp2SecondKey, isp2Later)
	w.at("05 11:05")
	w.publish("nir")
	w.at("05 11:10")
	w.roas("user:carol", "isp2", "10.1.0.0/17-17 => 64503")
	w.at("05 11:10:03")
	w.issue("isp2")
}

func (w *world) dayOfTrouble() {
	w.at("06 09:00")
	w.check(w.pubs.SessionReset(w.ctx()))
	w.at("06 10:00")
	w.taIssue("n2", 3)
	w.at("06 12:00")
	w.exchange("isp1", nil)
	w.exchange("isp2", nil)
	w.at("06 12:10")
	w.call("isp1", "baleen/1.0.0", nil)
	w.at("06 12:20")
	w.call("isp2", "krill/0.17.0", fault.New(fault.Denied, "message-stale", "the message was signed too long ago"))
	w.at("06 12:30")
	w.exchange("isp1", errors.New("connection refused"))
	w.at("06 15:00")
	w.ca("task:ca_suspend", "nir", ca.SuspendChild{Child: "isp2"})
	w.at("06 15:01")
	w.publish("nir")
	w.at("06 16:30")
	w.ca("child:isp2", "nir", ca.UnsuspendChild{Child: "isp2"})
	w.ca("task:ca_issue", "nir", ca.RecordChildCerts{Class: "0", Key: key(nirKey), Issued: []ca.IssuedCert{{Child: "isp2", CertRecord: w.record("nir", "isp2", key(isp2SecondKey), isp2Later)}}})
	w.at("06 16:31")
	w.publish("nir")
	w.dayOfVisitors()
	w.at("07 03:00")
	for _, handle := range []string{"nir", "isp1", "isp2"} {
		w.ca("baleen", handle, ca.NoteRestore{Epoch: 2, Reason: "the database has another timeline"})
	}
}

// dayOfVisitors has people log in: Alice at once, Bob at the third try, and
// somebody who guesses.
func (w *world) dayOfVisitors() {
	const wrong = "api-invalid-credentials"
	office, elsewhere := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("203.0.113.66")
	w.at("06 20:00")
	w.logins.Succeeded(w.ctx(), login.Attempt{User: "alice", Provider: login.ConfigFile, Remote: office})
	w.at("06 20:10:05")
	w.logins.Refused(login.Attempt{User: "bob", Provider: login.ConfigFile, Remote: office}, wrong)
	w.at("06 20:10:15")
	w.logins.Refused(login.Attempt{User: "bob", Provider: login.ConfigFile, Remote: office}, wrong)
	w.at("06 20:10:30")
	w.logins.Succeeded(w.ctx(), login.Attempt{User: "bob", Provider: login.ConfigFile, Remote: office})
	w.at("06 23:15")
	for range 250 {
		w.logins.Refused(login.Attempt{Provider: login.AdminToken, Remote: elsewhere}, wrong)
	}
	w.check(w.logins.Flush(w.ctx()))
}

// exchange notes what became of asking the parent, and of publishing.
func (w *world) exchange(handle string, err error) {
	w.t.Helper()
	id, idErr := w.cas.StreamID(w.ctx(), handle)
	w.check(idErr)
	w.check(w.rows.NoteParent(w.ctx(), w.fence, id, castore.ParentExchange{
		Parent: "nir", URI: "https://rpki.example.net/rfc6492/nir", At: w.now, Err: err,
	}))
	w.check(w.rows.NoteRepo(w.ctx(), w.fence, id, castore.Exchanged{URI: "https://rpki.example.net/rfc8181/" + handle + "/", At: w.now}))
}

// call notes that a child of nir called.
func (w *world) call(child, agent string, err error) {
	w.t.Helper()
	id, idErr := w.cas.StreamID(w.ctx(), "nir")
	w.check(idErr)
	k := key(90)
	_, noteErr := w.rows.NoteChild(w.ctx(), w.fence, id, castore.ChildExchange{Child: child, At: w.now, UserAgent: agent, Key: &k, Err: err})
	w.check(noteErr)
}

// archive moves what is older into schema archive.
func (w *world) archive(before string) error {
	w.t.Helper()
	return pgx.BeginFunc(w.ctx(), w.db, func(tx pgx.Tx) error {
		for _, move := range []string{
			"INSERT INTO archive.es_command SELECT * FROM es_command WHERE at < $1::timestamptz",
			"INSERT INTO archive.es_event SELECT e.* FROM es_event e JOIN es_command c USING (stream_id, version) WHERE c.at < $1::timestamptz",
			"DELETE FROM es_event e USING es_command c WHERE c.stream_id = e.stream_id AND c.version = e.version AND c.at < $1::timestamptz",
			"DELETE FROM es_command WHERE at < $1::timestamptz",
		} {
			tag, err := tx.Exec(w.ctx(), move, before)
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 {
				return fmt.Errorf("no row: %s", move)
			}
		}
		return nil
	})
}
