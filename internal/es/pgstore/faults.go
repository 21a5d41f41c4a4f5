package pgstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"baleen/internal/es"
	"baleen/internal/fault"
)

// errStale means that the log is not as it was when the command was decided:
// read what is new, decide again.
var errStale = errors.New("the stream moved on")

func unknownStream(kind, handle string) error {
	return &fault.Error{
		Kind: fault.NotFound, Code: CodeStreamUnknown, Msg: fmt.Sprintf("There is no %s named %q.", kind, handle),
		Args: map[string]string{"kind": kind, "handle": handle},
	}
}

func streamExists(kind, handle string, err error) error {
	return &fault.Error{
		Kind: fault.Exists, Code: CodeStreamExists, Msg: fmt.Sprintf("There is a %s named %q already.", kind, handle),
		Args: map[string]string{"kind": kind, "handle": handle}, Err: err,
	}
}

func versionMismatch(handle string, want, have int64) error {
	want = VersionIn(want)
	f := &fault.Error{
		Kind: fault.Conflict, Code: CodeVersionMismatch,
		Msg:  fmt.Sprintf("%q is at version %d, not %d.", handle, have, want),
		Args: map[string]string{"handle": handle, "version": fmt.Sprint(have), "wanted": fmt.Sprint(want)},
	}
	if want == have {
		f.Msg = fmt.Sprintf("%q was deleted and made again.", handle)
	}
	return f
}

func versionRace(handle string) error {
	return &fault.Error{
		Kind: fault.Conflict, Code: CodeVersionRace, Args: map[string]string{"handle": handle},
		Msg: fmt.Sprintf("%q is being changed by others at the same time.", handle),
	}
}

// broken is the fault of a stream whose log cannot be folded.
func (h head) broken(handle string, err error) error {
	return broken(handle, h.id.String(), fmt.Sprint(h.version), err)
}

func broken(handle, stream, version string, err error) *fault.Error {
	return &fault.Error{
		Kind: fault.Internal, Code: CodeStreamBroken, Err: err,
		Msg: fmt.Sprintf("The log of %q (stream %s) is broken at version %s: nothing can be done with it until it is repaired or restored. baleen verify says more.",
			handle, stream, version),
		Args: map[string]string{"handle": handle, "stream": stream, "version": version},
	}
}

// storable turns the refusal of text that Postgres cannot store into a fault.
func storable(err error) error {
	if !errors.Is(err, es.ErrNUL) {
		return err
	}
	return &fault.Error{Kind: fault.Invalid, Code: CodeTextNUL, Msg: "Text must not contain the character U+0000.", Err: err}
}

// possible tells whether a stream can have this handle at all.
func possible(handle string) bool {
	return handle != "" && utf8.ValidString(handle) && !strings.ContainsRune(handle, 0)
}

func impossibleHandle(handle string) error {
	return &fault.Error{
		Kind: fault.Invalid, Code: CodeHandleInvalid, Msg: fmt.Sprintf("%q cannot be a handle.", handle),
		Args: map[string]string{"handle": strings.ToValidUTF8(handle, "?")},
	}
}

// outcomeUnknown is the fault of a command whose commit was not answered and
// which could not be looked up either.
func outcomeUnknown(handle string, err error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: CodeOutcomeUnknown, Args: map[string]string{"handle": handle}, Err: err,
		Msg: fmt.Sprintf("The connection to the database was lost while a change of %q was being committed: look into its history whether it was.", handle),
	}
}

// storedFault gives the stored form of an error of Process, nil if the error is
// none that is stored.
func storedFault(err error) *StoredFault {
	var f *fault.Error
	if !errors.As(err, &f) {
		return nil
	}
	switch f.Kind {
	case fault.Invalid, fault.Denied, fault.NotFound, fault.Exists:
		return &StoredFault{Code: f.Code, Msg: f.Error(), Args: maps.Clone(f.Args)}
	}
	return nil
}

// encode gives the stored form of a command, an event or a fault.
func encode(v any) (json.RawMessage, error) {
	raw, err := es.Encode(v)
	return raw, storable(err)
}

// Undone says that a command failed with err and was surely not done, so that
// nothing rests on the keys that were made for it. Where nobody knows they must
// stay: baleen verify names those that belong to nothing.
func Undone(err error) bool { return err != nil && fault.Code(err) != CodeOutcomeUnknown }
