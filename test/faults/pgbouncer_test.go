package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/embedded"
	"baleen/test/harness"
)

// pooler is a PgBouncer before a cluster.
type pooler struct {
	db      *cluster
	port    int
	ini     string // its configuration file
	users   string // file of those who may connect
	program *os.Process
}

// newPooler starts a PgBouncer. As its documentation says, it has to let pass
// the start-up settings it does not know.
func newPooler(ctx context.Context, t *testing.T, db *cluster, mode string) *pooler {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("PgBouncer is not installed: scripts/need-faults installs it")
	}
	dir := temp(t)
	port, err := harness.ReservePort()
	must(t, err)
	p := &pooler{db: db, port: port, ini: filepath.Join(dir, "pgbouncer.ini"), users: filepath.Join(dir, "users.txt")}
	must(t, os.WriteFile(p.users, []byte(`"`+embedded.Database+`" ""`+"\n"), 0o644))
	p.configure(t, mode)
	cmd := db.program(context.WithoutCancel(ctx), t, path, p.ini)
	must(t, cmd.Start())
	p.program = cmd.Process
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
		_ = cmd.Wait()
	})
	eventually(ctx, t, "PgBouncer answers", func() bool {
		conn, err := pgx.Connect(ctx, p.url())
		if err != nil {
			return false
		}
		_ = conn.Close(ctx)
		return true
	})
	return p
}

// configure writes the configuration.
func (p *pooler) configure(t *testing.T, mode string) {
	t.Helper()
	must(t, os.WriteFile(p.ini, fmt.Appendf(nil, `[databases]
%[1]s = host=%[2]s port=5432 dbname=%[1]s user=%[1]s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[3]d
unix_socket_dir =
auth_type = trust
auth_file = %[4]s
pool_mode = %[5]s
default_pool_size = 80
ignore_startup_parameters = idle_session_timeout,idle_in_transaction_session_timeout
`, embedded.Database, p.db.server.SocketDir, p.port, p.users, mode), 0o644))
}

func (p *pooler) url() string {
	return fmt.Sprintf("postgres://%[1]s@127.0.0.1:%[2]d/%[1]s?sslmode=disable", embedded.Database, p.port)
}

// With session pooling everything works as without: a node dies, a node hangs.
func TestSessionPooling(t *testing.T) {
	ctx := bounded(t)
	db := newCluster(ctx, t)
	p := newPooler(ctx, t, db, "session")
	f := newFleet(ctx, t, db, plan{url: func(int) string { return p.url() }})
	w := watch(ctx, t, f)
	l := startLoad(ctx, t, f, 100*time.Millisecond)
	for _, one := range []struct {
		what  string
		fault func(n *node)
		end   func(n *node)
	}{
		{"kill -9", func(n *node) { must(t, n.Kill()) }, func(n *node) { must(t, n.Launch()); must(t, n.WaitUp(ctx)) }},
		{"SIGSTOP", func(n *node) { n.freeze(t) }, func(n *node) { n.thaw(t) }},
	} {
		n := f.active(ctx, t)
		l.acked(ctx, t, time.Now(), "")
		begin := time.Now()
		one.fault(n)
		n.out.Store(true)
		took, _ := l.acked(ctx, t, begin, n.name)
		report(t, "session pooling, "+one.what+" until another node acknowledged a change", []time.Duration{took})
		one.end(n)
		n.out.Store(false)
	}
	l.acked(ctx, t, time.Now(), "")
	l.check(ctx, t)
	w.check(ctx, t, 1)
}

// With transaction pooling the session that should hold the lock would not be
// the node's own: the server says so and does not start.
func TestTransactionPooling(t *testing.T) {
	ctx := bounded(t)
	db := newCluster(ctx, t)
	for _, mode := range []string{"transaction", "statement"} {
		p := newPooler(ctx, t, db, mode)
		s := &harness.Server{Bin: bin, Dir: temp(t), Database: p.url(), Public: public}
		must(t, s.Launch())
		status, err := s.Exit(ctx)
		must(t, err)
		if status == 0 || !strings.Contains(s.Log(), "transaction pooler") || !strings.Contains(s.Log(), "pool_mode = session") {
			t.Errorf("%s pooling: status %d, log:\n%s", mode, status, s.Log())
		}
		t.Logf("%s pooling: %s", mode, s.Log())
	}
}

// A server that runs already when the pooler is set to transaction pooling takes
// no lock any more, and comes back when the pooler is set right.
func TestPoolerChangesItsMind(t *testing.T) {
	ctx := bounded(t)
	db := newCluster(ctx, t)
	p := newPooler(ctx, t, db, "session")
	s := &harness.Server{Bin: bin, Dir: temp(t), Database: p.url(), Public: public}
	t.Cleanup(func() { _ = s.Kill() })
	must(t, s.Start(ctx))
	p.reload(ctx, t, "transaction")
	eventually(ctx, t, "the server refuses the pooler", func() bool { return strings.Contains(s.Log(), "transaction pooler") })
	if query[bool](ctx, t, db, "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = 1111575553") {
		t.Error("a session holds the leader lock")
	}
	p.reload(ctx, t, "session")
	must(t, s.WaitActive(ctx))
}

// reload sets another mode and ends all connections.
func (p *pooler) reload(ctx context.Context, t *testing.T, mode string) {
	t.Helper()
	p.configure(t, mode)
	must(t, p.program.Signal(syscall.SIGHUP))
	p.db.exec(ctx, t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'baleen'")
}
