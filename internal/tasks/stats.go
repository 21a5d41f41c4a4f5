package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// KindStats counts the rows of one kind of task.
type KindStats struct {
	Kind    string
	Due     int           // wait and should run now
	Waiting int           // wait for a later time
	Running int           // are leased
	Parked  int           // wait forever
	Failing int           // failed last time, in whatever state they are now
	Oldest  time.Duration // how long the longest due one waits
}

// LastFault is a task's last failure.
type LastFault struct {
	Kind string `json:"kind"` // of package fault
	Code string `json:"code"`
	Msg  string `json:"msg"`
}

// Row is a task in the queue.
type Row struct {
	Kind, Key string
	RunAt     time.Time  // when it is due, or when its lease ends; zero: parked
	Attempt   int64      // how often it was claimed
	Failures  int        // in a row
	LeasedBy  string     // the node that runs it; "" while it waits
	AgainAt   *time.Time // it will run once more then
	LastFault *LastFault // of the last attempt that failed, if that was the last one
	CreatedAt time.Time
}

// Stats counts the queue by kind.
func Stats(ctx context.Context, db DBTX, now time.Time) ([]KindStats, error) {
	rows, err := pgq.New().TaskStats(ctx, db, now)
	if err != nil {
		return nil, fmt.Errorf("task statistics: %w", postgres.Classify(err))
	}
	stats := make([]KindStats, 0, len(rows))
	for _, r := range rows {
		stats = append(stats, KindStats{
			Kind: r.Kind, Due: int(r.Due), Waiting: int(r.Waiting), Running: int(r.Running),
			Parked: int(r.Parked), Failing: int(r.Failing), Oldest: now.Sub(r.Oldest),
		})
	}
	return stats, nil
}

// List gives a page of the queue, the soonest first.
func List(ctx context.Context, db DBTX, rows, offset int) ([]Row, error) {
	found, err := pgq.New().ListTasks(ctx, db, pgq.ListTasksParams{MaxRows: int64(rows), Skip: int64(offset)})
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", postgres.Classify(err))
	}
	list := make([]Row, 0, len(found))
	for _, f := range found {
		r := Row{
			Kind: f.Kind, Key: f.Key, RunAt: f.DueAt.UTC(), Attempt: f.Attempt, Failures: int(f.Failures),
			AgainAt: f.AgainAt, CreatedAt: f.CreatedAt,
		}
		if f.Parked {
			r.RunAt = time.Time{}
		}
		if f.LeasedBy != nil {
			r.LeasedBy = *f.LeasedBy
		}
		if f.LastFault != nil {
			r.LastFault = &LastFault{}
			if err := json.Unmarshal(f.LastFault, r.LastFault); err != nil {
				return nil, fmt.Errorf("last fault of task %s %s: %w", f.Kind, f.Key, err)
			}
		}
		list = append(list, r)
	}
	return list, nil
}
