package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Recovered is what Recover found.
type Recovered struct {
	Streams  int       // live ones that were folded
	SetAside []Finding // snapshots that were dropped
	Broken   []Finding // of streams that stay broken: repair or restore the log
}

// Recover folds every live stream of this type anew from the beginning of its
// log, archive included. Snapshots that are not as they were taken, or not what
// the log adds up to, are dropped, and so is every cached state. The log itself
// is never changed. What is found goes to the log of the program too.
func (st *Store[S]) Recover(ctx context.Context) (Recovered, error) {
	var out Recovered
	defer st.Forget()
	err := EachStream(ctx, st.DB, func(s Stream) error {
		if s.Kind != st.Type.Kind || s.Deleted {
			return nil
		}
		out.Streams++
		r, err := Replay(ctx, st.DB, st.Type, s.ID)
		if err != nil {
			return err
		}
		for _, f := range r.Findings {
			if f.Problem != ProblemSnapshotHash && f.Problem != ProblemSnapshotFold {
				out.Broken = append(out.Broken, f)
				continue
			}
			if err := st.setAside(ctx, f); err != nil {
				return err
			}
			out.SetAside = append(out.SetAside, f)
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("recover %s: %w", st.Type.Kind, err)
	}
	for _, f := range out.Broken {
		st.log().ErrorContext(ctx, "the log of a stream is broken", "kind", f.Kind, "handle", f.Handle, "stream", f.StreamID, "version", f.Version, "problem", f.Problem)
	}
	return out, nil
}

// setAside drops a snapshot.
func (st *Store[S]) setAside(ctx context.Context, f Finding) error {
	err := postgres.InFencedTx(ctx, st.DB, st.Fence, func(tx pgx.Tx) error {
		return pgq.New().DeleteSnapshot(ctx, tx, pgq.DeleteSnapshotParams{StreamID: f.StreamID, Version: f.Version})
	})
	if err == nil {
		st.log().WarnContext(ctx, "snapshot set aside", "kind", f.Kind, "handle", f.Handle, "stream", f.StreamID, "version", f.Version, "fault", f.Problem)
	}
	return err
}

// VerifyHeads looks at the newest command of every stream alone, which is quick
// even where the log is long: is it there, and does its hash fit. It calls
// report for each finding and tells how many streams there are.
func VerifyHeads(ctx context.Context, db postgres.DBTX, report func(Finding)) (streams int, err error) {
	err = EachStream(ctx, db, func(s Stream) error {
		streams++
		v := verifier{db: db, stream: pgq.EsStream{ID: s.ID, Kind: s.Kind, Handle: s.Handle, Version: s.Version}}
		err := v.head(ctx)
		for _, f := range v.findings {
			report(f)
		}
		if err != nil {
			return fmt.Errorf("verify stream %s: %w", s.ID, postgres.Classify(err))
		}
		return nil
	})
	return streams, err
}

// head checks the newest command against the one before it.
func (v *verifier) head(ctx context.Context) error {
	newest := v.stream.Version
	commands, err := pgq.New().ListCommandsToVerify(ctx, v.db, pgq.ListCommandsToVerifyParams{StreamID: v.stream.ID, After: newest - 2, MaxRows: 3})
	if err != nil {
		return err
	}
	events, err := v.events(ctx, newest, newest)
	if err != nil {
		return err
	}
	var previous [32]byte
	there := false
	for _, c := range commands {
		switch {
		case c.Version < newest:
			previous = [32]byte(c.Hash)
		case c.Version > newest:
			v.found(newest, ProblemNewest)
		default:
			there = true
			if err := v.command(c, previous, events[newest]); err != nil {
				return err
			}
		}
	}
	if !there {
		v.found(newest, ProblemMissing)
	} else if newest > 0 && previous == ([32]byte{}) {
		v.found(newest-1, ProblemMissing)
	}
	return nil
}
