package pubserver

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const sqlStoreContents = `
INSERT INTO der_object (hash, der) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING`

const sqlDropStaged = `
DELETE FROM pub_object
WHERE repository = $1 AND publisher = $2 AND uri = ANY($3::text[]) AND from_revision IS NULL`

const sqlWithdraw = `
UPDATE pub_object SET withdrawn = true
WHERE repository = $1 AND publisher = $2 AND uri = ANY($3::text[])
  AND to_revision IS NULL AND from_revision IS NOT NULL AND NOT withdrawn`

const sqlRestore = `
UPDATE pub_object SET withdrawn = false
WHERE repository = $1 AND publisher = $2 AND uri = ANY($3::text[]) AND withdrawn`

const sqlStage = `
INSERT INTO pub_object (repository, publisher, uri, hash, size, file_time)
SELECT $1, $2, n.uri, n.hash, n.size, n.file_time
FROM unnest($3::text[], $4::bytea[], $5::integer[], $6::timestamptz[]) AS n (uri, hash, size, file_time)`

const sqlCount = `
UPDATE pub_publisher SET objects = objects + $3, bytes = bytes + $4 WHERE repository = $1 AND handle = $2`

// contentsAtOnce is how many octets of objects one statement carries: what is
// sent is copied on its way, and a large message must not be there several times.
const contentsAtOnce = 1 << 20

// store writes what a message does, in one round trip, but for the contents of a
// large one. Rows that go or are withdrawn make room for those that come.
func (s *staging) store(ctx context.Context, tx pgx.Tx, repository, publisher string) error {
	hashes, ders, err := s.sendContents(ctx, tx)
	if err != nil {
		return fmt.Errorf("store a message of %q: %w", publisher, err)
	}
	b := &pgx.Batch{}
	if len(ders) > 0 {
		b.Queue(sqlStoreContents, hashes, ders)
	}
	if len(s.dropped) > 0 {
		b.Queue(sqlDropStaged, repository, publisher, s.dropped)
	}
	if len(s.withdraw) > 0 {
		b.Queue(sqlWithdraw, repository, publisher, s.withdraw)
	}
	if len(s.restore) > 0 {
		b.Queue(sqlRestore, repository, publisher, s.restore)
	}
	if len(s.insert) > 0 {
		s.queueInserts(b, repository, publisher)
	}
	b.Queue(sqlCount, repository, publisher, s.objects, s.bytes)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("store a message of %q: %w", publisher, err)
	}
	return nil
}

// sendContents stores the contents of new objects, and gives those back that
// may go with other statements. They go in the order of their hashes, so that two
// messages with the same objects cannot wait for each other.
func (s *staging) sendContents(ctx context.Context, tx pgx.Tx) (hashes, ders [][]byte, err error) {
	slices.SortFunc(s.insert, func(a, b stored) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	size := 0
	for i := range s.insert {
		o := &s.insert[i]
		if size += len(o.der); size > contentsAtOnce && len(ders) > 0 {
			if _, err := tx.Exec(ctx, sqlStoreContents, hashes, ders); err != nil {
				return nil, nil, err
			}
			hashes, ders, size = nil, nil, len(o.der)
		}
		hashes, ders = append(hashes, o.hash[:]), append(ders, o.der)
	}
	return hashes, ders, nil
}

// queueInserts adds the rows of new objects.
func (s *staging) queueInserts(b *pgx.Batch, repository, publisher string) {
	n := len(s.insert)
	hashes, names, sizes, times := make([][]byte, n), make([]string, n), make([]int32, n), make([]time.Time, n)
	for i := range s.insert {
		o := &s.insert[i]
		hashes[i], names[i], sizes[i], times[i] = o.hash[:], o.uri, int32(len(o.der)), o.fileTime
	}
	b.Queue(sqlStage, repository, publisher, names, hashes, sizes, times)
}
