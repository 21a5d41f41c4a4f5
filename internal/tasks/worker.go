package tasks

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

const (
	// prefetch is how many tasks a worker claims beyond its idle handlers while tasks are shorter than prefetchBelow: a
	// claim costs a transaction, and short tasks would mostly wait for it.
	prefetch      = 64
	prefetchBelow = 5 * time.Millisecond

	// afterlife is how long a worker that shuts down waits to give back what it claimed.
	afterlife = 5 * time.Second
)

// Run works on the queue until ctx ends, and returns once all handlers have
// returned. Trouble with the database is logged and tried again; nothing a
// handler does ends the worker.
func (w *Worker) Run(ctx context.Context) error {
	r := w.start(ctx)
	defer r.stop()
	recovered, troubled := false, false
	for ctx.Err() == nil {
		if !recovered {
			recovered = r.recoverLeases(ctx) == nil
		}
		room, claimed := r.room(), 0
		err := r.followClock(ctx)
		if err == nil {
			claimed, err = r.claim(ctx, room)
		}
		if err != nil && ctx.Err() == nil && !troubled {
			w.log().WarnContext(ctx, "tasks cannot be claimed", "fault", err)
		}
		troubled = err != nil
		if room <= 0 || claimed < room {
			r.wait(ctx)
		}
	}
	return nil
}

// RunOnce claims and runs what is due, round after round, until nothing is due
// any more, and tells how many attempts that were. An error means that the
// database failed; a task that fails is no error.
func (w *Worker) RunOnce(ctx context.Context) (ran int, err error) {
	r := w.start(ctx)
	defer r.stop()
	if err := r.recoverLeases(ctx); err != nil {
		return 0, err
	}
	for {
		if err := r.followClock(ctx); err != nil {
			return ran, err
		}
		n, err := r.claim(ctx, w.concurrency())
		ran += n
		r.pending.Wait()
		if err := errors.Join(err, r.failure(), ctx.Err()); err != nil || n == 0 {
			return ran, err
		}
	}
}

// recoverLeases makes due what nodes of earlier epochs were working on, and what
// waits by their clocks.
func (r *run) recoverLeases(ctx context.Context) error {
	w := r.w
	epoch := w.Fence.Epoch()
	return postgres.InFencedTx(ctx, w.DB, w.Fence, func(tx pgx.Tx) error {
		n, err := pgq.New().ReleaseLeases(ctx, tx, pgq.ReleaseLeasesParams{Now: w.now(), Epoch: epoch})
		if err == nil && n > 0 {
			w.log().InfoContext(ctx, "tasks of an earlier active node are due again", "tasks", n)
		}
		if err != nil || w.Beside {
			return err
		}
		return r.followNode(ctx, tx)
	})
}

// claim leases at most n due tasks and hands them to the handlers. What a crash
// loses of it was not begun, so the commit need not wait for the disk.
func (r *run) claim(ctx context.Context, n int) (int, error) {
	w := r.w
	if n <= 0 {
		return 0, nil
	}
	var rows []pgq.ClaimTasksRow
	now := w.now()
	err := postgres.InFencedBatch(ctx, w.DB, w.Fence, func(b *pgx.Batch) {
		b.Queue("SET LOCAL synchronous_commit TO off")
		b.Queue(pgq.ClaimTasks, w.Node, w.Fence.Epoch(), now.Add(w.lease()), now, w.kinds(), int64(n)).Query(func(found pgx.Rows) error {
			var err error
			rows, err = pgx.CollectRows(found, pgx.RowToStructByPos[pgq.ClaimTasksRow])
			return err
		})
	}, nil)
	if err != nil {
		return 0, fmt.Errorf("claim tasks: %w", err)
	}
	for _, row := range rows {
		r.hand(&Job{
			Kind: row.Kind, Key: row.Key, Attempt: row.Attempt, Failures: int(row.Failures),
			args: row.Args, createdAt: row.CreatedAt, node: w.Node, now: w.now,
		})
	}
	return len(rows), nil
}

// execute runs one job and says what becomes of its row; false if the handler
// saw to that itself.
func (r *run) execute(j *Job) (completion, bool) {
	w := r.w
	c := completion{job: j}
	if r.ctx.Err() != nil {
		c.verdict = released(w.now(), j.Failures)
		return c, true
	}
	begin := time.Now()
	o, err := w.call(j)
	w.average.add(time.Since(begin))
	log := w.log().With("task", j.Kind, "key", j.Key, "attempt", j.Attempt, "ms", time.Since(begin).Milliseconds())
	switch {
	case err == nil && j.finished.Load():
		log.DebugContext(j.ctx, "task finished")
		return c, false
	case err == nil:
		log.DebugContext(j.ctx, "task done")
		c.verdict, c.then = succeeded(o), o.Then
		if _, err := collect(w.now(), o.Then); err != nil {
			c.verdict, c.then = w.failed(err, j.Failures), nil
		}
	case r.ctx.Err() != nil:
		log.InfoContext(j.ctx, "task given back", "fault", err)
		c.verdict = released(w.now(), j.Failures)
	default:
		c.verdict = w.failed(err, j.Failures)
		log.WarnContext(j.ctx, "task failed", "kind", fault.Of(err).String(), "code", fault.Code(err), "fault", err, "cause", errors.Unwrap(err))
	}
	return c, true
}

// call runs the handler and turns a panic into an error of kind Internal.
func (w *Worker) call(j *Job) (o Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log().ErrorContext(j.ctx, "task handler panicked", "task", j.Kind, "key", j.Key, "panic", p, "stack", string(debug.Stack()))
			err = &fault.Error{Kind: fault.Internal, Code: CodePanic, Msg: fmt.Sprintf("The handler of the task panicked: %v", p)}
		}
	}()
	return w.handlers[j.Kind](j.ctx, j.args)
}

// average is a running mean of how long handlers take.
type average struct{ nanoseconds atomic.Int64 }

func (a *average) add(d time.Duration) {
	old := a.nanoseconds.Load()
	a.nanoseconds.Store(old + (int64(d)-old)/8)
}

func (a *average) get() time.Duration { return time.Duration(a.nanoseconds.Load()) }
