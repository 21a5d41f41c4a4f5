package tasks_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/tasks"
	"baleen/internal/testdb"
)

// watched is a clock that goes on by itself, as a machine's does, and that
// somebody sets.
type watched struct{ offset atomic.Int64 }

func (c *watched) now() time.Time       { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *watched) jump(d time.Duration) { c.offset.Add(int64(d)) }

// onClock gives a worker on a queue, in a new epoch, and its clock.
func onClock(t *testing.T, pool *pgxpool.Pool, node string, offset time.Duration) (*tasks.Worker, *watched) {
	t.Helper()
	c := &watched{}
	c.jump(offset)
	return &tasks.Worker{DB: pool, Fence: testdb.Fence(t, pool), Node: node, Now: c.now, Lease: 5 * time.Minute, Poll: 10 * time.Millisecond}, c
}

// run works on the queue until the test ends.
func run(t *testing.T, w *tasks.Worker) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// The clock of the machine goes back by an hour while the worker runs: what is
// due in a moment runs in a moment, not in an hour.
func TestClockGoesBack(t *testing.T) {
	w, c := onClock(t, testdb.New(t), "a", 0)
	var d diary
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		d.note(a.Who)
		return tasks.Outcome{}, nil
	})
	run(t, w)
	enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: chore{Who: "first"}})
	until(t, "the worker runs", func() bool { return len(d.read()) == 1 })
	// The worker looks all the time: what is scheduled after the clock was set could come after it looked.
	enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: chore{Who: "next"}, At: c.now().Add(2 * time.Second)}, tasks.Scheduled{Args: chore{Who: "later"}, At: c.now().Add(40 * time.Minute)})
	c.jump(-time.Hour)
	until(t, "what is due runs", func() bool { return len(d.read()) == 2 })
	if later, ok := rows(t, w.DB)["later"]; !ok || later.RunAt.Before(c.now().Add(30*time.Minute)) || later.RunAt.After(c.now().Add(45*time.Minute)) {
		t.Errorf("what was to run forty minutes after the jump runs at %v, it is %v", later.RunAt, c.now())
	}
}

// A node has two workers on one queue, and its clock goes back by an hour: the
// queue follows once, and what is running is not started a second time.
func TestClockGoesBackForTwoWorkers(t *testing.T) {
	w, c := onClock(t, testdb.New(t), "a", 0)
	beside := &tasks.Worker{DB: w.DB, Fence: w.Fence, Node: w.Node, Now: w.Now, Lease: w.Lease, Poll: w.Poll, Beside: true}
	var d diary
	release := make(chan struct{})
	work := func(name string) tasks.Outcome {
		d.note(name)
		if strings.HasPrefix(name, "long") {
			<-release
		}
		return tasks.Outcome{}
	}
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) { return work(a.Who), nil })
	tasks.Register(beside, func(_ context.Context, a errand) (tasks.Outcome, error) { return work(a.Where), nil })
	run(t, w)
	run(t, beside)
	enqueue(t, w.DB, c.now(),
		tasks.Scheduled{Args: chore{Who: "long chore"}}, tasks.Scheduled{Args: errand{Where: "long errand"}},
		tasks.Scheduled{Args: chore{Who: "later"}, At: c.now().Add(2 * time.Hour)}, tasks.Scheduled{Args: errand{Where: "farther"}, At: c.now().Add(2 * time.Hour)})
	until(t, "the long ones run", func() bool { return len(d.read()) == 2 })
	c.jump(-time.Hour)
	follows := func(key string) bool { return rows(t, w.DB)[key].RunAt.Before(c.now().Add(150 * time.Minute)) }
	until(t, "the queue follows", func() bool { return follows("later") && follows("farther") })
	enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: chore{Who: "one"}}, tasks.Scheduled{Args: errand{Where: "other"}})
	until(t, "both workers have looked", func() bool {
		done := d.read()
		return slices.Contains(done, "one") && slices.Contains(done, "other")
	})
	if done := d.read(); len(done) != 4 {
		t.Errorf("ran: %q", done)
	}
	for _, key := range []string{"later", "farther"} {
		if wait := rows(t, w.DB)[key].RunAt.Sub(c.now()); wait < 115*time.Minute {
			t.Errorf("what was to run two hours after the jump runs after %v", wait)
		}
	}
	close(release)
}

// The clock goes ahead by an hour: what became due runs once, and what is
// running is not started a second time because its lease seems to have ended.
func TestClockGoesAhead(t *testing.T) {
	w, c := onClock(t, testdb.New(t), "a", 0)
	var runs, long atomic.Int64
	release := make(chan struct{})
	tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) {
		runs.Add(1)
		return tasks.Outcome{Again: c.now().Add(5 * time.Minute)}, nil
	})
	tasks.Register(w, func(context.Context, errand) (tasks.Outcome, error) {
		long.Add(1)
		<-release
		return tasks.Outcome{}, nil
	})
	enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: errand{Where: "far"}})
	for i := range 12 {
		enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: chore{Who: fmt.Sprint(i)}, At: c.now().Add(time.Duration(i+1) * 5 * time.Minute)})
	}
	run(t, w)
	until(t, "the long one runs", func() bool { return long.Load() == 1 })
	c.jump(time.Hour)
	until(t, "what became due has run", func() bool { return runs.Load() == 12 })
	enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: chore{Who: "last"}})
	until(t, "the worker has looked again", func() bool { return runs.Load() > 12 })
	if runs.Load() != 13 || long.Load() != 1 {
		t.Errorf("%d runs instead of 13, %d of the long one", runs.Load(), long.Load())
	}
	close(release)
	until(t, "the long one is finished", func() bool { _, waits := rows(t, w.DB)["far"]; return !waits })
}

