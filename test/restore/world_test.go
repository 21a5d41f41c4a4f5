// Package restore plays a database administrator's bad day: the database is
// restored from a backup in every usual way, the server is started, and nothing
// else has to be done.
package restore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/embedded"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/manifest"
	"baleen/test/harness"
)

// bin is the folder of the programs under test.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "baleen-restore-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := harness.Build(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bin = dir
	return m.Run()
}

// world is a server with its Postgres, and the tools of a DBA.
type world struct {
	t      *testing.T
	ctx    context.Context
	server *harness.Server
	pg     *embedded.Server

	validators []*harness.Validator // with the caches that they keep all the time
}

func newWorld(t *testing.T, settings map[string]string) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx}
	w.pg = w.postgres(folder(t), settings)
	w.server = &harness.Server{Bin: bin, Dir: folder(t), Database: w.pg.URL()}
	t.Cleanup(func() { _ = w.server.Kill() })
	w.judges()
	w.check(w.server.Start(ctx))
	_, err := w.server.Ctl(ctx, "testbed", "join", "--ca", "ca1", "--ipv4", "10.0.0.0/8")
	w.check(err)
	w.add(0, 5)
	w.check(w.server.Settle(ctx))
	return w
}

// folder makes one that the private Postgres can reach as another user.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "baleen-restore-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// postgres starts a cluster of its own.
func (w *world) postgres(dir string, settings map[string]string) *embedded.Server {
	w.t.Helper()
	s, err := embedded.Start(w.ctx, embedded.Config{Dir: dir, Settings: settings, Log: slog.New(slog.DiscardHandler)})
	w.check(err)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		_ = s.Stop(ctx)
	})
	return s
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// add configures ROAs for 10.0.from.0/24 and so on.
func (w *world) add(from, to int) {
	w.t.Helper()
	for i := from; i < to; i++ {
		w.check(w.addOne(i))
	}
}

func (w *world) addOne(i int) error {
	route := map[string]any{"asn": 64496, "prefix": fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)}
	status, body, err := w.server.Do(w.ctx, http.MethodPost, "/api/v1/cas/ca1/routes", map[string]any{"added": []any{route}, "removed": []any{}})
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, body)
	}
	return err
}

// tool runs a program of Postgres against a database.
func (w *world) tool(name string, args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.ctx, filepath.Join(w.pg.BinDir, name), args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// exec runs statements in a database.
func (w *world) exec(dsn string, statements ...string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.ctx, dsn)
	w.check(err)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, s := range statements {
		if _, err := conn.Exec(w.ctx, s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}

// database gives the connection string of another database of the same cluster.
func database(t *testing.T, dsn, name string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// seen is what relying parties saw of the world at a moment.
type seen struct {
	session string
	serial  uint64
	numbers map[string]*big.Int  // of manifests, by URI
	updates map[string]time.Time // their thisUpdate
	vrps    map[string]bool
}

// look fetches and validates everything as a relying party would, and has the
// validators do so with the caches they have.
func (w *world) look() seen {
	w.t.Helper()
	p, err := w.server.Published(w.ctx)
	w.check(err)
	s := seen{session: p.Session, serial: p.Serial, numbers: map[string]*big.Int{}, updates: map[string]time.Time{}}
	s.vrps, err = w.server.Validate(w.ctx, p)
	w.check(err)
	for uri, der := range p.Objects {
		if path.Ext(uri) != ".mft" {
			continue
		}
		obj, err := cms.Decode(der)
		w.check(err)
		m, err := manifest.Decode(obj.Content)
		w.check(err)
		s.numbers[uri], s.updates[uri] = m.Number, m.ThisUpdate
	}
	if len(s.numbers) < 3 {
		w.t.Fatalf("only %d manifests are published", len(s.numbers))
	}
	w.judged(s)
	return s
}

// restarted starts the server on the restored database and holds it to what a
// DBA was promised: relying parties that saw the newer state accept what comes
// now, everything that is configured is published, and the history says why.
func (w *world) restarted(dsn string, before seen) {
	w.t.Helper()
	w.server.Database = dsn
	w.check(w.server.Start(w.ctx))
	w.check(w.server.Settle(w.ctx))
	after := w.look()
	if after.session == before.session {
		w.t.Errorf("the RRDP session is still %s, at serial %d; serial %d was seen", after.session, after.serial, before.serial)
	}
	for uri, n := range before.numbers {
		if now := after.numbers[uri]; now == nil || now.Cmp(n) <= 0 {
			w.t.Errorf("manifest %s has number %v; %v was seen", uri, now, n)
		}
		if !after.updates[uri].After(before.updates[uri]) {
			w.t.Errorf("manifest %s has thisUpdate %v; %v was seen", uri, after.updates[uri], before.updates[uri])
		}
	}
	if configured := w.configured(); len(configured) == 0 || len(configured) != len(after.vrps) {
		w.t.Errorf("%d ROAs are configured, %d are published", len(configured), len(after.vrps))
	}
	_, body, err := w.server.Do(w.ctx, http.MethodGet, "/api/v1/cas/ca1/history/commands/1000", nil)
	w.check(err)
	if !strings.Contains(string(body), `"cmd-ca-restore-noted"`) {
		w.t.Error("the history does not say that the database was restored")
	}
	if log := w.server.Log(); !strings.Contains(log, "the database went back or moved") {
		w.t.Error("the log does not say that the database was restored")
	}
	_, metrics, err := w.server.Do(w.ctx, http.MethodGet, "/metrics", nil)
	w.check(err)
	if !strings.Contains(string(metrics), "\nbaleen_restore_overtaken_time ") {
		w.t.Error("the metrics do not say that the database was restored")
	}
	w.t.Logf("relying parties saw %d routes at serial %d; after the restore %d routes in a new session, every manifest's number and thisUpdate above what was seen",
		len(before.vrps), before.serial, len(after.vrps))
	w.check(w.addOne(60000))
	w.check(w.server.Settle(w.ctx))
	if again := w.look(); again.session != after.session || len(again.vrps) != len(after.vrps)+1 {
		w.t.Errorf("after one change more: session %s with %d routes, was %s with %d", again.session, len(again.vrps), after.session, len(after.vrps))
	}
}

func (w *world) configured() []byte {
	w.t.Helper()
	_, body, err := w.server.Do(w.ctx, http.MethodGet, "/api/v1/cas/ca1/routes", nil)
	w.check(err)
	return []byte(strings.Repeat(".", strings.Count(string(body), `"prefix"`)))
}

// whileChanging runs f while ROAs are added one after the other.
func (w *world) whileChanging(from int, f func()) (next int) {
	w.t.Helper()
	stop, done := make(chan struct{}), make(chan error, 1)
	next = from
	go func() {
		for {
			if err := w.addOne(next); err != nil {
				done <- err
				return
			}
			next++
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
		}
	}()
	f()
	close(stop)
	w.check(<-done)
	if next == from {
		w.check(errors.New("nothing changed meanwhile"))
	}
	return next
}
