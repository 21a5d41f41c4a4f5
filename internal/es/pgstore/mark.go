package pgstore

import (
	"context"
	"crypto/sha256"
	"math"

	"github.com/google/uuid"

	"baleen/internal/fault"
)

// Life tells the streams of one handle apart: a short hash of the id. A stream
// that was made again under the handle of a deleted one counts its versions
// from 0 again, and is another one all the same.
type Life uint32

// LifeBits is how many bits a Life has.
const LifeBits = 24

// versionBits is how much of a mark is the version: enough for 2,000 commands a
// second over eight years.
const versionBits = 63 - LifeBits

// Life gives the Life of the live stream of a handle; false if there is none.
// It may be that of the one before, where somebody else made it again: ask for
// it before the state is viewed, and it is never that of one that came after.
func (st *Store[S]) Life(ctx context.Context, handle string) (Life, bool, error) {
	st.mu.Lock()
	e := st.entries[handle]
	st.mu.Unlock()
	if e != nil {
		if h, loaded := e.at(); loaded {
			return lifeOf(h.id), true, nil
		}
	}
	id, err := st.StreamID(ctx, handle)
	if fault.Code(err) == CodeStreamUnknown {
		return 0, false, nil
	}
	return lifeOf(id), err == nil, err
}

func lifeOf(stream uuid.UUID) Life {
	sum := sha256.Sum256(stream[:])
	return Life(sum[0])<<16 | Life(sum[1])<<8 | Life(sum[2])
}

// Mark names a version of one life, for Write.IfVersion. It is below zero, which
// no version is. Versions that no stream reaches have none.
func (l Life) Mark(version int64) (mark int64, ok bool) {
	if version < 0 || version >= 1<<versionBits || l >= 1<<LifeBits {
		return 0, false
	}
	return math.MinInt64 | int64(l)<<versionBits | version, true
}

// is says whether a head is at a version, or at one of one life.
func (h head) is(wanted int64) bool {
	if wanted >= 0 {
		return h.version == wanted
	}
	mark, ok := lifeOf(h.id).Mark(h.version)
	return ok && mark == wanted
}

// VersionIn gives the version that a mark is of; a version is itself.
func VersionIn(wanted int64) int64 {
	if wanted < 0 {
		return wanted & (1<<versionBits - 1)
	}
	return wanted
}

// ViewIf is View of a state at a version or mark, if one is wanted: at another
// one it is a Conflict.
func (st *Store[S]) ViewIf(ctx context.Context, handle string, wanted *int64, f func(s *S, version int64) error) error {
	if !possible(handle) {
		return unknownStream(st.Type.Kind, handle)
	}
	e := st.entry(handle)
	return st.view(ctx, e, func(s *S, version int64) error {
		if wanted != nil && !e.is(*wanted) { // look holds the lock
			return versionMismatch(handle, *wanted, version)
		}
		return f(s, version)
	})
}
