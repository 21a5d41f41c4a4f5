package pubserver

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres/pgq"
)

// The statements here and in store.go take several arrays at once, which the
// generator of pgq does not know.

// Each half has an index of its own, in which the past does not stand.
const sqlHoldings = `
SELECT uri, hash, size, from_revision IS NULL, false FROM pub_object
WHERE repository = $1 AND publisher = $2 AND uri = ANY($3::text[]) AND to_revision IS NULL AND NOT withdrawn
UNION ALL
SELECT uri, hash, size, false, true FROM pub_object
WHERE repository = $1 AND publisher = $2 AND uri = ANY($3::text[]) AND withdrawn`

const sqlOwners = `
SELECT base_uri, handle FROM pub_publisher WHERE repository = $1 AND base_uri = ANY($2::text[])`

// A slash is followed by the digit 0 in octet order: what lies between u/ and
// u0 begins with u/.
const sqlBlocking = `
SELECT o.uri FROM unnest($3::text[]) AS u (uri)
JOIN pub_object o ON o.repository = $1 AND o.publisher = $2 AND o.uri >= u.uri || '/' AND o.uri < u.uri || '0'
WHERE o.to_revision IS NULL AND NOT o.withdrawn AND o.uri <> ALL($4::text[])
ORDER BY o.uri LIMIT 1`

const sqlBelow = `
SELECT p.base_uri FROM unnest($2::text[]) AS u (uri)
JOIN pub_publisher p ON p.repository = $1 AND p.base_uri >= u.uri || '/' AND p.base_uri < u.uri || '0'
ORDER BY p.base_uri LIMIT 1`

// loader asks in one round trip for all that deciding a message needs: the
// locks first, so that what is read after them stays true.
type loader struct {
	found found
	known bool // the publisher exists
}

func (l *loader) queue(b *pgx.Batch, repository, publisher string, changes []Change) {
	l.found = found{holdings: map[string]holding{}, owners: map[string]string{}, publisher: publisher}
	objects, above := uris(changes)
	at := append([]string(nil), objects...)
	for _, dir := range above {
		at = append(at, strings.TrimSuffix(dir, "/"))
	}
	news := published(changes)

	b.Queue(pgq.PubLockShared, lockClass, lockKey(repository))
	b.Queue(pgq.PubLockPublisher, repository, publisher).Query(func(rows pgx.Rows) error {
		l.known = rows.Next()
		rows.Close()
		return rows.Err()
	})
	b.Queue(sqlHoldings, repository, publisher, at).Query(l.readHoldings)
	b.Queue(sqlOwners, repository, above).Query(func(rows pgx.Rows) error {
		var base, handle string
		_, err := pgx.ForEachRow(rows, []any{&base, &handle}, func() error {
			l.found.owners[base] = handle
			return nil
		})
		return err
	})
	b.Queue(sqlBlocking, repository, publisher, news, objects).Query(func(rows pgx.Rows) (err error) {
		l.found.blocking, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	b.Queue(sqlBelow, repository, news).Query(func(rows pgx.Rows) (err error) {
		l.found.below, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
}

func (l *loader) readHoldings(rows pgx.Rows) error {
	var uri string
	var r row
	_, err := pgx.ForEachRow(rows, []any{&uri, &r.hash, &r.size, &r.staged, &r.withdrawn}, func() error {
		one := r
		h := l.found.holdings[uri]
		switch {
		case one.staged:
			h.staged = &one
		case one.withdrawn || h.public == nil:
			h.public = &one
		}
		l.found.holdings[uri] = h
		return nil
	})
	return err
}
