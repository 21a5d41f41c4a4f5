package tasks

import (
	"context"
	"fmt"
	"time"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Next says when a task of one of the kinds runs next, by key. A key for which
// none waits or runs, or only one that is parked, is not in the answer.
func Next(ctx context.Context, db DBTX, now time.Time, kinds, keys []string) (map[string]time.Time, error) {
	rows, err := pgq.New().NextRuns(ctx, db, pgq.NextRunsParams{Now: now, Kinds: kinds, Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("next runs of tasks: %w", postgres.Classify(err))
	}
	out := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		out[r.Key] = r.At.UTC()
	}
	return out, nil
}
