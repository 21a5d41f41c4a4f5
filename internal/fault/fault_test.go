package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"baleen/internal/fault"
)

func TestOfLooksThroughWrapping(t *testing.T) {
	cause := errors.New("connection refused")
	err := fmt.Errorf("list publishers: %w", &fault.Error{Kind: fault.Unavailable, Code: "database-unavailable", Msg: "the database is down", Err: cause})
	if got := fault.Of(err); got != fault.Unavailable {
		t.Errorf("kind: got %v, want %v", got, fault.Unavailable)
	}
	if got := fault.Code(err); got != "database-unavailable" {
		t.Errorf("code: got %q", got)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is not reachable")
	}
	if got := fault.Of(cause); got != fault.Internal {
		t.Errorf("unclassified: got %v, want %v", got, fault.Internal)
	}
}

func TestMessageNeverShowsTheCause(t *testing.T) {
	err := &fault.Error{Kind: fault.Internal, Code: "sys-internal", Msg: "Internal error", Err: errors.New("secret path")}
	if got := err.Error(); got != "Internal error" {
		t.Errorf("got %q", got)
	}
	if got := fault.New(fault.Invalid, "roa-duplicate", "").Error(); got != "roa-duplicate" {
		t.Errorf("without message: got %q", got)
	}
}
