package e2e

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"

	"baleen/test/harness"
)

// sameAsSnapshot wants what a relying party has by following deltas to be what
// the snapshot holds.
func sameAsSnapshot(ctx context.Context, t *testing.T, s *harness.Server, followed harness.Published) {
	t.Helper()
	p, err := s.Published(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if followed.Session != p.Session || followed.Serial != p.Serial {
		t.Errorf("deltas lead to session %s serial %d, the snapshot is %s %d", followed.Session, followed.Serial, p.Session, p.Serial)
	}
	for uri, der := range p.Objects {
		if !bytes.Equal(followed.Objects[uri], der) {
			t.Errorf("deltas do not lead to what the snapshot has as %s", uri)
		}
	}
	for uri := range followed.Objects {
		if _, ok := p.Objects[uri]; !ok {
			t.Errorf("no delta withdraws %s, which the snapshot does not have", uri)
		}
	}
}

// follower is a relying party that looks from time to time.
type follower struct {
	seen     harness.Published
	byDeltas int // how often deltas led to something new
}

// look follows the deltas, or loads the snapshot where they do not lead so far.
func (f *follower) look(ctx context.Context, t *testing.T, s *harness.Server) {
	t.Helper()
	next, err := s.Follow(ctx, f.seen)
	if errors.Is(err, harness.ErrNoDeltas) {
		next, err = s.Published(ctx)
	} else if err == nil && next.Serial > f.seen.Serial {
		f.byDeltas++
	}
	if err != nil {
		t.Fatal(err)
	}
	f.seen = next
}

// Relying parties that follow the deltas see every change, and always a valid
// repository; a new session makes them start again.
func TestRelyingPartyFollows(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	settle(ctx, t, s)
	seen, err := s.Published(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f := follower{seen: seen}
	w := newWriter(s, "ca1")
	for range 12 {
		if err := w.change(ctx); err != nil {
			t.Fatal(err)
		}
		f.look(ctx, t, s)
		if _, err := s.Validate(ctx, f.seen); err != nil {
			t.Fatalf("serial %d: %v", f.seen.Serial, err)
		}
	}
	settle(ctx, t, s)
	f.look(ctx, t, s)
	if err := w.change(ctx); err != nil {
		t.Fatal(err)
	}
	settle(ctx, t, s)
	before := f
	f.look(ctx, t, s)
	if f.byDeltas != before.byDeltas+1 || f.seen.Serial == before.seen.Serial {
		t.Errorf("one change more made a client at serial %d load the snapshot of %d", before.seen.Serial, f.seen.Serial)
	}
	sameAsSnapshot(ctx, t, s, f.seen)
	w.check(ctx, t)
	newSession(ctx, t, s, f.seen)
	w.check(ctx, t)
}

// newSession resets the RRDP session: deltas lead there no more, and all
// objects are what they were.
func newSession(ctx context.Context, t *testing.T, s *harness.Server, seen harness.Published) {
	t.Helper()
	if status, body, err := s.Do(ctx, http.MethodPost, "/api/v1/pubd/session_reset", nil); status != http.StatusOK || len(body) > 0 {
		t.Fatalf("session reset: %d %s %v", status, body, err)
	}
	settle(ctx, t, s)
	if _, err := s.Follow(ctx, seen); !errors.Is(err, harness.ErrNoDeltas) {
		t.Errorf("the old session goes on: %v", err)
	}
	fresh, err := s.Published(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if fresh.Serial != 1 || len(fresh.Objects) != len(seen.Objects) {
		t.Errorf("the new session is at serial %d with %d objects, want 1 with %d", fresh.Serial, len(fresh.Objects), len(seen.Objects))
	}
}
