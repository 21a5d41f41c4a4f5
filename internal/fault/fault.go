// Package fault is the closed list of error kinds that cross package borders.
// A kind says what the caller can do; the code says exactly what happened and
// is as stable as a field of the API; one table per protocol turns kinds into
// HTTP, RFC 6492 or RFC 8181 answers.
package fault

import "errors"

// Kind says what a caller can do about an error.
type Kind int

// The seven kinds. Internal is the zero value: what nobody classified is our bug.
const (
	Internal    Kind = iota // our bug; the cause goes only to the log
	Invalid                 // can never succeed as asked
	Denied                  // this caller may not
	NotFound                // no such thing
	Exists                  // the name or key is taken
	Conflict                // the state moved on: read again, decide again
	Unavailable             // a peer, the signer or the database is down: try later
)

var names = [...]string{"internal", "invalid", "denied", "not-found", "exists", "conflict", "unavailable"}

// String gives the kind's name as it stands in logs and in the audit trail.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(names) {
		return "internal"
	}
	return names[k]
}

// Error is an error that a caller can act on.
type Error struct {
	Kind   Kind
	Code   string            // documented label, such as "ca-unknown"
	Msg    string            // complete English sentence that may be shown to the client
	Args   map[string]string // the parts of Msg, for programs; may be nil
	Detail any               // further structured detail for the client; may be nil
	Err    error             // the cause, for the log only; may be nil
}

// New makes an error without arguments or cause.
func New(kind Kind, code, msg string) *Error {
	return &Error{Kind: kind, Code: code, Msg: msg}
}

// Error gives the message that may be shown.
func (e *Error) Error() string {
	if e.Msg == "" {
		return e.Code
	}
	return e.Msg
}

// Unwrap gives the cause, if any.
func (e *Error) Unwrap() error { return e.Err }

// Of gives the kind of err: that of the outermost Error in its chain, or
// Internal if there is none. Of(nil) is Internal too: ask only about errors.
func Of(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Code gives the code of the outermost Error in err's chain, or "".
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Shown gives what may be said of an error: of our own bugs and of what went
// wrong inside only that the log has more.
func Shown(err error) string {
	var f *Error
	if errors.As(err, &f) && f.Kind != Internal {
		return f.Error()
	}
	return "Internal error: see the server's log"
}
