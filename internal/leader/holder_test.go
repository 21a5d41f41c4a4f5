package leader_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/leader"
	"baleen/internal/postgres"
	"baleen/internal/testdb"
)

// eventually asks again and again, every 5 ms, until f says yes.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// says waits until the node has written something into its log.
func (n *node) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, "the log says "+text, func() bool { return strings.Contains(n.log.String(), text) })
}

// Another application uses the number of the leader lock: no node is active, and
// the log says why and whose session it is. It goes on when the lock is free.
func TestAnotherApplicationHoldsTheLock(t *testing.T) {
	url := testdb.URL(t)
	db := open(t, url)
	stranger, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Close(context.Background()) }()
	if _, err := stranger.Exec(t.Context(), "SET application_name = 'billing'"); err != nil {
		t.Fatal(err)
	}
	a := start(t, url, "a", true)
	before := a.term(t)
	taken := lockWhenFree(t, db, stranger)
	killHolder(t, db)
	if err := receive(t, "the stranger to hold the lock", taken); err != nil {
		t.Fatal(err)
	}
	ended(t, before)
	b := start(t, url, "b", true)
	b.says(t, "a session of another application holds the leader lock")
	b.says(t, "application=billing")
	if status, err := leader.Active(t.Context(), db); err != nil || status.Held {
		t.Errorf("%+v, %v", status, err)
	}
	if n := strings.Count(b.log.String(), "another application"); n != 1 {
		t.Errorf("it says so %d times:\n%s", n, b.log.String())
	}
	if err := stranger.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := receive(t, "a node to be active again", a.terms, b.terms)
	if err := canWrite(t.Context(), db, after.lease); err != nil {
		t.Error(err)
	}
}

// lockWhenFree has a session wait for the leader lock, and tells when it has it.
func lockWhenFree(t *testing.T, db *pgxpool.Pool, conn *pgx.Conn) <-chan error {
	t.Helper()
	taken := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "SELECT pg_advisory_lock($1, 0)", postgres.LockLeader)
		taken <- err
	}()
	eventually(t, "it waits for the lock", func() (waits bool) {
		if err := db.QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid::bigint = $1
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, postgres.LockLeader).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		return waits
	})
	return taken
}

// Two nodes of one name: one is active, the other says that the name is taken
// and takes over as any other would.
func TestTwoNodesOfOneName(t *testing.T) {
	url := testdb.URL(t)
	db := open(t, url)
	first := start(t, url, "a", true)
	one := first.term(t)
	second := start(t, url, "a", true)
	second.says(t, "the active node has the same name as this one")
	if !one.lease.Held() {
		t.Error("the first is not active any more")
	}
	first.stop()
	two := second.term(t)
	if two.lease.Epoch() != one.lease.Epoch()+1 {
		t.Errorf("epoch %d after %d", two.lease.Epoch(), one.lease.Epoch())
	}
	if err := canWrite(t.Context(), db, one.lease); err == nil {
		t.Error("the node that was replaced writes under its successor's name")
	}
	if strings.Contains(first.log.String(), "same name") {
		t.Errorf("the active node says so too:\n%s", first.log.String())
	}
}

// The DBA limits how long statements of the role may take: the session of the
// leader lock has limits of its own and lives on.
func TestTimeLimitsOfTheRole(t *testing.T) {
	url := testdb.URL(t)
	db := open(t, url)
	mustExec(t, db, "ALTER DATABASE "+pgx.Identifier{db.Config().ConnConfig.Database}.Sanitize()+" SET statement_timeout = '20ms'")
	now, beats := start(t, url, "a", true).term(t), 0
	fresh, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fresh.Close(context.Background()) }()
	if _, err := fresh.Exec(t.Context(), "SELECT pg_sleep(0.1)"); err == nil {
		t.Fatal("there is no limit")
	}
	for last := now.lease.LastBeat(); ; last = now.lease.LastBeat() {
		if beats++; beats > 5 {
			return
		}
		eventually(t, "there is another sign of life", func() bool { return now.ctx.Err() != nil || now.lease.LastBeat().After(last) })
		if now.ctx.Err() != nil {
			t.Fatalf("the term ended: %v", context.Cause(now.ctx))
		}
	}
}

// Whoever jumps with the wall clock jumps alone: the lease counts by the
// monotonic one.
func TestLeaseCountsByTheMonotonicClock(t *testing.T) {
	a := start(t, testdb.URL(t), "a", true).term(t)
	if last := a.lease.LastBeat().String(); !strings.Contains(last, " m=") {
		t.Errorf("the last sign of life was at %s, without a monotonic reading", last)
	}
	if epoch := postgres.Fence(a.lease).Epoch(); epoch == 0 {
		t.Error("no epoch")
	}
}
