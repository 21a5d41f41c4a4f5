package leader

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"baleen/internal/postgres"
)

// ErrPooled refuses a database connection that leads through a pooler whose
// sessions are not those of the database.
var ErrPooled = errors.New("the database connection leads through a transaction pooler, where no session, and so no leader lock, is this node's own: " +
	"set pool_mode = session for this database in PgBouncer, or connect without it")

// probes is how often a pooler is asked for a second session before its
// sessions are believed to be the database's own. Other clients of the pooler
// can spoil a probe, but hardly all of them.
const probes = 3

// protocolViolation is the SQLSTATE of a pooler that allows no transaction.
const protocolViolation = "08P01"

// Check refuses, with ErrPooled, a connection string that can never give the
// leader lock. A database that does not answer now is not refused.
func Check(ctx context.Context, url string) error {
	s, err := connect(ctx, url, normal)
	if errors.Is(err, ErrPooled) {
		return err
	}
	if err == nil {
		s.close(ctx)
	}
	return nil
}

// own makes sure that the session is this node's own. A pooler shows by the
// process number of the database's backend, which it does not hand on. It does
// not hand on either how long the session may be silent.
func (s *session) own(ctx context.Context, url string) error {
	pid, err := backend(ctx, s.conn)
	if err != nil {
		return err
	}
	if pid == s.conn.PgConn().PID() {
		return nil
	}
	if err := s.probe(ctx, url); err != nil {
		return err
	}
	silent := s.idle.Milliseconds()
	_, err = s.conn.Exec(ctx, fmt.Sprintf("SET idle_session_timeout = %d; SET idle_in_transaction_session_timeout = %d", silent, silent))
	return postgres.Classify(err)
}

// probe opens a transaction on a second connection, again and again. A pooler
// that gives backends to transactions, not to sessions, lets it have the one
// that this session just used, or this session another one meanwhile.
func (s *session) probe(ctx context.Context, url string) error {
	second, err := postgres.ConnectPrimary(ctx, url, s.idle)
	if err != nil {
		return err
	}
	defer func() { _ = second.Close(context.WithoutCancel(ctx)) }()
	for range probes {
		before, err := backend(ctx, s.conn)
		if err != nil {
			return err
		}
		var other, after uint32
		err = postgres.InTx(ctx, second, func(tx pgx.Tx) error {
			if other, err = backend(ctx, tx.Conn()); err != nil || other == before {
				return err
			}
			after, err = backend(ctx, s.conn)
			return err
		})
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == protocolViolation { // the pooler hands out single statements
			return ErrPooled
		}
		if err != nil {
			return err
		}
		if other == before || after != before {
			return ErrPooled
		}
	}
	return nil
}

// backend gives the process number of the database's side of a connection. Of
// prepared statements transaction poolers know nothing.
func backend(ctx context.Context, conn *pgx.Conn) (pid uint32, err error) {
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
		return 0, postgres.Classify(err)
	}
	return pid, nil
}
