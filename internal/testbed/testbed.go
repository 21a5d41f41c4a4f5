// Package testbed remembers what registered itself through the open API of a
// testbed: only that can be removed through it again, nobody gets more than
// their share, and what is old can be found and removed. All of it is rows, so
// that it survives a restart and a fail-over. Whoever calls must not register
// two at once; the fence sees to it that only one node does.
package testbed

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Handle is the CA under which everybody can play.
const Handle = "testbed"

// Kind is what something registered itself as.
type Kind string

// The kinds, as they stand in the table.
const (
	Child     Kind = "child"
	Publisher Kind = "publisher"
)

// CodeLimit is the code of a refusal because there are too many registrations.
const CodeLimit = "testbed-limit"

// counts is how long a registration counts, also if it was removed: who removes
// and registers without end is stopped too.
const counts = 24 * time.Hour

// Limits bounds registrations. 0: no limit.
type Limits struct {
	PerAddress int // from one address, or from one network of 64 bits
	All        int
}

// Registrations is the table.
type Registrations struct {
	DB        *pgxpool.Pool
	Pseudonym func([]byte) []byte // stands in for an address, which must not be stored
}

// Visit is somebody who wants to register something.
type Visit struct {
	Kind   Kind
	Handle string
	From   netip.Addr // invalid: the Unix socket
	At     time.Time
}

// Check refuses a visit, as Denied with CodeLimit, where there are as many
// registrations as may be.
func (r Registrations) Check(ctx context.Context, v Visit, l Limits) error {
	n, err := pgq.New().CountRegistrations(ctx, r.DB, pgq.CountRegistrationsParams{Address: r.pseudonym(v.From), Since: v.At.Add(-counts)})
	if err != nil {
		return fmt.Errorf("count registrations: %w", postgres.Classify(err))
	}
	switch {
	case l.PerAddress > 0 && v.From.IsValid() && n.Here >= int64(l.PerAddress):
		return tooMany(fmt.Sprintf("there are or were %d registrations from this address in the last 24 hours; remove what is not needed, or come back tomorrow", n.Here))
	case l.All > 0 && n.Everywhere >= int64(l.All):
		return tooMany("there are as many registrations as this testbed takes; come back later")
	}
	return nil
}

func tooMany(cause string) error {
	return &fault.Error{Kind: fault.Denied, Code: CodeLimit, Msg: "Too many registrations: " + cause, Args: map[string]string{"cause": cause}}
}

// Note keeps a visit, in the transaction of the command that carried it out.
func (r Registrations) Note(ctx context.Context, tx pgx.Tx, v Visit) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	err = pgq.New().InsertRegistration(ctx, tx, pgq.InsertRegistrationParams{ID: id, Kind: string(v.Kind), Handle: v.Handle, Address: r.pseudonym(v.From), At: v.At})
	if err != nil {
		return fmt.Errorf("note a registration: %w", err)
	}
	return nil
}

// pseudonym gives what is stored of an address. IPv6 networks of 64 bits count
// as one: that is what one visitor commonly has.
func (r Registrations) pseudonym(from netip.Addr) []byte {
	if !from.IsValid() {
		return nil
	}
	from = from.Unmap().WithZone("")
	if from.Is6() {
		from = netip.PrefixFrom(from, 64).Masked().Addr()
	}
	return r.Pseudonym(from.AsSlice())
}

// Has says whether something that is there registered itself.
func (r Registrations) Has(ctx context.Context, k Kind, handle string) (bool, error) {
	ok, err := pgq.New().IsRegistered(ctx, r.DB, pgq.IsRegisteredParams{Kind: string(k), Handle: handle})
	if err != nil {
		return false, fmt.Errorf("find a registration: %w", postgres.Classify(err))
	}
	return ok, nil
}

// Registration is something that registered itself.
type Registration struct {
	Kind   Kind
	Handle string
}

// Old gives what registered itself before a time and is still there, oldest
// first, at most so many.
func (r Registrations) Old(ctx context.Context, before time.Time, most int32) ([]Registration, error) {
	rows, err := pgq.New().OldRegistrations(ctx, r.DB, pgq.OldRegistrationsParams{Before: before, Most: most})
	if err != nil {
		return nil, fmt.Errorf("list old registrations: %w", postgres.Classify(err))
	}
	out := make([]Registration, len(rows))
	for i, row := range rows {
		out[i] = Registration{Kind: Kind(row.Kind), Handle: row.Handle}
	}
	return out, nil
}

// Forget deletes what was removed and counts no more at this time.
func (r Registrations) Forget(ctx context.Context, tx pgx.Tx, at time.Time) error {
	before := at.Add(-counts)
	if err := pgq.New().DeleteRegistrations(ctx, tx, &before); err != nil {
		return fmt.Errorf("forget registrations: %w", err)
	}
	return nil
}

// End notes that something is gone, whoever removed it: what has its name later
// is not what registered itself.
func End(ctx context.Context, tx pgx.Tx, k Kind, handle string, at time.Time) error {
	if err := pgq.New().EndRegistration(ctx, tx, pgq.EndRegistrationParams{At: &at, Kind: string(k), Handle: handle}); err != nil {
		return fmt.Errorf("end a registration: %w", err)
	}
	return nil
}

// EndAll notes that all of a kind are gone.
func EndAll(ctx context.Context, tx pgx.Tx, k Kind, at time.Time) error {
	if err := pgq.New().EndRegistrations(ctx, tx, pgq.EndRegistrationsParams{At: &at, Kind: string(k)}); err != nil {
		return fmt.Errorf("end registrations: %w", err)
	}
	return nil
}
