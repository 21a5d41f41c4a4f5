package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"baleen/internal/fault"
	"baleen/internal/tasks"
)

func TestEnqueueMergesTwins(t *testing.T) {
	w, _ := newWorker(t)
	at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	for name, c := range map[string]struct {
		schedule func(ctx context.Context, db tasks.DBTX, now time.Time, s ...tasks.Scheduled) error
		second   tasks.Scheduled
		runAt    time.Time
		what     string
	}{
		"sooner":         {tasks.Enqueue, tasks.Scheduled{Args: chore{"x", "new"}, At: at(1)}, at(1), "new"},
		"later":          {tasks.Enqueue, tasks.Scheduled{Args: chore{"x", "new"}, At: at(9)}, at(5), "new"},
		"now":            {tasks.Enqueue, tasks.Scheduled{Args: chore{"x", "new"}}, noon, "new"},
		"if missing":     {tasks.EnqueueMissing, tasks.Scheduled{Args: chore{"x", "new"}, At: at(1)}, at(5), "old"},
		"another key":    {tasks.Enqueue, tasks.Scheduled{Args: chore{"y", "new"}}, at(5), "old"},
		"another kind":   {tasks.Enqueue, tasks.Scheduled{Args: errand{"z"}}, at(5), "old"},
		"missing indeed": {tasks.EnqueueMissing, tasks.Scheduled{Args: chore{"v", "new"}}, at(5), "old"},
		"nothing at all": {func(ctx context.Context, db tasks.DBTX, now time.Time, _ ...tasks.Scheduled) error {
			return tasks.Enqueue(ctx, db, now)
		}, tasks.Scheduled{}, at(5), "old"},
		"nothing missing": {func(ctx context.Context, db tasks.DBTX, now time.Time, _ ...tasks.Scheduled) error {
			return tasks.EnqueueMissing(ctx, db, now)
		}, tasks.Scheduled{}, at(5), "old"},
	} {
		t.Run(name, func(t *testing.T) {
			mustExec(t, w.DB, "DELETE FROM task")
			enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{"x", "old"}, At: at(5)})
			if err := c.schedule(t.Context(), w.DB, noon, c.second); err != nil {
				t.Fatal(err)
			}
			if got := rows(t, w.DB)["x"].RunAt; !got.Equal(c.runAt) {
				t.Errorf("due at %v, want %v", got, c.runAt)
			}
			if got := argsOf(t, w.DB, "x").What; got != c.what {
				t.Errorf("arguments %q, want %q", got, c.what)
			}
		})
	}
}

func TestEnqueueTwinsInOneCall(t *testing.T) {
	w, _ := newWorker(t)
	enqueue(
		t, w.DB, noon, tasks.Scheduled{Args: chore{"x", "1"}, At: noon.Add(time.Hour)}, tasks.Scheduled{Args: chore{"y", "1"}},
		tasks.Scheduled{Args: chore{"x", "2"}, At: noon.Add(time.Minute)}, tasks.Scheduled{Args: chore{"x", "3"}, At: noon.Add(2 * time.Hour)},
	)
	if got := rows(t, w.DB); len(got) != 2 || !got["x"].RunAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("got %+v", got)
	}
	if got := argsOf(t, w.DB, "x").What; got != "3" {
		t.Errorf("arguments %q, want the newest", got)
	}
	err := tasks.Enqueue(t.Context(), w.DB, noon, tasks.Scheduled{Args: chore{Who: "a\x00"}})
	if fault.Of(err) != fault.Invalid {
		t.Errorf("text with NUL: %v", err)
	}
}

func TestOutcomes(t *testing.T) {
	w, c := newWorker(t)
	var d diary
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		d.note(a.Who + a.What)
		switch a.Who {
		case "again":
			return tasks.Outcome{Again: c.now().Add(time.Hour)}, nil
		case "then":
			return tasks.Outcome{Then: []tasks.Scheduled{{Args: errand{"next"}}, {Args: errand{"later"}, At: noon.Add(3 * time.Hour)}}}, nil
		case "itself":
			if a.What == "" {
				return tasks.Outcome{Then: []tasks.Scheduled{{Args: chore{"itself", "!"}}}}, nil
			}
		}
		return tasks.Outcome{}, nil
	})
	tasks.Register(w, func(_ context.Context, a errand) (tasks.Outcome, error) {
		d.note(a.Where)
		return tasks.Outcome{}, nil
	})
	for i, who := range []string{"done", "again", "then", "itself"} {
		enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: who}, At: noon.Add(time.Duration(i-10) * time.Minute)})
	}
	runOnce(t, w, 6)
	if got, want := d.read(), []string{"done", "again", "then", "itself", "next", "itself!"}; !reflect.DeepEqual(got[:4], want[:4]) || len(got) != 6 {
		t.Errorf("ran %v, want %v", got, want)
	}
	left := rows(t, w.DB)
	if len(left) != 2 || !left["again"].RunAt.Equal(noon.Add(time.Hour)) || left["again"].LeasedBy != "" || !left["later"].RunAt.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("left over: %+v", left)
	}
	c.advance(59 * time.Minute)
	runOnce(t, w, 0)
	c.advance(time.Minute)
	runOnce(t, w, 1)
}

