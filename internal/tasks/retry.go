package tasks

import (
	"context"
	"fmt"
	"time"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// CodeUnknown is NotFound: there is no such task.
const CodeUnknown = "task-unknown"

// Retry makes a task due now that waits for a later time or is parked; one that
// is running will run once more. Its failures stay noted until it succeeds. tx
// must be fenced; wake the worker after the commit.
func Retry(ctx context.Context, tx DBTX, now time.Time, kind, key string) error {
	n, err := pgq.New().RetryTask(ctx, tx, pgq.RetryTaskParams{Now: now, Kind: kind, Key: key})
	if err != nil {
		return fmt.Errorf("retry task: %w", postgres.Classify(err))
	}
	if n == 0 {
		return &fault.Error{
			Kind: fault.NotFound, Code: CodeUnknown, Msg: fmt.Sprintf("There is no task %s %q: nothing waits to be done.", kind, key),
			Args: map[string]string{"kind": kind, "key": key},
		}
	}
	return nil
}
