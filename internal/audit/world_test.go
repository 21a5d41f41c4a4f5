package audit_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/login"
	"baleen/internal/postgres"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
	"baleen/internal/testdb"
)

const (
	rsyncBase    = "rsync://rpki.example.net/repo/"
	notification = "https://rpki.example.net/rrdp/notification.xml"
)

// world is the real stores on a database of its own, with a clock that the
// story moves. Nothing is signed: an object is the text of what it says.
type world struct {
	t     testing.TB
	db    *pgxpool.Pool
	fence postgres.Fence
	now   time.Time

	cas   *pgstore.Store[ca.State]
	proxy *pgstore.Store[ta.ProxyState]
	pubs  *pubserver.Server
	rows  *castore.Store

	logins *login.Recorder
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, db: testdb.New(t)}
	w.fence = testdb.Fence(t, w.db)
	return w.join(w.db, w.fence)
}

// join gives the stores a database.
func (w *world) join(db *pgxpool.Pool, fence postgres.Fence) *world {
	now := func() time.Time { return w.now }
	w.cas = &pgstore.Store[ca.State]{Type: ca.Type(), DB: db, Fence: fence, Now: now}
	w.proxy = &pgstore.Store[ta.ProxyState]{Type: ta.ProxyType(), DB: db, Fence: fence, Now: now}
	w.rows = &castore.Store{DB: db}
	w.logins = &login.Recorder{DB: db, Fence: fence, Log: slog.New(slog.DiscardHandler), Now: now}
	w.pubs = &pubserver.Server{
		Store: &pgstore.Store[pubserver.State]{Type: pubserver.Type(), DB: db, Fence: fence, Now: now},
		DB:    db, Fence: fence, Now: now, ServiceURI: "https://rpki.example.net/",
	}
	return w
}

// at moves the clock to a time of November 2026, UTC: "02 09:30:05".
func (w *world) at(day string) {
	w.t.Helper()
	at := w.time(day)
	if at.Before(w.now) {
		w.t.Fatalf("the story goes back to %s", day)
	}
	w.now = at
}

func (w *world) time(day string) time.Time {
	w.t.Helper()
	layout := "2006-01-02 15:04:05"
	at, err := time.Parse(layout[:len("2006-01-")+len(day)], "2026-11-"+day)
	w.check(err)
	return at
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", w.now.Format(time.DateTime), err)
	}
}

func (w *world) ctx() context.Context { return w.t.Context() }

// by is who gives a command.
func by(actor string) pgstore.Write { return pgstore.Write{Actor: es.Actor{Name: actor}} }

func (w *world) ca(actor, handle string, cmd es.Command[ca.State]) {
	w.t.Helper()
	_, err := w.cas.Execute(w.ctx(), handle, cmd, by(actor))
	w.check(err)
}

// refuse gives a command that must be refused with this code.
func (w *world) refuse(actor, handle, code string, cmd es.Command[ca.State]) {
	w.t.Helper()
	if _, err := w.cas.Execute(w.ctx(), handle, cmd, by(actor)); fault.Code(err) != code {
		w.t.Fatalf("got %v, want code %s", err, code)
	}
}

func (w *world) ta(actor string, cmd es.Command[ta.ProxyState]) {
	w.t.Helper()
	_, err := w.proxy.Execute(w.ctx(), ta.Handle, cmd, by(actor))
	w.check(err)
}

// newCA creates a CA that publishes here.
func (w *world) newCA(actor, handle string) {
	w.t.Helper()
	_, err := w.cas.Create(w.ctx(), handle, ca.Init{Handle: handle, Identity: ca.Identity{KeyID: key(90), Cert: []byte("id of " + handle)}}, by(actor))
	w.check(err)
	w.publisher(actor, handle)
	w.ca(actor, handle, ca.ConfigureRepository{Repository: ca.Repository{
		ServiceURI: "https://rpki.example.net/rfc8181/" + handle + "/", SIABase: rsyncBase + handle + "/", NotificationURI: notification,
		ServerIDCert: []byte("id of the repository"),
	}})
}

