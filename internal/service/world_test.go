package service_test

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

var operator = es.Actor{Name: "user:test"}

// world is a whole server without its web layer, on a real database, with a
// clock that the test sets.
type world struct {
	*service.Service
	t      *testing.T
	worker *tasks.Worker
	offset atomic.Int64              // of the clock
	mute   func(updown.Payload) bool // whether a child gets no signed answer to this, though it was carried out
}

// testbed is where the world's trust anchor and repository are.
var testbed = service.Testbed{
	TAAIA: "rsync://localhost/ta/ta.cer", TAURI: "https://localhost:3000/ta/ta.cer",
	RRDPBaseURI: "https://localhost:3000/rrdp/", RsyncJail: "rsync://localhost/repo/",
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := testdb.New(t)
	fence := testdb.Fence(t, db)
	w := &world{t: t}
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	master, err := signer.LoadMasterKey(filepath.Join(dir, "master.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.CheckMaster(t.Context(), db, fence, master); err != nil {
		t.Fatal(err)
	}
	peers, err := remote.New(remote.Config{Timeout: 20 * time.Second, UserAgent: "baleen/test"})
	if err != nil {
		t.Fatal(err)
	}
	pool := &signer.Pool{Source: testkeys.Source(t)}
	keys := &signer.Keys{DB: db, Fence: fence, Master: master, Pool: pool, Now: w.now}
	follow := []pgstore.Listener{service.Follow}
	w.worker = &tasks.Worker{DB: db, Fence: fence, Log: log, Node: "test", Concurrency: 4, Lease: time.Minute, Now: w.now}
	w.Service = &service.Service{
		Config: service.Config{
			ServiceURI: "https://localhost:3000/", AnyHost: true,
			Policy: ca.Policy{
				ROAAggregate: 100, ROADeaggregate: 90, ROAValid: 52 * week, ROARenewBefore: 4 * week, ChildValid: 52 * week, ChildRenewBefore: 4 * week,
				ASPAValid: 52 * week, ASPARenewBefore: 4 * week, RouterValid: 52 * week, RouterRenewBefore: 4 * week,
				GhostbustersValid: 52 * week, GhostbustersRenewBefore: 4 * week,
			},
			ChecklistMaxValid: 52 * week,
			Manifest:          service.ManifestTiming{Next: 24 * time.Hour, Jitter: 4 * time.Hour, Before: 8 * time.Hour},
			Refresh:           service.Refresh{Every: 24 * time.Hour, Jitter: 12 * time.Hour},
			TA:                ta.DefaultTiming(),
		},
		CAs:    &pgstore.Store[ca.State]{Type: ca.Type(), DB: db, Fence: fence, Now: w.now, Listeners: follow},
		Proxy:  &pgstore.Store[ta.ProxyState]{Type: ta.ProxyType(), DB: db, Fence: fence, Now: w.now, Listeners: follow},
		Signer: &pgstore.Store[ta.SignerState]{Type: ta.SignerType(), DB: db, Fence: fence, Now: w.now, Listeners: follow},
		Pubs: &pubserver.Server{
			Store: &pgstore.Store[pubserver.State]{Type: pubserver.Type(), DB: db, Fence: fence, Now: w.now},
			DB:    db, Fence: fence, Now: w.now, ServiceURI: "https://localhost:3000/",
		},
		Export: &export.Renderer{DB: db, Repository: pubserver.Repository, Dir: filepath.Join(dir, "repo"), Settings: export.DefaultSettings(), Now: w.now, Log: log},
		Peers:  peers, Exchanges: &exchange.Log{DB: db, Fence: fence, Now: w.now, Log: log},
		Rows: &castore.Store{DB: db}, Keys: keys, OneOff: pool, DB: db, Fence: fence, Log: log, Now: w.now, Cores: 2, Wake: func() {},
	}
	w.Register(w.worker, w.worker)
	return w
}

const week = 7 * 24 * time.Hour

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

// pass moves the clock.
func (w *world) pass(d time.Duration) { w.offset.Add(int64(d)) }

// settle runs every task that is due.
func (w *world) settle() {
	w.t.Helper()
	if _, err := w.worker.RunOnce(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// start makes a testbed.
func (w *world) start() {
	w.t.Helper()
	if err := w.EnsureTestbed(w.t.Context(), testbed); err != nil {
		w.t.Fatal(err)
	}
	if err := w.ScheduleStart(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
}

// join makes a CA under a parent of this server that holds these resources.
func (w *world) join(name, parent string, held resources.Set) {
	w.t.Helper()
	ctx := w.t.Context()
	check := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatalf("join %s: %v", name, err)
		}
	}
	check(w.CreateCA(ctx, operator, name))
	id := w.state(name).Identity.Cert
	repo, err := w.Pubs.AddPublisher(ctx, operator, oob.PublisherRequest{PublisherHandle: name, IDCert: id})
	check(err)
	check(w.ConfigureRepository(ctx, operator, name, repo))
	up, err := w.AddChild(ctx, operator, parent, ca.AddChild{Child: name, IDCert: id, Resources: held})
	check(err)
	check(w.SetParent(ctx, operator, name, parent, up))
	w.settle()
}

// state gives a copy of what a test needs of a CA's state: it must not run
// beside tasks.
func (w *world) state(name string) (out ca.State) {
	w.t.Helper()
	if err := w.ViewCA(w.t.Context(), name, func(st *ca.State, _ int64) error { out = *st; return nil }); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) configure(name string, cmd ca.ConfigureROAs) error {
	_, err := w.ConfigureROAs(w.t.Context(), operator, name, cmd, nil)
	return err
}

// published gives the file names a publisher has, by extension.
func (w *world) published(name string) map[string][]string {
	w.t.Helper()
	files, err := w.Pubs.Files(context.Background(), name)
	if err != nil {
		w.t.Fatal(err)
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

func set(as, v4, v6 string) resources.Set {
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

func route(prefix string, maxLength int, as uint32) ca.ConfiguredROA {
	return ca.ConfiguredROA{ROA: ca.ROA{ASID: as, Prefix: netip.MustParsePrefix(prefix), MaxLength: maxLength}}
}
