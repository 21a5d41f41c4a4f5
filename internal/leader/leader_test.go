package leader_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/fault"
	"baleen/internal/leader"
	"baleen/internal/postgres"
	"baleen/internal/testdb"
)

// patience bounds every wait of these tests.
const patience = time.Minute

// term is one call of a node's active function.
type term struct {
	node  string
	lease *leader.Lease
	ctx   context.Context
	leave chan error // makes the active function return
}

// node runs until the test ends, or stop is called.
type node struct {
	terms chan term
	stop  func()
	log   *logBuffer
}

func start(t *testing.T, url, name string, hurry bool) *node {
	t.Helper()
	return run(t, &leader.Node{URL: url, Name: name}, map[bool]func(*leader.Node){true: (*leader.Node).Hurry}[hurry])
}

func run(t *testing.T, one *leader.Node, patience func(*leader.Node)) *node {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	n := &node{terms: make(chan term), log: &logBuffer{}}
	one.Log = slog.New(slog.NewTextHandler(n.log, nil))
	if patience != nil {
		patience(one)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := one.Run(ctx, func(ctx context.Context, l *leader.Lease) error {
			it := term{node: one.Name, lease: l, ctx: ctx, leave: make(chan error)}
			select {
			case n.terms <- it:
			case <-ctx.Done():
				return nil
			}
			select {
			case err := <-it.leave:
				return err
			case <-ctx.Done():
				return nil
			}
		})
		if err != nil {
			t.Errorf("%s: %v", one.Name, err)
		}
	}()
	n.stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(n.stop)
	return n
}

