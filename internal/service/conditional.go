package service

import (
	"context"
	"fmt"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// Changes that operators ask for take an ifVersion as their last argument:
// given, and not nil, they are made only if the CA is at that version when
// they are decided, and are refused as Conflict otherwise.

// only gives the version that a change is made at, nil for any.
func only(ifVersion []*int64) *int64 {
	if len(ifVersion) == 0 {
		return nil
	}
	return ifVersion[0]
}

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