func (w *world) publisher(actor, handle string) {
	w.t.Helper()
	_, err := w.pubs.AddPublisher(w.ctx(), es.Actor{Name: actor}, oob.PublisherRequest{PublisherHandle: handle, IDCert: identity()})
	w.check(err)
}

// parent makes a CA the child of a parent that offers it a class, and lets the
// parent certify its key n.
func (w *world) parent(actor, handle, parent, class string, n byte, held resources.Set) {
	w.t.Helper()
	w.ca(actor, handle, ca.SetParent{Parent: parent, Contact: ca.Parent{
		ServiceURI: "https://rpki.example.net/rfc6492/" + parent, ParentHandle: parent, ChildHandle: handle, IDCert: []byte("id of " + parent),
	}})
	w.ca("task:ca_sync_parent", handle, ca.UpdateEntitlements{
		Parent: parent, Entitlements: []ca.Entitlement{{Class: class, Resources: held, NotAfter: w.now.AddDate(1, 0, 0)}},
		NewKeys: map[string]cert.KeyID{class: key(n)},
	})
	record := w.record(parent, handle, key(n), held)
	if parent != ta.Handle {
		w.certify("child:"+handle, parent, handle, record)
	}
	w.ca("task:ca_sync_parent", handle, ca.ReceiveCertificate{Class: "0", Cert: record})
}

// certify records at the parent what it issued.
func (w *world) certify(actor, parent, child string, record ca.CertRecord) {
	w.t.Helper()
	w.ca(actor, parent, ca.RecordChildCerts{Class: "0", Key: w.keyOf(parent), Issued: []ca.IssuedCert{{CertRecord: record, Child: child}}})
}

// keyOf is the key of a CA's class 0.
func (w *world) keyOf(handle string) (id cert.KeyID) {
	w.t.Helper()
	w.check(w.cas.View(w.ctx(), handle, func(s *ca.State, _ int64) error { id = s.Classes["0"].Current.KeyID; return nil }))
	return id
}

// record describes a certificate for a child's key, made now.
func (w *world) record(parent, child string, k cert.KeyID, held resources.Set) ca.CertRecord {
	folder := parent + "/0/"
	if parent == ta.Handle {
		folder = ""
	}
	text := []byte("certificate of " + child + " by " + parent + " for " + k.String()[36:] + " at " + w.now.Format(time.RFC3339))
	w.published(text)
	return ca.CertRecord{
		URI: rsyncBase + folder + k.String() + ".cer", Hash: ca.HashOf(text), Serial: serial(text), KeyID: k, Resources: held,
		NotBefore: w.now.Add(-5 * time.Minute), NotAfter: w.now.AddDate(1, 0, 0),
		SIA: ca.SIA{Repository: rsyncBase + child + "/0/", Manifest: rsyncBase + child + "/0/" + k.String() + ".mft", Notify: notification},
	}
}

// roas configures routes: "10.0.0.0/16-24 => 64496 # comment" adds one, with a
// minus before it removes it.
func (w *world) roas(actor, handle string, lines ...string) {
	w.t.Helper()
	w.ca(actor, handle, w.delta(lines...))
}

func (w *world) delta(lines ...string) ca.ConfigureROAs {
	w.t.Helper()
	var cmd ca.ConfigureROAs
	for _, line := range lines {
		text, removed := strings.CutPrefix(line, "-")
		text, comment, _ := strings.Cut(text, " # ")
		var r ca.ROA
		w.check(r.UnmarshalText([]byte(text)))
		if removed {
			cmd.Removed = append(cmd.Removed, r)
		} else {
			cmd.Added = append(cmd.Added, ca.ConfiguredROA{ROA: r, Comment: comment})
		}
	}
	return cmd
}

