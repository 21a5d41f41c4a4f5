// Package testworld is a whole server for tests: every use case on a real
// database, without the web layer, with a clock that the test sets and what
// tests want to know of it.
package testworld

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/exchange"
	"baleen/internal/export"
	"baleen/internal/pubserver"
	"baleen/internal/remote"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
	"baleen/internal/service"
	"baleen/internal/signer"
	"baleen/internal/ta"
	"baleen/internal/tasks"
	"baleen/internal/testdb"
	"baleen/internal/testkeys"
)

// Operator is who asks for changes in tests.
var Operator = es.Actor{Name: "user:test"}

// World is a whole server without its web layer, on a real database, with a
// clock that the test sets.
type World struct {
	*service.Service
	T      *testing.T
	Worker *tasks.Worker
	offset atomic.Int64              // of the clock
	Mute   func(updown.Payload) bool // whether a child gets no signed answer to this, though it was carried out
}

// Testbed is where the world's trust anchor and repository are.
var Testbed = service.Testbed{
	TAAIA: "rsync://localhost/ta/ta.cer", TAURI: "https://localhost:3000/ta/ta.cer",
	RRDPBaseURI: "https://localhost:3000/rrdp/", RsyncJail: "rsync://localhost/repo/",
}

// New makes a server whose database is empty.
func New(t *testing.T) *World {
	t.Helper()
	db := testdb.New(t)
	fence := testdb.Fence(t, db)
	w := &World{T: t}
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	master, err := signer.LoadMasterKey(filepath.Join(dir, "master.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.CheckMaster(t.Context(), db, fence, master); err != nil {
		t.Fatal(err)
	}
	peers, err := remote.New(remote.Config{Timeout: 2 * time.Minute, UserAgent: "baleen/test"})
	if err != nil {
		t.Fatal(err)
	}
	pool := &signer.Pool{Source: testkeys.Source(t)}
	keys := &signer.Keys{DB: db, Fence: fence, Master: master, Pool: pool, Now: w.Now}
	follow := []pgstore.Listener{service.Follow}
	w.Worker = &tasks.Worker{DB: db, Fence: fence, Log: log, Node: "test", Concurrency: 4, Lease: time.Minute, Now: w.Now}
	w.Service = &service.Service{
		Config: service.Config{
			ServiceURI: "https://localhost:3000/", AnyHost: true,
			Policy: ca.Policy{
				ROAAggregate: 100, ROADeaggregate: 90, ROAValid: 52 * Week, ROARenewBefore: 4 * Week, ChildValid: 52 * Week, ChildRenewBefore: 4 * Week,
				ASPAValid: 52 * Week, ASPARenewBefore: 4 * Week, RouterValid: 52 * Week, RouterRenewBefore: 4 * Week,
				GhostbustersValid: 52 * Week, GhostbustersRenewBefore: 4 * Week,
			},
			ChecklistMaxValid: 52 * Week,
			Manifest:          service.ManifestTiming{Next: 24 * time.Hour, Jitter: 4 * time.Hour, Before: 8 * time.Hour},
			Refresh:           service.Refresh{Every: 24 * time.Hour, Jitter: 12 * time.Hour},
			TA:                ta.DefaultTiming(),
		},
		CAs:    &pgstore.Store[ca.State]{Type: ca.Type(), DB: db, Fence: fence, Now: w.Now, Listeners: follow},
		Proxy:  &pgstore.Store[ta.ProxyState]{Type: ta.ProxyType(), DB: db, Fence: fence, Now: w.Now, Listeners: follow},
		Signer: &pgstore.Store[ta.SignerState]{Type: ta.SignerType(), DB: db, Fence: fence, Now: w.Now, Listeners: follow},
		Pubs: &pubserver.Server{
			Store: &pgstore.Store[pubserver.State]{Type: pubserver.Type(), DB: db, Fence: fence, Now: w.Now},
			DB:    db, Fence: fence, Now: w.Now, ServiceURI: "https://localhost:3000/",
		},
		Export: &export.Renderer{DB: db, Repository: pubserver.Repository, Dir: filepath.Join(dir, "repo"), Settings: export.DefaultSettings(), Now: w.Now, Log: log},
		Peers:  peers, Exchanges: &exchange.Log{DB: db, Fence: fence, Now: w.Now, Log: log},
		Rows: &castore.Store{DB: db}, Keys: keys, OneOff: pool, DB: db, Fence: fence, Log: log, Now: w.Now, Cores: 2, Wake: func() {},
	}
	w.Register(w.Worker, w.Worker)
	return w
}

// Week is what lifetimes are given in.
const Week = 7 * 24 * time.Hour

// Now is what the world takes for the time.
func (w *World) Now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

// Pass moves the clock.
func (w *World) Pass(d time.Duration) { w.offset.Add(int64(d)) }

// Settle runs every task that is due.
func (w *World) Settle() {
	w.T.Helper()
	if _, err := w.Worker.RunOnce(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
}

// Start makes a testbed.
func (w *World) Start() {
	w.T.Helper()
	if err := w.EnsureTestbed(w.T.Context(), Testbed); err != nil {
		w.T.Fatal(err)
	}
	if err := w.ScheduleStart(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
	w.Settle()
}

// Join makes a CA under a parent of this server that holds these resources.
func (w *World) Join(name, parent string, held resources.Set) {
	w.T.Helper()
	w.introduce(name, w, parent, held)
	w.Settle()
}

// introduce makes a CA here, and has a world, which may be this one, take it as a
// publisher and as a parent's child.
func (w *World) introduce(name string, at *World, parent string, held resources.Set) {
	w.T.Helper()
	ctx := w.T.Context()
	check := func(err error) {
		w.T.Helper()
		if err != nil {
			w.T.Fatalf("join %s: %v", name, err)
		}
	}
	check(w.CreateCA(ctx, Operator, name))
	id := w.State(name).Identity.Cert
	repo, err := at.Pubs.AddPublisher(ctx, Operator, oob.PublisherRequest{PublisherHandle: name, IDCert: id})
	check(err)
	check(w.ConfigureRepository(ctx, Operator, name, repo, service.AnyVersion))
	up, err := at.AddChild(ctx, Operator, parent, ca.AddChild{Child: name, IDCert: id, Resources: held}, service.AnyVersion)
	check(err)
	check(w.SetParent(ctx, Operator, name, parent, up, service.AnyVersion))
}

// State gives a copy of what a test needs of a CA's state: it must not run
// beside tasks.
func (w *World) State(name string) (out ca.State) {
	w.T.Helper()
	if err := w.ViewCA(w.T.Context(), name, func(st *ca.State, _ int64) error { out = *st; return nil }); err != nil {
		w.T.Fatal(err)
	}
	return out
}

// Configure changes the routes of a CA.
func (w *World) Configure(name string, cmd ca.ConfigureROAs) error {
	_, err := w.ConfigureROAs(w.T.Context(), Operator, name, cmd, nil)
	return err
}

// FilesOf gives the file names a publisher has, by extension.
func (w *World) FilesOf(name string) map[string][]string {
	w.T.Helper()
	files, err := w.Pubs.Files(context.Background(), name)
	if err != nil {
		w.T.Fatal(err)
	}
	out := map[string][]string{}
	for _, f := range files {
		ext := filepath.Ext(f.URI)
		out[ext] = append(out[ext], f.URI[strings.LastIndex(f.URI, "/")+1:])
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}

// Set reads resources: AS numbers, IPv4, IPv6.
func Set(as, v4, v6 string) resources.Set {
	a, err := resources.ParseASSet(as)
	if err != nil {
		panic(err)
	}
	b, err := resources.ParseIPSet(v4, resources.IPv4)
	if err != nil {
		panic(err)
	}
	c, err := resources.ParseIPSet(v6, resources.IPv6)
	if err != nil {
		panic(err)
	}
	return resources.Set{AS: a, V4: b, V6: c}
}

// Route gives a route to configure.
func Route(prefix string, maxLength int, as uint32) ca.ConfiguredROA {
	return ca.ConfiguredROA{ROA: ca.ROA{ASID: as, Prefix: netip.MustParsePrefix(prefix), MaxLength: maxLength}}
}
