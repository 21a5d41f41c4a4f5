package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"baleen/db"
)

// A starter that finds another one migrating asks again every second, for at most ten minutes.
const (
	migrateLockPeriod = 1
	migrateLockTries  = 600
)

// Schema compares the schema of a database with the one this program knows.
type Schema struct {
	Database int64 // newest migration that was applied; 0: none
	Program  int64 // newest migration this program knows
	Pending  int   // how many migrations this program would apply
}

// Current tells whether the database has exactly the schema of this program.
func (s Schema) Current() bool { return s.Pending == 0 && s.Database == s.Program }

// Check is nil unless the schema is newer than this program.
func (s Schema) Check() error {
	if s.Database <= s.Program {
		return nil
	}
	return fmt.Errorf("the database has schema version %d and this program knows versions up to %d: start the newer program, or restore a dump of the older schema",
		s.Database, s.Program)
}

// Migrate brings the schema of the database at url to the version of this
// program. Of several starters at once one applies each migration. Where there
// is nothing to do, nothing but a query is run. A schema that is newer than
// this program is an error that names both versions, and is left alone. A nil
// log says nothing.
func Migrate(ctx context.Context, url string, log *slog.Logger) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("database connection string: %w", err)
	}
	harden(cfg)
	schema, err := connectAndRead(ctx, cfg)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	if err := schema.Check(); err != nil || schema.Current() {
		return err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return apply(ctx, cfg, log)
}

// SchemaOf reads which schema the database has. It writes nothing.
func SchemaOf(ctx context.Context, d DBTX) (Schema, error) {
	known, err := knownVersions()
	if err != nil {
		return Schema{}, err
	}
	applied, err := appliedVersions(ctx, d)
	if err != nil {
		return Schema{}, Classify(err)
	}
	var s Schema
	for v := range known {
		s.Program = max(s.Program, v)
		if !applied[v] {
			s.Pending++
		}
	}
	for v := range applied {
		s.Database = max(s.Database, v)
	}
	return s, nil
}

func connectAndRead(ctx context.Context, cfg *pgx.ConnConfig) (Schema, error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return Schema{}, Classify(err)
	}
	defer func() {
		_ = conn.Close(context.WithoutCancel(ctx))
	}()
	return SchemaOf(ctx, conn)
}

// knownVersions are the versions of the migrations in this program.
func knownVersions() (map[int64]bool, error) {
	files, err := db.Migrations()
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "*.sql")
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
	const undefinedTable = "42P01"
	rows, _ := d.Query(ctx, "SELECT version_id FROM goose_db_version WHERE is_applied AND version_id > 0")
	versions, err := pgx.CollectRows(rows, pgx.RowTo[int64]) // the error of Query too
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == undefinedTable {
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

// apply runs the pending migrations, each in a transaction of its own, while
// it holds the session lock of goose.
func apply(ctx context.Context, cfg *pgx.ConnConfig, log *slog.Logger) error {
	files, err := db.Migrations()
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrateLockPeriod, migrateLockTries))
	if err != nil {
		return fmt.Errorf("migration lock: %w", err)
	}
	conn := stdlib.OpenDB(*cfg)
	defer conn.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, files, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", Classify(err))
	}
	for _, m := range done {
		log.InfoContext(ctx, "schema migrated", "version", m.Source.Version, "ms", m.Duration.Round(time.Millisecond).Milliseconds())
	}
	return nil
}
