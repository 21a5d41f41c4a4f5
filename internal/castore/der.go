package castore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// The statements here take several arrays side by side, which the statement
// compiler cannot read.
const (
	putDERs = `INSERT INTO der_object (hash, der) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING`
	putObjs = `INSERT INTO ca_object (stream_id, uri, hash, repository) SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::text[])
ON CONFLICT (stream_id, uri) DO UPDATE SET hash = excluded.hash, repository = excluded.repository`
)

// Put stores objects under their SHA-256; what is there already stays.
func (s *Store) Put(ctx context.Context, tx pgx.Tx, ders ...[]byte) error {
	if len(ders) == 0 {
		return nil
	}
	// In the order of their hashes, so that two transactions with the same
	// objects cannot wait for each other.
	sorted := slices.Clone(ders)
	slices.SortFunc(sorted, func(a, b []byte) int {
		x, y := sha256.Sum256(a), sha256.Sum256(b)
		return bytes.Compare(x[:], y[:])
	})
	hashes := make([][]byte, len(sorted))
	for i, der := range sorted {
		h := sha256.Sum256(der)
		hashes[i] = h[:]
	}
	if _, err := tx.Exec(ctx, putDERs, hashes, sorted); err != nil {
		return fmt.Errorf("store objects: %w", err)
	}
	return nil
}

func upsertObjects(ctx context.Context, tx pgx.Tx, stream uuid.UUID, uris []string, hashes [][]byte, repositories []string) error {
	if _, err := tx.Exec(ctx, putObjs, stream, uris, hashes, repositories); err != nil {
		return fmt.Errorf("store wanted objects: %w", err)
	}
	return nil
}

// DER gives an object by its hash. One that is missing is an error that names
// it: what an event names must be there.
func (s *Store) DER(ctx context.Context, hash ca.Hash) ([]byte, error) {
	der, err := pgq.New().GetDER(ctx, s.DB, hash[:])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("object %s is not in the database", hash)
	}
	if err != nil {
		return nil, fmt.Errorf("read object %s: %w", hash, postgres.Classify(err))
	}
	return der, nil
}

// DERs gives many objects; if one is missing it is an error that names it.
func (s *Store) DERs(ctx context.Context, hashes []ca.Hash) (map[ca.Hash][]byte, error) {
	out, err := View{s.DB}.Found(ctx, hashes)
	if err != nil {
		return nil, err
	}
	for _, h := range hashes {
		if out[h] == nil {
			return nil, fmt.Errorf("object %s is not in the database", h)
		}
	}
	return out, nil
}
