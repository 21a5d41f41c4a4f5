package leader

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

var (
	errReplica   = errors.New("the database is a replica: the leader lock must be on the primary")
	errLockGone  = errors.New("the session does not hold the leader lock any more: is there a transaction pooler in between?")
	errEpochOver = errors.New("another node took over")
)

// session is the database connection that holds the leader lock, or asks for it.
type session struct {
	conn *pgx.Conn
	q    *pgq.Queries
	timing
}

func connect(ctx context.Context, url string, t timing) (*session, error) {
	conn, err := postgres.ConnectPrimary(ctx, url, t.idle)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, q: pgq.New(), timing: t}
	bounded, cancel := context.WithTimeout(ctx, t.trust)
	defer cancel()
	err = s.own(bounded, url)
	if err == nil {
		err = s.unhurried(bounded)
	}
	if err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

// unhurried lifts the time limits that a DBA may have set on the role: this
// session has its own.
func (s *session) unhurried(ctx context.Context) error {
	_, err := s.conn.Exec(ctx, "SET statement_timeout = 0; SET lock_timeout = 0")
	return postgres.Classify(err)
}

// close ends the session, which frees the lock at once.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // the connection is gone either way
}

// try asks for the leader lock without waiting for it: a waiting session would
// hold back vacuum.
func (s *session) try(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.trust)
	defer cancel()
	row, err := s.q.TryLeaderLock(ctx, s.conn, postgres.LockLeader)
	switch {
	case err != nil:
		return false, postgres.Classify(err)
	case row.Replica:
		return false, errReplica
	}
	return row.Taken, nil
}

// takeOver begins a new epoch. It waits for the writing transactions of the
// epoch before; those that do not end soon belong to a node that hangs, and are
// ended.
func (s *session) takeOver(ctx context.Context, node string) (*Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, s.trust)
	defer cancel()
	for {
		begin := time.Now()
		lease, err := s.beginEpoch(ctx, node)
		if err == nil {
			lease.pulse = &pulse{trust: s.trust}
			lease.pulse.beat(begin)
			return lease, nil
		}
		if fault.Code(err) != postgres.CodeUnavailable || s.conn.IsClosed() || ctx.Err() != nil {
			return nil, fmt.Errorf("take over: %w", err)
		}
		if _, err := s.q.EndFenceHolders(ctx, s.conn, int64(postgres.LockFence)); err != nil {
			return nil, fmt.Errorf("end transactions of the last active node: %w", postgres.Classify(err))
		}
	}
}

func (s *session) beginEpoch(ctx context.Context, node string) (*Lease, error) {
	var lease *Lease
	err := postgres.InTx(ctx, s.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", s.fence.Milliseconds())); err != nil {
			return err
		}
		if err := s.q.LockFence(ctx, tx, postgres.LockFence); err != nil {
			return err
		}
		before, err := s.q.GetLeader(ctx, tx)
		if err != nil && !postgres.NoRows(err) {
			return err
		}
		here, err := s.q.Whereabouts(ctx, tx)
		if err != nil {
			return err
		}
		change := pgq.TakeOverParams{
			Node: node, SystemIdentifier: &here.SystemIdentifier, Timeline: &here.Timeline,
			DatabaseOid: &here.DatabaseOid, TableOid: &here.TableOid,
		}
		if reason := moved(before, here); reason != "" {
			change.Moved = &reason
		}
		now, err := s.q.TakeOver(ctx, tx, change)
		if err != nil {
			return err
		}
		lease = &Lease{Since: now.Since, epoch: now.Epoch, Moved: now.Moved != nil}
		if lease.Moved {
			lease.Reason = *now.Moved
		}
		return nil
	})
	return lease, err
}

// moved names what differs between where the data was at the last take-over
// and where it is now; "" when nothing does, or nothing was remembered.
func moved(before pgq.GetLeaderRow, now pgq.WhereaboutsRow) string {
	var changes []string
	for _, c := range []struct {
		what   string
		before *int64
		now    int64
	}{
		{"cluster", before.SystemIdentifier, now.SystemIdentifier},
		{"timeline", before.Timeline, now.Timeline},
		{"database", before.DatabaseOid, now.DatabaseOid},
		{"table", before.TableOid, now.TableOid},
	} {
		if c.before != nil && *c.before != c.now {
			changes = append(changes, fmt.Sprintf("%s %d instead of %d", c.what, uint64(c.now), uint64(*c.before)))
		}
	}
	return strings.Join(changes, ", ")
}

// keep sends signs of life until ctx ends or the lease is lost, and says why.
// Between them it listens, so that a connection that is cut is noticed at once.
func (s *session) keep(ctx context.Context, l *Lease) error {
	for {
		quiet, cancel := context.WithTimeout(ctx, s.heartbeat)
		_, err := s.conn.WaitForNotification(quiet)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && s.conn.IsClosed():
			return postgres.Classify(err)
		}
		if err := s.beat(ctx, l); err != nil {
			return err
		}
	}
}

// beat is one sign of life. The pulse counts from before it was sent: the
// server may have heard it that early.
func (s *session) beat(ctx context.Context, l *Lease) error {
	ctx, cancel := context.WithDeadline(ctx, l.pulse.end())
	defer cancel()
	begin := time.Now()
	row, err := s.q.HoldsLeaderLock(ctx, s.conn, int64(postgres.LockLeader))
	switch {
	case err != nil:
		return postgres.Classify(err)
	case !row.Held:
		return errLockGone
	case row.Epoch != l.epoch:
		return errEpochOver
	}
	l.pulse.beat(begin)
	return nil
}

// pulse is when the node last heard from its session, by the monotonic clock.
type pulse struct {
	trust time.Duration
	last  atomic.Pointer[time.Time]
}

func (p *pulse) beat(at time.Time) { p.last.Store(&at) }

// stop ends the pulse for good.
func (p *pulse) stop() { p.last.Store(&time.Time{}) }

func (p *pulse) end() time.Time { return p.last.Load().Add(p.trust) }

func (p *pulse) alive() bool { return time.Now().Before(p.end()) }
