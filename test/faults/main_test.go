// Package faults breaks what on-call people fear: nodes that die, hang or lose
// their database, and databases that restart or move. Several servers share a
// Postgres of the test's own while clients change ROAs; afterwards everything
// that was acknowledged must be in state, log and repository, and nothing that
// was refused.
//
// The tests print how long the fault kept clients from writing. They bound those
// times generously, because other work may run on the machine.
package faults

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"baleen/test/harness"
)

// patience bounds a whole test. What is waited for takes far less.
const patience = 12 * time.Minute

// bin is the folder of the programs under test.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "baleen-faults-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := harness.Build(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bin = dir
	return m.Run()
}

// bounded gives the context of a test.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually asks again and again, every 5 ms, until f says yes.
func eventually(ctx context.Context, t *testing.T, what string, f func() bool) {
	t.Helper()
	if err := until(ctx, what, f); err != nil {
		t.Fatal(err)
	}
}

func until(ctx context.Context, what string, f func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// pass waits for d, or for the end of ctx.
func pass(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// temp makes a folder that Postgres may pass through when it runs as another user.
func temp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "baleen-faults-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
