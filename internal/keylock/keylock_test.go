package keylock

import (
	"context"
	"errors"
	"testing"
)

// Whoever waits for a key that is held for long may stop waiting; then the next
// one gets it.
func TestLockWithin(t *testing.T) {
	var k Locks
	unlock := k.Lock("a")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := k.LockWithin(ctx, "a"); err == nil || err.Error() != "enough" {
		t.Errorf("got %v", err)
	}
	if free, err := k.LockWithin(ctx, "b"); err == nil {
		free()
	}
	unlock()
	again, err := k.LockWithin(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	again()
	if len(k.held) != 0 {
		t.Errorf("still held: %v", k.held)
	}
}

// Who does not wait gets a key only where it is free.
func TestTryLock(t *testing.T) {
	var k Locks
	unlock, ok := k.TryLock("a")
	if !ok {
		t.Fatal("a free key is not given")
	}
	if _, ok := k.TryLock("a"); ok {
		t.Error("a key is given twice")
	}
	unlock()
	again, ok := k.TryLock("a")
	if !ok {
		t.Fatal("a key is not free again")
	}
	again()
	if len(k.held) != 0 {
		t.Errorf("still held: %v", k.held)
	}
}
