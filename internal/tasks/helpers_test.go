package tasks_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/tasks"
	"baleen/internal/testdb"
)

// chore is a task of these tests: kind and key are what they say.
type chore struct {
	Who  string `json:"who"`
	What string `json:"what,omitempty"`
}

func (chore) Kind() string  { return "chore" }
func (c chore) Key() string { return c.Who }

// errand is another kind.
type errand struct {
	Where string `json:"where"`
}

func (errand) Kind() string  { return "errand" }
func (e errand) Key() string { return e.Where }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// diary notes what handlers did.
type diary struct {
	mu   sync.Mutex
	done []string
}

func (d *diary) note(s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, s)
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.done...)
}

// newWorker gives a worker on a database of its own, with a clock at noon. It
// runs one handler at a time, so that the order is that of the due times.
func newWorker(t *testing.T) (*tasks.Worker, *clock) {
	t.Helper()
	pool := testdb.New(t)
	c := &clock{at: noon}
	return &tasks.Worker{DB: pool, Fence: testdb.Fence(t, pool), Node: "a", Now: c.now, Lease: time.Hour, Concurrency: 1}, c
}

func enqueue(t *testing.T, db *pgxpool.Pool, now time.Time, s ...tasks.Scheduled) {
	t.Helper()
	if err := tasks.Enqueue(t.Context(), db, now, s...); err != nil {
		t.Fatal(err)
	}
}

func runOnce(t *testing.T, w *tasks.Worker, want int) {
	t.Helper()
	ran, err := w.RunOnce(t.Context())
	if err != nil || ran != want {
		t.Errorf("%d attempts, %v; want %d", ran, err, want)
	}
}

// rows gives the queue by key.
func rows(t *testing.T, db *pgxpool.Pool) map[string]tasks.Row {
	t.Helper()
	list, err := tasks.List(t.Context(), db, 10_000, 0)
	if err != nil {
		t.Fatal(err)
	}
	byKey := map[string]tasks.Row{}
	for _, r := range list {
		byKey[r.Key] = r
	}
	return byKey
}

func argsOf(t *testing.T, db *pgxpool.Pool, key string) (c chore) {
	t.Helper()
	var raw json.RawMessage
	if err := db.QueryRow(t.Context(), "SELECT args FROM task WHERE key = $1", key).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func mustExec(t *testing.T, db *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition on rows, for at most a minute.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}
