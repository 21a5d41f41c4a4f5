package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"baleen/test/harness"
)

// postmaster gives the process of the private Postgres.
func postmaster(t *testing.T, s *harness.Server) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// lives says whether there is a process of this number. One that only waits to
// be buried is dead.
func lives(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

// Without a database of its own the server brings a private one, which ends
// with it: at once when it is stopped, soon when it is killed. Nothing is lost.
func TestEmbeddedDatabase(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, "")
	begin := time.Now()
	mustStart(ctx, t, s)
	first := time.Since(begin)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	w := newWriter(s, "ca1")
	var last int
	begin = time.Now()
	for i := range 5 {
		for range 4 {
			if err := w.change(ctx); err != nil {
				t.Fatal(err)
			}
		}
		pid := postmaster(t, s)
		if pid == last || !lives(pid) {
			t.Errorf("start %d: Postgres is process %d, which lives: %t, and was %d before", i, pid, lives(pid), last)
		}
		last = pid
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		mustStart(ctx, t, s)
	}
	again := time.Since(begin) / 5
	settle(ctx, t, s)
	w.check(ctx, t)
	checkHistory(ctx, t, s, "ca1")
	stopped := stopsClean(ctx, t, s)
	verifyLog(ctx, t, s)
	mustStart(ctx, t, s)
	w.check(ctx, t)
	t.Logf("first start %v, start after a kill %v, stop %v", first, again, stopped)
}

// stopsClean stops the server and wants its Postgres to be gone.
func stopsClean(ctx context.Context, t *testing.T, s *harness.Server) time.Duration {
	t.Helper()
	pid := postmaster(t, s)
	begin := time.Now()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	if took > time.Minute {
		t.Errorf("stopping took %v", took)
	}
	if lives(pid) {
		t.Errorf("Postgres, process %d, lives on", pid)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "postgres", "data", "postmaster.pid")); !os.IsNotExist(err) {
		t.Errorf("Postgres did not end in order: %v", err)
	}
	return took
}

// takeOvers counts how often the node became the active one.
func takeOvers(s *harness.Server) int { return strings.Count(s.Log(), `"msg":"leader: active"`) }

// A private Postgres that dies is started again, and the server goes on.
func TestEmbeddedDatabaseDies(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, "")
	mustStart(ctx, t, s)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	w := newWriter(s, "ca1")
	for range 2 {
		for range 4 {
			if err := w.change(ctx); err != nil {
				t.Fatal(err)
			}
		}
		pid, terms := postmaster(t, s), takeOvers(s)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// That it was not active may be over before anybody asks; that it took over again stays in the log.
		o := operator{Server: s, ctx: ctx, t: t}
		o.until("the node noticed and took over again", "/health", func([]byte) bool { return takeOvers(s) > terms })
		if err := s.WaitActive(ctx); err != nil {
			t.Fatal(err)
		}
		if now := postmaster(t, s); now == pid {
			t.Errorf("Postgres is still process %d", now)
		}
	}
	settle(ctx, t, s)
	w.check(ctx, t)
	checkHistory(ctx, t, s, "ca1")
}

// Two servers on one data folder would be two masters of one Postgres: the
// second one says who is there, and leaves everything alone.
func TestEmbeddedDatabaseTaken(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, "")
	mustStart(ctx, t, s)
	second := newServer(t, "")
	second.Env = []string{"BALEEN_DATA_DIR=" + s.Dir}
	refusesToStart(ctx, t, second, ".*is in use by a running process \\(pid "+strconv.Itoa(s.PID())+"\\).*")
	o := operator{Server: s, ctx: ctx, t: t}
	o.done(http.MethodPost, "/api/v1/cas", `{"handle":"ca1"}`)
}
