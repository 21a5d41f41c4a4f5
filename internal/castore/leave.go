package castore

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres/pgq"
)

// Settle names the repository of the objects for which none was noted, before
// the CA gets another.
func (s *Store) Settle(ctx context.Context, tx pgx.Tx, stream uuid.UUID, serviceURI string) error {
	if err := pgq.New().SettleObjects(ctx, tx, pgq.SettleObjectsParams{StreamID: stream, Repository: serviceURI}); err != nil {
		return fmt.Errorf("name the repository of wanted objects: %w", err)
	}
	return nil
}

// ForgetParent forgets the last exchange with a parent that was left.
func (s *Store) ForgetParent(ctx context.Context, tx pgx.Tx, stream uuid.UUID, parent string) error {
	if err := pgq.New().DeleteParentStatus(ctx, tx, pgq.DeleteParentStatusParams{StreamID: stream, Parent: parent}); err != nil {
		return fmt.Errorf("forget parent status: %w", err)
	}
	return nil
}

// Forget deletes the rows of a CA that is gone.
func (s *Store) Forget(ctx context.Context, tx pgx.Tx, stream uuid.UUID) error {
	q := pgq.New()
	if err := q.DeleteAllObjects(ctx, tx, stream); err != nil {
		return fmt.Errorf("forget wanted objects: %w", err)
	}
	if err := q.DeleteManifests(ctx, tx, pgq.DeleteManifestsParams{StreamID: stream, Keep: []string{}}); err != nil {
		return fmt.Errorf("forget manifests: %w", err)
	}
	if err := q.DeleteStatuses(ctx, tx, stream); err != nil {
		return fmt.Errorf("forget statuses: %w", err)
	}
	return nil
}