func receive[T any](t *testing.T, what string, from ...<-chan T) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	from = append(from, nil, nil)
	select {
	case v := <-from[0]:
		return v
	case v := <-from[1]:
		return v
	case <-ctx.Done():
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func (n *node) term(t *testing.T) term {
	t.Helper()
	return receive(t, "the node to become active", n.terms)
}

func ended(t *testing.T, it term) {
	t.Helper()
	receive(t, "the end of the term of "+it.node, it.ctx.Done())
	if it.lease.Held() {
		t.Errorf("%s still thinks that it is active", it.node)
	}
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func mustExec(t *testing.T, db *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// killHolder ends the session that holds the leader lock.
func killHolder(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	mustExec(t, db, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::bigint = $1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, postgres.LockLeader)
}

func canWrite(ctx context.Context, db *pgxpool.Pool, l *leader.Lease) error {
	return postgres.InFencedTx(ctx, db, l, func(pgx.Tx) error { return nil })
}

func TestOneNodeIsActiveAndTheOtherTakesOver(t *testing.T) {
	url := testdb.URL(t)
	db := open(t, url)
	before, err := leader.Active(t.Context(), db)
	if err != nil || before.Held || before.Node != "" {
		t.Errorf("before anything: %+v, %v", before, err)
	}
	a := start(t, url, "a", false)
	first := a.term(t)
	b := start(t, url, "b", false)
	if !first.lease.Held() || first.lease.Moved {
		t.Errorf("held %v, moved %q", first.lease.Held(), first.lease.Reason)
	}
	if err := canWrite(t.Context(), db, first.lease); err != nil {
		t.Errorf("the active node cannot write: %v", err)
	}
	status, err := leader.Active(t.Context(), db)
	if err != nil || status.Node != "a" || !status.Held || status.Epoch != first.lease.Epoch() || !status.Since.Equal(first.lease.Since) {
		t.Errorf("status %+v, %v", status, err)
	}

	killHolder(t, db) // whoever is faster is active next, the same node or the other
	second := receive(t, "the next active node", a.terms, b.terms)
	ended(t, first)
	if second.lease.Epoch() != first.lease.Epoch()+1 {
		t.Errorf("epoch %d after %d", second.lease.Epoch(), first.lease.Epoch())
	}
	if err := canWrite(t.Context(), db, first.lease); fault.Code(err) != postgres.CodeNotActive {
		t.Errorf("a write of the epoch before: %v", err)
	}
	if err := canWrite(t.Context(), db, second.lease); err != nil {
		t.Errorf("a write of this epoch: %v", err)
	}

	active, standby := a, b
	if second.node == "b" {
		active, standby = b, a
	}
	active.stop() // a clean stop frees the lock
	ended(t, second)
	third := standby.term(t)
	if third.lease.Epoch() != second.lease.Epoch()+1 || third.lease.Moved {
		t.Errorf("epoch %d after %d, moved %q", third.lease.Epoch(), second.lease.Epoch(), third.lease.Reason)
	}
	if n := strings.Count(standby.log.String(), "standing by"); n > 2 {
		t.Errorf("the standby said so %d times:\n%s", n, standby.log.String())
	}
}

func TestTakeOverEndsTransactionsThatHang(t *testing.T) {
	url := testdb.URL(t)
	db := open(t, url)
	hung, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hung.Rollback(context.Background()) }()
	if _, err := hung.Exec(t.Context(), "SELECT leader_fence(0)"); err != nil {
		t.Fatal(err)
	}
	if _, err := hung.Exec(t.Context(), "INSERT INTO der_object VALUES (sha256('x'), 'x')"); err != nil {
		t.Fatal(err)
	}
	now := start(t, url, "a", true).term(t)
	if err := hung.Commit(t.Context()); err == nil {
		t.Error("the node that hung committed after the take-over")
	}
	if err := canWrite(t.Context(), db, now.lease); err != nil {
		t.Error(err)
	}
}

func TestEpochThatIsOverEndsTheTerm(t *testing.T) {
	url := testdb.URL(t)
	db := open(t, url)
	a := start(t, url, "a", true)
	first := a.term(t)
	mustExec(t, db, "UPDATE leader SET epoch = epoch + 1")
	ended(t, first)
	if next := a.term(t); next.lease.Epoch() != first.lease.Epoch()+2 {
		t.Errorf("epoch %d after %d", next.lease.Epoch(), first.lease.Epoch())
	}
}

func TestActiveFunctionThatReturnsIsCalledAgain(t *testing.T) {
	a := start(t, testdb.URL(t), "a", true)
	first := a.term(t)
	first.leave <- errors.New("cannot start")
	second := a.term(t)
	ended(t, first)
	second.leave <- nil
	if third := a.term(t); third.lease.Epoch() != first.lease.Epoch()+2 {
		t.Errorf("epoch %d after %d", third.lease.Epoch(), first.lease.Epoch())
	}
	if log := a.log.String(); !strings.Contains(log, "cannot start") {
		t.Errorf("the reason is not in the log:\n%s", log)
	}
}

func TestMovedDataIsNoticed(t *testing.T) {
	for name, c := range map[string]struct{ move, want string }{
		"nothing":         {"SELECT 1", ""},
		"another cluster": {"UPDATE leader SET system_identifier = 42", "cluster "},
		"a promotion":     {"UPDATE leader SET timeline = timeline + 1", "timeline 1 instead of 2"},
		"a restored dump": {"UPDATE leader SET database_oid = 1, table_oid = 2", "database "},
		"a dump restored into the same database": {`ALTER TABLE leader RENAME TO old; CREATE TABLE leader (LIKE old INCLUDING ALL);
			INSERT INTO leader TABLE old; DROP TABLE old`, "table "},
		"a first start": {"UPDATE leader SET system_identifier = NULL, timeline = NULL, database_oid = NULL, table_oid = NULL", ""},
		"a lost row":    {"DELETE FROM leader", ""},
	} {
		t.Run(name, func(t *testing.T) {
			url := testdb.URL(t)
			db := open(t, url)
			a := start(t, url, "a", true)
			a.term(t)
			a.stop()
			mustExec(t, db, c.move)
			next := start(t, url, "b", true).term(t)
			if next.lease.Moved != (c.want != "") || !strings.HasPrefix(next.lease.Reason, c.want) {
				t.Errorf("moved %v: %q, want %q", next.lease.Moved, next.lease.Reason, c.want)
			}
		})
	}
}

func TestDatabaseThatIsAway(t *testing.T) {
	url := testdb.URL(t)
	wire := newWire(t, url)
	wire.down(true)
	a := start(t, wire.url, "a", true)
	for range 10 { // tries to connect
		receive(t, "the node to try again", wire.refused)
	}
	if n := strings.Count(a.log.String(), "\n"); n != 1 {
		t.Errorf("%d lines about one state:\n%s", n, a.log.String())
	}
	wire.down(false)
	first := a.term(t)
	wire.down(true)
	ended(t, first)
	wire.down(false)
	if next := a.term(t); next.lease.Epoch() != first.lease.Epoch()+1 {
		t.Errorf("epoch %d after %d", next.lease.Epoch(), first.lease.Epoch())
	}
}

// A wire that swallows everything: the node stops trusting its lease by its own
// clock, and the server frees the lock by its own.
func TestSilence(t *testing.T) {
	url := testdb.URL(t)
	wire := newWire(t, url)
	anew := func(url, name string) *node {
		return run(t, &leader.Node{URL: url, Name: name}, (*leader.Node).Distrust)
	}
	a := anew(wire.url, "a")
	b := anew(url, "b")
	first := receive(t, "a or b", a.terms, b.terms)
	if first.node == "b" {
		b.stop()
		first = a.term(t)
		b = anew(url, "b")
	}
	wire.freeze()
	ended(t, first)
	next := b.term(t)
	if err := canWrite(t.Context(), open(t, url), next.lease); err != nil {
		t.Error(err)
	}
}

// wire is a TCP relay to the database that can go down or fall silent.
type wire struct {
	url     string
	refused chan struct{} // a connection was refused

	mu      sync.Mutex
	isDown  bool
	conns   []net.Conn
	silence sync.RWMutex // held for writing: nothing passes
}

func newWire(t *testing.T, url string) *wire {
	t.Helper()
	cfg, err := pgconn.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{refused: make(chan struct{})}
	w.url = fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", cfg.User, cfg.Password, listener.Addr(), cfg.Database)
	t.Cleanup(func() {
		_ = listener.Close()
		w.down(true)
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			w.accept(client, network, address)
		}
	}()
	return w
}

func (w *wire) accept(client net.Conn, network, address string) {
	server, err := net.Dial(network, address)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || w.isDown {
		_ = client.Close()
		if err == nil {
			_ = server.Close()
		}
		select {
		case w.refused <- struct{}{}:
		default:
		}
		return
	}
	w.conns = append(w.conns, client, server)
	go w.carry(client, server)
	go w.carry(server, client)
}

func (w *wire) carry(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		w.silence.RLock()
		if err == nil {
			_, err = to.Write(buf[:n])
		}
		w.silence.RUnlock()
		if err != nil {
			if errors.Is(err, io.EOF) {
				_ = to.Close()
			}
			return
		}
	}
}

func (w *wire) down(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isDown = down
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// freeze lets nothing pass any more, and hides it.
func (w *wire) freeze() { w.silence.Lock() }
