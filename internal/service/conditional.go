package service

import (
	"context"
	"fmt"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// AnyVersion, where a version of a CA is asked for, is no condition. At any
// other one a change is made only if the CA is at it when the change is
// decided, and is refused as Conflict otherwise.
var AnyVersion *int64

// notAt is the refusal of a change that was asked for at another version.
func notAt(handle string, wanted, version int64) error {
	return &fault.Error{
		Kind: fault.Conflict, Code: pgstore.CodeVersionMismatch, Msg: fmt.Sprintf("%q is at version %d, not %d.", handle, version, wanted),
		Args: map[string]string{"handle": handle, "version": fmt.Sprint(version), "wanted": fmt.Sprint(wanted)},
	}
}

// CheckVersion refuses what is asked for at another version of a CA than it is
// at. It is for what changes nothing in the CA; changes are checked when they
// are decided.
func (s *Service) CheckVersion(ctx context.Context, handle string, wanted *int64) error {
	if wanted == nil {
		return nil
	}
	return s.view(ctx, handle, func(_ *ca.State, version int64) error {
		if version != *wanted {
			return notAt(handle, *wanted, version)
		}
		return nil
	})
}
