package service

import (
	"slices"
	"testing"
	"time"

	"baleen/internal/castore"
)

// Parents that were never asked come first, then by the minute of the last
// exchange, the oldest first; within a minute those that failed.
func TestLongestUnasked(t *testing.T) {
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	status := func(parent string, at time.Time, fault *castore.Fault) castore.ParentStatus {
		return castore.ParentStatus{Parent: parent, Exchange: castore.Exchange{At: at, Fault: fault}}
	}
	got := longestUnasked([]string{"good", "failed", "new", "old", "newest", "also new", "old failure"}, []castore.ParentStatus{
		status("good", noon, nil), status("failed", noon.Add(30*time.Second), &castore.Fault{}), status("old", noon.Add(-time.Hour), nil),
		status("newest", noon.Add(time.Minute), nil), status("old failure", noon.Add(-time.Minute), &castore.Fault{}), status("a former one", noon.Add(-2*time.Hour), nil),
	})
	if want := []string{"new", "also new", "old", "old failure", "failed", "good", "newest"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
