package castore

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"baleen/internal/ca"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/rpki/cert"
)

// View reads the same rows through a transaction, and so at one moment.
type View struct {
	DB postgres.DBTX
}

// Manifests gives the newest manifest of each key of a CA.
func (v View) Manifests(ctx context.Context, stream uuid.UUID) (map[cert.KeyID]Manifest, error) {
	rows, err := pgq.New().ListManifests(ctx, v.DB, stream)
	if err != nil {
		return nil, fmt.Errorf("list manifests: %w", postgres.Classify(err))
	}
	out := make(map[cert.KeyID]Manifest, len(rows))
	for _, r := range rows {
		key, err := cert.ParseKeyID(r.KeyID)
		if err != nil {
			return nil, fmt.Errorf("manifest row: %w", err)
		}
		out[key] = Manifest{
			Class: r.Class, Key: key, Number: r.Number, ThisUpdate: r.ThisUpdate.UTC(), NextUpdate: r.NextUpdate.UTC(),
			Covers: ca.Hash(r.Covers), MFT: ca.Hash(r.MftHash), CRL: ca.Hash(r.CrlHash),
		}
	}
	return out, nil
}

// Objects gives what a CA wants published, by URI.
func (v View) Objects(ctx context.Context, stream uuid.UUID) (map[string]Object, error) {
	rows, err := pgq.New().ListObjects(ctx, v.DB, stream)
	if err != nil {
		return nil, fmt.Errorf("list wanted objects: %w", postgres.Classify(err))
	}
	out := make(map[string]Object, len(rows))
	for _, r := range rows {
		out[r.URI] = Object{Hash: ca.Hash(r.Hash), Repository: r.Repository}
	}
	return out, nil
}

// Found gives those of the objects that there are.
func (v View) Found(ctx context.Context, hashes []ca.Hash) (map[ca.Hash][]byte, error) {
	raw := make([][]byte, len(hashes))
	for i, h := range hashes {
		raw[i] = h[:]
	}
	rows, err := pgq.New().GetDERs(ctx, v.DB, raw)
	if err != nil {
		return nil, fmt.Errorf("read objects: %w", postgres.Classify(err))
	}
	out := make(map[ca.Hash][]byte, len(rows))
	for _, r := range rows {
		out[ca.Hash(r.Hash)] = r.DER
	}
	return out, nil
}

// Damaged gives the names of all objects that are not what their name says.
func (v View) Damaged(ctx context.Context) ([]ca.Hash, error) {
	rows, err := pgq.New().ListDamagedDERs(ctx, v.DB)
	if err != nil {
		return nil, fmt.Errorf("look for damaged objects: %w", err)
	}
	out := make([]ca.Hash, len(rows))
	for i, r := range rows {
		out[i] = ca.Hash(r)
	}
	return out, nil
}
