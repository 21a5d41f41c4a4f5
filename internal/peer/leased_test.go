package peer_test

import (
	"context"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/remote"
)

// A node whose lease is over posts no message: what a paused node had in mind
// when it was replaced stays with it, and the next active node says it.
func TestWithoutLeaseNothingIsPosted(t *testing.T) {
	there, here := newWorld(t), newWorld(t)
	there.Serve()
	here.Serve()
	there.Start()
	here.JoinRemote("ca1", there.World, "testbed", set("AS65000", "10.0.0.0/16", ""))
	held, posts := true, 0
	direct := here.Peers
	here.Peers = peer.Leased{Poster: poster(func(ctx context.Context, m remote.Message) ([]byte, error) {
		posts++
		return direct.Post(ctx, m)
	}), Held: func() bool { return held }}

	check(t, here.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 65000)}}))
	held = false
	here.Settle()
	if vrps, err := there.Validate(); posts != 0 || len(vrps) != 0 || err != nil {
		t.Errorf("%d messages were posted without a lease; VRPs %v, %v", posts, vrps, err)
	}
	if _, err := here.Peers.Post(t.Context(), remote.Message{}); fault.Of(err) != fault.Unavailable || fault.Code(err) != "not-active" {
		t.Errorf("got %v", err)
	}
	held = true
	check(t, here.SyncRepository(t.Context(), "ca1"))
	here.Exchange(there.World)
	if vrps, err := there.Validate(); posts == 0 || len(vrps) != 1 || err != nil {
		t.Errorf("with a lease: %d messages, VRPs %v, %v", posts, vrps, err)
	}
}

type poster func(ctx context.Context, m remote.Message) ([]byte, error)

func (p poster) Post(ctx context.Context, m remote.Message) ([]byte, error) { return p(ctx, m) }
