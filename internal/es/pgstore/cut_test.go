package pgstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/postgres"
)

// relay is a wire to the database that can be cut when a commit passes.
type relay struct {
	t       *testing.T
	network string
	server  string
	port    int

	mu   sync.Mutex
	next func(client, server net.Conn, commit []byte) // what to do with the next commit; nil: let it pass
	down bool                                         // new connections are refused
}

// newRelay gives a pool whose connections go through a relay.
func newRelay(t *testing.T, pool *pgxpool.Pool) (*relay, *pgxpool.Pool) {
	t.Helper()
	cfg := pool.Config().ConnConfig
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	r := &relay{t: t, network: network, server: address, port: listener.Addr().(*net.TCPAddr).Port}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			if r.isDown() {
				_ = client.Close()
				continue
			}
			go r.carry(client)
		}
	}()
	through, err := postgres.Open(t.Context(), fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", cfg.User, cfg.Password, r.port, cfg.Database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(through.Close)
	return r, through
}

// atCommit says what happens to the next commit that passes.
func (r *relay) atCommit(do func(client, server net.Conn, commit []byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = do
}

func (r *relay) take() func(client, server net.Conn, commit []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do := r.next
	r.next = nil
	return do
}

// shut refuses new connections, or takes them again.
func (r *relay) shut(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *relay) isDown() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.down
}

