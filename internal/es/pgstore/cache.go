package pgstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"baleen/internal/es"
)

// errGone means that the cached state has no place in the log any more: it was
// dropped, or the log is not the one it came from.
var errGone = errors.New("the cached state is gone")

// entry is the cached state of one handle. Locks are taken in the order write,
// load, mu. Once an entry is dropped from the store it still works, for those
// who have it, but is found by nobody else.
type entry[S any] struct {
	handle string
	write  chan struct{} // holds one token: writers of this process take turns
	load   sync.Mutex    // one reader at a time loads a state from scratch

	mu    sync.RWMutex
	state *S // nil: not loaded
	head
}

// head is a place in the log: the newest command that a state contains.
type head struct {
	id      uuid.UUID
	version int64
	hash    [32]byte
}

// fact is a command read from the log, to be applied.
type fact struct {
	head
	meta   es.Meta
	events []es.Event
}

// entry finds or makes the entry of a handle.
func (st *Store[S]) entry(handle string) *entry[S] {
	st.mu.Lock()
	defer st.mu.Unlock()
	e, ok := st.entries[handle]
	if !ok {
		e = newEntry[S](handle)
		if st.entries == nil {
			st.entries = map[string]*entry[S]{}
		}
		st.entries[handle] = e
	}
	return e
}

func newEntry[S any](handle string) *entry[S] {
	e := &entry[S]{handle: handle, write: make(chan struct{}, 1)}
	e.write <- struct{}{}
	return e
}

// drop forgets an entry: its stream is gone, or may be.
func (st *Store[S]) drop(e *entry[S]) {
	e.forget()
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.entries[e.handle] == e {
		delete(st.entries, e.handle)
	}
}

// Forget drops all cached states; the next use of each reads its log.
func (st *Store[S]) Forget() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, e := range st.entries {
		e.forget()
	}
	st.entries = nil
}

// forget drops the state but keeps the entry.
func (e *entry[S]) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state, e.head = nil, head{}
}

// forgetAt drops the state if it is still the one at h.
func (e *entry[S]) forgetAt(h head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.head == h {
		e.state, e.head = nil, head{}
	}
}

// lock waits for its turn as the writer of this process.
func (e *entry[S]) lock(ctx context.Context) error {
	select {
	case <-e.write:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *entry[S]) unlock() { e.write <- struct{}{} }

// at tells which place in the log the state has; false if there is no state.
func (e *entry[S]) at() (head, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.head, e.state != nil
}

// set gives the entry a state, unless it has a newer one of the same stream.
func (e *entry[S]) set(s *S, h head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != nil && e.id == h.id && e.version >= h.version {
		return
	}
	e.state, e.head = s, h
}

// take applies what follows the state, and nothing else. A state that Apply
// panics on is dropped.
func (e *entry[S]) take(t *es.Type[S], facts ...fact) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range facts {
		if e.state == nil || e.id != f.id || e.version >= f.version {
			continue
		}
		if f.version != e.version+1 {
			return errGone
		}
		if err := fold(t, e.state, f); err != nil {
			e.state, e.head = nil, head{}
			return err
		}
		e.head = f.head
	}
	return nil
}

// fold applies one command. Apply cannot fail; if it panics all the same, this
// stream stops and not the server.
func fold[S any](t *es.Type[S], s *S, f fact) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = f.broken(f.meta.Handle, fmt.Errorf("apply panicked: %v", p))
		}
	}()
	for _, event := range f.events {
		t.Apply(s, f.meta, event)
	}
	return nil
}
