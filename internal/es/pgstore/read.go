package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

const (
	// logPage is how many commands are read from the log at a time.
	logPage = 500

	// readTries is how often a reader starts again because the stream was deleted or its state dropped under its hands.
	readTries = 3
)

// beginning is the place before the first command of any stream.
var beginning = head{version: -1}

// View calls f with the newest committed state, which costs one round trip if
// the cached state is current. f must not change or keep the state, and must
// not call the store: it runs under a lock that writers of the same stream wait
// for.
func (st *Store[S]) View(ctx context.Context, handle string, f func(s *S, version int64) error) error {
	if !possible(handle) {
		return unknownStream(st.Type.Kind, handle)
	}
	return st.view(ctx, st.entry(handle), f)
}

func (st *Store[S]) view(ctx context.Context, e *entry[S], f func(s *S, version int64) error) error {
	for range readTries {
		if err := st.refresh(ctx, e); err != nil {
			return err
		}
		if seen, err := e.look(f); seen {
			return err
		}
	}
	return versionRace(e.handle)
}

// look calls f with the state, if there is one.
func (e *entry[S]) look(f func(s *S, version int64) error) (bool, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.state == nil {
		return false, nil
	}
	return true, f(e.state, e.version)
}

// refresh brings an entry to the newest version in the log, in one round trip
// if it was there already. It drops the entry when the handle has no live
// stream (NotFound) or no state could be loaded, and loads the state anew when it is not of this log.
func (st *Store[S]) refresh(ctx context.Context, e *entry[S]) error {
	err := errGone
	if h, ok := e.at(); ok {
		if err = st.follow(ctx, e, h); errors.Is(err, errGone) {
			e.forgetAt(h)
		}
	}
	for range readTries {
		if !errors.Is(err, errGone) {
			break
		}
		err = st.reload(ctx, e)
	}
	if _, loaded := e.at(); !loaded || fault.Code(err) == CodeStreamUnknown {
		st.drop(e)
	}
	if err != nil {
		st.noteBroken(ctx, e.handle, err)
	}
	return err
}

// follow reads the log behind h and applies it to the cached state.
func (st *Store[S]) follow(ctx context.Context, e *entry[S], h head) error {
	return st.walk(ctx, e.handle, h, func(facts []fact) error {
		return e.take(&st.Type, facts...)
	})
}

// reload gives the entry a state from the newest snapshot that fits, and the
// log behind it. Readers that come at the same time wait for the first.
func (st *Store[S]) reload(ctx context.Context, e *entry[S]) error {
	e.load.Lock()
	defer e.load.Unlock()
	if _, ok := e.at(); ok {
		return nil
	}
	s, h, err := st.restore(ctx, e.handle)
	if err != nil {
		return err
	}
	err = st.walk(ctx, e.handle, h, func(facts []fact) error {
		for _, f := range facts {
			if err := fold(&st.Type, s, f); err != nil {
				return err
			}
			h = f.head
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.set(s, h)
	st.mend(e.handle)
	return nil
}

// walk calls take with the commands behind a place in the log of a handle, page
// by page, to the newest. Only who begins at the beginning reads the archive.
// errGone means that this place is not in the log of the handle's live stream.
func (st *Store[S]) walk(ctx context.Context, handle string, after head, take func([]fact) error) error {
	whole := after == beginning
	for {
		rows, err := st.page(ctx, pgq.ReadLogParams{Kind: st.Type.Kind, Handle: handle, After: after.version, Max: logPage}, whole)
		if err != nil {
			return fmt.Errorf("read the log of %s %q: %w", st.Type.Kind, handle, postgres.Classify(err))
		}
		if len(rows) == 0 {
			return st.whyEmpty(ctx, handle, after)
		}
		newest := rows[0].Newest
		if after.version >= 0 {
			if after != headOf(rows[0]) {
				return errGone
			}
			rows = rows[1:]
		}
		facts, err := st.decode(handle, after, rows)
		if err != nil {
			return err
		}
		if err := take(facts); err != nil {
			return err
		}
		if n := len(facts); n > 0 {
			after = facts[n-1].head
		} else if after.version < newest {
			return after.next().broken(handle, errMissing)
		}
		if after.version >= newest {
			return nil
		}
	}
}

// page reads rows of the log.
func (st *Store[S]) page(ctx context.Context, p pgq.ReadLogParams, whole bool) ([]pgq.ReadLogRow, error) {
	if !whole {
		return pgq.New().ReadLog(ctx, st.DB, p)
	}
	rows, err := pgq.New().ReadWholeLog(ctx, st.DB, pgq.ReadWholeLogParams(p))
	out := make([]pgq.ReadLogRow, len(rows))
	for i, r := range rows {
		out[i] = pgq.ReadLogRow(r)
	}
	return out, err
}

var (
	errMissing = errors.New(ProblemMissing)
	errHash    = errors.New(ProblemHash)
)

// whyEmpty says why the log of a handle has nothing from after on.
func (st *Store[S]) whyEmpty(ctx context.Context, handle string, after head) error {
	s, err := st.stream(ctx, handle)
	switch {
	case err != nil:
		return err
	case after.version >= 0:
		return errGone
	}
	return head{id: s.ID}.broken(handle, errMissing)
}

// next is the place of the command behind h.
func (h head) next() head { return head{id: h.id, version: h.version + 1} }

func headOf(row pgq.ReadLogRow) head {
	return head{id: row.ID, version: row.Version, hash: [32]byte(row.Hash)}
}

func actorOf(name string, keyID *string) es.Actor {
	a := es.Actor{Name: name}
	if keyID != nil {
		a.KeyID = *keyID
	}
	return a
}

// stream looks up the live stream of a handle.
func (st *Store[S]) stream(ctx context.Context, handle string) (pgq.GetStreamRow, error) {
	if !possible(handle) {
		return pgq.GetStreamRow{}, unknownStream(st.Type.Kind, handle)
	}
	row, err := pgq.New().GetStream(ctx, st.DB, pgq.GetStreamParams{Kind: st.Type.Kind, Handle: handle})
	switch {
	case postgres.NoRows(err):
		return row, unknownStream(st.Type.Kind, handle)
	case err != nil:
		return row, fmt.Errorf("look up %s %q: %w", st.Type.Kind, handle, postgres.Classify(err))
	}
	return row, nil
}

// StreamID gives the id of the live stream of a handle.
func (st *Store[S]) StreamID(ctx context.Context, handle string) (uuid.UUID, error) {
	row, err := st.stream(ctx, handle)
	return row.ID, err
}

// Handles lists the handles of all live streams of this type, sorted.
func (st *Store[S]) Handles(ctx context.Context) ([]string, error) {
	handles, err := pgq.New().ListHandles(ctx, st.DB, st.Type.Kind)
	if err != nil {
		return nil, fmt.Errorf("list %s handles: %w", st.Type.Kind, postgres.Classify(err))
	}
	return handles, nil
}
