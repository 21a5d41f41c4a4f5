package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/embedded"
	"baleen/internal/postgres"
)

// weight is what a database weighs, and what was done to it.
type weight struct {
	bytes, wal, commits, serial int64
}

// sqlWeight counts tables with their indexes, the write-ahead log and the
// transactions that wrote something.
const sqlWeight = `SELECT (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
    WHERE c.relnamespace IN ('public'::regnamespace, 'archive'::regnamespace) AND c.relkind = 'r')::bigint,
  pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint,
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
  (SELECT coalesce(max(serial), 0) FROM rrdp_state)`

func weigh(ctx context.Context, db *pgxpool.Pool) (w weight, err error) {
	err = db.QueryRow(ctx, sqlWeight).Scan(&w.bytes, &w.wal, &w.commits, &w.serial)
	return w, err
}

// storage gives what a CA, a ROA and a manifest cost the database. It is about this
// project's server alone.
func storage(ctx context.Context, o options) error {
	return o.on(ctx, func(dir string) system { return newBaleen(o.bin, dir, fmt.Sprint("BALEEN_KEY_POOL_SIZE=", o.pool)) }, func(ctx context.Context, s system) (err error) {
		b := s.(baleen)
		url, stop, err := embedded.Use(ctx, embedded.Config{Dir: filepath.Join(b.Dir, "postgres"), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop(ctx)) }()
		db, err := postgres.Open(ctx, url)
		if err != nil {
			return err
		}
		defer db.Close()
		return b.weighSteps(ctx, db, o)
	})
}

func (b baleen) weighSteps(ctx context.Context, db *pgxpool.Pool, o options) error {
	n, each, singles := o.made, max(1, o.bulk/10), 5
	prefix := func(i int) route { return route{64496, fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)} }
	for _, step := range []struct {
		what  string
		units int
		do    func(i int) error
	}{
		{"CA", n, func(i int) error { return join(ctx, b, caName(i)) }},
		{fmt.Sprintf("ROA of %d in one call", each), n * each, func(i int) error {
			var list []route
			for k := range each {
				list = append(list, prefix(k))
			}
			return addRoutes(ctx, b, caName(i), list...)
		}},
		{"ROA made alone", n * singles, func(i int) error {
			for k := range singles {
				if err := errors.Join(addRoutes(ctx, b, caName(i), prefix(each+k)), b.Settle(ctx)); err != nil {
					return err
				}
			}
			return nil
		}},
		{fmt.Sprintf("manifest and CRL again, of %d ROAs", each+singles), n, func(i int) error {
			if i > 0 {
				return nil
			}
			return call(ctx, b, http.MethodPost, "/api/v1/bulk/cas/force_publish", nil, nil)
		}},
	} {
		before, err := weigh(ctx, db)
		if err != nil {
			return err
		}
		for i := range n {
			if err := step.do(i); err != nil {
				return err
			}
		}
		if err := b.Settle(ctx); err != nil {
			return err
		}
		after, err := weigh(ctx, db)
		if err != nil {
			return err
		}
		per := func(x int64) float64 { return float64(x) / float64(step.units) }
		fmt.Printf("  %-40s %8.0f octets, %8.0f of WAL, %5.1f commits, %.2f serials (%d)\n", "a "+step.what+":", per(after.bytes-before.bytes),
			per(after.wal-before.wal), per(after.commits-before.commits), per(after.serial-before.serial), step.units)
	}
	return nil
}