// issue does what the task does after a change: it signs and withdraws until
// what is issued is what is wanted, and publishes it in the next serial.
func (w *world) issue(handle string) {
	w.t.Helper()
	policy := ca.Policy{ROAAggregate: 100, ROADeaggregate: 90, ROAValid: 52 * 7 * 24 * time.Hour, ROARenewBefore: 4 * 7 * 24 * time.Hour}
	var plans []ca.ROAPlan
	w.check(w.cas.View(w.ctx(), handle, func(s *ca.State, _ int64) error { plans = s.PlanROAs(w.now, policy); return nil }))
	for _, p := range plans {
		cmd := ca.RecordROAs{Class: p.Class, Key: p.Key.String(), Withdrawn: p.Withdraw}
		for _, planned := range p.Issue {
			text := w.content(planned.Name)
			cmd.Issued = append(cmd.Issued, ca.IssuedROA{
				Name: planned.Name, Authorizations: planned.ROAs, Hash: ca.HashOf(text), Serial: serial(text),
				NotBefore: w.now.Add(-5 * time.Minute), NotAfter: w.now.Add(policy.ROAValid),
			})
			w.published(text)
		}
		w.ca("task:ca_issue", handle, cmd)
	}
	w.issueForASes(handle)
	w.issueGhostbusters(handle)
	w.now = w.now.Add(2 * time.Second)
	w.publish(handle)
}

// content is what stands for an object made now.
func (w *world) content(name string) []byte {
	return []byte(name + " of " + w.now.Format(time.RFC3339))
}

// published keeps an object by its hash, as a task does.
func (w *world) published(text []byte) {
	w.t.Helper()
	h := sha256.Sum256(text)
	_, err := w.db.Exec(w.ctx(), "INSERT INTO der_object (hash, der) VALUES ($1, $2) ON CONFLICT DO NOTHING", h[:], text)
	w.check(err)
}

// publish brings the repository to what the CA wants, and makes a serial.
func (w *world) publish(handle string) {
	w.t.Helper()
	wanted := map[string]ca.Hash{}
	w.check(w.cas.View(w.ctx(), handle, func(s *ca.State, _ int64) error {
		for _, p := range s.Points(w.now) {
			for _, f := range p.Files {
				wanted[p.Cert.SIA.Repository+f.Name] = f.Hash
			}
			mft := w.content("manifest of " + handle)
			w.published(mft)
			wanted[p.Cert.SIA.Manifest] = ca.HashOf(mft)
		}
		return nil
	}))
	w.bring(handle, wanted)
}

// bring makes a publisher have exactly these objects.
func (w *world) bring(publisher string, wanted map[string]ca.Hash) {
	w.t.Helper()
	have, err := w.pubs.List(w.ctx(), publisher)
	w.check(err)
	var changes []pubserver.Change
	for _, o := range have {
		hash, keep := wanted[o.URI]
		if keep && hash == ca.Hash(o.Hash) {
			delete(wanted, o.URI)
			continue
		}
		old := o.Hash
		c := pubserver.Change{URI: o.URI, Old: &old}
		if keep {
			c.Content = w.der(hash)
			delete(wanted, o.URI)
		}
		changes = append(changes, c)
	}
	for uri, hash := range wanted {
		changes = append(changes, pubserver.Change{URI: uri, Content: w.der(hash)})
	}
	w.check(w.pubs.Publish(w.ctx(), publisher, changes))
	w.serial()
}

// der gives an object by its hash; certificates stand for themselves.
func (w *world) der(hash ca.Hash) []byte {
	w.t.Helper()
	der, err := w.rows.DER(w.ctx(), hash)
	w.check(err)
	return der
}

// serial makes the next RRDP serial.
func (w *world) serial() {
	w.t.Helper()
	frozen, err := w.pubs.Update(w.ctx())
	w.check(err)
	if !frozen.Changed {
		w.t.Fatal("no new serial")
	}
}

// serial gives the serial number of the certificate of an object: 20 octets.
func serial(text []byte) string {
	h := sha256.Sum256(text)
	return new(big.Int).SetBytes(h[:20]).String()
}

func key(n byte) cert.KeyID { return cert.KeyID{19: n} }

func set(as, v4, v6 string) resources.Set {
	return resources.Set{
		AS: must(resources.ParseASSet(as)), V4: must(resources.ParseIPSet(v4, resources.IPv4)), V6: must(resources.ParseIPSet(v6, resources.IPv6)),
	}
}

// identity is a certificate that a publication server takes, for all publishers.
var identity = sync.OnceValue(func() []byte {
	k := must(rsa.GenerateKey(rand.Reader, 2048))
	return must(cert.SelfSignIdentity(k, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)))
})
