package tasks_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"baleen/internal/tasks"
)

// Tasks that wait or are parked get the further arguments and run at once; others are left alone.
func TestAmend(t *testing.T) {
	w, _ := newWorker(t)
	var log diary
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		log.note(a.Who + " " + a.What)
		return tasks.Outcome{}, nil
	})
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "parked"}}, tasks.Scheduled{Args: chore{Who: "later"}, At: noon.Add(time.Hour)},
		tasks.Scheduled{Args: chore{Who: "other"}, At: noon.Add(time.Hour)})
	if _, err := w.DB.Exec(t.Context(), "UPDATE task SET run_at = 'infinity' WHERE key = 'parked'"); err != nil {
		t.Fatal(err)
	}
	for holding, want := range map[string]int{"nobody": 0, "later": 1, "parked": 1} {
		err := tasks.Amend(t.Context(), w.DB, noon, tasks.Amendment{
			Kind: "chore", Keys: []string{"later", "parked", "unknown"}, Holding: chore{Who: holding}, Further: map[string]string{"what": "amended"},
		})
		if err != nil {
			t.Fatal(err)
		}
		runOnce(t, w, want)
	}
	if got := log.read(); !slices.Contains(got, "later amended") || !slices.Contains(got, "parked amended") {
		t.Errorf("done: %v", got)
	}
	if r := rows(t, w.DB); len(r) != 1 || !r["other"].RunAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("left: %+v", r)
	}
}
