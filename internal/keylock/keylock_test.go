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
