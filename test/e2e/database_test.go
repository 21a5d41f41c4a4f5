package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// behindRelay gives a server with CA ca1 whose database can be cut off.
func behindRelay(ctx context.Context, t *testing.T) (*harness.Server, *harness.Relay) {
	t.Helper()
	r, err := harness.NewRelay(testdb.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	s := newServer(t, r.URL())
	mustStart(ctx, t, s)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	settle(ctx, t, s)
	return s, r
}

func restore(ctx context.Context, t *testing.T, s *harness.Server, r *harness.Relay) time.Duration {
	t.Helper()
	begin := time.Now()
	if err := r.Restore(); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitActive(ctx); err != nil {
		t.Fatal(err)
	}
	return time.Since(begin)
}

const unreachable = `{"label":"database-unavailable","msg":"The database cannot be reached.","args":{}}`

// Without its database the server goes on to answer: what needs the database
// with 503, what does not as ever. When the database is back all goes on by
// itself.
func TestDatabaseDown(t *testing.T) {
	ctx := bounded(t)
	s, r := behindRelay(ctx, t)
	pid := s.PID()
	w := newWriter(s, "ca1")
	for range 5 {
		if err := w.change(ctx); err != nil {
			t.Fatal(err)
		}
	}
	r.Cut()
	o := operator{Server: s, ctx: ctx, t: t}
	for _, path := range []string{"/api/v1/cas", "/api/v1/cas/ca1", routesPath, "/api/v1/cas/ca1/history/commands", "/api/v1/cas/ca1/repo/status", "/api/v1/tasks", "/stats/repo", "/ta/ta.tal"} {
		a := o.ask(http.MethodGet, path, nil)
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || match(a.Body, unreachable) != nil {
			t.Errorf("GET %s: got %s, want 503 with %s", path, show(a), unreachable)
		}
	}
	for _, path := range []string{"/health", "/stats/info", "/metrics", "/rrdp/notification.xml"} {
		if a := o.ask(http.MethodGet, path, nil); a.Status != http.StatusOK {
			t.Errorf("GET %s: got %s, want 200", path, show(a))
		}
	}
	o.until("the node knows that it is not active", "/health", func([]byte) bool {
		return o.ask(http.MethodGet, "/health/active", nil).Status == http.StatusServiceUnavailable
	})
	for path, body := range map[string]any{"/api/v1/cas": `{"handle":"ca2"}`, routesPath: add(`{"asn":1,"prefix":"10.9.0.0/16"}`), "/api/v1/cas/ca1/sync/repo": nil} {
		a := o.ask(http.MethodPost, path, body)
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || match(a.Body, `{"label":"~[a-z-]+-unavailable","msg":"~.+","args":{}}`) != nil {
			t.Errorf("POST %s: got %s, want 503", path, show(a))
		}
	}
	took := restore(ctx, t, s, r)
	if s.PID() != pid {
		t.Error("the server was started again")
	}
	for range 5 {
		if err := w.change(ctx); err != nil {
			t.Fatal(err)
		}
	}
	settle(ctx, t, s)
	w.check(ctx, t)
	checkHistory(ctx, t, s, "ca1")
	t.Logf("active again after %v", took)
}

// An operator whose change is refused because the database is away can read
// why.
func TestDatabaseDownSaysWhy(t *testing.T) {
	ctx := bounded(t)
	s, r := behindRelay(ctx, t)
	r.Cut()
	o := operator{Server: s, ctx: ctx, t: t}
	o.until("the node knows that it is not active", "/health", func([]byte) bool {
		return o.ask(http.MethodGet, "/health/active", nil).Status == http.StatusServiceUnavailable
	})
	o.refused(http.MethodPost, routesPath, add(`{"asn":1,"prefix":"10.9.0.0/16"}`), 503, `{"label":"~.+","msg":"~(?i).*database.*","args":{}}`)
	restore(ctx, t, s, r)
}

// The database comes and goes while ROAs change. A change that is refused was
// not made, one that is acknowledged is kept.
func TestDatabaseComesAndGoes(t *testing.T) {
	ctx := bounded(t)
	s, r := behindRelay(ctx, t)
	w := newWriter(s, "ca1")
	over := make(chan struct{})
	go func() {
		defer close(over)
		for i := range 12 {
			if err := s.WaitActive(ctx); err != nil {
				t.Error(err)
				return
			}
			pause(ctx, time.Duration(mathrand.IntN(150))*time.Millisecond)
			switch {
			case i%6 == 0:
				r.Break()
				continue
			case i%6 != 3:
				r.BreakSome()
				continue
			}
			r.Cut()
			pause(ctx, time.Duration(mathrand.IntN(400))*time.Millisecond)
			if err := r.Restore(); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	refused := 0
	for running := true; running; {
		var not refusedError
		err := w.change(ctx)
		switch {
		case errors.As(err, &not) && not.status == http.StatusServiceUnavailable:
			refused++
			pause(ctx, 5*time.Millisecond)
		case err != nil:
			t.Fatal(err)
		}
		select {
		case <-over:
			running = false
		default:
		}
	}
	restore(ctx, t, s, r)
	settle(ctx, t, s)
	w.check(ctx, t)
	checkHistory(ctx, t, s, "ca1")
	verifyLog(ctx, t, s)
	t.Logf("%d changes acknowledged, %d refused, %d unknown", w.acked, refused, len(w.unknown))
}

// pause waits for a while that the test itself takes.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// A database that is silent, with all connections still there, is noticed: a
// request is answered, and the node takes itself for active no longer.
func TestDatabaseFreezes(t *testing.T) {
	ctx := bounded(t)
	s, r := behindRelay(ctx, t)
	r.Freeze()
	o := operator{Server: s, ctx: ctx, t: t}
	begin := time.Now()
	o.until("the node knows that it is not active", "/health", func([]byte) bool {
		return o.ask(http.MethodGet, "/health/active", nil).Status == http.StatusServiceUnavailable
	})
	t.Logf("not active any more after %v", time.Since(begin))
	if a := o.ask(http.MethodGet, "/rrdp/notification.xml", nil); a.Status != http.StatusOK {
		t.Errorf("RRDP: got %s, want 200", show(a))
	}
	if a := o.ask(http.MethodPost, "/api/v1/cas/ca1/sync/repo", nil); a.Status != http.StatusServiceUnavailable {
		t.Errorf("POST: got %s, want 503", show(a))
	}
	t.Logf("active again after %v", restore(ctx, t, s, r))
	o.done(http.MethodPost, routesPath, add(`{"asn":1,"prefix":"10.9.0.0/16"}`))
	settle(ctx, t, s)
}

// Nobody waits for ever for an answer that needs a silent database.
func TestDatabaseFreezesDuringRead(t *testing.T) {
	ctx := bounded(t)
	s, r := behindRelay(ctx, t)
	r.Freeze()
	waited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var asked sync.WaitGroup
	for _, path := range []string{routesPath, "/api/v1/cas", "/ta/ta.tal"} {
		asked.Go(func() {
			begin := time.Now()
			status, body, err := s.Do(waited, http.MethodGet, path, nil)
			if err != nil || status != http.StatusServiceUnavailable {
				t.Errorf("GET %s: got %d %s %v after %v, want 503", path, status, body, err, time.Since(begin).Round(time.Second))
			}
		})
	}
	asked.Wait()
	restore(ctx, t, s, r)
}

// refusesToStart wants the program to end by itself with status 1, and without
// having listened, and the last line it says to fit the pattern.
func refusesToStart(ctx context.Context, t *testing.T, s *harness.Server, pattern string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := s.Launch(); err != nil {
		t.Fatal(err)
	}
	status, err := s.Exit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Split(strings.TrimSpace(s.Log()), "\n")
	if last := said[len(said)-1]; status != 1 || !regexp.MustCompile("^baleen: "+pattern+"$").MatchString(last) {
		t.Errorf("status %d, the last line is %q, want status 1 and %q", status, last, pattern)
	}
	if strings.Contains(s.Log(), "goroutine ") {
		t.Errorf("there is a stack in what it says:\n%s", s.Log())
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
}

// A server that cannot reach its database when it starts says so and ends.
func TestDatabaseDownAtStart(t *testing.T) {
	ctx := bounded(t)
	r, err := harness.NewRelay(testdb.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	r.Cut()
	s := newServer(t, r.URL())
	refusesToStart(ctx, t, s, "(?i).*database cannot be reached.*127\\.0\\.0\\.1:[0-9]+.*connection refused.*")
	if err := r.Restore(); err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, s)
}

// execute runs SQL as the administrator of the database.
func execute(ctx context.Context, t *testing.T, database, sql string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// A schema that is newer, and does not say that this release can run on it, is
// refused.
func TestNewerSchema(t *testing.T) {
	ctx := bounded(t)
	database := testdb.URL(t)
	s := newServer(t, database)
	execute(ctx, t, database, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, true)")
	refusesToStart(ctx, t, s, "(.*: )?the database has schema version 999999 and this program knows versions up to [0-9]+: start the newer program, or restore a dump of the older schema")
	execute(ctx, t, database, "DELETE FROM goose_db_version WHERE version_id = 999999")
	mustStart(ctx, t, s)
}

// Without the right master key file the start fails at once and says why.
func TestWrongMasterKey(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir, "master.key")
	right, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := make([]byte, len(right))
	_, _ = rand.Read(other) // never fails
	write := func(key []byte, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, key, mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	named := ".*" + regexp.QuoteMeta(path) + ".*"
	write(other, 0o600)
	refusesToStart(ctx, t, s, named+"not the one.*")
	write(right[:16], 0o600)
	refusesToStart(ctx, t, s, named+"16 octets instead of 32.*")
	write(nil, 0o600)
	refusesToStart(ctx, t, s, named)
	write(right, 0o644)
	refusesToStart(ctx, t, s, named)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refusesToStart(ctx, t, s, named+"missing.*")
	if _, err := os.Stat(path); err == nil {
		t.Error("another key was made in place of the one that is missing")
	}
	write(right, 0o600)
	mustStart(ctx, t, s)
}

// diskFull makes the database say that there is no space left, for commands of
// one name.
func diskFull(command string) string {
	return `CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100';
		END $$;
		CREATE TRIGGER disk_full BEFORE INSERT ON es_command FOR EACH ROW WHEN (NEW.name = '` + command + `') EXECUTE FUNCTION disk_full()`
}

const diskFree = `DROP TRIGGER disk_full ON es_command; DROP FUNCTION disk_full()`

// The disk of the database is full, for a change and for what follows from one:
// nothing is half done, and all goes on when there is room again.
func TestDiskFull(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	settle(ctx, t, s)
	o := operator{Server: s, ctx: ctx, t: t}
	change := add(`{"asn":64496,"prefix":"10.1.0.0/16"}`)

	// The operator's own change.
	execute(ctx, t, s.Database, diskFull("configure_roas"))
	before := o.get("/api/v1/cas/ca1/history/commands")
	a := o.ask(http.MethodPost, routesPath, change)
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || match(a.Body, `{"label":"database-unavailable","msg":"The database has no space left.","args":{}}`) != nil {
		t.Errorf("got %s, want 503", show(a))
	}
	o.shows(routesPath, `[]`)
	if after := o.get("/api/v1/cas/ca1/history/commands"); string(after) != string(before) {
		t.Errorf("the history changed: %s", after)
	}
	o.done(http.MethodGet, "/health/active", nil)
	execute(ctx, t, s.Database, diskFree)
	o.done(http.MethodPost, routesPath, change)
	settle(ctx, t, s)

	// What follows from it.
	execute(ctx, t, s.Database, diskFull("record_roas"))
	o.done(http.MethodPost, routesPath, add(`{"asn":64496,"prefix":"10.2.0.0/16"}`))
	if p := firstProblem(t, o); p.Kind != "ca_issue" || p.Fault.Code != "database-unavailable" || !strings.HasSuffix(p.Fault.Msg, "The database has no space left.") {
		t.Errorf("the failure is shown as %+v", p)
	}
	execute(ctx, t, s.Database, diskFree)
	settle(ctx, t, s)
	vrps, err := s.VRPs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(vrps) != 2 || !vrps["10.1.0.0/16-16 => 64496"] || !vrps["10.2.0.0/16-16 => 64496"] {
		t.Errorf("relying parties see %v", vrps)
	}
	checkHistory(ctx, t, s, "ca1")
}
