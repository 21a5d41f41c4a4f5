package e2e

import (
	"context"
	"net/http"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// pair gives two servers on one database, the first of which is active. The
// second has a data folder of its own and the first one's master key.
func pair(ctx context.Context, t *testing.T) (active, standby *harness.Server) {
	t.Helper()
	database := testdb.URL(t)
	active, standby = newServer(t, database), newServer(t, database)
	active.Env = []string{"BALEEN_NODE_NAME=node1"}
	mustStart(ctx, t, active)
	join(ctx, t, active, "ca1", "--ipv4", "10.0.0.0/8")
	standby.Public = active.PublicURI()
	standby.Env = []string{"BALEEN_NODE_NAME=node2", "BALEEN_MASTER_KEY_FILE=" + filepath.Join(active.Dir, "master.key")}
	if err := standby.Launch(); err != nil {
		t.Fatal(err)
	}
	if err := standby.WaitUp(ctx); err != nil {
		t.Fatal(err)
	}
	return active, standby
}

// move makes a writer write by way of another server.
func (w *writer) move(s *harness.Server) { w.server = s }

// Of two servers one is active. The other reads the same, says who takes
// writes, and takes them itself as soon as the first one is dead.
func TestStandbyTakesOver(t *testing.T) {
	ctx := bounded(t)
	active, standby := pair(ctx, t)
	w := newWriter(active, "ca1")
	for range 10 {
		if err := w.change(ctx); err != nil {
			t.Fatal(err)
		}
	}
	settle(ctx, t, active)
	first, second := operator{Server: active, ctx: ctx, t: t}, operator{Server: standby, ctx: ctx, t: t}
	first.done(http.MethodGet, "/health/active", nil)
	if a := second.ask(http.MethodGet, "/health/active", nil); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("the standby says about being active: %s", show(a))
	}
	second.done(http.MethodGet, "/health", nil)
	for _, path := range []string{"/api/v1/cas", "/api/v1/cas/ca1", routesPath, "/api/v1/cas/ca1/history/commands", "/api/v1/cas/ca1/repo/status", "/stats/repo"} {
		a, b := first.get(path), second.get(path)
		for now := first.get(path); string(now) != string(a); now = first.get(path) { // something recurred meanwhile
			a, b = now, second.get(path)
		}
		if string(a) != string(b) {
			t.Errorf("GET %s: the active node says %s, the standby %s", path, a, b)
		}
	}
	for _, path := range []string{routesPath, "/api/v1/cas", "/api/v1/cas/ca1/sync/repo", "/api/v1/pubd/publishers"} {
		a := second.ask(http.MethodPost, path, nil)
		if a.Status != http.StatusServiceUnavailable || !regexp.MustCompile("^[1-9][0-9]*$").MatchString(a.Header.Get("Retry-After")) ||
			match(a.Body, `{"label":"sys-unavailable","msg":"~.*node1.*","args":{"active_node":"node1"}}`) != nil {
			t.Errorf("POST %s: the standby says %s", path, show(a))
		}
	}

	if err := active.Kill(); err != nil {
		t.Fatal(err)
	}
	took := writesAgain(ctx, t, w, standby)
	second.done(http.MethodGet, "/health/active", nil)
	settle(ctx, t, standby)
	w.check(ctx, t)
	checkHistory(ctx, t, standby, "ca1")

	// The first one comes back and stands by.
	if err := active.Launch(); err != nil {
		t.Fatal(err)
	}
	if err := active.WaitUp(ctx); err != nil {
		t.Fatal(err)
	}
	if a := first.ask(http.MethodGet, "/health/active", nil); a.Status != http.StatusServiceUnavailable {
		t.Errorf("the node that came back says about being active: %s", show(a))
	}
	if err := standby.Stop(); err != nil {
		t.Fatal(err)
	}
	back := writesAgain(ctx, t, w, active)
	settle(ctx, t, active)
	w.check(ctx, t)
	t.Logf("the standby took a write %v after a kill -9, the first node %v after an ordinary stop of the other", took, back)
}

// writesAgain moves the writer to another server and waits until a write is
// acknowledged there. It gives the time since it was called.
func writesAgain(ctx context.Context, t *testing.T, w *writer, s *harness.Server) time.Duration {
	t.Helper()
	w.move(s)
	begin := time.Now()
	err := s.Until(ctx, "it takes writes", func() (bool, error) { return w.change(ctx) == nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	if took > time.Minute {
		t.Errorf("no write for %v", took)
	}
	return took
}

// A node that was paused is replaced, and when it wakes up it can write nothing
// any more.
func TestPausedNodeIsReplaced(t *testing.T) {
	ctx := bounded(t)
	active, standby := pair(ctx, t)
	w := newWriter(active, "ca1")
	for range 4 {
		if err := w.change(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := active.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	awake := false
	wake := func() {
		if !awake {
			awake = true
			if err := active.Signal(syscall.SIGCONT); err != nil {
				t.Error(err)
			}
		}
	}
	defer wake()
	took := writesAgain(ctx, t, w, standby)
	wake()
	first := operator{Server: active, ctx: ctx, t: t}
	err := active.Until(ctx, "it knows that it was replaced", func() (bool, error) {
		a := first.ask(http.MethodPost, routesPath, add(`{"asn":1,"prefix":"10.200.0.0/16"}`))
		if a.Status != http.StatusServiceUnavailable {
			t.Fatalf("the node that was replaced answers %s", show(a))
		}
		return match(a.Body, `{"label":"sys-unavailable","msg":"~.*node2.*","args":{"active_node":"node2"}}`) == nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	settle(ctx, t, standby)
	w.check(ctx, t)
	checkHistory(ctx, t, standby, "ca1")
	verifyLog(ctx, t, standby)
	t.Logf("the standby took a write %v after the active node was paused", took)
}

// Relying parties may ask any node.
func TestStandbyServesRRDP(t *testing.T) {
	ctx := bounded(t)
	active, standby := pair(ctx, t)
	settle(ctx, t, active)
	want, err := active.Published(ctx)
	if err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = standby.Until(soon, "it serves the newest serial", func() (bool, error) {
		got, err := standby.Published(soon)
		return err == nil && got.Session == want.Session && got.Serial == want.Serial, nil
	})
	if err != nil {
		t.Fatalf("the standby does not serve what the active node does: %v", err)
	}
}
