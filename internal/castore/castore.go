// Package castore keeps the rows beside a CA's log: the bytes of signed
// objects, the newest manifest and CRL of each key, the set of objects the CA
// wants published, and the outcome of its last exchanges. None of it is
// history: what a clock causes every few hours is not news.
package castore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/rpki/cert"
)

// Store reads and writes these rows.
type Store struct {
	DB *pgxpool.Pool
}

// Manifest is the newest manifest and CRL of one key. Number is 0 where there
// is none yet.
type Manifest struct {
	Class      string
	Key        cert.KeyID
	Number     int64
	ThisUpdate time.Time
	NextUpdate time.Time
	Covers     ca.Hash // over all that manifest and CRL cover
	MFT, CRL   ca.Hash
}

// Change replaces the manifest that had number Was (0: there was none).
type Change struct {
	Was  int64
	Next Manifest
}

// Publication is what a CA wants published from now on.
type Publication struct {
	Stream  uuid.UUID
	Changed []Change
	DERs    [][]byte          // new objects named by the changes
	Keys    []cert.KeyID      // every key that still publishes; manifests of others are forgotten
	Objects map[string]Object // the whole set, by URI
}

// Object is one that a CA wants published.
type Object struct {
	Hash       ca.Hash
	Repository string // service URI; empty: the one that the CA has now
}

// WantedAt gives what is wanted in one repository. What names none is wanted in
// the one that the CA has now.
func WantedAt(all map[string]Object, serviceURI string, current bool) map[string]ca.Hash {
	out := make(map[string]ca.Hash, len(all))
	for uri, o := range all {
		if o.Repository == serviceURI || current && o.Repository == "" {
			out[uri] = o.Hash
		}
	}
	return out
}

// Manifests gives the newest manifest of each key of a CA.
func (s *Store) Manifests(ctx context.Context, stream uuid.UUID) (map[cert.KeyID]Manifest, error) {
	return View{s.DB}.Manifests(ctx, stream)
}

// Record stores a publication in tx. Where another writer replaced a manifest
// meanwhile it is a Conflict. It says whether anything changed that the
// repository must hear of.
func (s *Store) Record(ctx context.Context, tx pgx.Tx, p Publication) (bool, error) {
	if err := s.Put(ctx, tx, p.DERs...); err != nil {
		return false, err
	}
	for _, c := range p.Changed {
		if err := replaceManifest(ctx, tx, p.Stream, c); err != nil {
			return false, err
		}
	}
	keep := make([]string, len(p.Keys))
	for i, k := range p.Keys {
		keep[i] = k.String()
	}
	if err := pgq.New().DeleteManifests(ctx, tx, pgq.DeleteManifestsParams{StreamID: p.Stream, Keep: keep}); err != nil {
		return false, fmt.Errorf("forget manifests: %w", err)
	}
	return setObjects(ctx, tx, p.Stream, p.Objects)
}

func replaceManifest(ctx context.Context, tx pgx.Tx, stream uuid.UUID, c Change) error {
	m := c.Next
	var n int64
	var err error
	if c.Was == 0 {
		n, err = pgq.New().InsertManifest(ctx, tx, pgq.InsertManifestParams{
			StreamID: stream, Class: m.Class, KeyID: m.Key.String(), Number: m.Number, ThisUpdate: m.ThisUpdate, NextUpdate: m.NextUpdate,
			Covers: m.Covers[:], MftHash: m.MFT[:], CrlHash: m.CRL[:],
		})
	} else {
		n, err = pgq.New().ReplaceManifest(ctx, tx, pgq.ReplaceManifestParams{
			StreamID: stream, KeyID: m.Key.String(), Was: c.Was, Number: m.Number, ThisUpdate: m.ThisUpdate, NextUpdate: m.NextUpdate,
			Covers: m.Covers[:], MftHash: m.MFT[:], CrlHash: m.CRL[:],
		})
	}
	if err != nil {
		return fmt.Errorf("replace manifest: %w", err)
	}
	if n != 1 {
		return fault.New(fault.Conflict, "manifest-stale", "the manifest of key "+m.Key.String()+" was replaced meanwhile")
	}
	return nil
}

// Objects gives what a CA wants published, by URI.
func (s *Store) Objects(ctx context.Context, stream uuid.UUID) (map[string]Object, error) {
	return View{s.DB}.Objects(ctx, stream)
}

// setObjects writes only the difference.
func setObjects(ctx context.Context, tx pgx.Tx, stream uuid.UUID, want map[string]Object) (bool, error) {
	have, err := View{tx}.Objects(ctx, stream)
	if err != nil {
		return false, err
	}
	var gone, uris, repositories []string
	var hashes [][]byte
	for uri := range have {
		if _, ok := want[uri]; !ok {
			gone = append(gone, uri)
		}
	}
	for uri, o := range want {
		if old, ok := have[uri]; !ok || old != o {
			uris, hashes, repositories = append(uris, uri), append(hashes, o.Hash[:]), append(repositories, o.Repository)
		}
	}
	if len(gone) > 0 {
		if err := pgq.New().DeleteObjects(ctx, tx, pgq.DeleteObjectsParams{StreamID: stream, Uris: gone}); err != nil {
			return false, fmt.Errorf("delete wanted objects: %w", err)
		}
	}
	if len(uris) > 0 {
		if err := upsertObjects(ctx, tx, stream, uris, hashes, repositories); err != nil {
			return false, err
		}
	}
	return len(gone)+len(uris) > 0, nil
}

// DueManifests gives the CAs with a manifest whose nextUpdate is not later
// than the given time.
func (s *Store) DueManifests(ctx context.Context, before time.Time) ([]string, error) {
	handles, err := pgq.New().DueManifests(ctx, s.DB, before)
	if err != nil {
		return nil, fmt.Errorf("list due manifests: %w", postgres.Classify(err))
	}
	return handles, nil
}

// Jump makes the next manifest and CRL of each key of a CA due at once, with a
// number above the Unix time and a thisUpdate after it: nothing that was issued
// before can have had either.
func (s *Store) Jump(ctx context.Context, tx pgx.Tx, stream uuid.UUID, at time.Time) error {
	if err := pgq.New().JumpManifests(ctx, tx, pgq.JumpManifestsParams{StreamID: stream, Number: at.Unix(), After: at}); err != nil {
		return fmt.Errorf("jump manifest numbers: %w", err)
	}
	return nil
}
