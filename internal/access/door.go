package access

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"baleen/internal/password"
)

const (
	// atOnce is how many passwords are checked at the same time: each takes a core for about 50 ms, and 8 MiB.
	atOnce = 2

	// Failures of one user from one address, and attempts from one address whoever it is: so many at once, then one each time.
	userBurst, userEvery       = 5, 12 * time.Second
	addressBurst, addressEvery = 50, 500 * time.Millisecond

	maxWatched = 10000 // users and addresses of which failures are counted apart
)

// ErrIncorrect is the refusal of a user who does not exist or gave another
// password; which of the two is told to nobody.
var ErrIncorrect = errors.New("incorrect credentials")

// TooManyError is the refusal of somebody who tried too often.
type TooManyError struct{ Wait time.Duration }

// Error says how long to wait.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many attempts: try again in %d seconds", e.Seconds())
}

// Seconds gives Wait in whole seconds, at least one.
func (e *TooManyError) Seconds() int { return max(1, int(math.Ceil(e.Wait.Seconds()))) }

// Door checks passwords, a few at the same time and no more than a few wrong ones
// of a user from an address, so that nobody can guess at speed or take the
// processor from others. Those whom a provider vouches for it counts. Get one
// from NewDoor.
type Door struct {
	now  func() time.Time
	turn chan struct{}

	mu      sync.Mutex
	watched map[watched]*rate.Limiter
	swept   time.Time     // when those were taken out who have not tried for a while
	others  *rate.Limiter // for all for whom there is no room
}

// watched is whose attempts are counted: a user at an address, or an address.
type watched struct {
	id   string
	from netip.Addr
}

// NewDoor makes one that goes by a clock.
func NewDoor(now func() time.Time) *Door {
	return &Door{
		now: now, turn: make(chan struct{}, atOnce), watched: map[watched]*rate.Limiter{},
		others: rate.NewLimiter(rate.Every(addressEvery), addressBurst),
	}
}

// Attempt is somebody who wants to log in.
type Attempt struct {
	ID, Password string
	From         netip.Addr // invalid: the Unix socket
}

// Enter gives the user whose name and password were given. Errors are
// ErrIncorrect, *TooManyError, or that of ctx, which may end while others have
// their turn.
func (d *Door) Enter(ctx context.Context, users map[string]User, a Attempt) (id string, u User, err error) {
	if id = password.CleanID(a.ID); len(id) > password.MaxID {
		return "", u, ErrIncorrect // nobody has such a name, and it takes no room here
	}
	user, address := watched{id, network(a.From)}, watched{from: network(a.From)}
	for _, w := range []watched{address, user} {
		if wait := d.take(w); wait > 0 {
			return id, u, &TooManyError{Wait: wait}
		}
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return id, u, ctx.Err()
	}
	u, ok := users[id]
	if !ok {
		u.Password = password.Nobody()
	}
	if !u.Password.Matches(id, a.Password) || !ok {
		return id, User{}, ErrIncorrect
	}
	d.forget(user)
	return id, u, nil
}

// Knock counts somebody who comes back from a provider, and refuses one too many
// with *TooManyError: whoever makes such visits up has the provider asked each
// time.
func (d *Door) Knock(from netip.Addr) error {
	if wait := d.take(watched{from: network(from)}); wait > 0 {
		return &TooManyError{Wait: wait}
	}
	return nil
}

// network gives what counts as one address: IPv6 networks of 64 bits are commonly
// one customer's.
func network(from netip.Addr) netip.Addr {
	from = from.Unmap().WithZone("")
	if from.Is6() {
		return netip.PrefixFrom(from, 64).Masked().Addr()
	}
	return from
}

// take counts an attempt, and says how long to wait if it is one too many, which
// then does not count.
func (d *Door) take(w watched) (wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	r := d.limiter(w, now).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// limiter gives that of who is watched; d.mu is held.
func (d *Door) limiter(w watched, now time.Time) *rate.Limiter {
	if l := d.watched[w]; l != nil {
		return l
	}
	if len(d.watched) >= maxWatched && now.Sub(d.swept) >= time.Second {
		d.swept = now
		for k, l := range d.watched {
			if l.TokensAt(now) >= float64(l.Burst()) {
				delete(d.watched, k)
			}
		}
	}
	if len(d.watched) >= maxWatched {
		return d.others
	}
	l := rate.NewLimiter(rate.Every(userEvery), userBurst)
	if w.id == "" {
		l = rate.NewLimiter(rate.Every(addressEvery), addressBurst)
	}
	d.watched[w] = l
	return l
}

// forget lets who got in begin anew.
func (d *Door) forget(w watched) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.watched, w)
}
