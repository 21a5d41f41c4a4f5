package postgres_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"

	"baleen/db"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/testdb"
)

func TestClassify(t *testing.T) {
	known := fault.New(fault.Denied, "mine", "")
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
		code string
		msg  string // part of it
	}{
		"nothing":            {nil, fault.Internal, "", ""},
		"connection lost":    {pgError("08006"), fault.Unavailable, postgres.CodeUnavailable, "cannot be reached"},
		"shutting down":      {pgError("57P01"), fault.Unavailable, postgres.CodeUnavailable, "shutting down"},
		"starting":           {pgError("57P03"), fault.Unavailable, postgres.CodeUnavailable, "starting"},
		"disk full":          {pgError("53100"), fault.Unavailable, postgres.CodeUnavailable, "no space left"},
		"too many":           {pgError("53300"), fault.Unavailable, postgres.CodeUnavailable, "no connections"},
		"read only":          {pgError("25006"), fault.Unavailable, postgres.CodeUnavailable, "no writes"},
		"wrong password":     {pgError("28P01"), fault.Unavailable, postgres.CodeUnavailable, "login"},
		"deadlock":           {pgError("40P01"), fault.Conflict, postgres.CodeConflict, ""},
		"fenced":             {pgError("BL001"), fault.Unavailable, postgres.CodeNotActive, "Another node"},
		"unique":             {pgError("23505"), fault.Internal, "", ""},
		"syntax":             {pgError("42601"), fault.Internal, "", ""},
		"other fatal":        {&pgconn.PgError{Code: "XX000", SeverityUnlocalized: "FATAL"}, fault.Unavailable, postgres.CodeUnavailable, ""},
		"cut":                {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), fault.Unavailable, postgres.CodeUnavailable, "cannot be reached"},
		"deadline":           {fmt.Errorf("acquire: %w", context.DeadlineExceeded), fault.Unavailable, postgres.CodeUnavailable, "in time"},
		"the client left":    {context.Canceled, fault.Internal, "", ""},
		"classified already": {fmt.Errorf("save: %w", known), fault.Denied, "mine", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := postgres.Classify(c.err)
			if fault.Of(got) != c.kind || fault.Code(got) != c.code {
				t.Errorf("got %v %q, want %v %q", fault.Of(got), fault.Code(got), c.kind, c.code)
			}
			if !errors.Is(got, c.err) {
				t.Errorf("the cause %v is not in the chain of %v", c.err, got)
			}
			if c.msg != "" && !strings.Contains(got.Error(), c.msg) {
				t.Errorf("message %q lacks %q", got, c.msg)
			}
		})
	}
}

func pgError(code string) error {
	return fmt.Errorf("query: %w", &pgconn.PgError{Code: code, SeverityUnlocalized: "ERROR", Message: "x"})
}

func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	pool, err := postgres.Open(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	err = postgres.InTx(t.Context(), pool, func(pgx.Tx) error { return nil })
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v (%v)", err, fault.Of(err))
	}
	if _, err := postgres.Open(t.Context(), "postgres://%zz"); err == nil {
		t.Error("a connection string that makes no sense was taken")
	}
}

