package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"baleen/test/harness"
)

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

func mustStart(ctx context.Context, t *testing.T, s *harness.Server) {
	t.Helper()
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
}
