package access

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"baleen/internal/password"
)

// porch is a door with a clock that the test sets.
type porch struct {
	*Door
	t     *testing.T
	now   time.Time
	users map[string]User
}

func newPorch(t *testing.T) *porch {
	t.Helper()
	p := &porch{t: t, now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), users: map[string]User{"joe": {Role: "admin", Password: password.New("joe", "right")}}}
	p.Door = NewDoor(func() time.Time { return p.now })
	return p
}

// enter tries to log in: "ok", "wrong", or how many seconds to wait.
func (p *porch) enter(id, pass, from string) string {
	p.t.Helper()
	got, u, err := p.Enter(p.t.Context(), p.users, Attempt{ID: id, Password: pass, From: netip.MustParseAddr(from)})
	var many *TooManyError
	switch {
	case err == nil && got == "joe" && u.Role == "admin":
		return "ok"
	case errors.Is(err, ErrIncorrect) && u.Role == "":
		return "wrong"
	case errors.As(err, &many):
		return fmt.Sprint(many.Seconds())
	}
	p.t.Fatalf("%s %v %v", got, u, err)
	return ""
}

func (p *porch) want(want, id, pass, from string) {
	p.t.Helper()
	if got := p.enter(id, pass, from); got != want {
		p.t.Errorf("%s with %s from %s: got %s, want %s", id, pass, from, got, want)
	}
}

func TestDoor(t *testing.T) {
	p := newPorch(t)
	p.want("ok", "joe", "right", "192.0.2.1")
	p.want("ok", " joe ", " right ", "192.0.2.1")
	p.want("wrong", "jim", "right", "192.0.2.1")
	p.want("wrong", "", "", "192.0.2.1")
	p.want("wrong", strings.Repeat("j", password.MaxID+1), "right", "192.0.2.1")
	if len(p.watched) > 4 {
		t.Errorf("%d are watched", len(p.watched))
	}
}

// TestGuessing: a few wrong passwords, and then one each time; who is elsewhere
// gets in meanwhile, and whoever waits gets in too.
func TestGuessing(t *testing.T) {
	p := newPorch(t)
	for range userBurst {
		p.want("wrong", "joe", "guess", "2001:db8::1")
	}
	p.want("12", "joe", "right", "2001:db8::1")
	p.want("12", "joe", "right", "2001:db8::2") // the same network
	p.want("ok", "joe", "right", "2001:db8:0:1::1")
	p.now = p.now.Add(11 * time.Second)
	p.want("1", "joe", "guess", "2001:db8::1")
	p.now = p.now.Add(time.Second)
	p.want("wrong", "joe", "guess", "2001:db8::1")
	p.want("12", "joe", "right", "2001:db8::1")
	p.now = p.now.Add(12 * time.Second)
	p.want("ok", "joe", "right", "2001:db8::1")
	p.want("wrong", "joe", "guess", "2001:db8::1") // counted from the beginning
}

// TestManyNames: to try other users does not help an address.
func TestManyNames(t *testing.T) {
	p := newPorch(t)
	address := netip.MustParseAddr("192.0.2.1")
	for n := range addressBurst {
		if wait := p.take(watched{from: address}); wait != 0 {
			t.Fatalf("the %dth attempt waits %v", n, wait)
		}
	}
	p.want("1", "joe", "right", "192.0.2.1")
	p.want("1", "joe", "right", "::ffff:192.0.2.1")
	p.want("ok", "joe", "right", "192.0.2.2")
	p.now = p.now.Add(addressEvery)
	p.want("ok", "joe", "right", "192.0.2.1")
}

// TestMemoryIsBounded: however many addresses try.
func TestMemoryIsBounded(t *testing.T) {
	p := newPorch(t)
	address := netip.MustParseAddr("2001:db8::")
	for range 2 * maxWatched {
		p.take(watched{"joe", address})
		address = address.Next()
	}
	if n := len(p.watched); n > maxWatched {
		t.Errorf("%d are watched", n)
	}
	if p.take(watched{"joe", address.Next()}) == 0 {
		t.Error("those for whom there is no room have no limit")
	}
	p.now = p.now.Add(time.Hour)
	if p.take(watched{"joe", address.Next()}) != 0 || len(p.watched) != 1 {
		t.Errorf("%d are still watched an hour later", len(p.watched))
	}
}

// TestOnlySomeAtOnce: who gets no turn before the time is over is not let in.
func TestOnlySomeAtOnce(t *testing.T) {
	p := newPorch(t)
	for range atOnce {
		p.turn <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := p.Enter(ctx, p.users, Attempt{ID: "joe", Password: "right"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-p.turn
	if _, _, err := p.Enter(t.Context(), p.users, Attempt{ID: "joe", Password: "right"}); err != nil {
		t.Errorf("got %v", err)
	}
}
