package pgstore

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"baleen/internal/fault"
)

// Broken is a stream that stopped because its log is not as it was written.
type Broken struct {
	Kind, Handle string
	Stream       string // its id
	Version      string // where
	Problem      string
}

// Fault is the refusal of everything that is asked of the stream.
func (b Broken) Fault() *fault.Error {
	return broken(b.Handle, b.Stream, b.Version, errors.New(b.Problem))
}

// Broken lists the streams whose log could not be read when somebody last
// tried, by handle. All others go on.
func (st *Store[S]) Broken() []Broken {
	st.mu.Lock()
	defer st.mu.Unlock()
	return slices.SortedFunc(maps.Values(st.damaged), func(a, b Broken) int { return strings.Compare(a.Handle, b.Handle) })
}

// noteBroken keeps in mind, and logs once, that a stream is broken.
func (st *Store[S]) noteBroken(ctx context.Context, handle string, err error) {
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != CodeStreamBroken {
		if fault.Code(err) == CodeStreamUnknown {
			st.mend(handle)
		}
		return
	}
	b := Broken{Kind: st.Type.Kind, Handle: handle, Stream: f.Args["stream"], Version: f.Args["version"]}
	if f.Err != nil {
		b.Problem = f.Err.Error()
	}
	st.mu.Lock()
	known := st.damaged[handle] == b
	if st.damaged == nil {
		st.damaged = map[string]Broken{}
	}
	st.damaged[handle] = b
	st.mu.Unlock()
	if !known {
		st.log().ErrorContext(ctx, "the log of a stream is broken: this stream stops, all others go on",
			"kind", b.Kind, "handle", handle, "stream", b.Stream, "version", b.Version, "problem", b.Problem)
	}
}

// mend forgets that a stream was broken.
func (st *Store[S]) mend(handle string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.damaged, handle)
}
