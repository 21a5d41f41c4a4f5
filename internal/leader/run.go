package leader

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// errReturned is why a term ended whose active function returned by itself.
var errReturned = errors.New("the active function returned")

// Run waits for the leader lock, takes over and calls active. It returns when
// ctx has ended, and active with it. When the lease is lost the context of
// active is cancelled, and once active has returned the node waits for the lock
// again; so it does, after a pause, when active returns early. What goes wrong
// is logged once per change of state, and tried again.
func (n *Node) Run(ctx context.Context, active func(ctx context.Context, l *Lease) error) error {
	r := runner{Node: n, active: active, log: n.Log, timing: n.timing}
	if r.timing == (timing{}) {
		r.timing = normal
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	pause := r.timing.poll
	for ctx.Err() == nil {
		progress, err := r.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.trouble(err)
		if progress {
			pause = r.timing.poll
		}
		sleep(ctx, pause)
		pause = min(2*pause, r.timing.maxPause)
	}
	return nil
}

// runner is a Run of a node.
type runner struct {
	*Node
	active func(ctx context.Context, l *Lease) error
	log    *slog.Logger
	timing timing
	state  string // what was logged last
}

// report logs a change of state; the same state again says nothing.
func (r *runner) report(state string, args ...any) {
	if r.state == state {
		return
	}
	r.state = state
	r.log.Info(state, append([]any{"node", r.Name}, args...)...)
}

// trouble logs why the node is not active, unless that is known. Causes differ
// from one attempt to the next; what they are causes of does not.
func (r *runner) trouble(err error) {
	if state := err.Error(); r.state != state {
		r.state = state
		r.log.Info("leader: not active, trying again", "node", r.Name, "fault", err, "cause", errors.Unwrap(err))
	}
}

// once is a connection's life: wait for the lock, be active, step down. It
// tells whether all went well until the connection was lost, so that there is
// no reason to wait for long before the next.
func (r *runner) once(ctx context.Context) (progress bool, err error) {
	s, err := connect(ctx, r.URL, r.timing)
	if err != nil {
		return false, err
	}
	defer s.close(ctx)
	var odd suspicion
	for {
		taken, err := s.try(ctx)
		if err != nil {
			return progress, err
		}
		progress = true
		if taken {
			break
		}
		r.report("leader: standing by")
		r.suspect(ctx, s, &odd)
		if !sleep(ctx, r.timing.poll) {
			return progress, ctx.Err()
		}
	}
	lease, err := s.takeOver(ctx, r.Name)
	if err != nil {
		return false, err
	}
	r.report("leader: active", "epoch", lease.Epoch())
	if lease.Moved {
		r.log.Warn("leader: the data lives elsewhere than before", "node", r.Name, "changed", lease.Reason)
	}
	return r.term(ctx, s, lease)
}

// term runs the active function beside the heartbeat; whichever ends first
// ends the other. A term that lasted, or did not end by itself, is progress.
func (r *runner) term(ctx context.Context, s *session, lease *Lease) (bool, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begin := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := s.keep(ctx, lease)
		lease.pulse.stop()
		cancel(err)
	}()
	err := r.active(ctx, lease)
	lost := ctx.Err() != nil
	if lost {
		err = context.Cause(ctx)
	} else if err == nil {
		err = errReturned
	}
	cancel(err)
	<-done
	return lost || time.Since(begin) > r.timing.trust, err
}

// sleep waits for d and tells whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