// The clock goes ahead while the database refuses to have leases extended: nothing
// is claimed until they are, so that what is running is not started a second time.
func TestClockGoesAheadInTrouble(t *testing.T) {
	w, c := onClock(t, testdb.New(t), "a", 0)
	var runs, long atomic.Int64
	release := make(chan struct{})
	tasks.Register(w, func(context.Context, chore) (tasks.Outcome, error) {
		runs.Add(1)
		return tasks.Outcome{}, nil
	})
	tasks.Register(w, func(context.Context, errand) (tasks.Outcome, error) {
		long.Add(1)
		<-release
		return tasks.Outcome{}, nil
	})
	_, err := w.DB.Exec(t.Context(), `CREATE SEQUENCE refused;
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM nextval('refused'); RAISE 'not now' USING ERRCODE = '57014'; END $$;
		CREATE TRIGGER refuse BEFORE UPDATE ON task FOR EACH ROW WHEN (NEW.attempt = OLD.attempt AND NEW.leased_by IS NOT NULL) EXECUTE FUNCTION refuse()`)
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: errand{Where: "far"}})
	run(t, w)
	until(t, "the long one runs", func() bool { return long.Load() == 1 })
	c.jump(time.Hour)
	until(t, "leases are refused", func() (refused bool) {
		if err := w.DB.QueryRow(t.Context(), "SELECT is_called FROM refused").Scan(&refused); err != nil {
			t.Fatal(err)
		}
		return refused
	})
	enqueue(t, w.DB, c.now(), tasks.Scheduled{Args: chore{Who: "next"}})
	if _, err := w.DB.Exec(t.Context(), "DROP TRIGGER refuse ON task"); err != nil {
		t.Fatal(err)
	}
	until(t, "what is due runs", func() bool { return runs.Load() == 1 })
	if n := long.Load(); n != 1 {
		t.Errorf("%d runs of the long one", n)
	}
	close(release)
}

// The next active node's clock is an hour behind that of the one before.
func TestClockOfTheNextNodeIsBehind(t *testing.T) {
	pool := testdb.New(t)
	_, ahead := onClock(t, pool, "a", time.Hour)
	enqueue(t, pool, ahead.now(), tasks.Scheduled{Args: chore{Who: "due"}}, tasks.Scheduled{Args: chore{Who: "later"}, At: ahead.now().Add(20 * time.Minute)})
	work := func() (*tasks.Worker, *watched) {
		w, c := onClock(t, pool, "b", 0)
		tasks.Register(w, func(context.Context, chore) (tasks.Outcome, error) { return tasks.Outcome{}, nil })
		return w, c
	}
	w, c := work()
	runOnce(t, w, 1)
	later := rows(t, pool)["later"].RunAt
	if wait := later.Sub(c.now()); wait < 15*time.Minute || wait > 20*time.Minute {
		t.Errorf("what was to run after twenty minutes runs after %v", wait)
	}
	again, _ := work() // the correction is made once
	runOnce(t, again, 0)
	if now := rows(t, pool)["later"].RunAt; !now.Equal(later) {
		t.Errorf("it is shifted again, to %v from %v", now, later)
	}
}

// Two nodes of one name: the one that was replaced can neither finish nor keep
// what its successor runs. The epoch counts, and the attempt, not the name.
func TestTwoWorkersOfOneName(t *testing.T) {
	pool := testdb.New(t)
	first, c := onClock(t, pool, "same", 0)
	started, resume := make(chan struct{}), make(chan struct{})
	tasks.Register(first, func(context.Context, chore) (tasks.Outcome, error) {
		close(started)
		<-resume
		return tasks.Outcome{Then: []tasks.Scheduled{{Args: errand{Where: "wrong"}}}}, nil
	})
	enqueue(t, pool, c.now(), tasks.Scheduled{Args: chore{Who: "x"}})
	failed := make(chan error, 1)
	go func() {
		_, err := first.RunOnce(context.WithoutCancel(t.Context()))
		failed <- err
	}()
	<-started
	second, _ := onClock(t, pool, "same", 0)
	tasks.Register(second, func(context.Context, chore) (tasks.Outcome, error) {
		return tasks.Outcome{Again: c.now().Add(time.Hour)}, nil
	})
	runOnce(t, second, 1)
	close(resume)
	if err := <-failed; err == nil {
		t.Error("the node that was replaced finished the task")
	}
	left := rows(t, pool)
	if _, wrong := left["wrong"]; wrong || len(left) != 1 || left["x"].RunAt.Before(c.now().Add(50*time.Minute)) {
		t.Errorf("left: %+v", left)
	}
}
