package peers

import (
	"context"

	"golang.org/x/sync/semaphore"

	"baleen/internal/fault"
)

// room is the memory for all messages that are taken in at one time. Each takes
// more as it grows. When none is left, one message at a time may grow all the
// same, up to its limit: so there is always one that comes to its end and gives
// back what it has, however many wait for each other.
type room struct {
	common *semaphore.Weighted
	turn   chan struct{}
}

// newRoom makes room for so many of the largest messages; one of them is that
// which may always grow.
func newRoom(messages, largest int64) *room {
	return &room{common: semaphore.NewWeighted((messages - 1) * largest), turn: make(chan struct{}, 1)}
}

// share is what one message has of the room.
type share struct {
	of    *room
	taken int64
	turn  bool
}

// grow makes room for n more octets. It says whether it had to wait for it,
// which it does no longer than ctx allows, and at most once for each message.
func (s *share) grow(ctx context.Context, n int64) (waited bool, err error) {
	switch {
	case s.turn:
		return false, nil
	case s.of.common.TryAcquire(n):
		s.taken += n
		return false, nil
	}
	select {
	case s.of.turn <- struct{}{}:
		s.turn = true
		return true, nil
	case <-ctx.Done():
		return true, &fault.Error{Kind: fault.Unavailable, Code: "sys-unavailable", Msg: "The server is busy with other messages", Err: context.Cause(ctx)}
	}
}

// release gives everything back.
func (s *share) release() {
	s.of.common.Release(s.taken)
	s.taken = 0
	if s.turn {
		s.turn = false
		<-s.of.turn
	}
}
