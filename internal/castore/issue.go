package castore

import (
	"context"
	"encoding/json"
	"fmt"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Issue is an exchange of a CA that failed last.
type Issue struct {
	CA, Peer string // the CA's name for a parent; empty: its repository
	Fault    Fault
}

// Issues gives the exchanges of all CAs that failed last. One statement reads
// them, and nothing of those that went well.
func (s *Store) Issues(ctx context.Context) ([]Issue, error) {
	rows, err := pgq.New().ListIssues(ctx, s.DB)
	if err != nil {
		return nil, fmt.Errorf("list issues: %w", postgres.Classify(err))
	}
	out := make([]Issue, len(rows))
	for i, r := range rows {
		out[i] = Issue{CA: r.Handle, Peer: r.Parent}
		if err := json.Unmarshal(r.Fault, &out[i].Fault); err != nil {
			return nil, fmt.Errorf("status: %w", err)
		}
	}
	return out, nil
}
