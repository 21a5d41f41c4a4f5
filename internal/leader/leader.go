// Package leader makes sure that one node is active.
//
// # Terms
//
// The node that holds the leader lock, an advisory lock of a database session of
// its own, is active; the others are standbys and ask for the lock again and
// again. Each take-over begins a new epoch, a number in the table leader. The
// lock says who may begin; the epoch is what protects the data: every writing
// transaction takes the fence lock shared and fails unless the epoch is its
// own (postgres.InFencedTx), and a take-over takes the fence exclusively, so it
// waits for the writing transactions before it and shuts out those after it.
//
// # What can go wrong
//
// The node dies: its session ends with its connection, the lock is free at
// once. It hangs: the server ends a session that is silent for ten seconds; the
// transactions it left open are ended by whoever takes over. It wakes up again:
// its epoch is over, so it can write nothing; by its own clock it stopped
// being active eight seconds after the last answer to a heartbeat. The database
// goes away: the node steps down and asks for the lock until it answers. The
// data is restored from a dump or moved to another cluster: the take-over
// notices and says so in the lease.
package leader

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// timing is how patient a node is.
type timing struct {
	poll      time.Duration // between two tries of a standby
	heartbeat time.Duration // between two signs of life of the active node
	trust     time.Duration // without an answer for so long, the lease is lost
	idle      time.Duration // after so long without a sign of life the server frees the lock
	maxPause  time.Duration // longest wait before the next try after a failure
	fence     time.Duration // how long a take-over waits for transactions of the node before it, until it ends them
	odd       time.Duration // after so long what is odd about the holder of the lock is said
}

// normal is the timing outside tests. Trust ends before the server frees the
// lock, so that two nodes never both think that they are active.
var normal = timing{
	poll: 250 * time.Millisecond, heartbeat: 2 * time.Second, trust: 8 * time.Second, idle: 10 * time.Second,
	maxPause: 2 * time.Second, fence: 500 * time.Millisecond, odd: 10 * time.Second,
}

// Node is one process that may become active.
type Node struct {
	URL  string       // of the database, not through a transaction pooler
	Name string       // unique among the nodes
	Log  *slog.Logger // nil: silent

	timing timing // zero: normal
}

// Status is who is, or was last, active.
type Status struct {
	Epoch int64
	Node  string    // "" before the first take-over
	Since time.Time // of the take-over
	Held  bool      // some session holds the leader lock now
}

// Lease is one term as the active node. It is the postgres.Fence of everything
// the node writes.
type Lease struct {
	// Moved says that the data lives elsewhere than at the take-over before: another cluster, timeline, database or
	// table. Commits that the world has seen may be missing. Reason names what changed. Every later lease says so too,
	// until SettleMoved.
	Moved  bool
	Reason string

	Since time.Time // of the take-over, by the database's clock

	epoch int64
	pulse *pulse
}

// Epoch numbers the lease; it implements postgres.Fence.
func (l *Lease) Epoch() int64 { return l.epoch }

// Held tells whether the node may still think that it is active: it heard from
// its session within the last eight seconds. Ask right before an effect that the
// database cannot fence.
func (l *Lease) Held() bool { return l.pulse.alive() }

var _ postgres.Fence = (*Lease)(nil)

// Active reads who is active; it works on a standby too.
func Active(ctx context.Context, db postgres.DBTX) (Status, error) {
	row, err := pgq.New().ActiveNode(ctx, db, int64(postgres.LockLeader))
	if err != nil {
		return Status{}, fmt.Errorf("active node: %w", postgres.Classify(err))
	}
	return Status{Epoch: row.Epoch, Node: row.Node, Since: row.Since, Held: row.Held}, nil
}

// SettleMoved notes, in the transaction that schedules what has to be done
// about moved data, that somebody took care of it.
func SettleMoved(ctx context.Context, tx pgx.Tx) error {
	if err := pgq.New().SettleMoved(ctx, tx); err != nil {
		return fmt.Errorf("settle moved data: %w", postgres.Classify(err))
	}
	return nil
}
