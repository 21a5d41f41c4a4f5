// Package login notes who logged in and who was refused, in the table login.
// A success has a row of its own. Refusals are counted in memory and written
// now and then, one row for each minute, address, way and reason, so that
// nobody can flood the table. No secret ever gets here.
package login

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Ways to log in.
const (
	AdminToken    = "admin-token"
	ConfigFile    = "config-file"
	OpenIDConnect = "openid-connect"
	Bearer        = "bearer"      // a request with a token that nobody has
	UnixSocket    = "unix-socket" // a request over the Unix socket
)

const (
	flushEvery = 10 * time.Second // how often refusals are written
	patience   = 2 * time.Second  // for the row of a success

	// maxKinds is how many different refusals of one minute have rows of their own; further ones are counted together.
	maxKinds = 20

	// maxWaiting is how many rows may wait to be written, while the database is away.
	maxWaiting = 2000

	maxUser = 256 // characters
)

// Attempt is somebody who wants to log in.
type Attempt struct {
	User     string     // "" unless it is the name of a user that there is
	Provider string     // how
	Remote   netip.Addr // from where; invalid for the Unix socket
}

// Recorder writes the table. The fields are set before first use. Only the
// active node can write; others leave it at the log.
type Recorder struct {
	DB    *pgxpool.Pool
	Fence postgres.Fence
	Log   *slog.Logger
	Now   func() time.Time

	mu      sync.Mutex
	minute  time.Time        // the one that seen is about
	seen    map[refusal]bool // kinds of refusal in this minute
	waiting map[refusal]*count
}

// refusal is what refusals are counted by.
type refusal struct {
	Attempt
	minute time.Time
	fault  string
}

type count struct {
	first, last time.Time
	n           int64
}

// Succeeded notes a login. That it cannot be written is not the user's fault:
// it goes to the log.
func (r *Recorder) Succeeded(ctx context.Context, a Attempt) {
	a = a.clean()
	r.Log.Info("login", "user", a.User, "provider", a.Provider, "remote", a.Remote)
	if r.Fence.Epoch() < 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := postgres.InFencedTx(ctx, r.DB, r.Fence, func(tx pgx.Tx) error {
		return pgq.New().InsertLogin(ctx, tx, pgq.InsertLoginParams{
			At: r.Now(), UserName: text(a.User), Provider: a.Provider, RemoteAddress: address(a.Remote), Epoch: r.Fence.Epoch(),
		})
	})
	if err != nil {
		r.Log.Warn("a login could not be noted", "user", a.User, "error", err)
	}
}

// Refused counts a refusal; fault is its label.
func (r *Recorder) Refused(a Attempt, fault string) {
	now := r.Now().UTC()
	k := refusal{Attempt: a.clean(), minute: now.Truncate(time.Minute), fault: fault}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.minute.Equal(k.minute) {
		r.minute, r.seen = k.minute, map[refusal]bool{}
	}
	if !r.seen[k] && len(r.seen) >= maxKinds {
		k.User, k.Remote = "", netip.Addr{}
	} else if !r.seen[k] {
		r.seen[k] = true
		r.Log.Warn("login refused", "user", k.User, "provider", k.Provider, "remote", k.Remote, "fault", fault)
	}
	r.add(k, count{first: now, last: now, n: 1})
}

// add counts; r.mu is held.
func (r *Recorder) add(k refusal, c count) {
	if r.waiting == nil {
		r.waiting = map[refusal]*count{}
	}
	have := r.waiting[k]
	switch {
	case have != nil:
		have.n += c.n
		if c.first.Before(have.first) {
			have.first = c.first
		}
		if c.last.After(have.last) {
			have.last = c.last
		}
	case len(r.waiting) < maxWaiting:
		r.waiting[k] = &c
	}
}

// Run writes what was counted every few seconds until ctx ends.
func (r *Recorder) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			defer cancel()
			r.flush(last)
			return nil
		case <-tick.C:
			r.flush(ctx)
		}
	}
}

func (r *Recorder) flush(ctx context.Context) {
	if err := r.Flush(ctx); err != nil {
		r.Log.Warn("refused logins could not be noted yet", "error", err)
	}
}

// Flush writes what was counted. What cannot be written waits for the next
// time; a node that is not the active one drops it.
func (r *Recorder) Flush(ctx context.Context) error {
	r.mu.Lock()
	batch := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	if len(batch) == 0 || r.Fence.Epoch() < 0 {
		return nil
	}
	err := postgres.InFencedTx(ctx, r.DB, r.Fence, func(tx pgx.Tx) error {
		for k, c := range batch {
			if err := pgq.New().CountRefusedLogin(ctx, tx, r.row(k, c)); err != nil {
				return fmt.Errorf("count refused logins: %w", postgres.Classify(err))
			}
		}
		return nil
	})
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		for k, c := range batch {
			r.add(k, *c)
		}
	}
	return err
}

func (r *Recorder) row(k refusal, c *count) pgq.CountRefusedLoginParams {
	return pgq.CountRefusedLoginParams{
		At: c.first, LastAt: c.last, Minute: &k.minute, UserName: text(k.User), Provider: k.Provider, Fault: k.fault,
		RemoteAddress: address(k.Remote), Attempts: c.n, Epoch: r.Fence.Epoch(),
	}
}

// clean makes an attempt one that can be compared and stored.
func (a Attempt) clean() Attempt {
	a.Remote = a.Remote.Unmap().WithZone("")
	a.User = postgres.Text(a.User)
	if runes := []rune(a.User); len(runes) > maxUser {
		a.User = string(runes[:maxUser])
	}
	return a
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func address(a netip.Addr) *netip.Addr {
	if !a.IsValid() {
		return nil
	}
	return &a
}
