package pgstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"baleen/internal/es"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Replayed is what a whole log adds up to.
type Replayed[S any] struct {
	State    *S // nil if the log could not be folded to its end
	Version  int64
	Findings []Finding // of the chain, the snapshots and the fold
}

// Replay verifies a stream, live or deleted, archive included, and folds it
// from its beginning, comparing the state with each snapshot of today's format
// on the way. It reads only, through db alone: give it a transaction to see one
// moment.
func Replay[S any](ctx context.Context, db postgres.DBTX, t es.Type[S], id uuid.UUID) (Replayed[S], error) {
	stream, err := pgq.New().GetStreamByID(ctx, db, id)
	if err != nil {
		return Replayed[S]{}, fmt.Errorf("replay stream %s: %w", id, postgres.Classify(err))
	}
	f := &folder[S]{verifier: verifier{db: db, stream: stream}, t: t, state: new(S), version: -1}
	f.visit = f.command
	if err := f.run(ctx); err != nil {
		return Replayed[S]{}, err
	}
	out := Replayed[S]{Version: stream.Version}
	if f.version == stream.Version {
		f.ends()
		out.State = f.state
	}
	out.Findings = f.findings
	return out, nil
}

// folder is a verifier that folds what it walks over.
type folder[S any] struct {
	verifier
	t       es.Type[S]
	state   *S
	version int64 // of the newest command that state contains
	stopped bool
	last    string // name of the newest event
}

// ends compares whether the stream lives with what its newest event says.
func (f *folder[S]) ends() {
	ended := f.last != "" && f.last == f.t.End
	known := slices.ContainsFunc(f.findings, func(one Finding) bool { return one.Problem == ProblemDeleted })
	if ended != (f.stream.DeletedAt != nil) && !known {
		f.found(f.version, ProblemDeleted)
	}
}

// command applies one command. Behind the first that is missing or cannot be
// applied there is no state.
func (f *folder[S]) command(c pgq.ListCommandsToVerifyRow, events []es.HashEvent) {
	if f.stopped || c.Version != f.version+1 {
		f.stopped = true
		return
	}
	if err := f.apply(c, events); err != nil {
		f.stopped = true
		f.found(c.Version, ProblemUnreadable+": "+err.Error())
		return
	}
	f.version = c.Version
	for _, s := range f.stored {
		if s.Version != c.Version || int(s.Format) != f.t.Format {
			continue
		}
		state, err := json.Marshal(f.state)
		if err != nil || !bytes.Equal(state, s.State) {
			f.found(c.Version, ProblemSnapshotFold)
		}
	}
}

func (f *folder[S]) apply(c pgq.ListCommandsToVerifyRow, events []es.HashEvent) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("apply panicked: %v", p)
		}
	}()
	meta := es.Meta{Handle: f.stream.Handle, Version: c.Version, At: c.At.UTC(), Actor: actorOf(c.Actor, c.ActorKeyID)}
	for _, e := range events {
		event, err := f.t.Codec.Decode(e.Name, e.Payload)
		if err != nil {
			return err
		}
		f.t.Apply(f.state, meta, event)
		f.last = event.EventName()
	}
	return nil
}
