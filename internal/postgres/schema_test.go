package postgres_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"baleen/db"
	"baleen/internal/postgres"
	"baleen/internal/testdb"
)

// later is a release with one migration more than this one.
func later(t *testing.T, statements string) fs.FS {
	t.Helper()
	known, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(known, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"09000_later.sql": {Data: []byte("-- +goose Up\n" + statements + "\n")}}
	for _, name := range names {
		text, err := fs.ReadFile(known, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	return files
}

const laterVersion = 9000

// start migrates as this program does when it starts, and gives what it logs.
func start(t *testing.T, url string) (string, error) {
	t.Helper()
	var log bytes.Buffer
	err := postgres.Migrate(t.Context(), url, slog.New(slog.NewTextHandler(&log, nil)))
	return log.String(), err
}

// A later release only added to the schema: this one starts on it, says so once
// and changes nothing.
func TestThisReleaseOnALaterSchema(t *testing.T) {
	url := testdb.URL(t)
	if err := postgres.MigrateAs(t.Context(), url, nil, later(t, "ALTER TABLE task ADD COLUMN priority integer NOT NULL DEFAULT 0;"), laterVersion); err != nil {
		t.Fatal(err)
	}
	log, err := start(t, url)
	if err != nil || strings.Count(log, "\n") != 1 || !strings.Contains(log, "database=9000") {
		t.Errorf("%v, log %q", err, log)
	}
	schema, err := postgres.SchemaOf(t.Context(), open(t, url))
	if err != nil || !schema.Newer() || schema.Usable() != nil || schema.Database != laterVersion {
		t.Errorf("%+v, %v, %v", schema, schema.Usable(), err)
	}
	if err := postgres.MigrateAs(t.Context(), url, nil, later(t, ""), laterVersion); err != nil {
		t.Errorf("the later release starts again: %v", err)
	}
}

// A later release took away what this one uses: it does not start, and says what
// is to be done.
func TestThisReleaseOnASchemaThatIsNotForIt(t *testing.T) {
	url := testdb.URL(t)
	breaking := later(t, "ALTER TABLE task DROP COLUMN failures; UPDATE schema_info SET oldest_usable = 9000;")
	if err := postgres.MigrateAs(t.Context(), url, nil, breaking, laterVersion); err != nil {
		t.Fatal(err)
	}
	schema, err := postgres.SchemaOf(t.Context(), open(t, url))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("the schema was changed so that programs must know version 9000: the database has schema version 9000 and this program knows versions up to %d: start the newer program, or restore a dump of the older schema", schema.Program)
	if _, err := start(t, url); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := schema.Usable(); err == nil || err.Error() != want {
		t.Errorf("usable: %v", err)
	}
}

// A server whose role may not change the schema is started before the owner
// migrated: it runs if its statements do, and says what is missing if not.
func TestALaterReleaseOnThisSchema(t *testing.T) {
	url := testdb.URL(t)
	admin := open(t, url)
	role := restricted(t, url)
	more := later(t, "CREATE TABLE more (id integer);")
	var log bytes.Buffer
	known, err := postgres.SchemaOf(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	err = postgres.MigrateAs(t.Context(), role, slog.New(slog.NewTextHandler(&log, nil)), more, known.Program)
	if err != nil || !strings.Contains(log.String(), "run baleen migrate as the owner") || !strings.Contains(log.String(), "program=9000") {
		t.Errorf("%v, log %q", err, log.String())
	}
	err = postgres.MigrateAs(t.Context(), role, nil, more, laterVersion)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has schema version %d and this program needs 9000: run baleen migrate first", known.Program)) {
		t.Errorf("got %v", err)
	}
	if err := postgres.MigrateAs(t.Context(), url, nil, more, laterVersion); err != nil {
		t.Errorf("the owner: %v", err)
	}
	if err := postgres.MigrateAs(t.Context(), role, nil, more, laterVersion); err != nil {
		t.Errorf("after the owner migrated: %v", err)
	}
}

// restricted gives a connection string for a role that may read and write rows.
func restricted(t *testing.T, databaseURL string) string {
	t.Helper()
	pool := open(t, databaseURL)
	name := pool.Config().ConnConfig.Database + "_role"
	quoted := pgx.Identifier{name}.Sanitize()
	if _, err := pool.Exec(t.Context(), "CREATE ROLE "+quoted+" NOLOGIN"); err != nil {
		t.Skipf("the tests' role may not create roles: %v", err)
	}
	t.Cleanup(func() {
		if _, err := pool.Exec(context.WithoutCancel(t.Context()), "DROP OWNED BY "+quoted+"; DROP ROLE "+quoted); err != nil {
			t.Error(err)
		}
	})
	mustExec(t, pool, "GRANT USAGE ON SCHEMA audit, archive TO "+quoted+"; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, archive TO "+quoted)
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("role", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// Every statement runs on the oldest schema that this program says it runs on.
// If this fails because of a new table or column, raise db.NeedsSchema.
func TestStatementsRunOnTheOldestSchema(t *testing.T) {
	url := testdb.URL(t)
	conn, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	files, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), db.NeedsSchema); err != nil {
		t.Fatal(err)
	}
	pool := open(t, url)
	all := statements(t)
	for name, text := range all {
		if _, err := pool.Exec(t.Context(), "PREPARE one AS "+text); err != nil {
			t.Errorf("%s on schema %d: %v", name, db.NeedsSchema, err)
			continue
		}
		mustExec(t, pool, "DEALLOCATE ALL")
	}
	if schema, err := postgres.SchemaOf(t.Context(), pool); err != nil || schema.Usable() != nil || len(all) < 80 {
		t.Errorf("%d statements, %+v, %v", len(all), schema, err)
	}
}

// statements are those of db/queries, as they are generated.
func statements(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("pgq/*.sql.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				return true
			}
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				if text, err := strconv.Unquote(lit.Value); err == nil && strings.HasPrefix(text, "-- name:") {
					out[v.Names[0].Name] = text
				}
			}
			return true
		})
	}
	return out
}

