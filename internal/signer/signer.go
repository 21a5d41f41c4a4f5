// Package signer keeps private keys and hands them out by identifier. Keys live
// in Postgres, each encrypted under a master key that is a file outside the
// database, so that a stolen dump is of no use. Keys that sign once are never
// stored; a Pool has some of them ready, because making one costs about sixty
// times as much as using it.
//
// Everything here must be called with no transaction open, except Destroy,
// which is part of the transaction that records why the key is no more.
package signer

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/rpki/cert"
)

// Codes of the errors that a caller may want to tell apart.
const (
	CodeUnknown   = "key-unknown"   // there never was such a key
	CodeDestroyed = "key-destroyed" // there was
)

// Keys are the stored keys. All fields but CacheSize must be set before the
// first use.
type Keys struct {
	DB     *pgxpool.Pool
	Fence  postgres.Fence
	Master MasterKey
	Pool   *Pool
	Now    func() time.Time

	// CacheSize is how many decrypted keys are kept in memory; 0 means 256.
	CacheSize int

	cache cache
}

// Generate makes an RSA-2048 key (RFC 7935 section 3), stores it and gives its
// identifier. purpose is for people who look at the table. The key is committed
// when Generate returns: a caller that then fails to record what it was for
// should destroy it.
func (k *Keys) Generate(ctx context.Context, purpose string) (cert.KeyID, error) {
	key, err := k.Pool.Take(ctx)
	if err != nil {
		return cert.KeyID{}, err
	}
	return k.store(ctx, key, purpose)
}

// Import stores a key that was made elsewhere, under the same rules.
func (k *Keys) Import(ctx context.Context, key *rsa.PrivateKey, purpose string) (cert.KeyID, error) {
	if err := check(key); err != nil {
		return cert.KeyID{}, &fault.Error{Kind: fault.Invalid, Code: "key-invalid", Msg: "The key is not what RFC 7935 allows: " + err.Error() + ".", Err: err}
	}
	return k.store(ctx, key, purpose)
}

func (k *Keys) store(ctx context.Context, key *rsa.PrivateKey, purpose string) (cert.KeyID, error) {
	id, err := cert.KeyIDOf(key.Public())
	if err != nil {
		return cert.KeyID{}, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return cert.KeyID{}, fmt.Errorf("store key: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return cert.KeyID{}, fmt.Errorf("store key: %w", err)
	}
	row := pgq.InsertSignerKeyParams{
		KeyID: id.String(), Purpose: purpose, Spki: spki, Sealed: k.Master.seal(secret, id[:]), CreatedAt: k.Now().UTC(),
	}
	err = postgres.InFencedTx(ctx, k.DB, k.Fence, func(tx pgx.Tx) error {
		return pgq.New().InsertSignerKey(ctx, tx, row)
	})
	if err != nil {
		return cert.KeyID{}, fmt.Errorf("store key: %w", err)
	}
	k.cache.add(id, key, k.cacheSize())
	return id, nil
}

// Signer gives the private key with this identifier: fault.NotFound, with one of
// the codes above, if there is none. Its public key is that of the identifier.
func (k *Keys) Signer(ctx context.Context, id cert.KeyID) (crypto.Signer, error) {
	if key, ok := k.cache.get(id); ok {
		return key, nil
	}
	row, err := k.row(ctx, id)
	if err != nil {
		return nil, err
	}
	key, err := k.open(id, row.Sealed)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", id, err)
	}
	k.cache.add(id, key, k.cacheSize())
	return key, nil
}

// Exists says whether there is such a key that was not destroyed.
func (k *Keys) Exists(ctx context.Context, id cert.KeyID) (bool, error) {
	_, err := k.row(ctx, id)
	if err != nil && fault.Of(err) == fault.NotFound {
		return false, nil
	}
	return err == nil, err
}

func (k *Keys) row(ctx context.Context, id cert.KeyID) (pgq.GetSignerKeyRow, error) {
	row, err := pgq.New().GetSignerKey(ctx, k.DB, id.String())
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return row, missing(CodeUnknown, id, "is not in the database")
	case err != nil:
		return row, fmt.Errorf("read key %s: %w", id, postgres.Classify(err))
	case row.Sealed == nil:
		return row, missing(CodeDestroyed, id, "was destroyed on "+row.DestroyedAt.UTC().Format(time.RFC3339))
	}
	return row, nil
}

func missing(code string, id cert.KeyID, what string) error {
	return &fault.Error{Kind: fault.NotFound, Code: code, Msg: "Key " + id.String() + " " + what + ".", Args: map[string]string{"key": id.String()}}
}

func (k *Keys) open(id cert.KeyID, sealed []byte) (*rsa.PrivateKey, error) {
	secret, err := k.Master.open(sealed, id[:])
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T", parsed)
	}
	if got, err := cert.KeyIDOf(key.Public()); err != nil || got != id {
		return nil, fmt.Errorf("what is stored under this identifier is another key: %s", got)
	}
	return key, nil
}

// Destroy removes private keys for good, in the caller's transaction: they are
// gone when it commits. The rows stay as a record that the keys existed.
// Destroying a key twice does nothing; one that never was is fault.NotFound.
func (k *Keys) Destroy(ctx context.Context, tx pgx.Tx, ids ...cert.KeyID) error {
	if len(ids) == 0 {
		return nil
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	found, err := pgq.New().DestroySignerKeys(ctx, tx, pgq.DestroySignerKeysParams{Now: k.Now().UTC(), KeyIds: names})
	if err != nil {
		return fmt.Errorf("destroy keys: %w", postgres.Classify(err))
	}
	there := make(map[string]bool, len(found))
	for _, name := range found {
		there[name] = true
	}
	for _, id := range ids {
		if !there[id.String()] {
			return missing(CodeUnknown, id, "is not in the database")
		}
		k.cache.ban(id)
	}
	return nil
}

// discardPatience is how long it may take to discard keys.
const discardPatience = 5 * time.Second

// Discard destroys keys that were made in vain, in a transaction of its own and
// also when ctx is over.
func (k *Keys) Discard(ctx context.Context, ids ...cert.KeyID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardPatience)
	defer cancel()
	return postgres.InFencedTx(ctx, k.DB, k.Fence, func(tx pgx.Tx) error { return k.Destroy(ctx, tx, ids...) })
}

func (k *Keys) cacheSize() int {
	if k.CacheSize == 0 {
		return 256
	}
	return k.CacheSize
}
