package pubserver

import (
	"context"
	"hash/crc32"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
	"baleen/internal/tasks"
)

// lockClass is the class of the advisory lock between messages, which hold it
// shared, and the making of a serial, which holds it exclusively. It belongs
// to the list in package postgres.
const lockClass int32 = 1111575561

// lockKey is the lock's object within its class.
func lockKey(repository string) int32 {
	return int32(crc32.ChecksumIEEE([]byte(repository)))
}

// UpdateRRDP is the task that makes the next serial and renders it.
type UpdateRRDP struct {
	Repository string `json:"repository"`
}

// Kind is "rrdp_update".
func (UpdateRRDP) Kind() string { return "rrdp_update" }

// Key is the repository: updates that wait merge.
func (u UpdateRRDP) Key() string { return u.Repository }

// Publish carries out a message of a publisher, all or nothing (RFC 8181
// section 2.2): the objects are stored and wait for the next serial, which the
// task UpdateRRDP makes; it is scheduled in the same transaction. A change
// that already is so does nothing. Refusals have the codes of RFC 8181
// section 2.5 and the URI in their Args; an unknown publisher is pub-unknown.
func (s *Server) Publish(ctx context.Context, publisher string, changes []Change) error {
	canonical, err := s.prepare(changes)
	if err != nil {
		return err
	}
	if len(canonical) == 0 {
		return s.known(ctx, publisher)
	}

	err = postgres.Again(ctx, func() error {
		var l loader
		return postgres.InFencedBatch(ctx, s.DB, s.Fence, func(b *pgx.Batch) {
			l.queue(b, Repository, publisher, canonical)
		}, func(tx pgx.Tx) error {
			return s.decide(ctx, tx, &l, canonical)
		})
	})
	if err == nil {
		s.wake()
	}
	return err
}

func (s *Server) decide(ctx context.Context, tx pgx.Tx, l *loader, changes []Change) error {
	if !l.known {
		return errUnknown(l.found.publisher)
	}
	st, err := stage(changes, l.found)
	if err != nil || st.unchanged {
		return err
	}
	if err := st.store(ctx, tx, Repository, l.found.publisher); err != nil {
		return err
	}
	return s.schedule(ctx, tx)
}

// schedule makes sure that what was staged becomes a serial.
func (s *Server) schedule(ctx context.Context, tx tasks.DBTX) error {
	return tasks.Enqueue(ctx, tx, s.Now(), tasks.Scheduled{Args: UpdateRRDP{Repository: Repository}})
}

func (s *Server) wake() {
	if s.Wake != nil {
		s.Wake()
	}
}

// now is the time, as the database keeps it.
func (s *Server) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }
