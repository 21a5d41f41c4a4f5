package pgstore

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Head is where a live stream stands. Equal heads mean the same state: the hash
// covers the whole log up to there, so that also a database which went back and
// on again is told apart.
type Head struct {
	ID      uuid.UUID
	Handle  string
	Version int64
	Hash    [32]byte // of its newest command
}

// Heads tells in one statement where all live streams of this type stand,
// sorted by handle. Who remembers what it made of a head need not look at
// that stream again.
func (st *Store[S]) Heads(ctx context.Context) ([]Head, error) {
	rows, err := pgq.New().ListHeads(ctx, st.DB, st.Type.Kind)
	if err != nil {
		return nil, fmt.Errorf("list %s streams: %w", st.Type.Kind, postgres.Classify(err))
	}
	out := make([]Head, len(rows))
	for i, r := range rows {
		out[i] = Head{ID: r.ID, Handle: r.Handle, Version: r.Version, Hash: [32]byte(r.Hash)}
	}
	return out, nil
}

// Peek is View for those who look at many streams, one after the other: a state
// that is not cached is loaded and not kept, so that the memory this takes does
// not grow with the number of streams.
func (st *Store[S]) Peek(ctx context.Context, handle string, f func(s *S, version int64) error) error {
	if !possible(handle) {
		return unknownStream(st.Type.Kind, handle)
	}
	return st.view(ctx, st.passing(handle), f)
}

// passing gives the entry of a handle or, where nothing is cached, one that
// nobody else finds.
func (st *Store[S]) passing(handle string) *entry[S] {
	st.mu.Lock()
	e := st.entries[handle]
	st.mu.Unlock()
	if e != nil {
		if _, loaded := e.at(); loaded {
			return e
		}
	}
	return newEntry[S](handle)
}
