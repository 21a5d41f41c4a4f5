package service

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestCrowd(t *testing.T) {
	var c crowd
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	var leave []func()
	for i := range maxPerPeer {
		l, wait := c.enter("a", at.Add(time.Duration(i)*time.Second))
		if l == nil {
			t.Fatalf("the peer is full after %d, wait %v", i, wait)
		}
		leave = append(leave, l)
	}
	for since, most := range map[time.Duration]time.Duration{0: crowdMin, 30 * time.Second: 30 * time.Second, time.Hour: crowdMax} {
		if l, wait := c.enter("a", at.Add(since)); l != nil || wait < most/2 || wait > most {
			t.Errorf("after %v: wait %v", since, wait)
		}
	}
	other, _ := c.enter("b", at)
	if other == nil {
		t.Fatal("another peer is full")
	}
	other()
	leave[0]()
	again, _ := c.enter("a", at)
	if again == nil {
		t.Fatal("nobody left")
	}
	again()
	for _, l := range leave[1:] {
		l()
	}
	if len(c.inside) != 0 {
		t.Errorf("still inside: %v", c.inside)
	}
}

func TestServerOf(t *testing.T) {
	for uri, want := range map[string]string{
		"https://a.example:3000/rfc6492/x": "a.example:3000", "http://a.example/": "a.example", "what": "what", "": "",
	} {
		if got := serverOf(uri); got != want {
			t.Errorf("%s: got %s", uri, got)
		}
	}
}

// Whoever waits for a key that is held for long may stop waiting; then the next
// one gets it.
func TestLockWithin(t *testing.T) {
	var k keyedMutex
	unlock := k.lock("a")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := k.lockWithin(ctx, "a"); err == nil || err.Error() != "enough" {
		t.Errorf("got %v", err)
	}
	if free, err := k.lockWithin(ctx, "b"); err == nil {
		free()
	}
	unlock()
	again, err := k.lockWithin(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	again()
	if len(k.held) != 0 {
		t.Errorf("still held: %v", k.held)
	}
}
