package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/testdb"
)

// raise makes the database refuse the next n statements that insert objects.
func raise(t *testing.T, pool *pgxpool.Pool, n int, state string) {
	t.Helper()
	mustExec(t, pool, fmt.Sprintf(`DROP TRIGGER IF EXISTS raise ON der_object; DROP SEQUENCE IF EXISTS raised; CREATE SEQUENCE raised;
		CREATE OR REPLACE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('raised') <= %d THEN RAISE EXCEPTION 'injected' USING ERRCODE = '%s'; END IF;
			RETURN NULL;
		END $$;
		CREATE TRIGGER raise AFTER INSERT ON der_object FOR EACH STATEMENT EXECUTE FUNCTION raise()`, n, state))
}

func put(ctx context.Context, tx pgx.Tx, b byte) error {
	return pgq.New().InsertDER(ctx, tx, pgq.InsertDERParams{Hash: bytes.Repeat([]byte{b}, 32), DER: []byte{b}})
}

// A transaction that was ended for the sake of another one is run again, as a
// whole, but not for ever; one that took too long is refused.
func TestInjectedFaults(t *testing.T) {
	pool := testdb.New(t)
	fence := testdb.Fence(t, pool)
	for i, c := range []struct {
		state       string
		times, runs int
		kind        fault.Kind // Internal: it goes well
	}{
		{"40P01", 2, 3, fault.Internal},
		{"40001", 1, 2, fault.Internal},
		{"40001", 1000, 5, fault.Conflict},
		{"57014", 1, 1, fault.Unavailable},
		{"55P03", 1, 1, fault.Unavailable},
	} {
		raise(t, pool, c.times, c.state)
		before, runs := count(t, pool), 0
		err := postgres.InFencedTx(t.Context(), pool, fence, func(tx pgx.Tx) error {
			runs++
			return put(t.Context(), tx, byte(i))
		})
		want := 0
		if c.kind == fault.Internal {
			want = 1
		}
		if (err == nil) != (want == 1) || err != nil && fault.Of(err) != c.kind || runs != c.runs {
			t.Errorf("%s %d times: %v after %d runs", c.state, c.times, err, runs)
		}
		if got := count(t, pool) - before; got != want {
			t.Errorf("%s %d times: %d rows, want %d", c.state, c.times, got, want)
		}
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// Two transactions wait for each other: both are done in the end.
func TestRealDeadlock(t *testing.T) {
	pool := testdb.New(t)
	fence := testdb.Fence(t, pool)
	var both sync.WaitGroup
	var met sync.Once
	first := make(chan struct{})
	waiting := make(chan struct{}, 2)
	for _, order := range [][2]byte{{1, 2}, {2, 1}} {
		both.Go(func() {
			err := postgres.InFencedTx(t.Context(), pool, fence, func(tx pgx.Tx) error {
				if err := put(t.Context(), tx, order[0]); err != nil {
					return err
				}
				select {
				case waiting <- struct{}{}:
					if len(waiting) == 2 {
						met.Do(func() { close(first) })
					}
				default: // not the first time
				}
				<-first
				return put(t.Context(), tx, order[1])
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if n := count(t, pool); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

// A transaction that waits too long for its next statement, as in a process that
// was stopped, is ended by the database: it wrote nothing, the connection is not
// used again, and what comes next works.
func TestIdleInTransaction(t *testing.T) {
	cfg := testdb.URL(t)
	watcher := open(t, cfg)
	pool := open(t, cfg)
	fence := testdb.Fence(t, pool)
	linger := func(tx pgx.Tx) error {
		var pid int
		if err := tx.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			return err
		}
		// Only now: what this process does before may take its time.
		if _, err := tx.Exec(t.Context(), "SET LOCAL idle_in_transaction_session_timeout = 100"); err != nil {
			return err
		}
		return ends(t.Context(), watcher, pid)
	}
	err := postgres.InFencedTx(t.Context(), pool, fence, func(tx pgx.Tx) error {
		return errors.Join(put(t.Context(), tx, 1), linger(tx), put(t.Context(), tx, 2))
	})
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("in the middle: %v", err)
	}
	err = postgres.InFencedTx(t.Context(), pool, fence, func(tx pgx.Tx) error {
		return errors.Join(put(t.Context(), tx, 1), linger(tx))
	})
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("at commit: %v", err)
	}
	if n := count(t, watcher); n != 0 {
		t.Errorf("%d rows were written", n)
	}
	if err := postgres.InFencedTx(t.Context(), pool, fence, func(tx pgx.Tx) error { return put(t.Context(), tx, 3) }); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func sep(url string) string {
	if bytes.ContainsRune([]byte(url), '?') {
		return "&"
	}
	return "?"
}

// ends waits until the database has ended a session.
func ends(ctx context.Context, pool *pgxpool.Pool, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for there := true; there; {
		if err := pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid).Scan(&there); err != nil {
			return err
		}
		<-tick.C
	}
	return nil
}

// What reads for long is not cut off by the time limit of a role.
func TestSnapshotsMayTakeLong(t *testing.T) {
	url := testdb.URL(t)
	pool := open(t, url+sep(url)+"statement_timeout=500") // which other statements keep on a busy machine too
	if _, err := pool.Exec(t.Context(), "SELECT pg_sleep(60)"); fault.Of(postgres.Classify(err)) != fault.Unavailable {
		t.Errorf("the limit: %v", err)
	}
	err := postgres.InSnapshot(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "SELECT pg_sleep(0.6)")
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
