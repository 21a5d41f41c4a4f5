package faults

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"baleen/test/harness"
)

// The active node is stopped in the middle of its work and goes on after another
// one took over: it cannot write any more, and replaces no file, in a folder
// that both nodes write to.
func TestStoppedNode(t *testing.T) {
	ctx := bounded(t)
	f := newFleet(ctx, t, newCluster(ctx, t), plan{sharedRepo: true})
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 100*time.Millisecond)
	var gaps []time.Duration
	for range 2 {
		old := f.active(ctx, t)
		l.acked(ctx, t, time.Now(), "")
		stopped := time.Now()
		old.freeze(t)
		old.out.Store(true)
		asked := ask(ctx, old, "10.0.255.0/30") // waits in the node's socket
		took, _ := l.acked(ctx, t, stopped, old.name)
		gaps = append(gaps, took)
		l.acked(ctx, t, time.Now(), old.name)
		old.thaw(t)
		old.out.Store(false)
		if a := <-asked; a.err == nil && a.Status != http.StatusServiceUnavailable {
			t.Errorf("the node that woke up answers %d %s", a.Status, a.Body)
		}
		l.acked(ctx, t, time.Now(), "")
	}
	report(t, "SIGSTOP until another node acknowledged a change", gaps)
	l.check(ctx, t)
	w.check(ctx, t, 1)
}

// A node that was replaced writes not one row: while the node that replaced it
// is stopped too, not one transaction writes anything.
func TestReplacedNodeWritesNothing(t *testing.T) {
	ctx := bounded(t)
	db := newCluster(ctx, t)
	f := newFleet(ctx, t, db, plan{})
	old, next := f.nodes[0], f.nodes[1]
	l := startLoad(ctx, t, f, 50*time.Millisecond)
	l.acked(ctx, t, time.Now(), "")
	stopped := time.Now()
	old.freeze(t)
	old.out.Store(true)
	asked := ask(ctx, old, "10.0.255.0/30")
	l.acked(ctx, t, stopped, old.name)
	l.stop()
	must(t, next.Settle(ctx))
	// The database frees the lock of a node that is silent for long: then this test has it, and not the old node.
	heir, leave := inLine(ctx, t, db)
	next.freeze(t)

	// What next has begun, the server finishes.
	const written = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
	idle := fmt.Sprintf(`SELECT count(*) = 0 FROM pg_stat_activity WHERE state = 'active' AND pid NOT IN (pg_backend_pid(), %d) AND backend_type = 'client backend'`, heir)
	eventually(ctx, t, "the database is idle", func() bool { return query[bool](ctx, t, db, idle) })
	before := query[int64](ctx, t, db, written)
	old.thaw(t)
	a := <-asked
	if a.err == nil && a.Status != http.StatusServiceUnavailable {
		t.Errorf("the node that woke up answers %d %s", a.Status, a.Body)
	}
	t.Logf("the node that woke up answers %d %s %v", a.Status, a.Body, a.err)
	for range 20 {
		if again := <-ask(ctx, old, "10.0.255.4/30"); again.err != nil || again.Status != http.StatusServiceUnavailable {
			t.Errorf("the node that was replaced answers %d %s %v", again.Status, again.Body, again.err)
		}
	}
	if n := query[int64](ctx, t, db, written) - before; n != 0 {
		t.Errorf("%d transactions wrote something", n)
	}
	leave()
	next.thaw(t)
	old.out.Store(false)
	l.check(ctx, t)
}

// inLine opens a session that waits for the leader lock, and is its next holder.
// leave ends it.
func inLine(ctx context.Context, t *testing.T, db *cluster) (pid uint32, leave func()) {
	t.Helper()
	s := db.session(ctx, t)
	pid = s.PgConn().PID()
	waiting, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = s.Exec(waiting, "SELECT pg_advisory_lock(1111575553, 0)") // in the end it is stopped, or has the lock
	}()
	eventually(ctx, t, "the session is next in line", func() bool {
		return query[bool](ctx, t, db, fmt.Sprint("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND pid = ", pid))
	})
	return pid, func() {
		stop()
		<-over
		_ = s.Close(context.WithoutCancel(ctx)) // it may be closed already
	}
}

// answered is how a request ended.
type answered struct {
	harness.Answer
	err error
}

// ask sends a node the addition of a route and does not wait for the answer.
func ask(ctx context.Context, n *node, prefix string) <-chan answered {
	done := make(chan answered, 1)
	go func() {
		a, err := n.Ask(ctx, harness.Request{
			Method: http.MethodPost, Path: "/api/v1/cas/ca0/routes",
			Header: map[string]string{"Authorization": "Bearer " + harness.Token, "Content-Type": "application/json"},
			Body:   strings.NewReader(`{"added":[{"asn":64496,"prefix":"` + prefix + `"}],"removed":[]}`),
		})
		done <- answered{a, err}
	}()
	return done
}
