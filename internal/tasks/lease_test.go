package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/tasks"
	"baleen/internal/testdb"
)

// peer is another worker on the same queue.
func peer(w *tasks.Worker, node string) *tasks.Worker {
	return &tasks.Worker{DB: w.DB, Fence: w.Fence, Node: node, Now: w.Now, Lease: w.Lease, Concurrency: w.Concurrency}
}

// A worker that hangs loses its task to another when the lease ends, and what
// it does then to the row has no effect.
func TestLeaseThatEndsHandsOver(t *testing.T) {
	w, c := newWorker(t)
	other := peer(w, "b")
	started, resume := make(chan struct{}), make(chan struct{})
	finish := func(ctx context.Context) error {
		return postgres.InFencedTx(ctx, w.DB, w.Fence, func(tx pgx.Tx) error {
			return tasks.JobFrom(ctx).FinishIn(ctx, tx, tasks.Outcome{})
		})
	}
	var late error
	tasks.Register(w, func(ctx context.Context, a chore) (tasks.Outcome, error) {
		started <- struct{}{}
		<-resume
		if a.Who == "finishes" {
			late = finish(ctx)
		}
		return tasks.Outcome{}, nil
	})
	tasks.Register(other, func(context.Context, chore) (tasks.Outcome, error) {
		return tasks.Outcome{Again: c.now().Add(24 * time.Hour)}, nil
	})
	for _, who := range []string{"returns", "finishes"} {
		enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: chore{Who: who}})
		hung := make(chan error)
		go func() {
			_, err := w.RunOnce(t.Context())
			hung <- err
		}()
		<-started
		runOnce(t, other, 0) // the lease holds
		c.advance(w.Lease + time.Second)
		runOnce(t, other, 1)
		resume <- struct{}{}
		if err := <-hung; err != nil {
			t.Errorf("%s: %v", who, err)
		}
		if r, ok := rows(t, w.DB)[who]; !ok || r.Attempt != 2 || !r.RunAt.Equal(c.now().Add(24*time.Hour)) {
			t.Errorf("%s: %+v, want what the second worker made of it", who, r)
		}
	}
	if fault.Code(late) != tasks.CodeLeaseLost {
		t.Errorf("finishing a lost task: %v", late)
	}
}

// The numbers of attempts begin anew with a new row: an old claim must not
// finish it.
func TestOldClaimDoesNotFinishANewRow(t *testing.T) {
	w, c := newWorker(t)
	started, resume := make(chan struct{}), make(chan struct{})
	tasks.Register(w, func(context.Context, chore) (tasks.Outcome, error) {
		started <- struct{}{}
		<-resume
		return tasks.Outcome{}, nil
	})
	enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: chore{Who: "x"}})
	done := make(chan error)
	go func() {
		_, err := w.RunOnce(t.Context())
		done <- err
	}()
	<-started
	c.advance(time.Second)
	mustExec(t, w.DB, "DELETE FROM task")
	enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: chore{Who: "x"}})
	mustExec(t, w.DB, "UPDATE task SET attempt = 1, leased_by = 'a', leased_epoch = 1, run_at = $1", c.now().Add(time.Hour))
	resume <- struct{}{}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, ok := rows(t, w.DB)["x"]; !ok {
		t.Error("the old claim deleted the new row")
	}
}

func TestLongHandlersKeepTheirLease(t *testing.T) {
	w, _ := newWorker(t)
	w.Now, w.Lease = nil, 900*time.Millisecond
	tasks.Register(w, func(ctx context.Context, _ chore) (tasks.Outcome, error) {
		first := rows(t, w.DB)["x"].RunAt
		until(t, "the lease was extended twice its length", func() bool {
			return rows(t, w.DB)["x"].RunAt.Sub(first) > 2*w.Lease
		})
		return tasks.Outcome{}, ctx.Err()
	})
	enqueue(t, w.DB, time.Now(), tasks.Scheduled{Args: chore{Who: "x"}})
	runOnce(t, w, 1)
	if left := rows(t, w.DB); len(left) != 0 {
		t.Errorf("left over: %+v", left)
	}
}

