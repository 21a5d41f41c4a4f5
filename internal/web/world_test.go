package web_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es/pgstore"
	"baleen/internal/exchange"
	"baleen/internal/export"
	"baleen/internal/login"
	"baleen/internal/obs"
	"baleen/internal/pubserver"
	"baleen/internal/service"
	"baleen/internal/setup"
	"baleen/internal/signer"
	"baleen/internal/ta"
	"baleen/internal/tasks"
	"baleen/internal/testdb"
	"baleen/internal/testkeys"
	"baleen/internal/web"
	"baleen/internal/web/rest"
)

const token = "let me in"

// world is a whole server on a real database, without sockets and with tasks
// that run when the test says so.
type world struct {
	t       *testing.T
	server  *web.Server
	service *service.Service
	imports *setup.Importer
	worker  *tasks.Worker
	role    *role
	repo    string
	logins  *login.Recorder // nil: not noted
	access  rest.Access
	clock   func() time.Time // nil: the real one
}

// role is the part that the test lets the node play.
type role struct {
	active bool
	other  string
}

func (r *role) Active() bool       { return r.active }
func (r *role) ActiveNode() string { return r.other }

// unmeasured stands for a server whose metrics nobody looks at.
type unmeasured struct{}

func (unmeasured) Snapshot(context.Context) (obs.Snapshot, error) { return obs.Snapshot{}, nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	db := testdb.New(t)
	fence := testdb.Fence(t, db)
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	master, err := signer.LoadMasterKey(filepath.Join(dir, "master.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.CheckMaster(t.Context(), db, fence, master); err != nil {
		t.Fatal(err)
	}
	pool := &signer.Pool{Source: testkeys.Source(t)}
	follow := []pgstore.Listener{service.Follow}
	const week, uri = 7 * 24 * time.Hour, "https://localhost:3000/"
	w := &world{t: t, role: &role{active: true}, repo: filepath.Join(dir, "repo")}
	w.worker = &tasks.Worker{DB: db, Fence: fence, Log: log, Node: "test", Concurrency: 1, Lease: time.Minute, Now: time.Now}
	w.service = &service.Service{
		Config: service.Config{
			ServiceURI: uri,
			Policy: ca.Policy{
				ROAAggregate: 100, ROADeaggregate: 90, ROAValid: 52 * week, ROARenewBefore: 4 * week, ChildValid: 52 * week, ChildRenewBefore: 4 * week,
				ASPAValid: 52 * week, ASPARenewBefore: 4 * week, RouterValid: 52 * week, RouterRenewBefore: 4 * week,
				GhostbustersValid: 52 * week, GhostbustersRenewBefore: 4 * week,
			},
			Manifest:          service.ManifestTiming{Next: 24 * time.Hour, Jitter: 4 * time.Hour, Before: 8 * time.Hour},
			ChecklistMaxValid: 52 * week,

			Refresh: service.Refresh{Every: 24 * time.Hour, Jitter: 12 * time.Hour},
			TA:      ta.DefaultTiming(),
		},
		CAs:    &pgstore.Store[ca.State]{Type: ca.Type(), DB: db, Fence: fence, Now: time.Now, Listeners: follow},
		Proxy:  &pgstore.Store[ta.ProxyState]{Type: ta.ProxyType(), DB: db, Fence: fence, Now: time.Now, Listeners: follow},
		Signer: &pgstore.Store[ta.SignerState]{Type: ta.SignerType(), DB: db, Fence: fence, Now: time.Now, Listeners: follow},
		Pubs: &pubserver.Server{
			Store: &pgstore.Store[pubserver.State]{Type: pubserver.Type(), DB: db, Fence: fence, Now: time.Now},
			DB:    db, Fence: fence, Now: time.Now, ServiceURI: uri,
		},
		Export:    &export.Renderer{DB: db, Repository: pubserver.Repository, Dir: w.repo, Settings: export.DefaultSettings(), Now: time.Now, Log: log},
		Exchanges: &exchange.Log{DB: db, Fence: fence, Now: time.Now, Log: log},
		Rows:      &castore.Store{DB: db}, Keys: &signer.Keys{DB: db, Fence: fence, Master: master, Pool: pool, Now: time.Now},
		OneOff: pool, DB: db, Fence: fence, Log: log, Now: time.Now, Cores: 2, Wake: func() {},
	}
	w.service.Register(w.worker, w.worker)
	w.imports = &setup.Importer{Service: w.service}
	w.imports.Register(w.worker)
	w.server = w.newServer(false)
	return w
}

// newServer makes the HTTP side.
func (w *world) newServer(testbed bool) *web.Server {
	return web.New(web.Deps{
		Service: w.service, Imports: w.imports, AdminToken: token, PostLimit: 4096, WholeLimit: 4 << 20, UpDownLimit: 1 << 20, PublicationLimit: 1 << 20, RepoDir: w.repo, Role: w.role, Log: w.service.Log,
		Metrics: obs.NewMetrics(obs.MetricsConfig{Source: unmeasured{}, Started: time.Now(), Log: w.service.Log}), Started: time.Now(), Testbed: testbed, Logins: w.logins, Access: w.access, Now: w.clock,
	})
}

// settle runs every task that is due.
func (w *world) settle() {
	w.t.Helper()
	if _, err := w.worker.RunOnce(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// testbed makes a trust anchor, a repository and the CA testbed.
func (w *world) testbed() {
	w.t.Helper()
	err := w.service.EnsureTestbed(w.t.Context(), service.Testbed{
		TAAIA: "rsync://localhost/ta/ta.cer", TAURI: "https://localhost:3000/ta/ta.cer",
		RRDPBaseURI: "https://localhost:3000/rrdp/", RsyncJail: "rsync://localhost/repo/",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.service.ScheduleStart(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
	w.server = w.newServer(true)
}

// answer is what came back.
type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// as says who asks.
type as func(*http.Request)

func admin(r *http.Request)   { r.Header.Set("Authorization", "Bearer "+token) }
func anybody(r *http.Request) {}

func with(name, value string) as {
	return func(r *http.Request) { admin(r); r.Header.Set(name, value) }
}

// ask sends one request and holds the answer against the contract.
func (w *world) ask(who as, method, path, body string) answer {
	w.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, content)
	who(r)
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	a := answer{t: w.t, what: method + " " + path, status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	contractFor(w.t).check(w.t, r, body, a)
	exercised(w.t, w.server, method, path, rec.Code)
	return a
}

func (w *world) get(path string) answer {
	w.t.Helper()
	return w.ask(admin, http.MethodGet, path, "")
}

func (w *world) post(path, body string) answer {
	w.t.Helper()
	return w.ask(admin, http.MethodPost, path, body)
}

// ok demands 200.
func (a answer) ok() answer {
	a.t.Helper()
	if a.status != http.StatusOK {
		a.t.Fatalf("%s: %d %s", a.what, a.status, a.body)
	}
	return a
}

// empty demands 200 without a body.
func (a answer) empty() {
	a.t.Helper()
	a.ok()
	if a.body != "" || a.header.Get("Content-Type") != "text/plain" {
		a.t.Errorf("%s: got a body of type %q: %q", a.what, a.header.Get("Content-Type"), a.body)
	}
}

// fails demands a status and the label of an error.
func (a answer) fails(status int, label string) answer {
	a.t.Helper()
	var got struct{ Label string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != status || got.Label != label {
		a.t.Errorf("%s: got %d %s, want %d %s", a.what, a.status, a.body, status, label)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		a.t.Errorf("%s: type %q", a.what, got)
	}
	return a
}

// nothing demands a status without a body, as paths and methods have that do
// not exist.
func (a answer) nothing(status int) {
	a.t.Helper()
	if a.status != status || a.body != "" || a.header.Get("Content-Type") != "text/plain" || a.header.Get("Allow") != "" {
		a.t.Errorf("%s: got %d %q %v, want %d and no body", a.what, a.status, a.body, a.header, status)
	}
}

// json reads the body.
func (a answer) json(v any) {
	a.t.Helper()
	a.ok()
	if got := a.header.Get("Content-Type"); got != "application/json" {
		a.t.Fatalf("%s: type %q", a.what, got)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("%s: %v in %s", a.what, err, a.body)
	}
}
