package castore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Neighbour is a CA of this server that asked another one of it.
type Neighbour struct {
	CA     string
	Parent string // the CA's name for the one that it asked
}

// Neighbours gives in tx the CAs of this server that asked a CA for what they
// are entitled to.
func Neighbours(ctx context.Context, tx pgx.Tx, parent string) ([]Neighbour, error) {
	rows, err := pgq.New().ListNeighbours(ctx, tx, parent)
	if err != nil {
		return nil, fmt.Errorf("list children in this server: %w", postgres.Classify(err))
	}
	out := make([]Neighbour, len(rows))
	for i, r := range rows {
		out[i] = Neighbour{CA: r.Handle, Parent: r.Parent}
	}
	return out, nil
}
