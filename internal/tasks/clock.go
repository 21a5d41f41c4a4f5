package tasks

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// jump is by how much a clock must go back, at once, to be corrected for: a
// step, not the slow correction that keeps clocks right. What is due waits that
// long at most.
const jump = 10 * time.Second

// watch compares the worker's clock with the monotonic one.
type watch struct{ wall, monotonic time.Time }

// look tells by how much the clock went ahead since the last look; negative: it
// went back.
func (c *watch) look(now time.Time) time.Duration {
	before := *c
	c.wall, c.monotonic = now.Round(0), time.Now()
	if before.monotonic.IsZero() {
		return 0
	}
	return c.wall.Sub(before.wall) - c.monotonic.Sub(before.monotonic)
}

// followClock keeps the queue in step with a clock that is set. When it goes
// back, everything would wait for as much longer, so the queue goes back too.
// When it goes ahead everything that became due runs, once; only the leases of
// what is running must not end. The queue goes back once, also where a node has
// two workers on it; each of them sees to its own leases.
func (r *run) followClock(ctx context.Context) error {
	switch step := r.clock.look(r.w.now()); {
	case step > jump:
		r.ahead = true
	case step < -jump && !r.w.Beside:
		r.behind -= step
	}
	if r.ahead {
		if err := r.extend(); err != nil {
			return err
		}
		r.ahead = false
	}
	if r.behind == 0 {
		return nil
	}
	err := postgres.InFencedTx(ctx, r.w.DB, r.w.Fence, func(tx pgx.Tx) error { return r.shift(ctx, tx, r.behind) })
	if err == nil {
		r.behind = 0
	}
	return err
}

// followNode is followClock for a queue that another node filled, or this one
// before it was restarted: a task that was scheduled in times to come says that
// the clock then was ahead of the one now.
func (r *run) followNode(ctx context.Context, tx pgx.Tx) error {
	newest, err := pgq.New().NewestTask(ctx, tx)
	if err != nil {
		return fmt.Errorf("newest task: %w", postgres.Classify(err))
	}
	if ahead := newest.Sub(r.w.now()); ahead > jump {
		return r.shift(ctx, tx, ahead)
	}
	return nil
}

// shift moves the queue back, in a transaction that the caller has fenced.
func (r *run) shift(ctx context.Context, tx pgx.Tx, by time.Duration) error {
	n, err := pgq.New().ShiftTasks(ctx, tx, pgq.ShiftTasksParams{Seconds: by.Seconds(), Now: r.w.now()})
	if err != nil {
		return fmt.Errorf("shift tasks: %w", postgres.Classify(err))
	}
	r.w.log().WarnContext(ctx, "the clock went back: what waits was shifted", "by", by.Round(time.Millisecond).String(), "tasks", n)
	return nil
}
