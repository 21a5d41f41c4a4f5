package signer

import (
	"context"
	"fmt"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/rpki/cert"
)

// Stored is a key that is or was in the database.
type Stored struct {
	Purpose   string // what it was made for, for people
	Destroyed bool
}

// List gives all of them. Private keys are not read.
func List(ctx context.Context, db postgres.DBTX) (map[cert.KeyID]Stored, error) {
	rows, err := pgq.New().ListSignerKeys(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", postgres.Classify(err))
	}
	out := make(map[cert.KeyID]Stored, len(rows))
	for _, r := range rows {
		id, err := cert.ParseKeyID(r.KeyID)
		if err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		out[id] = Stored{Purpose: r.Purpose, Destroyed: r.Destroyed}
	}
	return out, nil
}
