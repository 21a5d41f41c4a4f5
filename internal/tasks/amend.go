package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Amendment gives further arguments to tasks that are in the queue.
type Amendment struct {
	Kind    string
	Keys    []string
	Holding any // object; only tasks whose arguments hold its members
	Further any // object; its members are added to the arguments, or replace them
}

// Amend changes what tasks will do that wait, back off or are parked, and makes
// them due; one that is running will run once more with the new arguments. Keys
// for which there is no such task are passed over. tx must be fenced; wake the
// worker after the commit.
func Amend(ctx context.Context, tx DBTX, now time.Time, a Amendment) error {
	holding, err := json.Marshal(a.Holding)
	if err != nil {
		return fmt.Errorf("amend tasks of kind %s: %w", a.Kind, err)
	}
	further, err := json.Marshal(a.Further)
	if err != nil {
		return fmt.Errorf("amend tasks of kind %s: %w", a.Kind, err)
	}
	err = pgq.New().AmendTasks(ctx, tx, pgq.AmendTasksParams{Kind: a.Kind, Keys: a.Keys, Holding: holding, Further: further, Now: now})
	if err != nil {
		return fmt.Errorf("amend tasks of kind %s: %w", a.Kind, postgres.Classify(err))
	}
	return nil
}
