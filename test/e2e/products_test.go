package e2e

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// Two servers that have nothing to do with each other are given one database:
// the second one says at once that it is not its own, and the first one goes on.
func TestTwoServersOnOneDatabase(t *testing.T) {
	ctx := bounded(t)
	first := started(ctx, t)
	fresh := newServer(t, first.Database)
	refusesToStart(ctx, t, fresh, ".*master.key is missing, but the database holds keys that were encrypted with it.*")
	other := newServer(t, first.Database)
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	if err := os.WriteFile(filepath.Join(other.Dir, "master.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	refusesToStart(ctx, t, other, ".*master.key is not the one that the keys in this database were encrypted with.*")
	join(ctx, t, first, "ca1", "--ipv4", "10.0.0.0/8")
	settle(ctx, t, first)
	verifyLog(ctx, t, first)
}

// Two databases of one cluster are kept apart: each server is the active one of
// its own.
func TestTwoServersOnOneCluster(t *testing.T) {
	ctx := bounded(t)
	for _, s := range []*harness.Server{started(ctx, t), started(ctx, t)} {
		o := operator{Server: s, ctx: ctx, t: t}
		o.done(http.MethodGet, "/health/active", nil)
	}
}

// The database of another application is refused, and left as it is.
func TestDatabaseOfAnotherApplication(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	execute(ctx, t, s.Database, "DROP SCHEMA public CASCADE; DROP SCHEMA archive CASCADE; DROP SCHEMA audit CASCADE; CREATE SCHEMA public; "+
		"CREATE TABLE invoice (id integer); CREATE TABLE goose_db_version (id serial, version_id bigint, is_applied boolean); INSERT INTO goose_db_version VALUES (1, 20240101, true)")
	refusesToStart(ctx, t, s, "(.*: )?the database belongs to another application, whose tables are in it \\(goose_db_version, invoice\\): give this server a database of its own")
	execute(ctx, t, s.Database, "DROP TABLE invoice, goose_db_version")
	mustStart(ctx, t, s)
}

// Another application takes the lock with the number of the leader lock: the
// node stands by, says whose session it is, and is active when the lock is free.
func TestAnotherApplicationTakesTheLock(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	other, err := pgx.Connect(ctx, s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(ctx) }()
	if _, err := other.Exec(ctx, "SET application_name = 'billing'; SELECT pg_advisory_lock(1111575553, 0)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Launch(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	o := operator{Server: s, ctx: ctx, t: t}
	if err := s.WaitUp(ctx); err != nil {
		t.Fatal(err)
	}
	o.until("the log says so", "/health", func([]byte) bool {
		return strings.Contains(s.Log(), "a session of another application holds the leader lock") && strings.Contains(s.Log(), `"application":"billing"`)
	})
	a := o.ask(http.MethodGet, "/health", nil)
	if a.Header.Get("Baleen-Role") != "standby" || a.Header.Get("Baleen-Active-Node") != "" {
		t.Errorf("health: %v", a.Header)
	}
	t.Logf("said after %v", time.Since(begin).Round(time.Second))
	if err := other.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitActive(ctx); err != nil {
		t.Fatal(err)
	}
}
