package faults

import (
	"context"
	"math/big"
	"path"
	"testing"
	"time"

	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/manifest"
	"baleen/test/harness"
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
		{"Postgres stopped for five seconds", func() {
			db.stop(ctx, t)
			pass(ctx, 5*time.Second)
			db.start(ctx, t)
		}},
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
	w.check(ctx, t, 1)
}

// The primary is lost and its streaming replica is promoted. It had confirmed
// every commit, so nothing acknowledged is lost; but that is more than the
// servers can know, so they begin a new RRDP session.
func TestReplicaIsPromoted(t *testing.T) {
	ctx := bounded(t)
	primary := newCluster(ctx, t)
	replica := primary.replica(ctx, t)
	f := newFleet(ctx, t, primary, plan{url: either(primary, replica)})
	primary.synchronous(ctx, t)
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 50*time.Millisecond)
	l.acked(ctx, t, time.Now(), "")
	begin := time.Now()
	primary.crash(ctx, t)
	lost := time.Now()
	f.db = replica
	replica.promote(ctx, t)
	promotion := time.Since(lost)
	took, by := l.acked(ctx, t, lost, "")
	t.Logf("the primary was gone after %v, pg_ctl promote took %v; a change was acknowledged by %s %v after the primary was gone",
		lost.Sub(begin).Round(time.Millisecond), promotion.Round(time.Millisecond), by, took.Round(time.Millisecond))
	l.acked(ctx, t, time.Now(), "")
	l.check(ctx, t)
	w.check(ctx, t, 2)
}

// The replica that is promoted had fallen behind: what relying parties saw is
// overtaken, so that they believe what is published now.
func TestReplicaThatFellBehindIsPromoted(t *testing.T) {
	ctx := bounded(t)
	primary := newCluster(ctx, t)
	replica := primary.replica(ctx, t)
	f := newFleet(ctx, t, primary, plan{url: either(primary, replica)})
	caughtUp(ctx, t, primary, replica)
	replica.exec(ctx, t, "ALTER SYSTEM SET primary_conninfo = ''")
	replica.exec(ctx, t, "SELECT pg_reload_conf()")
	eventually(ctx, t, "the replica hears nothing", func() bool {
		return query[bool](ctx, t, primary, "SELECT count(*) = 0 FROM pg_stat_replication")
	})
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 50*time.Millisecond)
	for range 5 {
		l.acked(ctx, t, time.Now(), "")
	}
	l.stop()
	n := f.active(ctx, t)
	must(t, n.Settle(ctx))
	saw, err := n.Published(ctx)
	must(t, err)
	primary.crash(ctx, t)
	f.db = replica
	replica.promote(ctx, t)
	must(t, f.active(ctx, t).Settle(ctx))
	now, err := f.active(ctx, t).Published(ctx)
	must(t, err)
	if now.Session == saw.Session {
		t.Error("the RRDP session goes on, though history was lost")
	}
	before, after := numbers(t, saw), numbers(t, now)
	for uri, number := range before {
		if after[uri] == nil || after[uri].Cmp(number) <= 0 {
			t.Errorf("%s: number %v after %v", uri, after[uri], number)
		}
	}
	t.Logf("%d acknowledged changes were lost with the primary; manifest numbers jumped", len(l.acks))
	clear(l.routes)
	clear(l.acks)
	l.check(ctx, t)
	w.check(ctx, t, 2)
}

// either is a connection string that leads to whichever takes writes.
func either(a, b *cluster) func(int) string {
	url := "postgres://baleen@/baleen?host=" + a.server.SocketDir + "," + b.server.SocketDir + "&port=5432,5432&target_session_attrs=read-write&sslmode=disable"
	return func(int) string { return url }
}

// caughtUp waits until a replica has all that its primary has.
func caughtUp(ctx context.Context, t *testing.T, primary, replica *cluster) {
	t.Helper()
	at := query[string](ctx, t, primary, "SELECT pg_current_wal_lsn()::text")
	eventually(ctx, t, "the replica has caught up", func() bool {
		return query[bool](ctx, t, replica, "SELECT pg_last_wal_replay_lsn() >= '"+at+"'")
	})
}

// numbers gives the number of every manifest.
func numbers(t *testing.T, p harness.Published) map[string]*big.Int {
	t.Helper()
	out := map[string]*big.Int{}
	for uri, der := range p.Objects {
		if path.Ext(uri) != ".mft" {
			continue
		}
		obj, err := cms.Decode(der)
		must(t, err)
		m, err := manifest.Decode(obj.Content)
		must(t, err)
		out[uri] = m.Number
	}
	return out
}
