package castore

import (
	"context"
	"fmt"
	"time"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Contact is how the last exchange with a peer went.
type Contact struct {
	Peer        string // the CA's name for a parent; empty: its repository
	OK          bool
	LastSuccess time.Time // zero: never
}

// Contacts gives how the last exchanges of all CAs went, by the CA's handle. A
// peer that was never asked is not in it.
func (s *Store) Contacts(ctx context.Context) (map[string][]Contact, error) {
	rows, err := pgq.New().ListContacts(ctx, s.DB)
	if err != nil {
		return nil, fmt.Errorf("list contacts: %w", postgres.Classify(err))
	}
	out := map[string][]Contact{}
	for _, r := range rows {
		c := Contact{Peer: r.Parent, OK: r.Ok}
		if r.LastSuccess != nil {
			c.LastSuccess = r.LastSuccess.UTC()
		}
		out[r.Handle] = append(out[r.Handle], c)
	}
	return out, nil
}
