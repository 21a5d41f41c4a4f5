package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/embedded"
)

// cluster is a Postgres of the test's own that it can stop, start, copy and promote.
type cluster struct {
	dir      string
	settings map[string]string
	server   *embedded.Server // nil while it is stopped
}

// newCluster starts an empty cluster.
func newCluster(ctx context.Context, t *testing.T) *cluster {
	t.Helper()
	if _, _, err := embedded.Find(""); err != nil {
		t.Skipf("these tests start a Postgres of their own: %v", err)
	}
	c := &cluster{dir: temp(t)}
	c.start(ctx, t)
	return c
}

// start starts Postgres on the data folder and waits until it takes connections.
func (c *cluster) start(ctx context.Context, t *testing.T) {
	t.Helper()
	settings := map[string]string{
		"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "track_commit_timestamp": "on",
		"max_connections": "200", "shared_buffers": "64MB", "jit": "off",
	}
	maps.Copy(settings, c.settings)
	server, err := embedded.Start(ctx, embedded.Config{Dir: c.dir, Settings: settings, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c.server = server
	t.Cleanup(func() {
		if c.server == server {
			c.stop(context.Background(), t)
		}
	})
}

// stop shuts Postgres down in its fast way.
func (c *cluster) stop(ctx context.Context, t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := c.server.Stop(ctx); err != nil {
		t.Error(err)
	}
	c.server = nil
}

// crash ends Postgres without letting it finish anything, for good.
func (c *cluster) crash(ctx context.Context, t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.server.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c.server = nil
}

// kill ends the postmaster with kill -9. What supervises it starts it again.
func (c *cluster) kill(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, embedded.DataFolder, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// url leads to the database, without anything in between.
func (c *cluster) url() string { return c.server.URL() }

// scan runs a query that gives one row, on a connection of its own.
func (c *cluster) scan(ctx context.Context, sql string, into ...any) error {
	conn, err := pgx.Connect(ctx, c.url())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := conn.QueryRow(ctx, sql).Scan(into...); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// tryQuery gives the single value of a query.
func tryQuery[T any](ctx context.Context, c *cluster, sql string) (v T, err error) {
	err = c.scan(ctx, sql, &v)
	return v, err
}

// query is tryQuery where the database should answer.
func query[T any](ctx context.Context, t *testing.T, c *cluster, sql string) T {
	t.Helper()
	v, err := tryQuery[T](ctx, c, sql)
	must(t, err)
	return v
}

// exec runs a statement on a connection of its own.
func (c *cluster) exec(ctx context.Context, t *testing.T, sql string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, c.url())
	must(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// session gives a connection that the test keeps.
func (c *cluster) session(ctx context.Context, t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, c.url())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(ctx)) })
	return conn
}

// synchronous makes the cluster wait for a replica with every commit.
func (c *cluster) synchronous(ctx context.Context, t *testing.T) {
	t.Helper()
	c.exec(ctx, t, "ALTER SYSTEM SET synchronous_standby_names = '*'")
	c.exec(ctx, t, "SELECT pg_reload_conf()")
	eventually(ctx, t, "the replica confirms commits", func() bool {
		return query[bool](ctx, t, c, "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'")
	})
}

// program prepares a program that runs as the user that owns the data folder.
func (c *cluster) program(ctx context.Context, t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	uid, gid := c.owner(t)
	if uid != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	return cmd
}

// owner is the user that Postgres runs as.
func (c *cluster) owner(t *testing.T) (uid, gid int) {
	t.Helper()
	st, err := os.Stat(filepath.Join(c.dir, embedded.DataFolder))
	if err != nil {
		t.Fatal(err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("whose data folder is this?")
	}
	return int(sys.Uid), int(sys.Gid)
}

// postgres runs one of the programs of Postgres.
func (c *cluster) postgres(ctx context.Context, t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := c.program(ctx, t, filepath.Join(c.server.BinDir, name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// replica makes a copy of the cluster that follows it.
func (c *cluster) replica(ctx context.Context, t *testing.T) *cluster {
	t.Helper()
	r := &cluster{dir: temp(t), settings: c.settings}
	uid, gid := c.owner(t)
	data := filepath.Join(r.dir, embedded.DataFolder)
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, uid, gid); err != nil {
		t.Fatal(err)
	}
	c.postgres(ctx, t, "pg_basebackup", "--pgdata", data, "--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast", "--no-sync",
		"--host", c.server.SocketDir, "--username", embedded.Database)
	r.start(ctx, t)
	return r
}

// promote makes a replica the primary.
func (c *cluster) promote(ctx context.Context, t *testing.T) {
	t.Helper()
	c.postgres(ctx, t, "pg_ctl", "promote", "--pgdata", filepath.Join(c.dir, embedded.DataFolder), "--wait")
}
