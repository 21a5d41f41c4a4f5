package castore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/rpki/cert"
)

// maxAgent is how many characters of a user agent are kept.
const maxAgent = 256

// ChildExchange is an exchange with a child as its parent notes it.
type ChildExchange struct {
	Child     string
	At        time.Time
	UserAgent string // "": it said nothing
	Key       *cert.KeyID
	Err       error
}

// ChildStatus is the last exchange with a child. Its URI is empty: the child
// called.
type ChildStatus struct {
	Exchange
	Child     string
	UserAgent string
	KeyID     string // of the certificate that signed; "" for a CA of this server
	Suspended bool
}

// NoteChild stores the outcome of an exchange with a child, and says whether
// that child is suspended.
func (s *Store) NoteChild(ctx context.Context, f postgres.Fence, stream uuid.UUID, x ChildExchange) (suspended bool, err error) {
	row, success, err := exchangeRow(x.At, x.Err)
	if err != nil {
		return false, err
	}
	p := pgq.UpsertChildStatusParams{StreamID: stream, Child: x.Child, At: x.At, UserAgent: agent(x.UserAgent), Fault: row, LastSuccess: success}
	if x.Key != nil {
		id := x.Key.String()
		p.KeyID = &id
	}
	err = postgres.InFencedTx(ctx, s.DB, f, func(tx pgx.Tx) error {
		suspended, err = pgq.New().UpsertChildStatus(ctx, tx, p)
		return wrote("child status", err)
	})
	return suspended, err
}

// agent makes text of what a peer sent: no longer than it may be, and such that
// the database takes it.
func agent(text string) *string {
	text = postgres.Text(text)
	if runes := []rune(text); len(runes) > maxAgent {
		text = string(runes[:maxAgent])
	}
	if text == "" {
		return nil
	}
	return &text
}

// ChildStatuses gives the last exchange with each child that ever called.
func (s *Store) ChildStatuses(ctx context.Context, stream uuid.UUID) ([]ChildStatus, error) {
	rows, err := pgq.New().ListChildStatus(ctx, s.DB, stream)
	if err != nil {
		return nil, fmt.Errorf("list child status: %w", postgres.Classify(err))
	}
	out := make([]ChildStatus, len(rows))
	for i, r := range rows {
		if out[i], err = readChildStatus(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// AllChildStatuses gives the same for every CA, by handle.
func (s *Store) AllChildStatuses(ctx context.Context) (map[string][]ChildStatus, error) {
	rows, err := pgq.New().ListAllChildStatus(ctx, s.DB)
	if err != nil {
		return nil, fmt.Errorf("list child status: %w", postgres.Classify(err))
	}
	out := map[string][]ChildStatus{}
	for _, r := range rows {
		st, err := readChildStatus(pgq.ListChildStatusRow{
			Child: r.Child, At: r.At, UserAgent: r.UserAgent, KeyID: r.KeyID, Fault: r.Fault, LastSuccess: r.LastSuccess, Suspended: r.Suspended,
		})
		if err != nil {
			return nil, err
		}
		out[r.Handle] = append(out[r.Handle], st)
	}
	return out, nil
}

func readChildStatus(r pgq.ListChildStatusRow) (ChildStatus, error) {
	st := ChildStatus{Child: r.Child, Suspended: r.Suspended}
	if r.UserAgent != nil {
		st.UserAgent = *r.UserAgent
	}
	if r.KeyID != nil {
		st.KeyID = *r.KeyID
	}
	var err error
	st.Exchange, err = readExchange("", r.At, r.Fault, r.LastSuccess)
	return st, err
}

// Silent is a child that said nothing for long.
type Silent struct {
	CA, Child, UserAgent string
}

// SilentChildren gives the active children of all CAs that called once, and
// not since then.
func (s *Store) SilentChildren(ctx context.Context, since time.Time) ([]Silent, error) {
	rows, err := pgq.New().ListSilentChildren(ctx, s.DB, since)
	if err != nil {
		return nil, fmt.Errorf("list silent children: %w", postgres.Classify(err))
	}
	out := make([]Silent, len(rows))
	for i, r := range rows {
		out[i] = Silent{CA: r.Handle, Child: r.Child}
		if r.UserAgent != nil {
			out[i].UserAgent = *r.UserAgent
		}
	}
	return out, nil
}

// CodeNotSilent is the Conflict of a child that spoke after all.
const CodeNotSilent = "child-not-silent"

// StillSilent makes sure that a child said nothing since then and cannot do so
// before tx ends.
func StillSilent(ctx context.Context, tx pgx.Tx, stream uuid.UUID, child string, since time.Time) error {
	silent, err := pgq.New().ChildIsSilent(ctx, tx, pgq.ChildIsSilentParams{StreamID: stream, Child: child, Since: since})
	switch {
	case postgres.NoRows(err) || err == nil && !silent:
		return fault.New(fault.Conflict, CodeNotSilent, "child '"+child+"' was not silent")
	case err != nil:
		return fmt.Errorf("read child status: %w", postgres.Classify(err))
	}
	return nil
}

// SetChildSuspended keeps in tx, beside a child's last exchange, what its
// parent's log says of it.
func SetChildSuspended(ctx context.Context, tx pgx.Tx, stream uuid.UUID, child string, suspended bool) error {
	return wrote("child status", pgq.New().SetChildSuspended(ctx, tx, pgq.SetChildSuspendedParams{StreamID: stream, Child: child, Suspended: suspended}))
}

// ForgetChild drops in tx the last exchange of a child that is gone, or that
// had the name of a new one.
func ForgetChild(ctx context.Context, tx pgx.Tx, stream uuid.UUID, child string) error {
	return wrote("child status", pgq.New().DeleteChildStatus(ctx, tx, pgq.DeleteChildStatusParams{StreamID: stream, Child: child}))
}

func wrote(what string, err error) error {
	if err != nil {
		return fmt.Errorf("write %s: %w", what, postgres.Classify(err))
	}
	return nil
}
