package audit_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"baleen/internal/es/pgstore"
	"baleen/internal/leader"
	"baleen/internal/postgres"
	"baleen/internal/signer"
	"baleen/internal/tasks"
	"baleen/internal/testdb"
)

const dbaFile = "../../docs/dba.md"

// dbaBlock is a block of SQL in docs/dba.md that says in its first line who
// runs it.
var dbaBlock = regexp.MustCompile("(?ms)^```sql\n-- ([^\n]+)\n(.*?)^```\n")

// statements gives the blocks of docs/dba.md whose first line begins so, with
// the roles and the database of a test in the place of the real ones.
func statements(t testing.TB, who string, names map[string]string) string {
	t.Helper()
	var out strings.Builder
	for _, m := range dbaBlock.FindAllStringSubmatch(string(must(os.ReadFile(dbaFile))), -1) {
		if strings.HasPrefix(m[1], who) {
			out.WriteString(m[2])
		}
	}
	if out.Len() == 0 {
		t.Fatalf("%s has nothing for %q", dbaFile, who)
	}
	return regexp.MustCompile(`\bbaleen(_owner)?\b`).ReplaceAllStringFunc(out.String(), func(name string) string { return names[name] })
}

// TestServerThatDoesNotOwnTheSchema follows docs/dba.md: roles, database,
// migrations as the owner, grants. Then the server's role can do all that the
// stores do, and can neither change the schema nor edit the log.
func TestServerThatDoesNotOwnTheSchema(t *testing.T) {
	admin := connect(t, testdb.URL(t))
	var may bool
	if err := admin.QueryRow(t.Context(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&may); err != nil || !may {
		t.Skip("the tests' role may not create roles")
	}
	var id [4]byte
	_, _ = rand.Read(id[:])
	suffix := "_" + hex.EncodeToString(id[:])
	names := map[string]string{"baleen": "baleen_test" + suffix, "baleen_owner": "baleen_owner" + suffix}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		conn := must(pgx.Connect(ctx, admin.Config().ConnString()))
		defer func() { _ = conn.Close(ctx) }()
		for _, drop := range []string{"DATABASE IF EXISTS " + names["baleen"] + " WITH (FORCE)", "ROLE " + names["baleen"], "ROLE " + names["baleen_owner"]} {
			if _, err := conn.Exec(ctx, "DROP "+drop); err != nil {
				t.Error(err)
			}
		}
	})
	for _, statement := range strings.SplitAfter(statements(t, "As a superuser", names), ";\n") {
		if strings.HasPrefix(statement, "CREATE ROLE baleen_audit") {
			continue // the migrations of other tests have made it
		}
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}

	at := with(t, admin, names["baleen"])
	owner, server := map[string]string{"role": names["baleen_owner"]}, map[string]string{"role": names["baleen"]}
	if err := postgres.Migrate(t.Context(), at(server), nil); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("the server's role migrates: %v", err)
	}
	if err := postgres.Migrate(t.Context(), at(owner), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, at(owner)).Exec(t.Context(), statements(t, "As baleen_owner", names)); err != nil {
		t.Fatal(err)
	}

	if err := postgres.Migrate(t.Context(), at(server), nil); err != nil {
		t.Errorf("a current schema: %v", err)
	}
	everythingTheServerDoes(t, at(server))
	nothingElse(t, connect(t, at(server)))
	noTableForgotten(t, connect(t, at(owner)), names["baleen"])

	for _, block := range []string{"With the archive", "For readers"} {
		if _, err := connect(t, at(owner)).Exec(t.Context(), statements(t, block, names)); err != nil {
			t.Errorf("%s: %v", block, err)
		}
	}
	theServerArchives(t, at(server))
}

