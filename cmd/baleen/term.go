package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/leader"
)

// term is this node's time as the active one, if it is. It fences what the
// node writes, and tells the web layer its role.
type term struct {
	db       *pgxpool.Pool
	lease    atomic.Pointer[leader.Lease]
	prepared atomic.Bool
}

func (t *term) begin(l *leader.Lease) { t.lease.Store(l) }

func (t *term) end() {
	t.prepared.Store(false)
	t.lease.Store(nil)
}

// ready says that what is missing was made.
func (t *term) ready() { t.prepared.Store(true) }

// Epoch is that of the lease; without one no epoch fits, so that nothing can
// be written.
func (t *term) Epoch() int64 {
	if l := t.lease.Load(); l != nil {
		return l.Epoch()
	}
	return -1
}

// leased says whether this node has a lease and may still think so.
func (t *term) leased() bool {
	l := t.lease.Load()
	return l != nil && l.Held()
}

// Held says whether this node may replace the files that clients see: as the
// active one while its lease lasts, or as a standby, which follows the database.
func (t *term) Held() bool {
	l := t.lease.Load()
	return l == nil || l.Held()
}

// Active says whether this node takes writes.
func (t *term) Active() bool {
	l := t.lease.Load()
	return l != nil && l.Held() && t.prepared.Load()
}

// ActiveNode gives the name of the node that is active, or "" if that is not
// known.
func (t *term) ActiveNode() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	status, err := leader.Active(ctx, t.db)
	if err != nil || !status.Held {
		return ""
	}
	return status.Node
}