func (r *relay) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial(r.network, r.server)
	if err != nil {
		r.t.Error(err)
		return
	}
	defer server.Close()
	var answers sync.Mutex // held: nothing goes back to the client
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			answers.Lock()
			_, err = client.Write(buf[:n])
			answers.Unlock()
			if err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("commit\x00")) {
			if do := r.take(); do != nil {
				answers.Lock()
				defer answers.Unlock()
				do(client, server, buf[:n])
				_ = client.Close()
				return
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A commit whose answer is lost happens exactly once, whatever became of it.
func TestCommitWithoutAnswer(t *testing.T) {
	waitForIdle := func(pool *pgxpool.Pool) { // until the server has done the commit that it got
		for count(t, pool, "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'") > 0 {
			if t.Context().Err() != nil {
				return
			}
		}
	}
	for name, cut := range map[string]func(pool *pgxpool.Pool) func(client, server net.Conn, commit []byte){
		"not done": func(*pgxpool.Pool) func(client, server net.Conn, commit []byte) {
			return func(client, server net.Conn, _ []byte) {
				_ = server.Close()
				_ = client.Close()
			}
		},
		"done": func(pool *pgxpool.Pool) func(client, server net.Conn, commit []byte) {
			return func(client, server net.Conn, commit []byte) {
				_ = client.Close()
				_, _ = server.Write(commit)
				waitForIdle(pool)
			}
		},
		"done later": func(pool *pgxpool.Pool) func(client, server net.Conn, commit []byte) {
			return func(client, server net.Conn, commit []byte) {
				_ = client.Close()
				// The second attempt waits for the first one's row.
				for count(t, pool, "pg_stat_activity WHERE wait_event = 'transactionid'") == 0 {
					if t.Context().Err() != nil {
						return
					}
				}
				_, _ = server.Write(commit)
			}
		},
		"undone later": func(pool *pgxpool.Pool) func(client, server net.Conn, commit []byte) {
			return func(client, server net.Conn, _ []byte) {
				_ = client.Close()
				for count(t, pool, "pg_stat_activity WHERE wait_event = 'transactionid'") == 0 {
					if t.Context().Err() != nil {
						return
					}
				}
				_ = server.Close()
			}
		},
	} {
		for _, what := range []string{"execute", "refuse", "delete", "create"} {
			t.Run(name+"/"+what, func(t *testing.T) {
				st := newStore(t)
				mustCreate(t, st, "ada")
				wire, pool := newRelay(t, st.DB)
				far := &store{Type: personType, DB: pool, Fence: st.Fence, Listeners: []pgstore.Listener{note}}
				see(t, far, "ada")
				wire.atCommit(cut(st.DB))
				commands, notes, code := 2, 1, ""
				var err error
				switch what {
				case "execute":
					_, err = far.Execute(t.Context(), "ada", meet{Friend: "Bea"}, bob)
				case "refuse":
					_, err = far.Execute(t.Context(), "ada", meet{Friend: "ada"}, bob)
					notes, code = 0, "person-alone"
				case "delete":
					_, err = far.Delete(t.Context(), "ada", leave{}, bob)
				case "create":
					_, err = far.Create(t.Context(), "bea", register{Name: "Bea"}, bob)
				}
				if fault.Code(err) != code || (code == "" && err != nil) {
					t.Errorf("got %v", err)
				}
				if n := count(t, st.DB, "es_command"); n != commands {
					t.Errorf("%d commands, want %d", n, commands)
				}
				if n := count(t, st.DB, "task"); n != notes {
					t.Errorf("%d listener rows, want %d", n, notes)
				}
				if what != "delete" {
					mustMeet(t, far, "ada", "Cleo")
					sameEverywhere(t, far, "ada")
				}
				soundLog(t, st)
			})
		}
	}
}

// The database stays away after a commit without answer: the caller is told
// that nobody knows, and the next look at the stream shows what became of it.
func TestCommitThatNobodyCanLookUp(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	wire, pool := newRelay(t, st.DB)
	far := &store{Type: personType, DB: pool, Fence: st.Fence}
	far.SettleFor = 300 * time.Millisecond
	see(t, far, "ada")
	back := make(chan struct{})
	wire.atCommit(func(client, server net.Conn, commit []byte) {
		wire.shut(true)
		_ = client.Close()
		_, _ = server.Write(commit)
		<-back
	})
	_, err := far.Execute(t.Context(), "ada", meet{Friend: "Bea"}, bob)
	if fault.Code(err) != pgstore.CodeOutcomeUnknown || fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	if err := far.View(t.Context(), "ada", nil); fault.Code(err) != postgres.CodeUnavailable {
		t.Errorf("view: %v", err)
	}
	close(back)
	wire.shut(false)
	if _, v := see(t, far, "ada"); v != 1 {
		t.Errorf("version %d, want 1", v)
	}
	sameEverywhere(t, far, "ada")
}

// The connection is lost before the commit: nothing happened, and it is said so.
func TestConnectionLostBeforeCommit(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	before, _ := see(t, st, "ada")
	w := pgstore.Write{Actor: bob.Actor, InTx: func(ctx context.Context, tx pgx.Tx, _ pgstore.Commit) error {
		mustExec(t, st.DB, "SELECT pg_terminate_backend($1, 5000)", tx.Conn().PgConn().PID())
		_, err := tx.Exec(ctx, "SELECT 1")
		return err
	}}
	_, err := st.Execute(t.Context(), "ada", meet{Friend: "Bea"}, w)
	if fault.Code(err) != postgres.CodeUnavailable || errors.Is(err, postgres.ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
	if after, v := see(t, st, "ada"); after != before || v != 0 {
		t.Errorf("version %d, %s", v, after)
	}
}

// The database goes away during the commit and another node takes over: this
// one cannot try again, but it can look.
func TestCommitWithoutAnswerAndTakeOver(t *testing.T) {
	for _, done := range []bool{true, false} {
		t.Run(fmt.Sprint("done ", done), func(t *testing.T) {
			st := newStore(t)
			mustCreate(t, st, "ada")
			wire, pool := newRelay(t, st.DB)
			far := &store{Type: personType, DB: pool, Fence: st.Fence}
			wire.atCommit(func(client, server net.Conn, commit []byte) {
				if done {
					_, _ = server.Write(commit)
					mustExec(t, st.DB, "SELECT pg_advisory_xact_lock($1, 0); ", postgres.LockFence) // waits for the transaction to end
				}
				mustExec(t, st.DB, "UPDATE leader SET epoch = epoch + 1")
				if !done {
					_ = server.Close() // the client sees that
				}
				_ = client.Close()
			})
			_, err := far.Execute(t.Context(), "ada", meet{Friend: "Bea"}, bob)
			if done && err != nil {
				t.Errorf("it was committed, yet: %v", err)
			}
			if !done && fault.Code(err) != postgres.CodeNotActive {
				t.Errorf("it was not committed, yet: %v", err)
			}
		})
	}
}

// A client that leaves while its command is being committed changes nothing.
func TestClientThatLeaves(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	ctx, cancel := context.WithCancel(t.Context())
	w := pgstore.Write{Actor: bob.Actor, InTx: func(context.Context, pgx.Tx, pgstore.Commit) error {
		cancel()
		return nil
	}}
	if _, err := st.Execute(ctx, "ada", meet{Friend: "Bea"}, w); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	held := make(chan struct{})
	release := make(chan struct{})
	go func() {
		defer close(release)
		_, _ = st.Execute(t.Context(), "ada", meet{Friend: "Cleo"}, pgstore.Write{Actor: bob.Actor, InTx: func(context.Context, pgx.Tx, pgstore.Commit) error {
			close(held)
			release <- struct{}{}
			return nil
		}})
	}()
	<-held
	short, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := st.Execute(short, "ada", meet{Friend: "Dora"}, bob); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for its turn: got %v", err)
	}
	<-release
	<-release
	if _, v := see(t, st, "ada"); v != 1 {
		t.Errorf("version %d, want 1", v)
	}
	sameEverywhere(t, st, "ada")
}
