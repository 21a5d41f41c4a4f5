package tasks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Completions are recorded in groups: as many as wait, at most this many.
const maxGroup = 256

// errLeaseLost is why a job's context ends early.
var errLeaseLost = errors.New("the task was handed to another worker")

// run is one Run or RunOnce of a worker: its goroutines and what they hold.
// Handlers take jobs from queue and hand completions to the recorder, which
// writes those that wait in one transaction; a third goroutine extends leases.
type run struct {
	w       *Worker
	ctx     context.Context // of the handlers; ends with that of Run
	queue   chan *Job
	results chan completion
	freed   chan struct{} // a handler became idle

	pending  sync.WaitGroup // jobs that are not recorded yet
	handlers sync.WaitGroup
	helpers  sync.WaitGroup
	quit     chan struct{} // ends the lease keeper

	clock  watch         // of the goroutine that claims
	behind time.Duration // by how much the queue is still to be shifted
	ahead  bool          // the clock went ahead, and leases are still to be extended

	mu   sync.Mutex
	held map[*Job]struct{}
	err  error // the first completion that could not be recorded
}

func (w *Worker) start(ctx context.Context) *run {
	capacity := w.concurrency() + prefetch
	r := &run{
		w: w, ctx: ctx,
		queue: make(chan *Job, capacity), results: make(chan completion, capacity),
		freed: make(chan struct{}, 1), quit: make(chan struct{}), held: map[*Job]struct{}{},
	}
	for range w.concurrency() {
		r.handlers.Go(r.handle)
	}
	r.helpers.Go(r.record)
	r.helpers.Go(r.keepLeases)
	return r
}

// stop waits for the handlers and for their completions to be recorded. Jobs
// that no handler took yet are given back, if ctx has ended.
func (r *run) stop() {
	close(r.queue)
	r.handlers.Wait()
	close(r.results)
	close(r.quit)
	r.helpers.Wait()
}

// room is how many more jobs the run should claim: one for each idle handler,
// and some to follow while jobs are short.
func (r *run) room() int {
	limit := r.w.concurrency()
	if r.w.average.get() < prefetchBelow {
		limit += prefetch
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return limit - len(r.held)
}

// hand gives a claimed job to the handlers. The queue has room for it: no more
// is ever claimed than room allows.
func (r *run) hand(j *Job) {
	ctx, cancel := context.WithCancelCause(context.WithValue(r.ctx, jobKey{}, j))
	j.ctx, j.cancel = ctx, cancel
	r.mu.Lock()
	r.held[j] = struct{}{}
	r.mu.Unlock()
	r.pending.Add(1)
	r.queue <- j
}

// drop forgets a job whose row is settled, or beyond reach.
func (r *run) drop(j *Job) {
	r.mu.Lock()
	delete(r.held, j)
	r.mu.Unlock()
	j.cancel(nil)
	r.pending.Done()
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

func (r *run) handle() {
	for j := range r.queue {
		c, open := r.execute(j)
		if !open {
			r.drop(j)
			continue
		}
		r.results <- c
	}
}

// wait returns when there may be something to claim, or ctx has ended.
func (r *run) wait(ctx context.Context) {
	poll := time.NewTimer(r.w.poll())
	defer poll.Stop()
	select {
	case <-ctx.Done():
	case <-r.w.wakes():
	case <-r.freed:
	case <-poll.C:
	}
}

// record writes completions, as many at a time as there are.
func (r *run) record() {
	for c := range r.results {
		r.settle(r.gather(c))
	}
}

// gather takes along what else waits to be recorded.
func (r *run) gather(first completion) completions {
	group := completions{first}
	for len(group) < maxGroup {
		select {
		case c, ok := <-r.results:
			if !ok {
				return group
			}
			group = append(group, c)
		default:
			return group
		}
	}
	return group
}

// settle records a group; what the database refuses in a group it gets one by
// one, so that a bad one spoils no other.
func (r *run) settle(group completions) {
	err := r.recordGroup(group)
	if err != nil && len(group) > 1 && fault.Of(err) == fault.Internal {
		for _, c := range group {
			r.settle(completions{c})
		}
		return
	}
	if err != nil {
		r.w.log().Warn("finished tasks cannot be recorded: they will run again", "tasks", len(group), "fault", err)
		r.mu.Lock()
		r.err = errors.Join(r.err, err)
		r.mu.Unlock()
	}
	for _, c := range group {
		r.drop(c.job)
	}
}

// recordGroup tries again while the database is away, as long as the leases
// surely last, and when it gets in the way of another transaction.
func (r *run) recordGroup(group completions) error {
	deadline := time.Now().Add(r.w.lease() / 3)
	for {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), afterlife)
		err := r.write(ctx, group)
		cancel()
		retry := fault.Code(err) == postgres.CodeUnavailable || fault.Code(err) == postgres.CodeConflict
		if err == nil || !retry || r.ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		pause := time.NewTimer(r.w.poll())
		select {
		case <-pause.C:
		case <-r.ctx.Done():
		}
		pause.Stop()
	}
}

func (r *run) write(ctx context.Context, group completions) error {
	w := r.w
	var then []Scheduled
	for _, c := range group {
		then = append(then, c.then...)
	}
	rows, err := collect(w.now(), then)
	if err != nil {
		return fmt.Errorf("follow-up tasks: %w", err)
	}
	return postgres.InFencedBatch(ctx, w.DB, w.Fence, func(b *pgx.Batch) {
		if len(rows.Kinds) > 0 {
			b.Queue(pgq.EnqueueTasks, rows.Kinds, rows.Keys, rows.Args, rows.RunAts, rows.Now)
		}
		group.queue(b, func(pgconn.CommandTag) error { return nil })
	}, nil)
}

// failure is what could not be recorded so far.
func (r *run) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// keepLeases extends the leases of all held jobs, three times per lease. Jobs
// that turn out to be lost end.
func (r *run) keepLeases() {
	tick := time.NewTicker(r.w.lease() / 3)
	defer tick.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-tick.C:
			if err := r.extend(); err != nil {
				r.w.log().Warn("task leases cannot be extended", "fault", err)
			}
		}
	}
}

func (r *run) extend() error {
	var mine leases
	jobs := map[[2]string]*Job{}
	r.mu.Lock()
	for j := range r.held {
		mine.add(j)
		jobs[[2]string{j.Kind, j.Key}] = j
	}
	r.mu.Unlock()
	if len(jobs) == 0 {
		return nil
	}
	w := r.w
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), w.lease()/3)
	defer cancel()
	var kept []pgq.ExtendLeasesRow
	err := postgres.InFencedTx(ctx, w.DB, w.Fence, func(tx pgx.Tx) error {
		var err error
		kept, err = pgq.New().ExtendLeases(ctx, tx, pgq.ExtendLeasesParams{
			Until: w.now().Add(w.lease()), Node: w.Node, Kinds: mine.kinds, Keys: mine.keys,
			Attempts: mine.attempts, CreatedAts: mine.createdAts,
		})
		return err
	})
	if err != nil {
		return err
	}
	for _, k := range kept {
		delete(jobs, [2]string{k.Kind, k.Key})
	}
	for _, j := range jobs {
		if !j.finished.Load() {
			j.cancel(errLeaseLost)
		}
	}
	return nil
}
