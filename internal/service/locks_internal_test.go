package service

import (
	"context"
	"errors"
	"testing"
)

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
