package faults

import (
	"testing"
	"time"
)

// Postgres is restarted, and its postmaster killed.
func TestPostgresRestarts(t *testing.T) {
	ctx := bounded(t)
	db := newCluster(ctx, t)
	f := newFleet(ctx, t, db, plan{})
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 50*time.Millisecond)
	for _, one := range []struct {
		what string
		down func()
	}{
		{"a restart of Postgres", func() { db.stop(ctx, t); db.start(ctx, t) }},
		{"a restart of Postgres after an immediate stop", func() { db.crash(ctx, t); db.start(ctx, t) }},
		{"kill -9 of the postmaster", func() {
			before := query[time.Time](ctx, t, db, "SELECT pg_postmaster_start_time()")
			db.kill(t)
			eventually(ctx, t, "Postgres runs again", func() bool {
				now, err := tryQuery[time.Time](ctx, db, "SELECT pg_postmaster_start_time()")
				return err == nil && now.After(before)
			})
		}},
	} {
		l.acked(ctx, t, time.Now(), "")
		begin := time.Now()
		one.down()
		up := time.Now()
		took, by := l.acked(ctx, t, up, "")
		t.Logf("%s: it was away for %v; a change was acknowledged by %s %v after it was back", one.what, up.Sub(begin).Round(time.Millisecond), by, took.Round(time.Millisecond))
	}
	l.check(ctx, t)
	w.check(t, 1)
}

// The primary is lost and its streaming replica is promoted. It had confirmed
// every commit, so nothing acknowledged is lost; but that is more than the
// servers can know, so they begin a new RRDP session.
func TestReplicaIsPromoted(t *testing.T) {
	ctx := bounded(t)
	primary := newCluster(ctx, t)
	replica := primary.replica(ctx, t)
	both := "postgres://baleen@/baleen?host=" + primary.server.SocketDir + "," + replica.server.SocketDir + "&port=5432,5432&target_session_attrs=read-write&sslmode=disable"
	f := newFleet(ctx, t, primary, plan{url: func(int) string { return both }})
	primary.synchronous(ctx, t)
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 50*time.Millisecond)
	l.acked(ctx, t, time.Now(), "")
	begin := time.Now()
	primary.crash(ctx, t)
	lost := time.Now()
	f.db = replica
	replica.promote(ctx, t)
	promoted := time.Now()
	took, by := l.acked(ctx, t, lost, "")
	t.Logf("the primary was gone after %v, pg_ctl promote took %v; a change was acknowledged by %s %v after the primary was gone, %v after the promotion",
		lost.Sub(begin).Round(time.Millisecond), promoted.Sub(lost).Round(time.Millisecond), by, took.Round(time.Millisecond), (took - promoted.Sub(lost)).Round(time.Millisecond))
	l.acked(ctx, t, time.Now(), "")
	l.check(ctx, t)
	w.check(t, 2)
}
