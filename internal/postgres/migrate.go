package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// A starter that finds another one migrating asks again every second, for at most ten minutes.
const (
	migrateLockPeriod = 1
	migrateLockTries  = 600
)

// Migrate brings the schema of the database at url to the version of this
// program. Of several starters at once one applies each migration. Where there
// is nothing to do, nothing but queries are run.
//
// A schema that is newer than this program is left alone; it is an error, which
// names both versions, unless the schema says that this program can run on it.
// So is the schema of an earlier release if this program's role may not change
// it, but can run on it. A database that holds another application is refused. A
// nil log says nothing.
func Migrate(ctx context.Context, url string, log *slog.Logger) error {
	p, err := thisProgram()
	if err != nil {
		return err
	}
	return p.migrate(ctx, url, log)
}

func (p program) migrate(ctx context.Context, url string, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("database connection string: %w", err)
	}
	harden(cfg)
	schema, err := p.look(ctx, cfg)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	if err := schema.Check(); err != nil {
		return err
	}
	if schema.Newer() {
		log.WarnContext(ctx, "the schema is that of a newer program; this one can run on it", "database", schema.Database, "program", schema.Program)
		return nil
	}
	if schema.Current() && schema.recorded == schema.Database {
		return nil
	}
	err = p.apply(ctx, cfg, log)
	if schema.Database == 0 || !hasState(err, stateNotAllowed) {
		return err
	}
	if unusable := schema.Usable(); unusable != nil {
		return fmt.Errorf("%w (%w)", unusable, err)
	}
	log.WarnContext(ctx, "the schema is that of an older program; this one can run on it, but its role may not change it: run baleen migrate as the owner",
		"database", schema.Database, "program", schema.Program)
	return nil
}

// look reads the schema of a database that is this application's, or empty.
func (p program) look(ctx context.Context, cfg *pgx.ConnConfig) (Schema, error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return Schema{}, Classify(err)
	}
	defer func() {
		_ = conn.Close(context.WithoutCancel(ctx))
	}()
	s, err := p.schemaOf(ctx, conn)
	if err != nil {
		return Schema{}, err
	}
	return s, strangers(ctx, conn, s)
}

// apply runs the pending migrations, each in a transaction of its own, while
// it holds the session lock of goose, and notes which version that makes.
func (p program) apply(ctx context.Context, cfg *pgx.ConnConfig, log *slog.Logger) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrateLockPeriod, migrateLockTries))
	if err != nil {
		return fmt.Errorf("migration lock: %w", err)
	}
	conn := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(patient))
	defer conn.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, p.files, goose.WithSessionLocker(locker))
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
	// The newest may be another starter's.
	if _, err := conn.ExecContext(ctx, "UPDATE schema_info SET version = (SELECT max(version_id) FROM goose_db_version WHERE is_applied)"); err != nil {
		return fmt.Errorf("note the schema's version: %w", Classify(err))
	}
	return nil
}

// patient lifts the time limits that a DBA may have set on the role: a
// migration takes as long as the tables are large.
func patient(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET statement_timeout = 0; SET lock_timeout = 0")
	return err
}
