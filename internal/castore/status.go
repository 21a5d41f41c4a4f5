package castore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Fault is what went wrong in an exchange, in the form of the API's errors.
type Fault struct {
	Label string            `json:"label"`
	Msg   string            `json:"msg"`
	Args  map[string]string `json:"args"`
}

// Exchange is the outcome of the last exchange with a peer.
type Exchange struct {
	URI         string
	At          time.Time
	Fault       *Fault     // nil: it succeeded
	LastSuccess *time.Time // nil: never
}

// ParentStatus is the last exchange with a parent, with the entitlements of
// the last list that succeeded.
type ParentStatus struct {
	Exchange
	Parent  string
	Classes []ca.Entitlement
}

// faultOf turns an error into what may be shown: of what went wrong inside only
// that the log has more.
func faultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) && f.Kind != fault.Internal {
		args := make(map[string]string, len(f.Args))
		for name, value := range f.Args {
			args[name] = postgres.Text(value)
		}
		return &Fault{Label: f.Code, Msg: postgres.Text(err.Error()), Args: args}
	}
	return &Fault{Label: "sys-internal", Msg: "Internal error: see the server's log", Args: map[string]string{}}
}

// exchangeRow prepares the columns that both kinds of status share.
func exchangeRow(at time.Time, err error) (raw []byte, success *time.Time, _ error) {
	f := faultOf(err)
	if f == nil {
		return nil, &at, nil
	}
	raw, jsonErr := json.Marshal(f)
	if jsonErr != nil {
		return nil, nil, fmt.Errorf("status: %w", jsonErr)
	}
	return raw, nil, nil
}

func readExchange(uri string, at time.Time, raw []byte, success *time.Time) (Exchange, error) {
	x := Exchange{URI: uri, At: at.UTC(), LastSuccess: success}
	if len(raw) == 0 {
		return x, nil
	}
	if err := json.Unmarshal(raw, &x.Fault); err != nil {
		return x, fmt.Errorf("status: %w", err)
	}
	return x, nil
}

// ParentExchange is what NoteParent stores: Offered nil keeps what the last
// success said.
type ParentExchange struct {
	Parent, URI string
	At          time.Time
	Offered     []ca.Entitlement
	Err         error
}

// NoteParent stores the outcome of an exchange with a parent.
func (s *Store) NoteParent(ctx context.Context, f postgres.Fence, stream uuid.UUID, x ParentExchange) error {
	row, success, err := exchangeRow(x.At, x.Err)
	if err != nil {
		return err
	}
	var classes []byte
	if x.Err == nil {
		if classes, err = json.Marshal(append([]ca.Entitlement{}, x.Offered...)); err != nil {
			return fmt.Errorf("status: %w", err)
		}
	}
	return postgres.InFencedTx(ctx, s.DB, f, func(tx pgx.Tx) error {
		return pgq.New().UpsertParentStatus(ctx, tx, pgq.UpsertParentStatusParams{
			StreamID: stream, Parent: x.Parent, URI: x.URI, At: x.At, Fault: row, LastSuccess: success, Classes: classes,
		})
	})
}

// NoteRepo stores the outcome of an exchange with the repository.
func (s *Store) NoteRepo(ctx context.Context, f postgres.Fence, stream uuid.UUID, x Exchanged) error {
	row, success, err := exchangeRow(x.At, x.Err)
	if err != nil {
		return err
	}
	return postgres.InFencedTx(ctx, s.DB, f, func(tx pgx.Tx) error {
		return pgq.New().UpsertRepoStatus(ctx, tx, pgq.UpsertRepoStatusParams{
			StreamID: stream, URI: x.URI, At: x.At, Fault: row, LastSuccess: success,
		})
	})
}

// Exchanged is the outcome of an exchange as it is noted.
type Exchanged struct {
	URI string
	At  time.Time
	Err error
}

// ParentStatuses gives the last exchange with each parent that was contacted.
func (s *Store) ParentStatuses(ctx context.Context, stream uuid.UUID) ([]ParentStatus, error) {
	rows, err := pgq.New().ListParentStatus(ctx, s.DB, stream)
	if err != nil {
		return nil, fmt.Errorf("list parent status: %w", postgres.Classify(err))
	}
	out := make([]ParentStatus, 0, len(rows))
	for _, r := range rows {
		st := ParentStatus{Parent: r.Parent}
		if st.Exchange, err = readExchange(r.URI, r.At, r.Fault, r.LastSuccess); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(r.Classes, &st.Classes); err != nil {
			return nil, fmt.Errorf("status: %w", err)
		}
		out = append(out, st)
	}
	return out, nil
}

// RepoStatus gives the last exchange with the repository; ok is false if there
// was none.
func (s *Store) RepoStatus(ctx context.Context, stream uuid.UUID) (x Exchange, ok bool, err error) {
	r, err := pgq.New().GetRepoStatus(ctx, s.DB, stream)
	if errors.Is(err, pgx.ErrNoRows) {
		return x, false, nil
	}
	if err != nil {
		return x, false, fmt.Errorf("read repository status: %w", postgres.Classify(err))
	}
	x, err = readExchange(r.URI, r.At, r.Fault, r.LastSuccess)
	return x, err == nil, err
}
