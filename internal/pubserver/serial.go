package pubserver

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Frozen says what Update did.
type Frozen struct {
	Changed bool   // there is a new serial
	Session string // of RRDP, now
	Serial  uint64
	NextAt  time.Time // when to try again for what is staged; zero: nothing is
}

// Update makes the next serial of everything that is staged. With nothing
// staged, or sooner after the last serial than DeltaInterval, it changes
// nothing. Messages that are being stored meanwhile go into this serial or the
// next as a whole.
func (s *Server) Update(ctx context.Context) (Frozen, error) {
	st, err := s.state(ctx, s.DB)
	if err != nil {
		return Frozen{}, err
	}
	f := Frozen{Session: st.Session.String(), Serial: uint64(st.Serial)}
	staged, err := s.q().PubHasStaged(ctx, s.DB, Repository)
	if err != nil || !staged {
		return f, postgres.Classify(err)
	}
	now := s.now()
	if next := st.LastUpdate.Add(s.DeltaInterval); next.After(now) && !st.LastUpdate.After(now) { // else a clock went back
		f.NextAt = next
		return f, nil
	}

	err = postgres.InFencedTx(ctx, s.DB, s.Fence, func(tx pgx.Tx) error {
		f = Frozen{}
		if err := s.lockExclusive(ctx, tx); err != nil {
			return err
		}
		st, err := s.state(ctx, tx)
		if err != nil {
			return err
		}
		f.Session, f.Serial = st.Session.String(), uint64(st.Serial)
		if f.Changed, err = s.freeze(ctx, tx, st, s.now()); err != nil || !f.Changed {
			return err
		}
		f.Serial++
		return nil
	})
	if err != nil {
		return Frozen{}, err
	}
	return f, nil
}

// freeze makes a serial of what is staged, if anything is. The caller holds
// the lock exclusively. What leaves goes first: a URI may have a new owner.
func (s *Server) freeze(ctx context.Context, tx pgx.Tx, st pgq.PubGetStateRow, at time.Time) (bool, error) {
	revision := st.Revision + 1
	gone, err := s.q().PubFreezeWithdraws(ctx, tx, pgq.PubFreezeWithdrawsParams{Repository: Repository, Revision: revision})
	if err != nil {
		return false, err
	}
	come, err := s.q().PubFreezePublishes(ctx, tx, pgq.PubFreezePublishesParams{Repository: Repository, Revision: revision})
	if err != nil || gone+come == 0 {
		return false, err
	}

	if at.Before(st.LastUpdate) { // a clock went back
		at = st.LastUpdate
	}
	return true, s.advance(ctx, tx, position{session: st.Session, serial: st.Serial + 1, revision: revision, at: at})
}

// SessionReset starts a new RRDP session at serial 1, with the content of the
// last serial; what is staged stays so. Clients then load a snapshot.
func (s *Server) SessionReset(ctx context.Context) error {
	session, err := uuid.NewRandom()
	if err != nil {
		return err
	}

	err = postgres.InFencedTx(ctx, s.DB, s.Fence, func(tx pgx.Tx) error {
		if err := s.lockExclusive(ctx, tx); err != nil {
			return err
		}
		st, err := s.state(ctx, tx)
		if err != nil {
			return err
		}
		at := s.now()
		if at.Before(st.LastUpdate) {
			at = st.LastUpdate
		}
		if err := s.advance(ctx, tx, position{session: session, serial: 1, revision: st.Revision, at: at}); err != nil {
			return err
		}
		return s.schedule(ctx, tx)
	})
	if err == nil {
		s.wake()
	}
	return err
}

// position is where an RRDP session stands.
type position struct {
	session          uuid.UUID
	serial, revision int64
	at               time.Time
}

func (s *Server) advance(ctx context.Context, tx pgx.Tx, p position) error {
	err := s.q().PubAdvance(ctx, tx, pgq.PubAdvanceParams{
		Repository: Repository, Session: p.session, Serial: p.serial, Revision: p.revision, LastUpdate: p.at,
	})
	if err != nil {
		return err
	}
	return s.q().PubInsertSerial(ctx, tx, pgq.PubInsertSerialParams{
		Repository: Repository, Session: p.session, Serial: p.serial, Revision: p.revision, At: p.at,
	})
}

// state reads where the session stands.
func (s *Server) state(ctx context.Context, db pgq.DBTX) (pgq.PubGetStateRow, error) {
	st, err := s.q().PubGetState(ctx, db, Repository)
	if errors.Is(err, pgx.ErrNoRows) {
		return st, errNotInitialized()
	}
	return st, postgres.Classify(err)
}
