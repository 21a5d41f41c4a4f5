package tasks_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"baleen/internal/fault"
	"baleen/internal/tasks"
)

// A task that waits, backs off or is parked runs at once when it is asked for.
func TestRetry(t *testing.T) {
	w, c := newWorker(t)
	var log diary
	trouble := map[string]error{"parked": fault.New(fault.Invalid, "never", "never"), "failing": errors.New("not now")}
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		log.note(a.Who)
		return tasks.Outcome{}, trouble[a.Who]
	})
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "parked"}}, tasks.Scheduled{Args: chore{Who: "failing"}},
		tasks.Scheduled{Args: chore{Who: "later"}, At: noon.Add(time.Hour)})
	runOnce(t, w, 2)
	trouble = nil
	retry := func(key string) {
		t.Helper()
		if err := tasks.Retry(t.Context(), w.DB, c.now(), "chore", key); err != nil {
			t.Error(err)
		}
	}
	retry("parked")
	if r := rows(t, w.DB)["parked"]; !r.RunAt.Equal(noon) || r.Failures != 1 || r.LastFault == nil || r.LastFault.Code != "never" {
		t.Errorf("the failure is forgotten before it is put right: %+v", r)
	}
	runOnce(t, w, 1)
	retry("failing")
	retry("later")
	runOnce(t, w, 2)
	if left := rows(t, w.DB); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	done := log.read()
	if slices.Sort(done[:2]); !slices.Equal(done[:3], []string{"failing", "parked", "parked"}) || len(done) != 5 {
		t.Errorf("ran %q", done)
	}
}

// A task that is due already does not move behind others.
func TestRetryOfADueTask(t *testing.T) {
	w, c := newWorker(t)
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "a"}})
	c.advance(time.Minute)
	if err := tasks.Retry(t.Context(), w.DB, c.now(), "chore", "a"); err != nil {
		t.Fatal(err)
	}
	if r := rows(t, w.DB)["a"]; !r.RunAt.Equal(noon) {
		t.Errorf("due at %v", r.RunAt)
	}
}

// A task that runs right now runs once more.
func TestRetryOfARunningTask(t *testing.T) {
	w, c := newWorker(t)
	ran := 0
	tasks.Register(w, func(ctx context.Context, _ chore) (tasks.Outcome, error) {
		if ran++; ran == 1 {
			return tasks.Outcome{}, tasks.Retry(ctx, w.DB, c.now(), "chore", "a")
		}
		return tasks.Outcome{}, nil
	})
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "a"}})
	runOnce(t, w, 2)
}

func TestRetryOfNoTask(t *testing.T) {
	w, _ := newWorker(t)
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "a"}})
	for _, c := range [][2]string{{"chore", "b"}, {"errand", "a"}, {"", ""}} {
		if err := tasks.Retry(t.Context(), w.DB, noon, c[0], c[1]); fault.Of(err) != fault.NotFound || fault.Code(err) != tasks.CodeUnknown {
			t.Errorf("%q: %v", c, err)
		}
	}
}
