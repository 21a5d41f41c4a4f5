package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"

	"baleen/db"
)

// SQLSTATEs of what a database without, or with another, schema answers.
const (
	stateUndefinedTable = "42P01"
	stateNotAllowed     = "42501"
)

// Schema compares the schema of a database with the one this program knows.
type Schema struct {
	Database int64 // newest migration that was applied; 0: none
	Program  int64 // newest migration this program knows
	Pending  int   // how many migrations this program would apply

	// Oldest is the newest migration that a program must know to run on this schema; 0: nobody says so.
	Oldest int64

	recorded int64 // newest migration that a program of this kind applied; 0: that is not known
	needs    int64 // oldest schema this program runs on
	missing  int   // migrations up to that one that were not applied
}

// Current tells whether the database has exactly the schema of this program.
func (s Schema) Current() bool { return s.Pending == 0 && s.Database == s.Program }

// Newer tells whether a later release has migrated the database.
func (s Schema) Newer() bool { return s.Database > s.Program }

// Check is nil unless the schema is newer than this program and does not say
// that this program can run on it.
func (s Schema) Check() error {
	why := ""
	switch {
	case !s.Newer():
		return nil
	case s.Oldest == 0:
		why = "nothing says which programs may run on this schema (was goose_db_version written by another application?): "
	case s.Oldest > s.Program:
		why = fmt.Sprintf("the schema was changed so that programs must know version %d: ", s.Oldest)
	case s.Pending > 0:
		why = fmt.Sprintf("%d older migrations are missing: ", s.Pending)
	default:
		return nil
	}
	return fmt.Errorf("%sthe database has schema version %d and this program knows versions up to %d: start the newer program, or restore a dump of the older schema",
		why, s.Database, s.Program)
}

// Usable is nil if this program can run on the schema as it is, which may be a
// later release's or the last one's.
func (s Schema) Usable() error {
	if err := s.Check(); err != nil {
		return err
	}
	if s.missing > 0 {
		return fmt.Errorf("the database has schema version %d and this program needs %d: run baleen migrate first, as the owner of the schema", s.Database, s.needs)
	}
	return nil
}

// SchemaOf reads which schema the database has. It writes nothing.
func SchemaOf(ctx context.Context, d DBTX) (Schema, error) {
	p, err := thisProgram()
	if err != nil {
		return Schema{}, err
	}
	return p.schemaOf(ctx, d)
}

// program is what a release knows of schemas.
type program struct {
	files fs.FS // migrations
	needs int64 // oldest schema its statements run on
}

func thisProgram() (program, error) {
	files, err := db.Migrations()
	return program{files: files, needs: db.NeedsSchema}, err
}

func (p program) schemaOf(ctx context.Context, d DBTX) (Schema, error) {
	known, err := p.versions()
	if err != nil {
		return Schema{}, err
	}
	applied, err := appliedVersions(ctx, d)
	if err != nil {
		return Schema{}, Classify(err)
	}
	s := Schema{needs: p.needs}
	for v := range known {
		s.Program = max(s.Program, v)
		if !applied[v] {
			s.Pending++
			if v <= p.needs {
				s.missing++
			}
		}
	}
	for v := range applied {
		s.Database = max(s.Database, v)
	}
	var oldest int64
	err = d.QueryRow(ctx, "SELECT version, oldest_usable FROM schema_info").Scan(&s.recorded, &oldest)
	if err != nil && !NoRows(err) && !hasState(err, stateUndefinedTable) {
		return Schema{}, Classify(err)
	}
	if s.recorded == s.Database {
		s.Oldest = oldest
	}
	return s, nil
}

// versions are those of the migrations that the program knows.
func (p program) versions() (map[int64]bool, error) {
	names, err := fs.Glob(p.files, "*.sql")
	if err != nil {
		return nil, err
	}
	known := make(map[int64]bool, len(names))
	for _, name := range names {
		v, err := goose.NumericComponent(path.Base(name))
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		known[v] = true
	}
	return known, nil
}

// appliedVersions are the versions of the migrations that goose recorded.
func appliedVersions(ctx context.Context, d DBTX) (map[int64]bool, error) {
	rows, _ := d.Query(ctx, "SELECT version_id FROM goose_db_version WHERE is_applied AND version_id > 0")
	versions, err := pgx.CollectRows(rows, pgx.RowTo[int64]) // the error of Query too
	if hasState(err, stateUndefinedTable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	applied := make(map[int64]bool, len(versions))
	for _, v := range versions {
		applied[v] = true
	}
	return applied, nil
}

// strangers refuses a database that holds tables of another application, and
// none of this one: names of both could clash at any time. What extensions
// bring is nobody's.
func strangers(ctx context.Context, d DBTX, s Schema) error {
	rows, _ := d.Query(ctx, `SELECT c.relname FROM pg_class c
		WHERE to_regclass('public.es_stream') IS NULL AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
		  AND NOT EXISTS (SELECT FROM pg_depend p WHERE p.classid = 'pg_class'::regclass AND p.objid = c.oid AND p.deptype = 'e')
		  AND (c.relname <> 'goose_db_version' OR $1::bigint > 0)
		ORDER BY c.relname LIMIT 5`, s.Database)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string]) // the error of Query too
	if err != nil || len(names) == 0 {
		return Classify(err)
	}
	return fmt.Errorf("the database belongs to another application, whose tables are in it (%s): give this server a database of its own", strings.Join(names, ", "))
}

func hasState(err error, state string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == state
}