func TestFailures(t *testing.T) {
	w, c := newWorker(t)
	errs := map[string]error{
		"invalid":     fault.New(fault.Invalid, "a", "Cannot be."),
		"denied":      fault.New(fault.Denied, "b", ""),
		"notfound":    fault.New(fault.NotFound, "c", ""),
		"exists":      fault.New(fault.Exists, "d", ""),
		"unavailable": fmt.Errorf("peer: %w", &fault.Error{Kind: fault.Unavailable, Code: "e", Msg: "Away.", Err: errors.New("secret")}),
		"internal":    errors.New("bug \x00 here"),
		"panic":       nil,
	}
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		if a.Who == "panic" {
			panic("the sky falls")
		}
		if errs[a.Who] == nil {
			return tasks.Outcome{}, nil
		}
		return tasks.Outcome{Again: noon, Then: []tasks.Scheduled{{Args: chore{Who: "never"}}}}, errs[a.Who]
	})
	for who := range errs {
		enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: who}})
	}
	mustExec(t, w.DB, "INSERT INTO task (kind, key, args, run_at, created_at) VALUES ('chore', 'unreadable', '[]', $1, $1), ('unknown', 'unknown', '{}', $1, $1)", noon)
	runOnce(t, w, 8)
	left := rows(t, w.DB)
	for who, want := range map[string]tasks.LastFault{
		"invalid":     {Kind: "invalid", Code: "a", Msg: "Cannot be."},
		"denied":      {Kind: "denied", Code: "b", Msg: "b"},
		"unreadable":  {Kind: "invalid", Code: tasks.CodeArgsUnreadable, Msg: "The arguments of the task cannot be read: json: cannot unmarshal array into Go value of type tasks_test.chore"},
		"unavailable": {Kind: "unavailable", Code: "e", Msg: "peer: Away."},
		"internal":    {Kind: "internal", Msg: "bug ? here"},
		"panic":       {Kind: "internal", Code: tasks.CodePanic, Msg: "The handler of the task panicked: the sky falls"},
	} {
		got, ok := left[who]
		if !ok || got.LastFault == nil || *got.LastFault != want || got.Failures != 1 || got.LeasedBy != "" {
			t.Errorf("%s: got %+v (fault %+v), want %+v", who, got, got.LastFault, want)
		}
		parked := want.Kind == "invalid" || want.Kind == "denied"
		if parked != got.RunAt.IsZero() {
			t.Errorf("%s: due at %v", who, got.RunAt)
		}
		if wait := got.RunAt.Sub(noon); !parked && (wait < time.Second/2 || wait > time.Second) {
			t.Errorf("%s: waits %v, want about a second", who, wait)
		}
		delete(left, who)
	}
	if got := left["unknown"]; len(left) != 1 || got.Attempt != 0 {
		t.Errorf("left over: %+v; want the unknown kind only, untouched", left)
	}

	// Scheduling a parked task starts it; success forgets the failures.
	errs["invalid"], errs["internal"] = nil, nil
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "invalid"}})
	c.advance(time.Second)
	w.MaxBackoff = time.Minute
	ran, err := w.RunOnce(t.Context())
	if err != nil || ran < 4 {
		t.Errorf("%d attempts, %v", ran, err)
	}
	mustExec(t, w.DB, "UPDATE task SET failures = 500, run_at = $1 WHERE key = 'unavailable'", c.now())
	runOnce(t, w, 1)
	if wait := rows(t, w.DB)["unavailable"].RunAt.Sub(c.now()); wait < 30*time.Second || wait > time.Minute {
		t.Errorf("after 500 failures waits %v, want at most a minute", wait)
	}
}

func TestConflictRunsAgainAtOnceButNotForever(t *testing.T) {
	w, _ := newWorker(t)
	runs := 0
	tasks.Register(w, func(context.Context, chore) (tasks.Outcome, error) {
		runs++
		if runs == 3 {
			return tasks.Outcome{Again: noon.Add(time.Minute)}, nil
		}
		return tasks.Outcome{}, fault.New(fault.Conflict, "raced", "")
	})
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "x"}})
	runOnce(t, w, 3)
	if r := rows(t, w.DB)["x"]; r.Failures != 0 || r.LastFault != nil || r.Attempt != 3 {
		t.Errorf("after success: %+v", r)
	}
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "x"}})
	runOnce(t, w, 6)
	if r := rows(t, w.DB)["x"]; r.Failures != 6 || !r.RunAt.After(noon) || r.LastFault.Code != "raced" {
		t.Errorf("after conflicts only: %+v", r)
	}
}

