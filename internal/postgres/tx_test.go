package postgres_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
)

// ending is a transaction of which only the end is looked at. Like a real one
// it cannot end with a context whose time is over.
type ending struct {
	pgx.Tx
	committed, rolledBack bool
}

func (e *ending) Begin(context.Context) (pgx.Tx, error) { return e, nil }

func (e *ending) Commit(ctx context.Context) error {
	e.committed = ctx.Err() == nil
	return ctx.Err()
}

func (e *ending) Rollback(ctx context.Context) error {
	e.rolledBack = ctx.Err() == nil
	return ctx.Err()
}

// A transaction may take as long as it needs: the time for its end begins when
// its work is done.
func TestTransactionsMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good, bad ending
		refused := errors.New("refused")
		if err := postgres.InTx(t.Context(), &good, func(pgx.Tx) error { time.Sleep(time.Hour); return nil }); err != nil || !good.committed {
			t.Errorf("after an hour: committed %v, %v", good.committed, err)
		}
		if err := postgres.InTx(t.Context(), &bad, func(pgx.Tx) error { time.Sleep(time.Hour); return refused }); !errors.Is(err, refused) || !bad.rolledBack {
			t.Errorf("refused after an hour: rolled back %v, %v", bad.rolledBack, err)
		}
	})
}