// TestQueriesOfTheDBA runs the monitoring queries on a database with a history.
func TestQueriesOfTheDBA(t *testing.T) {
	w := tell(t)
	n := 0
	for _, m := range dbaBlock.FindAllStringSubmatch(string(must(os.ReadFile(dbaFile))), -1) {
		about, _, _ := strings.Cut(m[1], ":")
		if about != "Monitoring" && about != "Check" && about != "Size" {
			continue
		}
		n++
		if _, err := w.db.Exec(t.Context(), m[2]); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
	if n < 10 {
		t.Errorf("%d queries", n)
	}
}

// with gives connection strings for a database, by parameters.
func with(t testing.TB, conn *pgx.Conn, database string) func(params map[string]string) string {
	t.Helper()
	u, err := url.Parse(conn.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	return func(params map[string]string) string {
		v, q := *u, u.Query()
		for name, value := range params {
			q.Set(name, value)
		}
		v.RawQuery = q.Encode()
		return v.String()
	}
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// everythingTheServerDoes takes over, tells the history through the stores,
// makes and destroys a key, takes a snapshot and runs a task.
func everythingTheServerDoes(t *testing.T, url string) {
	t.Helper()
	pool, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	ctx, stop := context.WithCancel(t.Context())
	node := &leader.Node{URL: url, Name: "test"}
	err = node.Run(ctx, func(ctx context.Context, l *leader.Lease) error {
		defer stop()
		w := (&world{t: t, db: pool, fence: l}).join(pool, l)
		w.story()
		w.hear(ctx)
		_, err := w.cas.Snapshot(ctx, "isp1")
		w.check(err)

		now := func() time.Time { return w.now }
		master, err := signer.LoadMasterKey(filepath.Join(t.TempDir(), "master.key"), true)
		w.check(err)
		w.check(signer.CheckMaster(ctx, pool, l, master))
		keys := &signer.Keys{DB: pool, Fence: l, Master: master, Pool: &signer.Pool{}, Now: now}
		made, err := keys.Generate(ctx, "test")
		w.check(err)
		w.check(postgres.InFencedTx(ctx, pool, l, func(tx pgx.Tx) error { return keys.Destroy(ctx, tx, made) }))

		// The story has left the tasks that follow from it.
		worker := &tasks.Worker{DB: pool, Fence: l, Node: "test", Now: now}
		tasks.Register(worker, func(context.Context, chore) (tasks.Outcome, error) { return tasks.Outcome{}, nil })
		w.check(postgres.InFencedTx(ctx, pool, l, func(tx pgx.Tx) error {
			return tasks.Enqueue(ctx, tx, w.now, tasks.Scheduled{Args: chore{}})
		}))
		if ran, err := worker.RunOnce(ctx); err != nil || ran != 1 {
			t.Errorf("%d tasks ran, %v", ran, err)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
}

// theServerArchives moves what ended: the CA that was deleted.
func theServerArchives(t *testing.T, url string) {
	t.Helper()
	pool, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	done, err := pgstore.Archiver{DB: pool, Fence: testdb.Fence(t, pool)}.Archive(t.Context(), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || done.Commands == 0 {
		t.Errorf("%d commands archived, %v", done.Commands, err)
	}
}

// chore is a task that does nothing.
type chore struct{}

// Kind names the task in the queue.
func (chore) Kind() string { return "test_chore" }

// Key is the same for all.
func (chore) Key() string { return "" }

// nothingElse tries what the server's role must not be able to do.
func nothingElse(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for _, statement := range []string{
		"UPDATE es_command SET actor = 'user:somebody'", "DELETE FROM es_command", "TRUNCATE es_command CASCADE",
		"UPDATE es_event SET payload = '{}'", "DELETE FROM es_event", "DELETE FROM es_stream",
		"DELETE FROM der_object", "UPDATE der_object SET der = ''", "DELETE FROM signer_key", "UPDATE rrdp_serial SET at = now()",
		"CREATE TABLE mine (id integer)", "DROP TABLE task", "ALTER TABLE task ADD COLUMN mine integer", "DROP SCHEMA audit CASCADE",
		"CREATE OR REPLACE FUNCTION leader_fence(expected bigint) RETURNS void LANGUAGE sql AS 'SELECT'",
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)",
	} {
		_, err := conn.Exec(t.Context(), statement)
		if sqlState(err) != insufficientPrivilege {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

const insufficientPrivilege = "42501"

func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// noTableForgotten wants a grant for every table that the server writes: a new
// table must get its line in docs/dba.md.
func noTableForgotten(t *testing.T, conn *pgx.Conn, role string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT c.relname FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT has_table_privilege($1, c.oid, 'INSERT') ORDER BY 1`, role)
	if err != nil {
		t.Fatal(err)
	}
	if got := must(pgx.CollectRows(rows, pgx.RowTo[string])); !slices.Equal(got, []string{"goose_db_version", "schema_info"}) { // only migrations write these
		t.Errorf("tables the server cannot write: %v", got)
	}
}
