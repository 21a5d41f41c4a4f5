// Package e2e plays an operator's days, good and bad ones, with the built
// programs: nothing here reaches into the server but its database.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// patience bounds a whole test. What is waited for takes far less, even on a
// machine that does other things as well.
const patience = 10 * time.Minute

// bin is the folder of the programs under test.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "baleen-e2e-")
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

// newServer prepares a server with a data folder of its own; without a database
// it brings its private one.
func newServer(t *testing.T, database string) *harness.Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "baleen-e2e-data-")
	if err != nil {
		t.Fatal(err)
	}
	// The private Postgres may run as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &harness.Server{Bin: bin, Dir: dir, Database: database}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	return s
}

// started gives a server on a database of its own, with a testbed.
func started(ctx context.Context, t *testing.T) *harness.Server {
	t.Helper()
	s := newServer(t, testdb.URL(t))
	mustStart(ctx, t, s)
	return s
}

func mustStart(ctx context.Context, t *testing.T, s *harness.Server) {
	t.Helper()
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

func settle(ctx context.Context, t *testing.T, s *harness.Server) {
	t.Helper()
	if err := s.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// join makes a CA with resources below the testbed.
func join(ctx context.Context, t *testing.T, s *harness.Server, ca string, resources ...string) {
	t.Helper()
	if _, err := s.Ctl(ctx, append([]string{"testbed", "join", "--ca", ca}, resources...)...); err != nil {
		t.Fatal(err)
	}
}
