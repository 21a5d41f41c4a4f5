// Package es is event sourcing without storage: what commands, events and
// aggregates are, how stored events are read back, and the canonical encoding
// over which the log is hashed.
//
// An aggregate is a value S, the fold of its events. A Command looks at S and
// decides which events happen, or refuses with an error. Type.Apply takes an
// event into S; it cannot fail, because what was once recorded stays true.
// Everything here is pure: no storage, network, clock or randomness. Package
// pgstore runs commands against Postgres.
package es

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event is a fact about an aggregate. It is stored as its JSON.
type Event interface {
	// EventName is the name and form under which the event is stored, such as "roas_configured/1". Once released, the
	// JSON under a name never changes its meaning: another form gets another number.
	EventName() string
}

// Command is one intent. Its JSON is stored as its payload.
type Command[S any] interface {
	// CommandName is the name under which the command is stored, such as "configure_roas".
	CommandName() string

	// Process decides what happens. It must not change s or keep it, and its result must follow from s, the command and
	// now alone: it may be called several times for one execution. No events and no error means that there is nothing to do.
	Process(s *S, now time.Time) ([]Event, error)
}

// Actor is who asked for a command.
type Actor struct {
	Name  string // such as "user:admin-token", "task:ca_issue" or "baleen"
	KeyID string // key identifier of the certificate that signed the request; only for protocol peers
}

// Meta is what Apply may know about the command an event belongs to.
type Meta struct {
	Handle  string
	Version int64     // of the command
	At      time.Time // of the command, UTC, whole microseconds
	Actor   Actor
}

// Decoder reads the stored payload of one event name.
type Decoder func(payload json.RawMessage) (Event, error)

// Codec has a decoder for every event name that was ever stored.
type Codec map[string]Decoder

// Decode reads an event back from what was stored.
func (c Codec) Decode(name string, payload json.RawMessage) (Event, error) {
	decode, ok := c[name]
	if !ok {
		return nil, fmt.Errorf("event %q is unknown to this program", name)
	}
	e, err := decode(payload)
	if err != nil {
		return nil, fmt.Errorf("event %q: %w", name, err)
	}
	return e, nil
}

// JSON decodes events that are stored in today's form.
func JSON[E Event](payload json.RawMessage) (Event, error) {
	var e E
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	return e, nil
}

// Upcast decodes events that were stored in an older form and lifts them to
// today's.
func Upcast[Old any, New Event](lift func(Old) New) Decoder {
	return func(payload json.RawMessage) (Event, error) {
		var old Old
		if err := json.Unmarshal(payload, &old); err != nil {
			return nil, err
		}
		return lift(old), nil
	}
}

// Type is a kind of aggregate. Its state S is stored in snapshots as JSON and
// must come back from it the same; the zero value of S is the state before the
// creating command.
type Type[S any] struct {
	Kind  string // as stored, such as "ca"
	Apply func(s *S, m Meta, e Event)
	Codec Codec

	// End is the name of the event that ends a stream, in today's form; empty: a stream of this type does not end.
	End string

	// Format numbers the JSON form of S together with the meaning of Apply. Raise it when either changes: snapshots of
	// another format are ignored.
	Format int
}