func TestMigrate(t *testing.T) {
	url := testdb.URL(t)
	pool := open(t, url)
	schema, err := postgres.SchemaOf(t.Context(), pool)
	if err != nil || !schema.Current() || schema.Program < 5 {
		t.Fatalf("schema %+v, error %v", schema, err)
	}

	// Nothing to do: not even a lock is taken, so a role that may not change anything can start.
	mustExec(t, pool, "ALTER DATABASE "+pgx.Identifier{pool.Config().ConnConfig.Database}.Sanitize()+" SET default_transaction_read_only = on")
	if err := postgres.Migrate(t.Context(), url, nil); err != nil {
		t.Errorf("nothing to do, read-only: %v", err)
	}
	mustExec(t, pool, "SET default_transaction_read_only = off; ALTER DATABASE "+pgx.Identifier{pool.Config().ConnConfig.Database}.Sanitize()+" RESET ALL")

	mustExec(t, pool, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	err = postgres.Migrate(t.Context(), url, nil)
	if err == nil || !strings.Contains(err.Error(), "99999") || !strings.Contains(err.Error(), fmt.Sprint(schema.Program)) {
		t.Errorf("a newer schema: got %v, want both versions named", err)
	}
}

func TestMigrateOnceAmongManyStarters(t *testing.T) {
	url := testdb.URL(t)
	pool := open(t, url)
	mustExec(t, pool, "DROP SCHEMA IF EXISTS audit CASCADE; DROP SCHEMA IF EXISTS archive CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	var log bytes.Buffer
	var mu sync.Mutex
	logger := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))
	var starters sync.WaitGroup
	for range 4 {
		starters.Go(func() {
			if err := postgres.Migrate(context.Background(), url, logger); err != nil {
				t.Error(err)
			}
		})
	}
	starters.Wait()
	schema, err := postgres.SchemaOf(t.Context(), pool)
	if err != nil || !schema.Current() {
		t.Errorf("schema %+v, error %v", schema, err)
	}
	if n := strings.Count(log.String(), "version=1 "); n != 1 {
		t.Errorf("migration 1 ran %d times:\n%s", n, log.String())
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestTransactions(t *testing.T) {
	pool := testdb.New(t)
	fence := testdb.Fence(t, pool)
	refused := errors.New("refused")
	put := func(b byte) func(tx pgx.Tx) error {
		return func(tx pgx.Tx) error {
			return pgq.New().InsertDER(t.Context(), tx, pgq.InsertDERParams{Hash: bytes.Repeat([]byte{b}, 32), DER: []byte{b}})
		}
	}
	if err := postgres.InFencedTx(t.Context(), pool, fence, put(1)); err != nil {
		t.Fatal(err)
	}
	err := postgres.InFencedTx(t.Context(), pool, fence, func(tx pgx.Tx) error {
		return errors.Join(put(2)(tx), refused)
	})
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			_ = put(3)(tx)
			panic("in the middle")
		})
	}()
	gone, cancel := context.WithCancel(t.Context())
	err = postgres.InTx(gone, pool, func(tx pgx.Tx) error {
		defer cancel()
		return put(4)(tx)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before commit: got %v", err)
	}
	if got := count(t, pool); got != 1 {
		t.Errorf("%d rows were committed, want the first only", got)
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// Whoever was replaced writes not one row, also in one round trip.
func TestStaleEpochCannotWriteOneRow(t *testing.T) {
	pool := testdb.New(t)
	stale := testdb.Fence(t, pool)
	current := testdb.Fence(t, pool)
	insert := func(b *pgx.Batch) {
		b.Queue(pgq.InsertDER, bytes.Repeat([]byte{7}, 32), []byte{7})
	}
	ran := false
	err := postgres.InFencedBatch(t.Context(), pool, stale, insert, func(pgx.Tx) error {
		ran = true
		return nil
	})
	if fault.Code(err) != postgres.CodeNotActive || ran {
		t.Errorf("stale: got %v, went on: %v", err, ran)
	}
	if err := postgres.InFencedBatch(t.Context(), pool, stale, insert, nil); fault.Code(err) != postgres.CodeNotActive {
		t.Errorf("stale, commit sent along: got %v", err)
	}
	if got := count(t, pool); got != 0 {
		t.Fatalf("a stale epoch wrote %d rows", got)
	}
	if err := postgres.InFencedBatch(t.Context(), pool, current, insert, nil); err != nil {
		t.Errorf("current: %v", err)
	}
	if got := count(t, pool); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// A connection that is lost before the commit means that nothing was done; one
// that is lost during the commit, that nobody knows.
func TestCutConnection(t *testing.T) {
	pool := testdb.New(t)
	cut := func(tx pgx.Tx) error {
		var pid int
		if err := tx.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			return err
		}
		_, err := pool.Exec(t.Context(), "SELECT pg_terminate_backend($1, 5000)", pid)
		return err
	}
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		if err := cut(tx); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), "SELECT 1")
		return err
	})
	if fault.Of(err) != fault.Unavailable || errors.Is(err, postgres.ErrOutcomeUnknown) {
		t.Errorf("before commit: got %v", err)
	}
	err = postgres.InTx(t.Context(), pool, cut)
	if fault.Of(err) != fault.Unavailable || !errors.Is(err, postgres.ErrOutcomeUnknown) {
		t.Errorf("at commit: got %v, want an unknown outcome", err)
	}
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		_, _ = tx.Exec(t.Context(), "SELECT 1/0") // the error is ignored, the commit becomes a rollback
		return nil
	})
	if !errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, postgres.ErrOutcomeUnknown) {
		t.Errorf("commit of a failed transaction: got %v", err)
	}
}

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func mustExec(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM der_object").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Every migration can be undone and done again.
func TestMigrationsGoBothWays(t *testing.T) {
	url := testdb.URL(t)
	files, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	pool := open(t, url)
	var left int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d tables are left, %v", left, err)
	}
	if err := postgres.Migrate(t.Context(), url, nil); err != nil {
		t.Error(err)
	}
}

// Operators and analysts find out from the database what its columns mean.
func TestTablesAreCommented(t *testing.T) {
	pool := testdb.New(t)
	rows, _ := pool.Query(t.Context(), `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname NOT LIKE 'goose%' AND obj_description(c.oid) IS NULL`)
	bare, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(bare) > 0 {
		t.Errorf("tables without comment: %v, %v", bare, err)
	}
}