func TestHandlerOfALostTaskIsTold(t *testing.T) {
	w, _ := newWorker(t)
	w.Now, w.Lease = nil, 100*time.Millisecond
	tasks.Register(w, func(ctx context.Context, _ chore) (tasks.Outcome, error) {
		mustExec(t, w.DB, "UPDATE task SET leased_by = 'b', run_at = now() + interval '1 hour', attempt = attempt + 1")
		<-ctx.Done()
		return tasks.Outcome{}, ctx.Err()
	})
	enqueue(t, w.DB, time.Now(), tasks.Scheduled{Args: chore{Who: "x"}})
	runOnce(t, w, 1)
	if r := rows(t, w.DB)["x"]; r.LeasedBy != "b" || r.Failures != 0 {
		t.Errorf("%+v, want it untouched", r)
	}
}

func TestFinishIn(t *testing.T) {
	w, _ := newWorker(t)
	w.MaxBackoff = time.Minute
	refused := errors.New("refused")
	write := func(ctx context.Context, o tasks.Outcome, after error) error {
		return postgres.InFencedTx(ctx, w.DB, w.Fence, func(tx pgx.Tx) error {
			if err := tasks.Enqueue(ctx, tx, noon, tasks.Scheduled{Args: errand{"written"}, At: noon.Add(time.Hour)}); err != nil {
				return err
			}
			if err := tasks.JobFrom(ctx).FinishIn(ctx, tx, o); err != nil {
				return err
			}
			return after
		})
	}
	again := tasks.Outcome{Again: noon.Add(time.Minute), Then: []tasks.Scheduled{{Args: errand{"follow-up"}, At: noon.Add(time.Hour)}}}
	for name, c := range map[string]struct {
		handler func(ctx context.Context) error
		keys    []string
	}{
		"done":                  {func(ctx context.Context) error { return write(ctx, tasks.Outcome{}, nil) }, []string{"written"}},
		"again":                 {func(ctx context.Context) error { return write(ctx, again, nil) }, []string{"written", "x", "follow-up"}},
		"rolled back":           {func(ctx context.Context) error { return write(ctx, tasks.Outcome{}, refused) }, []string{"x"}},
		"committed, then fails": {func(ctx context.Context) error { return errors.Join(write(ctx, tasks.Outcome{}, nil), refused) }, []string{"written"}},
		"rolled back, then done": {func(ctx context.Context) error {
			_ = write(ctx, tasks.Outcome{}, refused)
			return write(ctx, again, nil)
		}, []string{"written", "x", "follow-up"}},
	} {
		t.Run(name, func(t *testing.T) {
			mustExec(t, w.DB, "DELETE FROM task")
			tasks.Register(w, func(ctx context.Context, _ chore) (tasks.Outcome, error) {
				return tasks.Outcome{}, c.handler(ctx)
			})
			enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "x"}})
			runOnce(t, w, 1)
			left := rows(t, w.DB)
			for _, key := range c.keys {
				r, ok := left[key]
				if !ok || !r.RunAt.After(noon) || r.LeasedBy != "" {
					t.Errorf("%s: %+v", key, r)
				}
				delete(left, key)
			}
			if len(left) != 0 {
				t.Errorf("left over: %+v", left)
			}
		})
	}
	if tasks.JobFrom(t.Context()) != nil {
		t.Error("a job outside a handler")
	}
}

func TestStaleEpochTouchesNoTask(t *testing.T) {
	w, c := newWorker(t)
	next := peer(w, "b")
	ran := map[string]int{}
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		ran[a.Who]++
		next.Fence = testdb.Fence(t, w.DB) // another node takes over in the middle
		return tasks.Outcome{Then: []tasks.Scheduled{{Args: errand{"never"}}}}, nil
	})
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "x"}})
	if _, err := w.RunOnce(t.Context()); fault.Code(err) != postgres.CodeNotActive {
		t.Errorf("completion: %v", err)
	}
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "y"}})
	if n, err := w.RunOnce(t.Context()); n != 0 || fault.Code(err) != postgres.CodeNotActive {
		t.Errorf("claim: %d, %v", n, err)
	}
	if r := rows(t, w.DB); len(r) != 2 || r["x"].LeasedBy != "a" || r["y"].LeasedBy != "" {
		t.Errorf("queue: %+v", r)
	}
	// The new active node does not wait for the lease.
	tasks.Register(next, func(_ context.Context, a chore) (tasks.Outcome, error) {
		ran[a.Who]++
		return tasks.Outcome{}, nil
	})
	runOnce(t, next, 2)
	if ran["x"] != 2 || ran["y"] != 1 || len(rows(t, w.DB)) != 0 {
		t.Errorf("ran %v at %v, left %v", ran, c.now(), rows(t, w.DB))
	}
}

