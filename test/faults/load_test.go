package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

const (
	writers = 3 // clients that write at the same time; the CAs take turns
	retry   = 10 * time.Millisecond
	answer  = 10 * time.Second // how long a client waits for an answer
)

// load is clients that change ROAs, each one after the other, and what they
// were told.
type load struct {
	f    *fleet
	stop func()

	mu      sync.Mutex
	acks    []ack
	routes  map[route]fate
	refused int // answers that nothing was changed
	unknown int // no answer, or one that says nothing about the change
}

// ack is a change that was acknowledged.
type ack struct {
	node      string
	sent, got time.Time
}

// route is what a client configures, for a CA.
type route struct{ ca, prefix string }

// fate is what a client knows of a route. Each is added at most once.
type fate int

const (
	maybe   fate = iota // either way is right
	present             // its addition was acknowledged
	gone                // its removal was acknowledged
	never               // its addition was refused for good
)

// startLoad starts the clients. Each waits for pace after a change that went well.
func startLoad(ctx context.Context, t *testing.T, f *fleet, pace time.Duration) *load {
	t.Helper()
	l := &load{f: f, routes: map[route]fate{}}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for i := range writers {
		w := &writer{load: l, ca: cas[i%len(cas)], lane: i, target: i % len(f.nodes)}
		running.Go(func() {
			for ctx.Err() == nil {
				if w.change(ctx) {
					pass(ctx, pace)
				} else {
					pass(ctx, retry)
				}
			}
		})
	}
	l.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(l.stop)
	return l
}

// writer is one client.
type writer struct {
	*load

	ca     string
	lane   int // keeps the prefixes of several writers apart
	target int // node it talks to
	count  int
	added  []route // oldest first
}

// change makes a change and tells whether it was acknowledged. Every third one
// takes away what was added first.
func (w *writer) change(ctx context.Context) bool {
	n := w.f.nodes[w.target]
	if n.out.Load() {
		w.target = (w.target + 1) % len(w.f.nodes)
		return false
	}
	if w.count%3 == 2 && len(w.added) > 0 {
		r := w.added[0]
		ok, refused := w.send(ctx, n, r, false)
		if !refused {
			w.added = w.added[1:]
		}
		return ok
	}
	number := w.count*writers + w.lane
	r := route{w.ca, fmt.Sprintf("10.%c.%d.%d/30", w.ca[len(w.ca)-1], number>>6, number&63<<2)}
	w.count++
	ok, _ := w.send(ctx, n, r, true)
	if ok {
		w.added = append(w.added, r)
	}
	return ok
}

// send asks a node for a change, and notes what it answers.
func (w *writer) send(ctx context.Context, n *node, r route, add bool) (acked, refused bool) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	sent := time.Now()
	status, body, err := n.Do(ctx, http.MethodPost, "/api/v1/cas/"+r.ca+"/routes", delta(r, add))
	got := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && status == http.StatusOK {
		w.routes[r] = map[bool]fate{true: present, false: gone}[add]
		w.acks = append(w.acks, ack{n.name, sent, got})
		if !add {
			w.count++
		}
		return true, false
	}
	w.target = (w.target + 1) % len(w.f.nodes)
	if err == nil && notDone(status, body) {
		w.refused++
		if add {
			w.routes[r] = never
		}
		return false, true
	}
	w.unknown++
	w.routes[r] = maybe
	return false, false
}

// delta is the body that adds or removes a route.
func delta(r route, add bool) any {
	d := map[string][]any{"added": {}, "removed": {}}
	key := map[bool]string{true: "added", false: "removed"}[add]
	d[key] = []any{map[string]any{"asn": 64496, "prefix": r.prefix}}
	return d
}

// text is the route as relying parties write it.
func (r route) text() string { return r.prefix + "-30 => 64496" }

// notDone tells whether an answer promises that nothing was changed: another
// node is active, or none.
func notDone(status int, body []byte) bool {
	var e struct {
		Label string `json:"label"`
	}
	return status == http.StatusServiceUnavailable && json.Unmarshal(body, &e) == nil && (e.Label == "sys-unavailable" || e.Label == "not-active")
}

// acked waits until a change that was sent after a moment was acknowledged, by
// a node that is not the one named, and gives the time from that moment.
func (l *load) acked(ctx context.Context, t *testing.T, after time.Time, not string) (took time.Duration, by string) {
	t.Helper()
	err := until(ctx, "a change is acknowledged", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i := len(l.acks) - 1; i >= 0 && l.acks[i].got.After(after); i-- {
			if a := l.acks[i]; a.sent.After(after) && a.node != not {
				took, by = a.got.Sub(after), a.node // goes on to the first one
			}
		}
		return by != ""
	})
	if err != nil {
		l.f.logs(t)
		t.Fatal(err)
	}
	return took, by
}

// summary says what happened, for the log of a test.
func (l *load) summary() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d changes acknowledged, %d refused, %d without an answer that tells", len(l.acks), l.refused, l.unknown)
}
