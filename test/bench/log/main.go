// Command log measures the event log and the queue on a private Postgres that
// writes through to the disk: commands appended by one and by sixteen writers,
// tasks claimed and finished with and without an open snapshot beside them, and
// how start-up time and memory of the server grow with CAs and history. It
// prints figures and judges nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/ca"
	"baleen/internal/embedded"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/postgres"
	"baleen/internal/tasks"
)

func main() {
	cas := flag.Int("cas", 5000, "CAs to start with, 10 ROAs each")
	history := flag.Int("history", 5, "commands in the history of each CA")
	flag.Parse()
	if err := run(context.Background(), *cas, *history); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// epoch is the fence of this program, which takes the server's place.
type epoch int64

func (e epoch) Epoch() int64 { return int64(e) }

// place is a database of its own with what runs on it.
type place struct {
	url   string
	db    *pgxpool.Pool
	fence epoch
	store *pgstore.Store[ca.State]
}

func run(ctx context.Context, cas, history int) (err error) {
	dir, err := os.MkdirTemp("", "baleen-bench-log-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	server, err := embedded.Start(ctx, embedded.Config{Dir: filepath.Join(dir, "postgres"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop(ctx) }()
	p := &place{url: server.URL(), fence: 1}
	if err := postgres.Migrate(ctx, p.url, nil); err != nil {
		return err
	}
	if p.db, err = postgres.Open(ctx, p.url); err != nil {
		return err
	}
	defer p.db.Close()
	if _, err := p.db.Exec(ctx, "UPDATE leader SET epoch = 1, node = 'bench'"); err != nil {
		return err
	}
	p.store = &pgstore.Store[ca.State]{Type: ca.Type(), DB: p.db, Fence: p.fence, Now: time.Now}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return p.appends(ctx, 1, 2000) },
		func(ctx context.Context) error { return p.appends(ctx, 16, 8000) },
		func(ctx context.Context) error { return p.queue(ctx, 20000, false) },
		func(ctx context.Context) error { return p.queue(ctx, 20000, true) },
		func(ctx context.Context) error { return p.startUp(ctx, dir, cas, history) },
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

var actor = es.Actor{Name: "user:bench"}

// appends runs commands on one CA for each writer.
func (p *place) appends(ctx context.Context, writers, n int) error {
	for w := range writers {
		if err := p.bare(ctx, fmt.Sprintf("append-%d-%d", writers, w)); err != nil {
			return err
		}
	}
	errs := make(chan error, writers)
	start := time.Now()
	for w := range writers {
		go func() {
			name := fmt.Sprintf("append-%d-%d", writers, w)
			for i := range n / writers {
				if err := p.configure(ctx, name, i); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			return err
		}
	}
	took := time.Since(start)
	fmt.Printf("append, %2d writers:               %6.0f commands/s (%d in %s, synchronous_commit=on)\n", writers, float64(n)/took.Seconds(), n, took.Round(time.Millisecond))
	return nil
}

// nothing is a task that does nothing.
type nothing struct {
	N int `json:"n"`
}

// Kind names the task in the queue.
func (nothing) Kind() string { return "bench_nothing" }

// Key keeps every one apart.
func (a nothing) Key() string { return fmt.Sprint(a.N) }

// queue runs many tasks that do nothing.
func (p *place) queue(ctx context.Context, n int, snapshot bool) error {
	if snapshot {
		tx, err := p.db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(ctx) }()
		if _, err := tx.Exec(ctx, "SELECT count(*) FROM task"); err != nil {
			return err
		}
	}
	all := make([]tasks.Scheduled, n)
	for i := range all {
		all[i] = tasks.Scheduled{Args: nothing{i}}
	}
	err := postgres.InFencedTx(ctx, p.db, p.fence, func(tx pgx.Tx) error { return tasks.Enqueue(ctx, tx, time.Now(), all...) })
	if err != nil {
		return err
	}
	var ran atomic.Int64
	w := &tasks.Worker{DB: p.db, Fence: p.fence, Log: slog.New(slog.DiscardHandler), Node: "bench", Concurrency: 8, Lease: time.Minute, Now: time.Now}
	tasks.Register(w, func(context.Context, nothing) (tasks.Outcome, error) { ran.Add(1); return tasks.Outcome{}, nil })
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for left := 1; left > 0; {
		if err := p.db.QueryRow(ctx, "SELECT count(*) FROM task").Scan(&left); err != nil {
			return err
		}
	}
	took := time.Since(start)
	stop()
	if err := <-ended; err != nil {
		return err
	}
	fmt.Printf("queue, open snapshot %-5v:        %6.0f tasks/s claimed and finished (%d in %s)\n", snapshot, float64(ran.Load())/took.Seconds(), ran.Load(), took.Round(time.Millisecond))
	return nil
}

// many runs f for every CA of the start-up measurement, sixteen at a time.
func many(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				if err := f(ctx, i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}
