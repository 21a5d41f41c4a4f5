package peers

import (
	"context"
	"sync"
	"testing"

	"baleen/internal/fault"
)

// Many messages that have all taken a part and all want more come to their end,
// one after the other.
func TestNobodyWaitsForEver(t *testing.T) {
	r := newRoom(4, 100)
	var all []*share
	for range 12 { // together they have all that is common
		s := &share{of: r}
		if waited, err := s.grow(t.Context(), 25); err != nil || waited {
			t.Fatalf("there was room, but: %v, %v", waited, err)
		}
		all = append(all, s)
	}
	var g sync.WaitGroup
	for _, s := range all {
		g.Go(func() {
			defer s.release()
			for range 3 {
				if _, err := s.grow(t.Context(), 25); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	if s := (&share{of: r}); !r.common.TryAcquire(300) || len(r.turn) != 0 {
		t.Errorf("not everything was given back: %+v", s)
	}
}

// Who waits too long is told so, and keeps what it has until it gives it back.
func TestWaitingEnds(t *testing.T) {
	r := newRoom(2, 100)
	first, second, third := &share{of: r}, &share{of: r}, &share{of: r}
	for i, s := range []*share{first, second} { // the first takes all that is common, the second the turn
		if _, err := s.grow(t.Context(), []int64{100, 1}[i]); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if waited, err := third.grow(ctx, 1); !waited || fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v, %v", waited, err)
	}
	third.release()
	second.release()
	first.release()
	if _, err := third.grow(ctx, 100); err != nil || third.turn {
		t.Errorf("there is room again, but: %v, turn %v", err, third.turn)
	}
}
