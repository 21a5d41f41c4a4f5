// Package postgres is the one way into the database: opening the pool,
// transactions that only the active node may commit, migrating the schema,
// and telling apart the errors that mean "try later".
//
// Statements live in db/queries and are generated into the package pgq.
package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxConns is the size of the pool unless the connection string says otherwise.
	maxConns = 16

	// idleInTransaction is how long the server lets a transaction wait for its next statement. It bounds how long a
	// node that was paused in the middle of a transaction keeps row locks.
	idleInTransaction = 8 * time.Second

	// connectTimeout is how long one attempt to connect to one host may take.
	connectTimeout = 5 * time.Second
)

// DBTX is what statements run on: a pool, a connection or a transaction.
type DBTX interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}

// Open parses url (a Postgres connection string) and returns a pool on it. The
// database need not answer yet: connections are made when they are needed.
// Where url names several hosts and no target_session_attrs, connections go to
// the one that takes writes.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database connection string: %w", err)
	}
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = maxConns
	}
	harden(cfg.ConnConfig)
	params := cfg.ConnConfig.RuntimeParams
	if _, ok := params["idle_in_transaction_session_timeout"]; !ok {
		params["idle_in_transaction_session_timeout"] = milliseconds(idleInTransaction)
	}
	if cfg.ConnConfig.ValidateConnect == nil && severalHosts(cfg.ConnConfig) {
		cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		readUTC(conn)
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	return pool, nil
}

// ConnectPrimary opens a connection of its own, outside any pool, to the host
// of url that takes writes. The server closes the connection when it hears
// nothing for idle, so that what the session holds is soon free when this
// process hangs.
func ConnectPrimary(ctx context.Context, url string, idle time.Duration) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database connection string: %w", err)
	}
	harden(cfg)
	cfg.RuntimeParams["idle_session_timeout"] = milliseconds(idle)
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(idle)
	cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, Classify(err)
	}
	readUTC(conn)
	return conn, nil
}

// readUTC makes times come out of the database in UTC.
func readUTC(conn *pgx.Conn) {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
}

// harden sets what every connection of this program has in common.
func harden(cfg *pgx.ConnConfig) {
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	if _, ok := cfg.RuntimeParams["application_name"]; !ok {
		cfg.RuntimeParams["application_name"] = "baleen"
	}
	cfg.RuntimeParams["timezone"] = "UTC"
}

// severalHosts tells whether cfg names more than one host; entries that differ
// only in the use of TLS are the same host.
func severalHosts(cfg *pgx.ConnConfig) bool {
	for _, f := range cfg.Fallbacks {
		if f.Host != cfg.Host || f.Port != cfg.Port {
			return true
		}
	}
	return false
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10)
}
