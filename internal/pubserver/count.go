package pubserver

import (
	"context"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// CountObjects gives how many objects the publishers have whose names begin so,
// one manifest and one CRL of each left out. What waits for the next serial
// counts.
func (s *Server) CountObjects(ctx context.Context, prefix string) (int64, error) {
	n, err := s.q().PubCountObjects(ctx, s.DB, pgq.PubCountObjectsParams{Repository: Repository, Prefix: prefix})
	return n, postgres.Classify(err)
}

// Idle says that nothing waits for the next serial.
func (s *Server) Idle(ctx context.Context) (bool, error) {
	staged, err := s.q().PubHasStaged(ctx, s.DB, Repository)
	return !staged, postgres.Classify(err)
}
