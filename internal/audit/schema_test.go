package audit_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"baleen/db"
)

// schemaText is all migrations.
func schemaText(t testing.TB) string {
	t.Helper()
	files := must(db.Migrations())
	var text strings.Builder
	for _, name := range must(fs.Glob(files, "*.sql")) {
		text.Write(must(fs.ReadFile(files, name)))
	}
	return text.String()
}

// TestEverythingIsExplained wants a comment on the schema, and on each view,
// column and function in it.
func TestEverythingIsExplained(t *testing.T) {
	w := newWorld(t)
	for what, query := range map[string]string{
		"schema": `SELECT n.nspname FROM pg_namespace n WHERE n.nspname = 'audit' AND obj_description(n.oid, 'pg_namespace') IS NULL`,
		"views":  `SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'audit'::regnamespace AND obj_description(c.oid, 'pg_class') IS NULL`,
		"columns": `SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
			WHERE c.relnamespace = 'audit'::regnamespace AND col_description(c.oid, a.attnum) IS NULL`,
		"functions": `SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'audit'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL`,
	} {
		same(t, what+" without comment", texts(t, w, query), nil)
	}
}

// TestReadersSeeTheSchemaAndNothingElse gives the read-only role every view
// and function, and no table: no key, no task, no fence.
func TestReadersSeeTheSchemaAndNothingElse(t *testing.T) {
	w := tell(t)
	conn := reader(t, w)
	views, tables := relations(t, w, "audit"), relations(t, w, "public")
	if len(views) < 15 || len(tables) < 10 {
		t.Fatalf("views %v, tables %v", views, tables)
	}
	for _, view := range views {
		if _, err := conn.Exec(t.Context(), "SELECT * FROM "+view); err != nil {
			t.Errorf("%s: %v", view, err)
		}
		var out strings.Builder
		if _, err := conn.PgConn().CopyTo(t.Context(), &out, "COPY (SELECT * FROM "+view+") TO STDOUT (FORMAT csv, HEADER)"); err != nil || out.Len() == 0 {
			t.Errorf("copy %s: %d octets, %v", view, out.Len(), err)
		}
		for _, write := range []string{"DELETE FROM " + view, "INSERT INTO " + view + " DEFAULT VALUES"} {
			if _, err := conn.Exec(t.Context(), write); err == nil {
				t.Errorf("%s is allowed", write)
			}
		}
	}
	for _, table := range tables {
		if _, err := conn.Exec(t.Context(), "SELECT FROM "+table); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s can be read: %v", table, err)
		}
	}
	for _, statement := range []string{"CREATE VIEW audit.mine AS SELECT 1", "DROP VIEW audit.command", "SELECT leader_fence(0)"} {
		if _, err := conn.Exec(t.Context(), statement); err == nil {
			t.Errorf("%s is allowed", statement)
		}
	}
	for _, call := range []string{"roas_at('isp1')", "vrps_at()", "published_at()", "who_changed('10.0.0.0/8', 'covered')", "revision_at('0', now())"} {
		if _, err := conn.Exec(t.Context(), "SELECT * FROM audit."+call); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// relations gives the tables and views of a schema.
func relations(t testing.TB, w *world, schema string) []string {
	t.Helper()
	rows, err := w.db.Query(t.Context(), `SELECT c.oid::regclass::text FROM pg_class c
		WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'v', 'p', 'm') ORDER BY 1`, schema)
	w.check(err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	w.check(err)
	return out
}
