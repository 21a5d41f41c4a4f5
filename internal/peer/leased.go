package peer

import (
	"context"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/remote"
)

// Leased posts messages only while Held says that this node may still think
// that it is the active one. The database fences what a node writes there; what
// it tells others it must not tell once another node may have taken over.
type Leased struct {
	Poster
	Held func() bool
}

// Post refuses as Unavailable, "not-active", where the lease is over.
func (l Leased) Post(ctx context.Context, m remote.Message) ([]byte, error) {
	if !l.Held() {
		return nil, fault.New(fault.Unavailable, postgres.CodeNotActive, "This node is not active any more: it sends nothing to peers.")
	}
	return l.Poster.Post(ctx, m)
}