// takesAway is what a migration must not do to a schema on which earlier
// releases run, unless it says so in schema_info.
var takesAway = regexp.MustCompile(`(?i)\bDROP\s+(TABLE|COLUMN|FUNCTION|SCHEMA|TYPE)\b|\bRENAME\b|\bALTER\s+COLUMN\s+\S+\s+(SET\s+DATA\s+)?TYPE\b|\bSET\s+NOT\s+NULL\b|` +
	`\bADD\s+COLUMN\s+(IF\s+NOT\s+EXISTS\s+)?\S+\s+[^,;]*\bNOT\s+NULL\b[^,;]*`)

// The last release runs on the schema of this one: migrations add, and one that
// does not says which programs can go on.
func TestMigrationsOnlyAdd(t *testing.T) {
	files, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		up = regexp.MustCompile(`--[^\n]*|'(?:[^']|'')*'`).ReplaceAllString(up, "")
		for _, found := range takesAway.FindAllString(up, -1) {
			added := strings.HasPrefix(strings.ToUpper(found), "ADD") && regexp.MustCompile(`(?i)\bDEFAULT\b`).MatchString(found)
			if !added && !strings.Contains(up, "UPDATE schema_info SET oldest_usable") {
				t.Errorf("%s takes away what the last release may use (%q) and does not set schema_info.oldest_usable", name, found)
			}
		}
	}
}

// A database that another application uses is refused before anything is made in
// it, also where that application keeps its versions in the same table.
func TestDatabaseOfAnotherApplication(t *testing.T) {
	for name, c := range map[string]struct{ made, want string }{
		"tables":             {"CREATE TABLE customer (id integer); CREATE TABLE task (id integer)", "(customer, task)"},
		"its own migrations": {"CREATE TABLE customer (id integer); CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp DEFAULT now()); INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (3, true)", "(customer, goose_db_version)"},
		"versions only":      {"CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp DEFAULT now()); INSERT INTO goose_db_version (version_id, is_applied) VALUES (20240101120000, true)", "(goose_db_version)"},
	} {
		t.Run(name, func(t *testing.T) {
			url := testdb.URL(t)
			pool := open(t, url)
			mustExec(t, pool, "DROP SCHEMA IF EXISTS audit CASCADE; DROP SCHEMA IF EXISTS archive CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public; "+c.made)
			before := relations(t, pool.Config().ConnString())
			_, err := start(t, url)
			if err == nil || !strings.Contains(err.Error(), "belongs to another application, whose tables are in it "+c.want+": give this server a database of its own") {
				t.Errorf("got %v", err)
			}
			if after := relations(t, url); after != before {
				t.Errorf("something was made: %s, before %s", after, before)
			}
		})
	}
}

// relations names what there is in the database.
func relations(t *testing.T, url string) (names string) {
	t.Helper()
	err := open(t, url).QueryRow(t.Context(), "SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class WHERE relnamespace = 'public'::regnamespace").Scan(&names)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Another application's migrations in the table of this one's are not taken for
// a later release's.
func TestVersionsThatNobodyRecorded(t *testing.T) {
	url := testdb.URL(t)
	mustExec(t, open(t, url), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (20240101120000, true)")
	if _, err := start(t, url); err == nil || !strings.Contains(err.Error(), "was goose_db_version written by another application?") || !strings.Contains(err.Error(), "20240101120000") {
		t.Errorf("got %v", err)
	}
}

// Time limits that the DBA set are for the server's work, not for migrations.
func TestMigrationsMayTakeLong(t *testing.T) {
	url := testdb.URL(t)
	pool := open(t, url)
	mustExec(t, pool, "ALTER DATABASE "+pgx.Identifier{pool.Config().ConnConfig.Database}.Sanitize()+" SET statement_timeout = '250ms'")
	if err := postgres.MigrateAs(t.Context(), url, nil, later(t, "SELECT pg_sleep(0.6);"), laterVersion); err != nil {
		t.Error(err)
	}
}
