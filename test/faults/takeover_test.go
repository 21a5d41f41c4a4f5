package faults

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// takeovers is how often the active node is killed, unless the environment says
// otherwise.
const takeovers = 20

// The active node is killed again and again, at another moment between an answer
// and the publication of what it promised; another one goes on, and the killed
// one comes back as a standby.
func TestTakeOversLoseNothingAcknowledged(t *testing.T) {
	rounds := takeovers
	if text := os.Getenv("BALEEN_FAULTS_TAKEOVERS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatalf("BALEEN_FAULTS_TAKEOVERS: %v", err)
		}
	}
	ctx := bounded(t)
	f := newFleet(ctx, t, newCluster(ctx, t), plan{nodes: 3})
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 150*time.Millisecond)
	begin := time.Now()
	var gaps []time.Duration
	for range rounds {
		n := f.active(ctx, t)
		l.acked(ctx, t, time.Now(), "")
		pass(ctx, time.Duration(rand.IntN(250))*time.Millisecond)
		killed := time.Now()
		must(t, n.Kill())
		n.out.Store(true)
		took, _ := l.acked(ctx, t, killed, n.name)
		gaps = append(gaps, took)
		must(t, n.Launch())
		n.out.Store(false)
	}
	t.Logf("%d take-overs (BALEEN_FAULTS_TAKEOVERS) in %v", rounds, time.Since(begin).Round(time.Second))
	report(t, "kill -9 until another node acknowledged a change", gaps)
	l.check(ctx, t)
	w.check(ctx, t, 1)
}

// report prints how long clients could not write.
func report(t *testing.T, what string, gaps []time.Duration) {
	t.Helper()
	slices.Sort(gaps)
	at := func(q float64) time.Duration { return gaps[int(q*float64(len(gaps)-1))].Round(time.Millisecond) }
	t.Logf("%s: p50 %v, p99 %v, most %v (%d times)", what, at(0.5), at(0.99), at(1), len(gaps))
	if most := gaps[len(gaps)-1]; most > time.Minute {
		t.Errorf("%s: %v", what, most)
	}
}

// The active node is stopped as for an upgrade, and starts again as a standby.
func TestPlannedStop(t *testing.T) {
	ctx := bounded(t)
	f := newFleet(ctx, t, newCluster(ctx, t), plan{})
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 50*time.Millisecond)
	var gaps []time.Duration
	for range 5 {
		n := f.active(ctx, t)
		l.acked(ctx, t, time.Now(), "")
		stopped := time.Now()
		must(t, n.Signal(syscall.SIGTERM))
		took, _ := l.acked(ctx, t, stopped, n.name)
		gaps = append(gaps, took)
		n.out.Store(true)
		must(t, n.Stop())
		must(t, n.Launch())
		must(t, n.WaitUp(ctx))
		n.out.Store(false)
	}
	report(t, "SIGTERM until another node acknowledged a change", gaps)
	l.check(ctx, t)
	w.check(ctx, t, 1)
}