// Ten workers on one queue run each job exactly once.
func TestManyWorkersRunEachJobOnce(t *testing.T) {
	const workers, jobs = 10, 2000
	w, _ := newWorker(t)
	w.Now, w.Concurrency, w.Poll = nil, 4, 20*time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	var runs [jobs]atomic.Int32
	var all sync.WaitGroup
	var list []tasks.Scheduled
	for i := range jobs {
		list = append(list, tasks.Scheduled{Args: chore{Who: fmt.Sprint(i)}})
	}
	enqueue(t, w.DB, time.Now(), list...)
	for i := range workers {
		one := peer(w, fmt.Sprint("node", i))
		tasks.Register(one, func(_ context.Context, a chore) (tasks.Outcome, error) {
			var n int
			if _, err := fmt.Sscan(a.Who, &n); err != nil {
				return tasks.Outcome{}, err
			}
			runs[n].Add(1)
			return tasks.Outcome{}, nil
		})
		all.Go(func() {
			if err := one.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "the queue is empty", func() bool { return len(rows(t, w.DB)) == 0 })
	stop()
	all.Wait()
	for i := range runs {
		if n := runs[i].Load(); n != 1 {
			t.Errorf("job %d ran %d times", i, n)
		}
	}
}

func TestRunSurvivesTheLossOfItsConnections(t *testing.T) {
	w, _ := newWorker(t)
	w.Now, w.Poll = nil, 10*time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cutting, cut := make(chan struct{}), make(chan struct{})
	var d diary
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		d.note(a.Who)
		if a.Who == "cut" {
			cutting <- struct{}{}
			<-cut
		}
		return tasks.Outcome{}, nil
	})
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	admin := testdb.URL(t) // another database of the same server
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	enqueue(t, w.DB, time.Now(), tasks.Scheduled{Args: chore{Who: "cut"}})
	w.Wake()
	<-cutting
	if _, err := conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
		w.DB.Config().ConnConfig.Database); err != nil {
		t.Fatal(err)
	}
	close(cut)
	until(t, "the finished task is recorded", func() bool {
		list, err := tasks.List(t.Context(), w.DB, 10, 0)
		return err == nil && len(list) == 0
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := d.read(); len(got) != 1 {
		t.Errorf("ran %v", got)
	}
}

func TestShutdownGivesTasksBack(t *testing.T) {
	w, _ := newWorker(t)
	w.Now, w.Poll = nil, time.Hour
	var stop context.CancelFunc
	tasks.Register(w, func(ctx context.Context, a chore) (tasks.Outcome, error) {
		stop()
		<-ctx.Done()
		if a.Who == "patient" {
			return tasks.Outcome{}, nil
		}
		return tasks.Outcome{}, ctx.Err()
	})
	run := func() {
		var ctx context.Context
		ctx, stop = context.WithCancel(t.Context())
		defer stop()
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	}
	enqueue(t, w.DB, time.Now(), tasks.Scheduled{Args: chore{Who: "patient"}})
	run()
	if left := rows(t, w.DB); len(left) != 0 {
		t.Errorf("a task that was done all the same: %+v", left)
	}
	enqueue(t, w.DB, time.Now(), tasks.Scheduled{Args: chore{Who: "x"}}, tasks.Scheduled{Args: chore{Who: "y"}})
	run()
	for key, r := range rows(t, w.DB) {
		if r.LeasedBy != "" || r.Failures != 0 || r.RunAt.After(time.Now()) || r.LastFault != nil {
			t.Errorf("%s was not given back: %+v", key, r)
		}
	}
	if n := len(rows(t, w.DB)); n != 2 {
		t.Errorf("%d tasks left, want 2", n)
	}
}

func TestWakeSparesTheWait(t *testing.T) {
	w, _ := newWorker(t)
	w.Now, w.Poll = nil, time.Hour
	ctx, stop := context.WithCancel(t.Context())
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		if a.What == "last" {
			stop()
			return tasks.Outcome{}, nil
		}
		return tasks.Outcome{Then: []tasks.Scheduled{{Args: chore{"y", "last"}}}}, nil // follow-ups need no waking
	})
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	enqueue(t, w.DB, time.Now(), tasks.Scheduled{Args: chore{Who: "x"}})
	w.Wake()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if left := rows(t, w.DB); len(left) != 0 {
		t.Errorf("left over: %+v", left)
	}
}
