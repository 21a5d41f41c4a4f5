package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver that goose speaks through
	"github.com/pressly/goose/v3"

	"baleen/db"
	"baleen/internal/postgres"
	"baleen/internal/testdb"
)

// migrateLater does to a database what the migrations of a later release may do:
// every table has two columns more. Each table is changed by itself, as a running
// server's transactions take their locks in another order.
func migrateLater(ctx context.Context, t *testing.T, database string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace IN ('public'::regnamespace, 'archive'::regnamespace)")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		execute(ctx, t, database, "ALTER TABLE "+table+" ADD COLUMN of_a_later_release text NOT NULL DEFAULT 'x', ADD COLUMN and_another integer")
	}
	execute(ctx, t, database, `CREATE TABLE later (id integer);
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, true);
		UPDATE schema_info SET version = 9000`)
}

// The standby nodes of the release before run on the schema of the next one, and
// so does that release where an upgrade is taken back.
func TestLastReleaseOnTheNextSchema(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	migrateLater(ctx, t, s.Database)
	mustStart(ctx, t, s)
	if n := strings.Count(s.Log(), "the schema is that of a newer program; this one can run on it"); n != 1 || !strings.Contains(s.Log(), `"database":9000`) {
		t.Errorf("it says so %d times:\n%s", n, s.Log())
	}
	live(ctx, t, s)
	settle(ctx, t, s)
	verifyLog(ctx, t, s)
	if out, status := beside(ctx, t, s, "migrate"); status != 0 || !strings.Contains(out, "the schema has version 9000, on which this program, which knows ") {
		t.Errorf("migrate: status %d\n%s", status, out)
	}
}

// The schema changes under a running server in a way that is not for it: the
// next time it would become active it refuses, as it does when it starts.
func TestNextSchemaThatIsNotForTheLastRelease(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	migrateLater(ctx, t, s.Database)
	execute(ctx, t, s.Database, "UPDATE schema_info SET oldest_usable = 9000")
	execute(ctx, t, s.Database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'baleen' AND datname = current_database()")
	o := operator{Server: s, ctx: ctx, t: t}
	o.until("the node refuses to be active", "/health", func([]byte) bool {
		return strings.Contains(s.Log(), "the schema was changed so that programs must know version 9000")
	})
	if a := o.ask(http.MethodGet, "/health/active", nil); a.Status != http.StatusServiceUnavailable {
		t.Errorf("active: %s", show(a))
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	refusesToStart(ctx, t, s, "(.*: )?the schema was changed so that programs must know version 9000: the database has schema version 9000 and this program knows versions up to [0-9]+: "+
		"start the newer program, or restore a dump of the older schema")
	execute(ctx, t, s.Database, "DELETE FROM goose_db_version WHERE version_id = 9000")
	mustStart(ctx, t, s)
}

// The server is started before the owner of the schema has migrated: it runs on
// the last release's schema, which it may not change.
func TestNextReleaseOnTheLastSchema(t *testing.T) {
	ctx := bounded(t)
	database := testdb.URL(t)
	back(ctx, t, database)
	s := newServer(t, restricted(ctx, t, database))
	mustStart(ctx, t, s)
	if !strings.Contains(s.Log(), "the schema is that of an older program") {
		t.Errorf("it does not say so:\n%s", s.Log())
	}
	live(ctx, t, s)
	settle(ctx, t, s)
	verifyLog(ctx, t, s)
	out, status := beside(ctx, t, s, "migrate", "BALEEN_DATABASE_URL="+database) // as the owner, while it runs
	if status != 0 || !strings.Contains(out, "the schema is that of this program") {
		t.Errorf("migrate: status %d\n%s", status, out)
	}
	join(ctx, t, s, "ca3", "--ipv4", "12.0.0.0/8")
	settle(ctx, t, s)
	verifyLog(ctx, t, s)
}

// back takes a database to the oldest schema that this program runs on.
func back(ctx context.Context, t *testing.T, database string) {
	t.Helper()
	if down(ctx, t, database, db.NeedsSchema) == 0 {
		t.Skip("this program needs all of its migrations")
	}
}

// down takes back what migrations later than a version did, and says how many
// there are.
func down(ctx context.Context, t *testing.T, database string, version int64) int {
	t.Helper()
	files, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, files)
	if err != nil {
		t.Fatal(err)
	}
	done, err := provider.DownTo(ctx, version)
	if err != nil {
		t.Fatal(err)
	}
	return len(done)
}

// restricted gives a connection string for a role that reads and writes rows and
// owns nothing.
func restricted(ctx context.Context, t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/") + "_role"
	quoted := pgx.Identifier{name}.Sanitize()
	execute(ctx, t, database, "CREATE ROLE "+quoted)
	t.Cleanup(func() {
		execute(context.WithoutCancel(ctx), t, database, "DROP OWNED BY "+quoted+"; DROP ROLE "+quoted)
	})
	execute(ctx, t, database, fmt.Sprintf(`GRANT USAGE ON SCHEMA audit, archive TO %[1]s; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, archive TO %[1]s;
		ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO %[1]s`, quoted))
	q := u.Query()
	q.Set("role", name)
	u.RawQuery = q.Encode()
	if err := postgres.Migrate(ctx, u.String(), nil); err != nil {
		t.Fatal(err)
	}
	return u.String()
}
