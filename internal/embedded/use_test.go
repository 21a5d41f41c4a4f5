package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Beside a running server its database is used, and left running.
func TestUseOfARunningServer(t *testing.T) {
	dir := filepath.Join(folder(t), "pg")
	s := start(t, quick(dir))
	url, stop, err := Use(t.Context(), quick(dir))
	if err != nil || url != s.URL() {
		t.Fatalf("%q, %v; want %q", url, err, s.URL())
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
	if got := query1[int](t, url, "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
}

// Without one a server is started, and ended again.
func TestUseStartsAServer(t *testing.T) {
	dir := filepath.Join(folder(t), "pg")
	url, stop, err := Use(t.Context(), quick(dir))
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, url, "CREATE TABLE kept AS SELECT 42 AS n")
	if err := stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := tryQuery[int](t.Context(), url, "SELECT 1"); err == nil {
		t.Error("it still runs")
	}
	// What a server that was killed leaves behind says nothing.
	left := "1\n" + dir + "\n0\n5432\n" + filepath.Join(dir, "run") + "\n\n\nready   \n"
	if err := os.WriteFile(filepath.Join(dir, DataFolder, "old.pid"), []byte(left), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, DataFolder, "old.pid"), filepath.Join(dir, DataFolder, "postmaster.pid")); err != nil {
		t.Fatal(err)
	}
	if got := running(t.Context(), dir); got != "" {
		t.Errorf("nobody runs, yet %s", got)
	}
}

// A server that holds the folder but does not come up is waited for, not forever.
func TestUseWaitsForAServerThatStarts(t *testing.T) {
	dir := filepath.Join(folder(t), "pg")
	if err := makeFolder(dir); err != nil {
		t.Fatal(err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := quick(dir)
	cfg.BusyWait = 300 * time.Millisecond
	if _, _, err := Use(t.Context(), cfg); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	cfg.BusyWait = time.Minute
	if _, _, err := Use(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	_, stop, err := Use(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(context.Background()); err != nil {
		t.Error(err)
	}
}
