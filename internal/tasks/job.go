package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Job is one claim of a task, as its handler may see it.
type Job struct {
	Kind, Key string
	Attempt   int64 // how often the row was claimed
	Failures  int   // failures in a row before this attempt

	node      string
	now       func() time.Time
	args      json.RawMessage
	createdAt time.Time
	ctx       context.Context // of the handler
	cancel    context.CancelCauseFunc
	finished  atomic.Bool
}

type jobKey struct{}

// JobFrom gives the job on whose behalf a handler runs, from the handler's
// context; nil elsewhere.
func JobFrom(ctx context.Context) *Job {
	j, _ := ctx.Value(jobKey{}).(*Job)
	return j
}

// FinishIn finishes the task within the handler's own transaction, which must
// be fenced: its writes and the completion commit together or not at all. If the
// task belongs to somebody else by now it fails with Conflict. When the handler
// then returns nil, the worker leaves the row alone; when it returns an error,
// the worker takes the transaction for rolled back. It may be called again in
// another transaction when the first one was rolled back.
func (j *Job) FinishIn(ctx context.Context, tx pgx.Tx, o Outcome) error {
	if err := Enqueue(ctx, tx, j.now(), o.Then...); err != nil {
		return err
	}
	var touched int64
	b := &pgx.Batch{}
	completions{{job: j, verdict: succeeded(o)}}.queue(b, func(t pgconn.CommandTag) error {
		touched += t.RowsAffected()
		return nil
	})
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("finish task: %w", postgres.Classify(err))
	}
	if touched == 0 {
		return fault.New(fault.Conflict, CodeLeaseLost, "The task was handed to another worker.")
	}
	j.finished.Store(true)
	return nil
}

// completion is a job and what becomes of its row.
type completion struct {
	job *Job
	verdict
	then []Scheduled
}

// completions are those of one worker, not none.
type completions []completion

// queue adds the statements that finish the jobs. Each tells how many rows it
// touched: a job whose lease was lost touches none.
func (list completions) queue(b *pgx.Batch, touched func(pgconn.CommandTag) error) {
	node := list[0].job.node
	var all, done leases
	var runAts []pgtype.Timestamptz
	var failures []int32
	var faults []json.RawMessage
	for _, c := range list {
		all.add(c.job)
		if c.done {
			done.add(c.job)
		}
		runAts = append(runAts, pgtype.Timestamptz{Time: c.runAt, Valid: !c.runAt.IsZero()})
		failures = append(failures, int32(c.failures))
		faults = append(faults, c.fault)
	}
	if len(done.kinds) > 0 {
		b.Queue(pgq.DeleteDoneTasks, done.kinds, done.keys, done.attempts, done.createdAts, node).Exec(touched)
	}
	b.Queue(pgq.RescheduleTasks, all.kinds, all.keys, all.attempts, all.createdAts, runAts, failures, faults, node).Exec(touched)
}

// leases are the identities of claims, column by column.
type leases struct {
	kinds, keys []string
	attempts    []int64
	createdAts  []time.Time
}

func (l *leases) add(j *Job) {
	l.kinds = append(l.kinds, j.Kind)
	l.keys = append(l.keys, j.Key)
	l.attempts = append(l.attempts, j.Attempt)
	l.createdAts = append(l.createdAts, j.createdAt)
}
