package tasks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Enqueue schedules tasks through tx. A task that waits already (same kind and
// key) keeps the sooner of the two times; one that is running will run once
// more; either way the newer arguments count. Wake the worker after the commit.
func Enqueue(ctx context.Context, tx DBTX, now time.Time, s ...Scheduled) error {
	rows, err := collect(now, s)
	if err != nil || len(rows.Kinds) == 0 {
		return err
	}
	if err := pgq.New().EnqueueTasks(ctx, tx, rows); err != nil {
		return fmt.Errorf("enqueue: %w", postgres.Classify(err))
	}
	return nil
}

// EnqueueMissing schedules those of the tasks that neither wait for their time
// nor run; a parked one is scheduled.
func EnqueueMissing(ctx context.Context, tx DBTX, now time.Time, s ...Scheduled) error {
	rows, err := collect(now, s)
	if err != nil || len(rows.Kinds) == 0 {
		return err
	}
	if err := pgq.New().EnqueueMissingTasks(ctx, tx, pgq.EnqueueMissingTasksParams(rows)); err != nil {
		return fmt.Errorf("enqueue: %w", postgres.Classify(err))
	}
	return nil
}

// collect merges twins and sorts the rest: all transactions lock the rows of
// the queue in one order.
func collect(now time.Time, s []Scheduled) (pgq.EnqueueTasksParams, error) {
	s = slices.Clone(s)
	slices.SortStableFunc(s, func(a, b Scheduled) int {
		return cmp.Or(cmp.Compare(a.Args.Kind(), b.Args.Kind()), cmp.Compare(a.Args.Key(), b.Args.Key()))
	})
	rows := pgq.EnqueueTasksParams{Now: now}
	for _, one := range s {
		kind, key := one.Args.Kind(), one.Args.Key()
		args, err := encode(one.Args)
		if err != nil {
			return rows, fmt.Errorf("enqueue %s: %w", kind, err)
		}
		at := one.At
		if at.IsZero() {
			at = now
		}
		if last := len(rows.Kinds) - 1; last >= 0 && rows.Kinds[last] == kind && rows.Keys[last] == key {
			rows.Args[last] = args
			if at.Before(rows.RunAts[last]) {
				rows.RunAts[last] = at
			}
			continue
		}
		rows.Kinds = append(rows.Kinds, kind)
		rows.Keys = append(rows.Keys, key)
		rows.Args = append(rows.Args, args)
		rows.RunAts = append(rows.RunAts, at)
	}
	return rows, nil
}

func encode(a Args) (json.RawMessage, error) {
	raw, err := es.Encode(a)
	if errors.Is(err, es.ErrNUL) {
		return nil, &fault.Error{Kind: fault.Invalid, Code: "text-nul", Msg: "Text must not contain the character U+0000.", Err: err}
	}
	return raw, err
}
