package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

const (
	pageRows   = 1000    // rows read at once
	chunkBytes = 8 << 20 // octets of objects read at once, unless one alone is larger
)

// state is where the RRDP session stands.
type state struct {
	session  uuid.UUID
	serial   uint64
	revision int64
	rrdpBase string
	rsync    string
	secret   []byte
	serials  []serial // those whose deltas may be kept, newest first
}

// serial is one serial of the session.
type serial struct {
	number   uint64
	revision int64
	at       time.Time
}

// source reads one state of the rows, whatever is written meanwhile.
type source struct {
	tx         pgx.Tx
	repository string
	state      state
}

// read calls f with the rows as they are now. It tells whether there is a
// repository.
func (r *Renderer) read(ctx context.Context, f func(s *source) error) (found bool, err error) {
	tx, err := r.DB.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return false, postgres.Classify(err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = tx.Rollback(end)
	}()

	// Between two pages a slow disk may need longer than the pool allows other transactions.
	if _, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = '5min'"); err != nil {
		return false, postgres.Classify(err)
	}
	s := &source{tx: tx, repository: r.Repository}
	if found, err = s.load(ctx, r.Settings); err != nil || !found {
		return false, postgres.Classify(err)
	}
	return true, postgres.Classify(f(s))
}

func (s *source) load(ctx context.Context, set Settings) (bool, error) {
	row, err := pgq.New().PubGetState(ctx, s.tx, s.repository)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.state = state{
		session: row.Session, serial: uint64(row.Serial), revision: row.Revision,
		rrdpBase: row.RrdpBaseURI, rsync: row.RsyncBase, secret: row.Secret,
	}

	serials, err := pgq.New().ExportSerials(ctx, s.tx, pgq.ExportSerialsParams{
		Repository: s.repository, Session: row.Session,
		AfterSerial: row.Serial - int64(max(set.DeltaMinCount, set.DeltaMaxCount)), AfterAt: row.LastUpdate.Add(-set.DeltaMinAge),
	})
	for _, one := range serials {
		s.state.serials = append(s.state.serials, serial{number: uint64(one.Serial), revision: one.Revision, at: one.At})
	}
	return true, err
}

// revisionOf gives the revision of a serial, 0 if there is no such serial.
func (s *source) revisionOf(ctx context.Context, session uuid.UUID, serial uint64) (int64, error) {
	revision, err := pgq.New().ExportRevision(ctx, s.tx, pgq.ExportRevisionParams{
		Repository: s.repository, Session: session, Serial: int64(serial),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return revision, err
}

// object is one object to write.
type object struct {
	uri      string
	hash     [32]byte
	size     int32
	revision int64 // since which it is public
	fileTime *time.Time
	replaced *[32]byte // in a delta
	der      []byte    // nil where it was not asked for
}

// public hands over all public objects, sorted by URI. Their contents are read
// only where wanted tells so.
func (s *source) public(ctx context.Context, wanted func(o *object) bool, each func(o *object) error) error {
	return s.pages(ctx, func(after string) ([]object, error) {
		rows, err := pgq.New().ExportPublic(ctx, s.tx, pgq.ExportPublicParams{Repository: s.repository, AfterURI: after, Max: pageRows})
		page := make([]object, len(rows))
		for i, r := range rows {
			page[i] = object{uri: r.URI, hash: [32]byte(r.Hash), size: r.Size, revision: r.FromRevision, fileTime: r.FileTime}
		}
		return page, err
	}, wanted, each)
}

// published hands over all objects that a revision brought, sorted by URI.
func (s *source) published(ctx context.Context, revision int64, each func(o *object) error) error {
	return s.pages(ctx, func(after string) ([]object, error) {
		rows, err := pgq.New().ExportPublished(ctx, s.tx, pgq.ExportPublishedParams{
			Repository: s.repository, Revision: revision, AfterURI: after, Max: pageRows,
		})
		page := make([]object, len(rows))
		for i, r := range rows {
			page[i] = object{uri: r.URI, hash: [32]byte(r.Hash), size: r.Size}
			if r.Replaced != nil {
				page[i].replaced = (*[32]byte)(r.Replaced)
			}
		}
		return page, err
	}, func(*object) bool { return true }, each)
}

// withdrawn hands over all objects that a revision took away, sorted by URI.
func (s *source) withdrawn(ctx context.Context, revision int64, each func(o *object) error) error {
	return s.pages(ctx, func(after string) ([]object, error) {
		rows, err := pgq.New().ExportWithdrawn(ctx, s.tx, pgq.ExportWithdrawnParams{
			Repository: s.repository, Revision: revision, AfterURI: after, Max: pageRows,
		})
		page := make([]object, len(rows))
		for i, r := range rows {
			page[i] = object{uri: r.URI, replaced: (*[32]byte)(r.Hash)}
		}
		return page, err
	}, func(*object) bool { return false }, each)
}

// pages walks a list page by page.
func (s *source) pages(ctx context.Context, read func(after string) ([]object, error), wanted func(o *object) bool, each func(o *object) error) error {
	for after := ""; ; {
		page, err := read(after)
		if err != nil {
			return err
		}
		if err := s.chunks(ctx, page, wanted, each); err != nil {
			return err
		}
		if len(page) < pageRows {
			return nil
		}
		after = page[len(page)-1].uri
	}
}

// chunks hands over the objects of a page, reading a bounded amount of their
// contents at a time.
func (s *source) chunks(ctx context.Context, page []object, wanted func(o *object) bool, each func(o *object) error) error {
	for len(page) > 0 {
		var hashes [][]byte
		want := make([]bool, len(page))
		n, bytes := 0, int64(0)
		for ; n < len(page) && (n == 0 || bytes < chunkBytes); n++ {
			if o := &page[n]; wanted(o) {
				want[n] = true
				hashes = append(hashes, o.hash[:])
				bytes += int64(o.size)
			}
		}

		contents, err := s.contents(ctx, hashes)
		if err != nil {
			return err
		}
		for i := range page[:n] {
			o := &page[i]
			if want[i] {
				var ok bool
				if o.der, ok = contents[o.hash]; !ok {
					return fmt.Errorf("%s: object %x is missing from the database", o.uri, o.hash)
				}
			}
			if err := each(o); err != nil {
				return err
			}
			o.der = nil
		}
		page = page[n:]
	}
	return nil
}

func (s *source) contents(ctx context.Context, hashes [][]byte) (map[[32]byte][]byte, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	rows, err := pgq.New().PubContents(ctx, s.tx, hashes)
	contents := make(map[[32]byte][]byte, len(rows))
	for _, r := range rows {
		contents[[32]byte(r.Hash)] = r.DER
	}
	return contents, err
}
