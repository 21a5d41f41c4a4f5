package pgstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Names of the constraints a writer can run into, as in the schema.
const (
	constraintVersion = "es_command_pkey"
	constraintID      = "es_stream_pkey"
	constraintHandle  = "es_stream_live"
)

// record is a decided command, in the form in which it is stored.
type record struct {
	Commit
	payload  json.RawMessage
	fault    *StoredFault    // of a refused command
	reason   json.RawMessage // the fault as it is stored; nil unless refused
	events   []es.HashEvent
	epoch    int64
	previous [32]byte // hash of the command it was decided on
	hash     [32]byte
	deletes  bool // the stream ends with it
	inTx     func(ctx context.Context, tx pgx.Tx, c Commit) error
}

// refused tells whether the command was refused.
func (r *record) refused() bool { return r.fault != nil }

func (r *record) outcome() string {
	if r.refused() {
		return OutcomeRefused
	}
	return OutcomeOK
}

// fact is the record as a reader of the log would see it.
func (r *record) fact() fact {
	return fact{
		head:   head{id: r.StreamID, version: r.Version, hash: r.hash},
		meta:   es.Meta{Handle: r.Handle, Version: r.Version, At: r.At, Actor: r.Actor},
		events: r.Events,
	}
}

// seal gives the record its events and its hash, and returns it. The events are
// taken over as a replay will see them.
func (r *record) seal(codec es.Codec, events []es.Event) (*record, error) {
	for _, e := range events {
		name := e.EventName()
		payload, err := encode(e)
		if err != nil {
			return nil, fmt.Errorf("event %q: %w", name, err)
		}
		read, err := codec.Decode(name, payload)
		if err != nil {
			return nil, fmt.Errorf("a new event cannot be read back: %w", err)
		}
		r.events = append(r.events, es.HashEvent{Name: name, Payload: payload})
		r.Events = append(r.Events, read)
	}
	var err error
	if r.refused() {
		if r.reason, err = encode(r.fault); err != nil {
			return nil, err
		}
	}
	r.hash, err = es.CanonicalHash(r.previous, es.HashInput{
		Stream: r.StreamID.String(), Kind: r.Kind, Handle: r.Handle, Version: r.Version, At: r.At, Actor: r.Actor,
		Name: r.Command, Payload: r.payload, Outcome: r.outcome(), Fault: r.reason, Epoch: r.epoch, Events: r.events,
	})
	return r, storable(err)
}

// queue adds the statements that store the record. A statement that finds the
// log other than it was decided on fails with errStale.
func (r *record) queue(b *pgx.Batch) {
	var key *string
	if r.Actor.KeyID != "" {
		key = &r.Actor.KeyID
	}
	if r.Version == 0 {
		b.Queue(pgq.CreateStream, r.StreamID, r.Kind, r.Handle, r.At)
		b.Queue(pgq.CreateCommand, r.StreamID, r.At, r.Actor.Name, key, r.Command, r.payload, r.outcome(), r.reason, r.epoch, r.hash[:])
	} else {
		b.Queue(pgq.AppendCommand, r.Version, r.At, r.Actor.Name, key, r.Command, r.payload, r.outcome(), r.reason, r.epoch,
			r.hash[:], r.StreamID, r.previous[:]).Exec(oneRow)
	}
	if n := len(r.events); n > 0 {
		ordinals, names, payloads := make([]int32, n), make([]string, n), make([]json.RawMessage, n)
		for i, e := range r.events {
			ordinals[i], names[i], payloads[i] = int32(i), e.Name, e.Payload
		}
		b.Queue(pgq.AppendEvents, r.StreamID, r.Version, ordinals, names, payloads)
	}
	if r.Version > 0 {
		var deletedAt *time.Time
		if r.deletes {
			deletedAt = &r.At
		}
		b.Queue(pgq.AdvanceStream, r.Version, deletedAt, r.StreamID).Exec(oneRow)
	}
}

func oneRow(t pgconn.CommandTag) error {
	if t.RowsAffected() != 1 {
		return errStale
	}
	return nil
}

// write stores a record with everything that commits with it, in one
// transaction. It fails with errStale if the log moved on.
func (st *Store[S]) write(ctx context.Context, r *record) error {
	err := postgres.InFencedBatch(ctx, st.DB, fixedEpoch(r.epoch), r.queue, func(tx pgx.Tx) error {
		if r.refused() {
			return nil
		}
		for _, listen := range st.Listeners {
			if err := listen(ctx, tx, r.Commit); err != nil {
				return err
			}
		}
		if r.inTx == nil {
			return nil
		}
		return r.inTx(ctx, tx, r.Commit)
	})
	switch {
	case postgres.Violates(err, constraintVersion), fault.Code(err) == postgres.CodeConflict:
		return errors.Join(errStale, err)
	case postgres.Violates(err, constraintHandle), postgres.Violates(err, constraintID):
		return streamExists(r.Kind, r.Handle, err)
	}
	return err
}

// fixedEpoch is the fence of a record: the epoch that is written into its row.
type fixedEpoch int64

// Epoch implements postgres.Fence.
func (e fixedEpoch) Epoch() int64 { return int64(e) }

// countRepeat counts a refusal on the peer's newest command if that was refused
// in the same way; false: it was not, so this one is to be stored.
func (st *Store[S]) countRepeat(ctx context.Context, r *record) (counted bool, err error) {
	err = postgres.InFencedTx(ctx, st.DB, fixedEpoch(r.epoch), func(tx pgx.Tx) error {
		n, err := pgq.New().CountRepeat(ctx, tx, pgq.CountRepeatParams{
			StreamID: r.StreamID, Actor: r.Actor.Name, ActorKeyID: r.Actor.KeyID, Name: r.Command, Payload: r.payload, Fault: r.reason,
		})
		counted = n == 1
		return err
	})
	return counted, err
}

// written tells whether exactly this record is in the log.
func (st *Store[S]) written(ctx context.Context, r *record) (bool, error) {
	hash, err := pgq.New().GetCommandHash(ctx, st.DB, pgq.GetCommandHashParams{StreamID: r.StreamID, Version: r.Version})
	if postgres.NoRows(err) {
		return false, nil
	}
	if err != nil {
		return false, postgres.Classify(err)
	}
	return [32]byte(hash) == r.hash, nil
}

// newStreamID makes the id of a new stream. Ids rise with time, which keeps
// new streams together in the indexes; nothing relies on their order.
func newStreamID() (uuid.UUID, error) { return uuid.NewV7() }
