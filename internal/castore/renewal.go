package castore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// never stands for the expiry of the first of no objects.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Expiry is when the first of a CA's signed objects of one kind expires.
type Expiry struct {
	Kind     string    // such as "roa"
	NotAfter time.Time // zero: there is none
}

// LowerRenewal notes in tx, with the command of that version, that the CA has
// objects which expire then.
func LowerRenewal(ctx context.Context, tx pgx.Tx, stream uuid.UUID, version int64, e Expiry) error {
	return wrote("renewal", pgq.New().LowerRenewal(ctx, tx, pgq.LowerRenewalParams{StreamID: stream, Kind: e.Kind, NotAfter: e.NotAfter, Version: version}))
}

// SetRenewals puts right when the CA's objects expire, as its state says at
// this version. What a later command noted stays.
func (s *Store) SetRenewals(ctx context.Context, f postgres.Fence, stream uuid.UUID, version int64, list ...Expiry) error {
	return postgres.InFencedTx(ctx, s.DB, f, func(tx pgx.Tx) error {
		for _, e := range list {
			if e.NotAfter.IsZero() {
				e.NotAfter = never
			}
			p := pgq.SetRenewalParams{StreamID: stream, Kind: e.Kind, NotAfter: e.NotAfter, Version: version}
			if err := pgq.New().SetRenewal(ctx, tx, p); err != nil {
				return wrote("renewal", err)
			}
		}
		return nil
	})
}

// DueRenewals gives the CAs that may have an object which expires before the
// time given for its kind.
func (s *Store) DueRenewals(ctx context.Context, before ...Expiry) ([]string, error) {
	var p pgq.DueRenewalsParams
	for _, e := range before {
		p.Kinds, p.Befores = append(p.Kinds, e.Kind), append(p.Befores, e.NotAfter)
	}
	handles, err := pgq.New().DueRenewals(ctx, s.DB, p)
	if err != nil {
		return nil, fmt.Errorf("list due renewals: %w", postgres.Classify(err))
	}
	return handles, nil
}

// CountCAs says how many CAs there are, without the trust anchor.
func (s *Store) CountCAs(ctx context.Context) (int, error) {
	n, err := pgq.New().CountCAs(ctx, s.DB)
	if err != nil {
		return 0, fmt.Errorf("count CAs: %w", postgres.Classify(err))
	}
	return int(n), nil
}

// Unasked is a CA, with the parents that no task will ask.
type Unasked struct {
	CA      string
	Silent  bool     // no task will ask any of its parents
	Missing []string // parents that were asked before, and that no task will ask again
}

// PageOfCAs gives up to max CAs behind a handle, in order of their handles.
// kinds are those of the tasks that ask all parents or one.
func (s *Store) PageOfCAs(ctx context.Context, kinds []string, after string, maximum int) ([]Unasked, error) {
	rows, err := pgq.New().PageOfCAs(ctx, s.DB, pgq.PageOfCAsParams{Kinds: kinds, After: after, MaxRows: int64(maximum)})
	if err != nil {
		return nil, fmt.Errorf("list CAs: %w", postgres.Classify(err))
	}
	out := make([]Unasked, len(rows))
	for i, r := range rows {
		out[i] = Unasked{CA: r.Handle, Silent: r.Silent, Missing: r.Missing}
	}
	return out, nil
}
