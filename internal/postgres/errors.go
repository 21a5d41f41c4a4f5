package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"baleen/internal/fault"
)

const (
	// CodeUnavailable labels a database that cannot be used now.
	CodeUnavailable = "database-unavailable"

	// CodeNotActive labels a write by a node that is not, or no longer, the active one.
	CodeNotActive = "not-active"

	// CodeConflict labels a transaction that the database ended for the sake of another one.
	CodeConflict = "database-conflict"

	// stateFence is the SQLSTATE that leader_fence raises.
	stateFence = "BL001"
)

// What a client is told, by what is wrong with the database.
const (
	msgUnreachable = "The database cannot be reached."
	msgNotReady    = "The database is starting up or shutting down."
	msgLogin       = "The database refuses the login of this server."
	msgFull        = "The database has no space left."
	msgOverloaded  = "The database has no connections or memory left."
	msgReadOnly    = "The database takes no writes: it is a replica or set read-only."
	msgTimeout     = "The database did not answer in time."
	msgNotActive   = "Another node is active: this one takes no writes."
	msgConflict    = "The database ended this change for the sake of another one that ran at the same time."
)

// states maps SQLSTATEs, or their first letters, to what to make of them; the
// longest match wins.
var states = map[string]fault.Error{
	"08":       {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgUnreachable},
	"25006":    {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgReadOnly},
	"25P03":    {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgTimeout},
	"28":       {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgLogin},
	"3D000":    {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgLogin},
	"40001":    {Kind: fault.Conflict, Code: CodeConflict, Msg: msgConflict},
	"40P01":    {Kind: fault.Conflict, Code: CodeConflict, Msg: msgConflict},
	"53":       {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgOverloaded},
	"53100":    {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgFull},
	"55P03":    {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgTimeout},
	"57014":    {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgTimeout},
	"57P":      {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgNotReady},
	"58030":    {Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msgUnreachable},
	stateFence: {Kind: fault.Unavailable, Code: CodeNotActive, Msg: msgNotActive},
}

// Classify turns an error of the database driver into a *fault.Error with err
// as its cause, if a caller can act on it: the database is away, full, read-only
// or busy, this node may not write, or two transactions got in each other's
// way. Every other error, nil included, comes back as it is; so does one that
// has a fault in its chain already, and a cancelled context.
func Classify(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		for n := len(pg.Code); n >= 2; n-- {
			if f, ok := states[pg.Code[:n]]; ok {
				f.Err = err
				return &f
			}
		}
		var refused *pgconn.ConnectError
		if !errors.As(err, &refused) && pg.SeverityUnlocalized == "ERROR" {
			return err
		}
		return unavailable(msgUnreachable, err)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return unavailable(msgTimeout, err)
	case lost(err):
		return unavailable(msgUnreachable, err)
	}
	return err
}

// lost tells whether err means that there is no connection, or no longer.
func lost(err error) bool {
	var refused *pgconn.ConnectError
	// Not net.Error, which the errors of files satisfy too.
	var network *net.OpError
	var name *net.DNSError
	return errors.As(err, &refused) || errors.As(err, &network) || errors.As(err, &name) ||
		errors.Is(err, ErrOutcomeUnknown) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func unavailable(msg string, err error) error {
	return &fault.Error{Kind: fault.Unavailable, Code: CodeUnavailable, Msg: msg, Err: err}
}

// Violates tells whether err is the violation of exactly this constraint,
// named as in the schema.
func Violates(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.HasPrefix(pg.Code, "23") && pg.ConstraintName == constraint
}

// NoRows tells whether err means that a single-row statement found none.
func NoRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
