package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/fault"
)

// finishTimeout bounds commit and rollback, which go on when the caller's
// context has ended.
const finishTimeout = 10 * time.Second

// ErrOutcomeUnknown is in the chain of an error when the connection was lost
// while a commit was under way: the transaction may have been committed or not.
var ErrOutcomeUnknown = errors.New("the connection was lost during commit")

// Fence says which epoch this node may write for. A writing transaction fails
// with fault.Unavailable, code "not-active", when another node took over since.
type Fence interface {
	Epoch() int64
}

// Beginner starts transactions: a pool, a connection, or a transaction (which
// then sets a savepoint).
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// InTx commits if f returns nil and rolls back otherwise, also when ctx is
// already cancelled or f panics. Errors are classified (see Classify); an
// error with ErrOutcomeUnknown in its chain means that the commit may have
// been done.
func InTx(ctx context.Context, db Beginner, f func(tx pgx.Tx) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", Classify(err))
	}
	return finish(ctx, tx, f)
}

// InSnapshot gives f a transaction that sees one moment of the database and
// cannot write. It may take as long as it needs, also between two statements, and
// whatever time limit the DBA set on the role.
func InSnapshot(ctx context.Context, db *pgxpool.Pool, f func(tx pgx.Tx) error) error {
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("begin: %w", Classify(err))
	}
	return finish(ctx, tx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		return f(tx)
	})
}

// InFencedTx is InTx for a transaction that writes: it begins and checks the
// fence in one round trip. It is repeated like a function of Again, so f may be
// called several times, and must begin from nothing each time.
func InFencedTx(ctx context.Context, db *pgxpool.Pool, fence Fence, f func(tx pgx.Tx) error) error {
	return Again(ctx, func() error { return InFencedBatch(ctx, db, fence, nil, f) })
}

const (
	// conflictTries is how often a transaction is run that gets in the way of others, and conflictPause how long it waits
	// at most before the second time; then twice that, and so on.
	conflictTries = 5
	conflictPause = 20 * time.Millisecond
)

// Again runs f, which runs a transaction, and runs it again, a few times, where
// the database ended the transaction for the sake of another one: a deadlock or
// a serialization failure. Nothing of an ended transaction is left.
func Again(ctx context.Context, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if fault.Code(err) != CodeConflict || try == conflictTries {
			return err
		}
		pause := time.NewTimer(rand.N(conflictPause << (try - 1)))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

// InFencedBatch is InFencedTx with the first statements of the transaction
// sent in the same round trip as begin and fence: queue adds them, with their
// callbacks. An error of a statement or a callback rolls back. A nil f sends
// the commit along too; statements of such a batch must not depend on a
// callback's refusal.
func InFencedBatch(ctx context.Context, db *pgxpool.Pool, fence Fence, queue func(b *pgx.Batch), f func(tx pgx.Tx) error) error {
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	b.Queue("SELECT leader_fence($1)", fence.Epoch())
	if queue != nil {
		queue(b)
	}
	if f == nil {
		b.Queue("COMMIT")
	}
	br := db.SendBatch(ctx, b)
	tx := br.Tx()
	err := br.Close()
	switch {
	case f == nil && err == nil:
		return release(ctx, tx)
	case f == nil:
		err = commitError(err)
	}
	return finish(ctx, tx, func(tx pgx.Tx) error {
		if err != nil {
			return err
		}
		return f(tx)
	})
}

// release gives back the connection of a transaction that ended in its batch.
func release(ctx context.Context, tx pgx.Tx) error {
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		return fmt.Errorf("release: %w", Classify(err))
	}
	return nil
}

// finish runs f and ends tx. What bounds the end begins when f is done: f may
// take as long as it needs.
func finish(ctx context.Context, tx pgx.Tx, f func(tx pgx.Tx) error) error {
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
		defer cancel()
		_ = tx.Rollback(end) // does nothing once committed
	}()
	if err := f(tx); err != nil {
		return Classify(err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	if err := tx.Commit(end); err != nil {
		return fmt.Errorf("commit: %w", commitError(err))
	}
	return nil
}

// commitError tells a commit that the server refused from one whose answer was
// lost. Only the server's own report of an ordinary error is a refusal.
func commitError(err error) error {
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrTxCommitRollback), errors.Is(err, pgx.ErrTxClosed):
		return err
	case errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR":
		return Classify(err)
	}
	return Classify(errors.Join(ErrOutcomeUnknown, err))
}
