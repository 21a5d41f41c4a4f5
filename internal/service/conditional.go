package service

import (
	"context"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
)

// AnyVersion, where a version of a CA is asked for, is no condition. At any
// other one a change is made only if the CA is at it when the change is
// decided, and is refused as Conflict otherwise.
var AnyVersion *int64

// viewAt reads the newest state of a CA, and refuses as Conflict to do so at
// another version than is wanted.
func (s *Service) viewAt(ctx context.Context, handle string, wanted *int64, f func(st *ca.State, version int64) error) error {
	return caUnknown(handle, s.CAs.ViewIf(ctx, handle, wanted, f))
}

// LifeOf tells a CA from those that had its name before; false if there is no
// such CA. A version of a CA is wanted as a mark of its life.
func (s *Service) LifeOf(ctx context.Context, handle string) (pgstore.Life, bool, error) {
	return s.CAs.Life(ctx, handle)
}

// CheckVersion refuses what is asked for at another version of a CA than it is
// at. It is for what changes nothing in the CA; changes are checked when they
// are decided.
func (s *Service) CheckVersion(ctx context.Context, handle string, wanted *int64) error {
	if wanted == nil {
		return nil
	}
	return s.viewAt(ctx, handle, wanted, func(*ca.State, int64) error { return nil })
}
