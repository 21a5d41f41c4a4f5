package faults

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"baleen/test/harness"
)

// Sessions are ended by the database: that of the leader lock, or all.
func TestConnectionsAreCut(t *testing.T) {
	ctx := bounded(t)
	db := newCluster(ctx, t)
	f := newFleet(ctx, t, db, plan{})
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 50*time.Millisecond)
	for _, one := range []struct{ what, sql string }{
		{"pg_terminate_backend of the session that holds the lock", `SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted
			AND classid::bigint = 1111575553`},
		{"pg_terminate_backend of all sessions", `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'baleen'`},
	} {
		var gaps []time.Duration
		for range 5 {
			f.active(ctx, t)
			l.acked(ctx, t, time.Now(), "")
			before := query[int64](ctx, t, db, "SELECT epoch FROM leader")
			cut := time.Now()
			if query[int](ctx, t, db, one.sql) == 0 {
				t.Fatal("nothing was cut")
			}
			eventually(ctx, t, "a new epoch begins", func() bool { return query[int64](ctx, t, db, "SELECT epoch FROM leader") > before })
			took, _ := l.acked(ctx, t, cut, "")
			gaps = append(gaps, took)
		}
		report(t, one.what+" until a change was acknowledged", gaps)
	}
	l.check(ctx, t)
	w.check(ctx, t, 1)
}

// The network between the active node and the database is cut, and later
// swallows everything; the other node reaches it.
func TestNetworkFails(t *testing.T) {
	ctx := bounded(t)
	db := newCluster(ctx, t)
	relay, err := harness.NewRelay(db.url())
	must(t, err)
	t.Cleanup(relay.Close)
	f := newFleet(ctx, t, db, plan{url: func(i int) string {
		if i == 0 {
			return relay.URL()
		}
		return db.url()
	}})
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 100*time.Millisecond)
	l.acked(ctx, t, time.Now(), "")
	deaf := f.nodes[0]
	broken := time.Now()
	relay.Cut()
	took, _ := l.acked(ctx, t, broken, deaf.name)
	report(t, "connections broken and refused until the other node acknowledged a change", []time.Duration{took})
	must(t, relay.Restore())
	f.handTo(ctx, t, deaf)
	l.acked(ctx, t, time.Now(), "")

	cut := time.Now()
	relay.Freeze()
	deaf.out.Store(true)
	var early sync.WaitGroup // what is asked while the node still thinks that it is active
	for _, r := range []harness.Request{{Path: "/api/v1/cas/ca0/routes"}, {Method: http.MethodPost, Path: "/api/v1/cas/ca0/sync/repo"}} {
		early.Go(func() { askDeaf(ctx, t, deaf, r) })
	}
	early.Go(func() {
		if err := until(ctx, "the node that hears nothing steps down", func() bool { return !deaf.isActive(ctx) }); err != nil {
			t.Error(err)
		}
		t.Logf("it stepped down after %v", time.Since(cut).Round(time.Millisecond))
	})
	took, _ = l.acked(ctx, t, cut, deaf.name)
	report(t, "silence until the other node acknowledged a change", []time.Duration{took})
	early.Wait()
	for _, r := range []harness.Request{
		{Path: "/health"},
		{Path: "/health/active"},
		{Path: "/rrdp/notification.xml"},
		{Path: "/metrics"},
		{Method: http.MethodPost, Path: "/api/v1/cas/ca0/routes"},
		{Path: "/api/v1/cas/ca0/routes"},
	} {
		askDeaf(ctx, t, deaf, r)
	}
	back := time.Now()
	must(t, relay.Restore())
	deaf.out.Store(false)
	deafIsBack(ctx, t, deaf, back)
	l.acked(ctx, t, time.Now(), "")
	l.check(ctx, t)
	w.check(ctx, t, 1)
}

// askDeaf asks a node that does not reach its database.
func askDeaf(ctx context.Context, t *testing.T, n *node, r harness.Request) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	r.Header = map[string]string{"Authorization": "Bearer " + harness.Token}
	begin := time.Now()
	a, err := n.Ask(ctx, r)
	t.Logf("without a database %s %s: %d after %v %.100s %v", r.Method, r.Path, a.Status, time.Since(begin).Round(time.Millisecond), a.Body, err)
	if err != nil {
		t.Errorf("%s %s: no answer: %v", r.Method, r.Path, err)
	}
}

// deafIsBack waits until the node stands by and reads again.
func deafIsBack(ctx context.Context, t *testing.T, n *node, since time.Time) {
	t.Helper()
	eventually(ctx, t, "the node reads again", func() bool {
		ctx, cancel := context.WithTimeout(ctx, answer)
		defer cancel()
		status, _, err := n.Do(ctx, http.MethodGet, "/api/v1/cas/ca0/routes", nil)
		return err == nil && status == http.StatusOK
	})
	t.Logf("it read again %v after the network was back", time.Since(since).Round(time.Millisecond))
}