func TestScheduledWhileItRuns(t *testing.T) {
	w, _ := newWorker(t)
	var d diary
	tasks.Register(w, func(ctx context.Context, a chore) (tasks.Outcome, error) {
		d.note(a.What)
		switch a.What {
		case "first":
			if err := tasks.EnqueueMissing(ctx, w.DB, noon, tasks.Scheduled{Args: chore{"x", "missing"}}); err != nil {
				return tasks.Outcome{}, err
			}
			s := []tasks.Scheduled{{Args: chore{"x", "too late"}, At: noon.Add(time.Hour)}, {Args: chore{"x", "second"}}}
			return tasks.Outcome{}, errors.Join(tasks.Enqueue(ctx, w.DB, noon, s[0]), tasks.Enqueue(ctx, w.DB, noon, s[1]))
		case "second":
			err := tasks.Enqueue(ctx, w.DB, noon, tasks.Scheduled{Args: chore{"x", "third"}, At: noon.Add(time.Minute)})
			return tasks.Outcome{Again: noon.Add(time.Hour)}, err
		}
		return tasks.Outcome{}, nil
	})
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{"x", "first"}})
	runOnce(t, w, 2)
	if got, want := d.read(), []string{"first", "second"}; !reflect.DeepEqual(got, want) {
		t.Errorf("ran %v, want %v", got, want)
	}
	if r := rows(t, w.DB)["x"]; !r.RunAt.Equal(noon.Add(time.Minute)) || r.AgainAt != nil {
		t.Errorf("%+v, want it due at the sooner of both times", r)
	}
}

func TestABadFollowUpSpoilsItsOwnTaskOnly(t *testing.T) {
	w, _ := newWorker(t)
	w.Concurrency = 8
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		switch a.Who {
		case "nul":
			return tasks.Outcome{Then: []tasks.Scheduled{{Args: errand{"\x00"}}}}, nil
		case "far": // beyond what the database can store
			return tasks.Outcome{Then: []tasks.Scheduled{{Args: errand{"x"}, At: time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC)}}}, nil
		}
		return tasks.Outcome{Then: []tasks.Scheduled{{Args: errand{a.Who}}}}, nil
	})
	for _, who := range []string{"nul", "far", "1", "2", "3", "4"} {
		enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: who}})
	}
	if ran, err := w.RunOnce(t.Context()); ran != 6 || err == nil {
		t.Errorf("%d attempts, %v; want to hear about the task that cannot be recorded", ran, err)
	}
	left := rows(t, w.DB)
	if r := left["nul"]; !r.RunAt.IsZero() || r.LastFault == nil {
		t.Errorf("follow-up that cannot be written: %+v, want it parked", r)
	}
	if r := left["far"]; r.LeasedBy != "a" {
		t.Errorf("follow-up that cannot be stored: %+v, want its lease to run out", r)
	}
	for _, who := range []string{"1", "2", "3", "4"} {
		if r := left[who]; r.Kind != "errand" {
			t.Errorf("task %s: %+v, want its follow-up", who, r)
		}
	}
}

func TestStats(t *testing.T) {
	w, c := newWorker(t)
	tasks.Register(w, func(ctx context.Context, a chore) (tasks.Outcome, error) {
		if a.Who == "look" {
			stats, err := tasks.Stats(ctx, w.DB, c.now())
			if err != nil || len(stats) != 2 || stats[0].Running != 1 {
				t.Errorf("while running: %+v, %v", stats, err)
			}
			return tasks.Outcome{}, nil
		}
		return tasks.Outcome{}, fault.New(fault.Invalid, "x", "")
	})
	enqueue(t, w.DB, noon, tasks.Scheduled{Args: chore{Who: "look"}}, tasks.Scheduled{Args: chore{Who: "park"}},
		tasks.Scheduled{Args: chore{Who: "wait"}, At: noon.Add(time.Hour)}, tasks.Scheduled{Args: errand{"x"}}, tasks.Scheduled{Args: errand{"y"}})
	runOnce(t, w, 2)
	c.advance(time.Minute)
	got, err := tasks.Stats(t.Context(), w.DB, c.now())
	want := []tasks.KindStats{{Kind: "chore", Waiting: 1, Parked: 1, Failing: 1}, {Kind: "errand", Due: 2, Oldest: time.Minute}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
