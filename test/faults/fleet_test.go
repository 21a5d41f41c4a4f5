package faults

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"baleen/test/harness"
)

// public is where peers would reach the service, whichever node is active.
const public = "https://baleen.test/"

// node is one server of a fleet.
type node struct {
	*harness.Server

	name   string
	out    atomic.Bool // clients leave it alone, as a load balancer does with a node that does not answer
	frozen bool
}

// fleet is several servers on one database.
type fleet struct {
	db    *cluster // where the data is
	nodes []*node
}

// plan says how a fleet is built. Zero values: two nodes, each with a folder of
// its own for the repository, directly on the database.
type plan struct {
	nodes      int
	sharedRepo bool
	url        func(i int) string
}

// cas are the CAs of each fleet; the number is the second octet of what they hold.
var cas = []string{"ca0", "ca1"}

// newFleet starts the servers; the first is active and has a testbed and CAs.
func newFleet(ctx context.Context, t *testing.T, db *cluster, p plan) *fleet {
	t.Helper()
	f := &fleet{db: db}
	shared := temp(t)
	for i := range cmp.Or(p.nodes, 2) {
		n := &node{Server: &harness.Server{Bin: bin, Dir: temp(t), Database: db.url(), Public: public}, name: string(rune('a' + i))}
		n.Env = []string{"BALEEN_NODE_NAME=" + n.name, "BALEEN_KEY_POOL_SIZE=4"}
		if p.sharedRepo {
			n.Env = append(n.Env, "BALEEN_REPO_DIR="+shared)
		}
		if p.url != nil {
			n.Database = p.url(i)
		}
		f.nodes = append(f.nodes, n)
		t.Cleanup(func() {
			if n.frozen {
				n.thaw(t)
			}
			if err := n.Stop(); err != nil {
				t.Errorf("stop of %s: %v", n.name, err)
			}
		})
	}
	first := f.nodes[0]
	must(t, first.Start(ctx))
	for i, ca := range cas {
		if _, err := first.Ctl(ctx, "testbed", "join", "--ca", ca, "--ipv4", fmt.Sprintf("10.%d.0.0/16", i)); err != nil {
			t.Fatal(err)
		}
	}
	must(t, first.Settle(ctx))
	for _, n := range f.nodes[1:] {
		shareKey(t, first, n)
		must(t, n.Launch())
		must(t, n.WaitUp(ctx))
	}
	return f
}

// shareKey gives a node the master key of another.
func shareKey(t *testing.T, from, to *node) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(from.Dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(filepath.Join(to.Dir, "master.key"), key, 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// isActive asks a node whether it takes writes.
func (n *node) isActive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, _, err := n.Do(ctx, http.MethodGet, "/health/active", nil)
	return err == nil && status == http.StatusOK
}

// active waits until one of the nodes takes writes.
func (f *fleet) active(ctx context.Context, t *testing.T) *node {
	t.Helper()
	var found *node
	eventually(ctx, t, "a node is active", func() bool {
		for _, n := range f.nodes {
			if !n.out.Load() && n.isActive(ctx) {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

// handTo makes a node the active one, by restarting all others.
func (f *fleet) handTo(ctx context.Context, t *testing.T, to *node) {
	t.Helper()
	for _, n := range f.nodes {
		if n != to {
			must(t, n.Kill())
		}
	}
	eventually(ctx, t, to.name+" is active", func() bool { return to.isActive(ctx) })
	for _, n := range f.nodes {
		if n != to {
			must(t, n.Launch())
			must(t, n.WaitUp(ctx))
		}
	}
}

// logs prints the end of every node's log, for a test that failed.
func (f *fleet) logs(t *testing.T) {
	t.Helper()
	for _, n := range f.nodes {
		text := n.Log()
		t.Logf("log of %s:\n%s", n.name, text[max(0, len(text)-4000):])
	}
}

// freeze stops a node in its tracks, as a hypervisor does.
func (n *node) freeze(t *testing.T) {
	t.Helper()
	must(t, n.Signal(syscall.SIGSTOP))
	n.frozen = true
}

// thaw lets a frozen node go on.
func (n *node) thaw(t *testing.T) {
	t.Helper()
	must(t, n.Signal(syscall.SIGCONT))
	n.frozen = false
}
