package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Stored is a task in the queue with its arguments.
type Stored[A Args] struct {
	Args  A
	Since time.Time // when it was scheduled first
}

// OfKind gives all tasks of the kind of A, the oldest first.
func OfKind[A Args](ctx context.Context, db DBTX) ([]Stored[A], error) {
	var zero A
	rows, err := pgq.New().TasksOfKind(ctx, db, zero.Kind())
	if err != nil {
		return nil, fmt.Errorf("tasks of kind %s: %w", zero.Kind(), postgres.Classify(err))
	}
	out := make([]Stored[A], len(rows))
	for i, r := range rows {
		out[i].Since = r.CreatedAt.UTC()
		if err := json.Unmarshal(r.Args, &out[i].Args); err != nil {
			return nil, fmt.Errorf("arguments of task %s %s: %w", zero.Kind(), r.Key, err)
		}
	}
	return out, nil
}

// Left is a task that is in the queue still.
type Left struct {
	Key      string
	Parked   bool
	Failures int        // in a row
	Fault    *LastFault // of the last attempt that failed, if that was the last one
}

// LeftOf gives those of the keys for which a task of the kind is in the queue.
func LeftOf(ctx context.Context, db DBTX, kind string, keys []string) ([]Left, error) {
	rows, err := pgq.New().TasksByKey(ctx, db, pgq.TasksByKeyParams{Kind: kind, Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("tasks of kind %s: %w", kind, postgres.Classify(err))
	}
	out := make([]Left, len(rows))
	for i, r := range rows {
		out[i] = Left{Key: r.Key, Parked: r.Parked, Failures: int(r.Failures)}
		if r.LastFault != nil {
			out[i].Fault = &LastFault{}
			if err := json.Unmarshal(r.LastFault, out[i].Fault); err != nil {
				return nil, fmt.Errorf("last fault of task %s %s: %w", kind, r.Key, err)
			}
		}
	}
	return out, nil
}
