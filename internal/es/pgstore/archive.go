package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// archiveBatch is how many commands one transaction moves unless Archiver says otherwise.
const archiveBatch = 1000

// Archiver moves the old part of the log out of the way, into schema archive.
// Nothing is lost: history, replay and verification read both parts, and the
// hash chain goes on across the border. Only loading a state does without the
// archive, as long as a snapshot is good.
type Archiver struct {
	DB    *pgxpool.Pool
	Fence postgres.Fence
	Batch int // commands moved in one transaction; 0: a thousand
}

// Archived is what was moved.
type Archived struct {
	Streams, Commands int
}

// Archive moves the commands from before a time. Of a live stream those stay
// that a load may need: from the older of its two snapshots on, if both fit the
// log. A stream that ended before that time goes as a whole. Every batch is a
// transaction of its own; what a crash left undone the next call does.
func (a Archiver) Archive(ctx context.Context, before time.Time) (Archived, error) {
	const page = 1000
	var done Archived
	var after uuid.UUID
	for {
		rows, err := pgq.New().ListArchivable(ctx, a.DB, pgq.ListArchivableParams{After: after, Before: before, MaxRows: page})
		if err != nil {
			return done, fmt.Errorf("list streams to archive: %w", postgres.Classify(err))
		}
		for _, row := range rows {
			n, err := a.stream(ctx, row, before)
			if done.Commands += n; n > 0 {
				done.Streams++
			}
			if err != nil {
				return done, fmt.Errorf("archive %s %q: %w", row.Kind, row.Handle, postgres.Classify(err))
			}
			after = row.ID
		}
		if len(rows) < page {
			return done, nil
		}
	}
}

// stream moves what may go of one stream.
func (a Archiver) stream(ctx context.Context, s pgq.ListArchivableRow, before time.Time) (moved int, err error) {
	border, err := a.border(ctx, s, before)
	if err != nil {
		return 0, err
	}
	batch := int64(a.Batch)
	if batch <= 0 {
		batch = archiveBatch
	}
	for {
		var n int64
		err := postgres.InFencedTx(ctx, a.DB, a.Fence, func(tx pgx.Tx) (err error) {
			n, err = pgq.New().MoveToArchive(ctx, tx, pgq.MoveToArchiveParams{StreamID: s.ID, Border: border, Before: before, MaxRows: batch})
			return err
		})
		if err != nil {
			return moved, err
		}
		moved += int(n)
		if n < batch {
			return moved, nil
		}
	}
}

// border gives the first version that must stay; 0: all of them.
func (a Archiver) border(ctx context.Context, s pgq.ListArchivableRow, before time.Time) (int64, error) {
	if s.DeletedAt != nil {
		if s.DeletedAt.Before(before) {
			return s.Version + 1, nil
		}
		return 0, nil
	}
	rows, err := pgq.New().ListSnapshotsToVerify(ctx, a.DB, s.ID)
	if err != nil || len(rows) < 2 {
		return 0, err
	}
	newest := rows[len(rows)-2:] // sorted by version
	for _, row := range newest {
		if checkSnapshot(row.CommandHash, row.State, row.Hash) != nil {
			return 0, nil
		}
	}
	return newest[0].Version, nil
}
