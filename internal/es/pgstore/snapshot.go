package pgstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

const (
	// snapshotFloor is what a log must weigh at least before a snapshot is worth its row, in bytes.
	snapshotFloor = 16 << 10

	// commandWeight is what a command weighs apart from the payloads of its events, in bytes.
	commandWeight = 64
)

// Snapshot stores the state of a stream if what a load would have to fold
// outweighs it: then the cost of all snapshots of a stream stays in proportion
// to its log. It keeps the newest two. Call it in the background.
func (st *Store[S]) Snapshot(ctx context.Context, handle string) (taken bool, err error) {
	q := pgq.New()
	w, err := q.WeighSnapshot(ctx, st.DB, pgq.WeighSnapshotParams{Kind: st.Type.Kind, Handle: handle, Format: int32(st.Type.Format)})
	if postgres.NoRows(err) {
		return false, unknownStream(st.Type.Kind, handle)
	}
	if err != nil {
		return false, fmt.Errorf("weigh %s %q: %w", st.Type.Kind, handle, postgres.Classify(err))
	}
	if w.EventBytes+commandWeight*w.Commands < max(w.SnapshotBytes, snapshotFloor) {
		return false, nil
	}
	state, at, err := st.freeze(ctx, handle)
	if err != nil {
		return false, err
	}
	hash := snapshotHash(at.hash[:], state)
	err = postgres.InFencedTx(ctx, st.DB, st.Fence, func(tx pgx.Tx) error {
		if err := q.InsertSnapshot(ctx, tx, pgq.InsertSnapshotParams{
			StreamID: at.id, Version: at.version, Format: int32(st.Type.Format), At: st.now(), State: state, Hash: hash[:],
		}); err != nil {
			return err
		}
		return q.PruneSnapshots(ctx, tx, at.id)
	})
	if err != nil {
		return false, fmt.Errorf("snapshot of %s %q: %w", st.Type.Kind, handle, err)
	}
	return true, nil
}

// Worthy names the streams for which Snapshot would take one, found without
// loading any.
func (st *Store[S]) Worthy(ctx context.Context) ([]string, error) {
	handles, err := pgq.New().ListSnapshotWorthy(ctx, st.DB, pgq.ListSnapshotWorthyParams{
		Kind: st.Type.Kind, Format: int32(st.Type.Format), CommandWeight: commandWeight, Least: snapshotFloor,
	})
	if err != nil {
		return nil, fmt.Errorf("weigh %s streams: %w", st.Type.Kind, postgres.Classify(err))
	}
	return handles, nil
}

// freeze encodes the newest state and makes sure that it survives the way
// through JSON.
func (st *Store[S]) freeze(ctx context.Context, handle string) (state json.RawMessage, at head, err error) {
	e := st.passing(handle)
	if err := st.refresh(ctx, e); err != nil {
		return nil, head{}, err
	}
	seen, err := e.look(func(s *S, _ int64) error {
		at = e.head
		state, err = json.Marshal(s)
		return err
	})
	if err != nil {
		return nil, head{}, fmt.Errorf("encode the state of %s %q: %w", st.Type.Kind, handle, err)
	}
	if !seen {
		return nil, head{}, versionRace(handle)
	}
	var back S
	if err := json.Unmarshal(state, &back); err != nil {
		return nil, head{}, fmt.Errorf("read back the state of %s %q: %w", st.Type.Kind, handle, err)
	}
	if again, err := json.Marshal(&back); err != nil || !bytes.Equal(again, state) {
		return nil, head{}, fmt.Errorf("the state of %s %q does not survive JSON", st.Type.Kind, handle)
	}
	return state, at, nil
}

// restore gives the state of the newest snapshot that fits the log, or the
// state before the first command. What does not fit is set aside, and logged.
func (st *Store[S]) restore(ctx context.Context, handle string) (*S, head, error) {
	rows, err := pgq.New().ListSnapshots(ctx, st.DB, pgq.ListSnapshotsParams{Kind: st.Type.Kind, Handle: handle})
	if err != nil {
		return nil, head{}, fmt.Errorf("snapshots of %s %q: %w", st.Type.Kind, handle, postgres.Classify(err))
	}
	for _, row := range rows {
		if int(row.Format) != st.Type.Format {
			continue
		}
		s := new(S)
		err := checkSnapshot(row.CommandHash, row.State, row.Hash)
		if err == nil {
			err = json.Unmarshal(row.State, s)
		}
		if err == nil {
			return s, head{id: row.ID, version: row.Version, hash: [32]byte(row.CommandHash)}, nil
		}
		st.log().WarnContext(ctx, "snapshot set aside", "kind", st.Type.Kind, "handle", handle, "stream", row.ID, "version", row.Version, "fault", err)
	}
	return new(S), beginning, nil
}

var (
	errSnapshotAhead = errors.New("the log has no command at the snapshot's version")
	errSnapshotHash  = errors.New("the snapshot's hash does not fit")
)

// checkSnapshot tells whether a state was taken at a command that the log has,
// and is as it was then.
func checkSnapshot(command, state, hash []byte) error {
	if len(command) == 0 {
		return errSnapshotAhead
	}
	if want := snapshotHash(command, state); !bytes.Equal(want[:], hash) {
		return errSnapshotHash
	}
	return nil
}

// snapshotHash ties a state to the command it was taken at.
func snapshotHash(command, state []byte) [32]byte {
	return sha256.Sum256(bytes.Join([][]byte{command, state}, nil))
}

func (st *Store[S]) log() *slog.Logger {
	if st.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return st.Log
}
