package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"baleen/internal/relying"
	"baleen/test/harness"
)

// watcher is relying parties that look at what the nodes serve, all the time,
// and validate it.
type watcher struct {
	f      *fleet
	anchor []byte // the trust anchor's certificate
	stop   func()

	mu       sync.Mutex
	seen     harness.Published        // followed from delta to delta, whichever node serves it
	newest   map[string]uint64        // serial by node
	since    map[string]time.Time     // from when on a node is behind the others
	lag      map[string]time.Duration // for how long an active or standby node was, at most
	followed int
	reloads  int // snapshots, where no deltas led on
	sessions []string
	faults   []string
}

// watch starts looking. One session is expected, unless the test says otherwise
// at the end.
func watch(ctx context.Context, t *testing.T, f *fleet) *watcher {
	t.Helper()
	first, err := f.active(ctx, t).Published(ctx)
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := f.nodes[0].Ask(ctx, harness.Request{Path: "/ta/ta.cer"})
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{f: f, anchor: anchor.Body, seen: first, newest: map[string]uint64{}, since: map[string]time.Time{}, lag: map[string]time.Duration{}, sessions: []string{first.Session}}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, n := range f.nodes {
		running.Go(func() {
			for ctx.Err() == nil {
				w.look(ctx, n)
				pass(ctx, 50*time.Millisecond)
			}
		})
	}
	w.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(w.stop)
	return w
}

// look asks one node. That it does not answer is no fault of what it publishes.
func (w *watcher) look(ctx context.Context, n *node) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	note, err := n.Notification(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		delete(w.since, n.name)
		return
	}
	if note.Session != w.seen.Session {
		w.fresh(ctx, n, note.Session)
		return
	}
	if note.Serial < w.newest[n.name] {
		w.fault("%s went back from serial %d to %d", n.name, w.newest[n.name], note.Serial)
	}
	w.newest[n.name] = note.Serial
	w.lagging(ctx, n, note.Serial)
	if note.Serial <= w.seen.Serial {
		return
	}
	next, err := n.Follow(ctx, w.seen)
	if errors.Is(err, harness.ErrNoDeltas) {
		w.reloads++
		next, err = n.Published(ctx)
	}
	switch {
	case err == nil:
		w.seen = next
		w.followed++
		w.validate(n)
	case ctx.Err() == nil && n.isActive(ctx): // else it broke off
		w.fault("%s: %v", n.name, err)
	}
}

// lagging measures for how long a node serves what is older than others serve.
func (w *watcher) lagging(ctx context.Context, n *node, serial uint64) {
	if serial >= w.seen.Serial {
		delete(w.since, n.name)
		return
	}
	since, ok := w.since[n.name]
	if !ok {
		since = time.Now()
		w.since[n.name] = since
	}
	of := map[bool]string{true: "active", false: "standby"}[n.isActive(ctx)]
	w.lag[of] = max(w.lag[of], time.Since(since))
}

// fresh notes that a node serves another session than the one that is followed.
// A node that did not hear of the new one yet is not counted.
func (w *watcher) fresh(ctx context.Context, n *node, session string) {
	for _, old := range w.sessions[:len(w.sessions)-1] {
		if old == session {
			return
		}
	}
	p, err := n.Published(ctx)
	if err != nil || p.Session != session {
		return
	}
	w.seen, w.newest = p, map[string]uint64{}
	w.sessions = append(w.sessions, session)
	w.validate(n)
}

// validate wants all of what is seen to be valid.
func (w *watcher) validate(n *node) {
	if _, err := relying.Validate(time.Now(), w.anchor, w.seen.Objects); err != nil {
		w.fault("%s, serial %d: %v", n.name, w.seen.Serial, err)
	}
}

func (w *watcher) fault(format string, args ...any) {
	if len(w.faults) < 20 {
		w.faults = append(w.faults, fmt.Sprintf(format, args...))
	}
}

// check ends the watch and wants nothing to have been wrong.
func (w *watcher) check(ctx context.Context, t *testing.T, sessions int) {
	t.Helper()
	err := until(ctx, "every node serves the newest serial", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, n := range w.f.nodes {
			if w.newest[n.name] != w.seen.Serial {
				return false
			}
		}
		return true
	})
	if err != nil {
		w.f.logs(t)
		t.Errorf("%v: they serve %v, newest is %d", err, w.newest, w.seen.Serial)
	}
	w.stop()
	t.Logf("RRDP: behind others for at most %v", w.lag)
	for _, f := range w.faults {
		t.Error(f)
	}
	if len(w.sessions) != sessions {
		t.Errorf("sessions %v, want %d", w.sessions, sessions)
	}
	t.Logf("RRDP: serial %d, valid at each of %d looks, %d reloads, %d sessions", w.seen.Serial, w.followed, w.reloads, len(w.sessions))
}
