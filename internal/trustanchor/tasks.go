package trustanchor

import (
	"context"

	"baleen/internal/es"
	"baleen/internal/ta"
	"baleen/internal/tasks"
)

// Sign lets the embedded signer answer what the trust anchor's children ask
// for; with Renew also if nobody asks.
type Sign struct {
	Renew  bool   `json:"renew,omitempty"`
	Number uint64 `json:"number,omitempty"` // the least manifest number to use; 0: the next one
}

// Publish brings the trust anchor's repository to what it has issued.
type Publish struct{}

// Renew looks whether the trust anchor's manifest or certificates come close to
// their end.
type Renew struct{}

// Kind names the task in the queue.
func (Sign) Kind() string { return "ta_sign" }

// Key keeps a renewal apart from what children ask for.
func (a Sign) Key() string {
	if a.Renew {
		return ta.Handle + " renew"
	}
	return ta.Handle
}

// Kind names the task in the queue.
func (Publish) Kind() string { return "ta_publish" }

// Key is the same for all: there is one.
func (Publish) Key() string { return ta.Handle }

// Kind names the task in the queue.
func (Renew) Kind() string { return "ta_renew" }

// Key is the same for all: there is one.
func (Renew) Key() string { return ta.Handle }

// signActor stands in the log for an exchange with the embedded signer.
var signActor = es.Actor{Name: "task:ta_sign"}

// Register tells a worker how to run these tasks, with the trust anchor as it is
// then.
func Register(w *tasks.Worker, anchor func() Anchor) {
	tasks.Register(w, func(ctx context.Context, t Sign) (tasks.Outcome, error) { return anchor().sign(ctx, t) })
	tasks.Register(w, func(ctx context.Context, _ Publish) (tasks.Outcome, error) {
		return tasks.Outcome{}, anchor().publish(ctx)
	})
	tasks.Register(w, func(ctx context.Context, _ Renew) (tasks.Outcome, error) { return anchor().renew(ctx) })
}

// now are tasks that are due at once.
func now(args ...tasks.Args) []tasks.Scheduled {
	out := make([]tasks.Scheduled, len(args))
	for i, a := range args {
		out[i] = tasks.Scheduled{Args: a}
	}
	return out
}
