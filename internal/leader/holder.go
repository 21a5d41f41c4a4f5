package leader

import (
	"context"
	"time"

	"baleen/internal/postgres"
)

// suspicion is what a standby finds odd about whoever holds the leader lock.
type suspicion struct {
	next  time.Time // of the next look
	pid   int32     // of the session that holds the lock
	since time.Time // from when on it was odd
	said  bool
}

// suspect looks who holds the leader lock. A session that never took over
// belongs to another application that uses the same number: no node can be
// active then. One that took over under this node's own name belongs to a node
// that was given the same name; that does no harm, but confuses people. Both are
// so for a moment when nodes come and go, and are said when they last.
func (r *runner) suspect(ctx context.Context, s *session, o *suspicion) {
	now := time.Now()
	if now.Before(o.next) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.timing.trust)
	defer cancel()
	h, err := s.q.LockHolder(ctx, s.conn, int64(postgres.LockLeader))
	odd := err == nil && (!h.TookOver || h.Node == r.Name) // what is wrong with the connection the next try for the lock says
	if !odd || h.Pid != o.pid {
		*o = suspicion{pid: h.Pid, since: now}
	}
	o.next = now.Add(r.timing.heartbeat)
	if !odd || o.said || now.Sub(o.since) < r.timing.odd {
		return
	}
	o.said = true
	who := []any{"node", r.Name, "pid", h.Pid, "user", h.Usename, "application", h.Application}
	if h.TookOver {
		r.log.WarnContext(ctx, "leader: the active node has the same name as this one: set another BALEEN_NODE_NAME on one of them", who...)
		return
	}
	r.log.WarnContext(ctx, "leader: a session of another application holds the leader lock, and no node can be active: give this server a database of its own", who...)
}
