// Package tasks is a queue in Postgres. A task is a row of the table task, one
// for each kind and key; it is scheduled in the transaction of what causes it
// and finished in a transaction of its own or of its handler.
//
// States of a row: it waits until run_at; claimed, it runs and run_at is the
// end of its lease; done, it is deleted, or it waits again. Parked means
// waiting forever: only scheduling it again starts it. Nothing is lost when a
// node dies: the lease ends and the task is due again, so running a task twice
// must be harmless.
//
// Scheduling a waiting task keeps the sooner time. Scheduling a running one
// makes it run once more. Claims and completions are fenced: only the active
// node works on the queue, and a node that was replaced can finish nothing.
package tasks

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/fault"
	"baleen/internal/postgres"
)

// Codes of the faults this package answers with.
const (
	CodeArgsUnreadable = "task-args"       // Invalid: the stored arguments do not fit the handler
	CodeLeaseLost      = "task-lease-lost" // Conflict: the task is no longer the caller's
	CodePanic          = "task-panic"      // Internal: the handler panicked
)

// DBTX is what tasks are scheduled through: usually the transaction of their cause.
type DBTX = postgres.DBTX

// Args are the stored arguments of a task, as JSON. Kind says which handler
// runs it; Key merges it with others of the kind that wait for the same thing.
type Args interface {
	Kind() string
	Key() string
}

// Outcome is what a handler that did not fail wants to happen next. The zero
// value means that the task is done.
type Outcome struct {
	Again time.Time   // not zero: run this task again then
	Then  []Scheduled // follow-ups, scheduled in the same transaction
}

// Scheduled is a task and when it is due.
type Scheduled struct {
	Args Args
	At   time.Time // zero: now
}

// Worker claims tasks and runs their handlers. Its fields are set, and handlers
// registered, before Run or RunOnce; zero values stand for the defaults.
type Worker struct {
	DB          *pgxpool.Pool
	Fence       postgres.Fence
	Log         *slog.Logger     // nil: silent
	Node        string           // who leases the rows
	Concurrency int              // handlers at a time; default 4
	Lease       time.Duration    // default 5 minutes; extended while a handler runs
	Poll        time.Duration    // how often an idle worker looks; default 250 ms
	MaxBackoff  time.Duration    // longest wait after a failure; default 5 minutes
	Now         func() time.Time // nil: time.Now

	// Beside says that another worker of this node works on the same queue, and keeps it in step with the clock.
	Beside bool

	handlers map[string]handler
	once     sync.Once
	wake     chan struct{} // made by once
	average  average
}

type handler func(ctx context.Context, args json.RawMessage) (Outcome, error)

// Register makes h the handler of the kind of A, whose Kind must not depend on
// its value. A context that ends means that the worker shuts down or that the
// task was handed to somebody else: the handler should return soon.
//
// An error decides by its kind what happens to the task: Invalid and Denied
// park it, NotFound and Exists end it, Conflict runs it again at once, all
// others after a growing pause.
func Register[A Args](w *Worker, h func(ctx context.Context, a A) (Outcome, error)) {
	if w.handlers == nil {
		w.handlers = map[string]handler{}
	}
	var zero A
	w.handlers[zero.Kind()] = func(ctx context.Context, raw json.RawMessage) (Outcome, error) {
		var a A
		if err := json.Unmarshal(raw, &a); err != nil {
			return Outcome{}, &fault.Error{
				Kind: fault.Invalid, Code: CodeArgsUnreadable,
				Msg: "The arguments of the task cannot be read: " + err.Error(), Err: err,
			}
		}
		return h(ctx, a)
	}
}

// Wake makes an idle worker look for due tasks at once. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.wakes() <- struct{}{}:
	default: // it is about to look anyway
	}
}

func (w *Worker) wakes() chan struct{} {
	w.once.Do(func() { w.wake = make(chan struct{}, 1) })
	return w.wake
}

func (w *Worker) concurrency() int          { return cmp.Or(max(w.Concurrency, 0), 4) }
func (w *Worker) lease() time.Duration      { return cmp.Or(w.Lease, 5*time.Minute) }
func (w *Worker) poll() time.Duration       { return cmp.Or(w.Poll, 250*time.Millisecond) }
func (w *Worker) maxBackoff() time.Duration { return cmp.Or(w.MaxBackoff, 5*time.Minute) }

// now is the active node's clock, for due times and leases alike: only one node
// works on the queue, and leases of earlier epochs are void.
func (w *Worker) now() time.Time {
	if w.Now == nil {
		return time.Now().UTC()
	}
	return w.Now().UTC()
}

func (w *Worker) log() *slog.Logger {
	if w.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return w.Log
}

// kinds are the kinds this worker has handlers for.
func (w *Worker) kinds() []string {
	return slices.Sorted(maps.Keys(w.handlers))
}
