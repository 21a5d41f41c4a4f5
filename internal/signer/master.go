package signer

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/secretfile"
)

// masterSize is the length of the master key, in octets.
const masterSize = 32

// maxMasterFile bounds what is read of a file that may be the wrong one.
const maxMasterFile = 1 << 20

// MasterKey encrypts the stored keys (AES-256-GCM). Get one from LoadMasterKey.
type MasterKey struct {
	aead       cipher.AEAD
	path       string
	pseudonyms []byte // key of Pseudonym
}

// LoadMasterKey reads the master key: a file of exactly 32 octets that nobody
// but its owner may read. With create a missing file is made, of random octets
// and with mode 0600; without it a missing file is an error, because another
// key would be of no use for what is stored already.
func LoadMasterKey(path string, create bool) (MasterKey, error) {
	key, err := readMaster(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !create {
			return MasterKey{}, fmt.Errorf("master key file %s is missing, but the database holds keys that were encrypted with it: put it back, from the other node or from where it is kept safe", path)
		}
		if err := createMaster(path); err != nil {
			return MasterKey{}, fmt.Errorf("master key: %w", err)
		}
		key, err = readMaster(path)
	}
	if err != nil {
		return MasterKey{}, fmt.Errorf("master key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return MasterKey{}, fmt.Errorf("master key %s: %w", path, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return MasterKey{}, fmt.Errorf("master key %s: %w", path, err)
	}
	pseudonyms, err := hkdf.Key(sha256.New, key, nil, "baleen pseudonyms", sha256.Size)
	if err != nil {
		return MasterKey{}, fmt.Errorf("master key %s: %w", path, err)
	}
	return MasterKey{aead: aead, path: path, pseudonyms: pseudonyms}, nil
}

// Pseudonym gives 16 octets that stand for something which must not be stored
// as it is: always the same for the same, and without the master key neither it
// nor a guess at it can be told from them.
func (m MasterKey) Pseudonym(of []byte) []byte {
	mac := hmac.New(sha256.New, m.pseudonyms)
	mac.Write(of)
	return mac.Sum(nil)[:16]
}

func readMaster(path string) ([]byte, error) {
	key, err := secretfile.Read(path, maxMasterFile, secretfile.Owner)
	if err != nil {
		return nil, err
	}
	if len(key) != masterSize {
		return nil, fmt.Errorf("%s has %d octets instead of %d: put the right file back; if this server never stored a key, remove it", path, len(key), masterSize)
	}
	return key, nil
}

func createMaster(path string) error {
	key := make([]byte, masterSize)
	_, _ = rand.Read(key) // never fails
	_, err := secretfile.Create(path, key)
	return err
}

// seal encrypts; what is bound must be given again to open. The result is
// nonce, then ciphertext and tag.
func (m MasterKey) seal(secret, bound []byte) []byte {
	nonce := make([]byte, m.aead.NonceSize(), m.aead.NonceSize()+len(secret)+m.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return m.aead.Seal(nonce, nonce, secret, bound)
}

func (m MasterKey) open(sealed, bound []byte) ([]byte, error) {
	n := m.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("what is stored is too short")
	}
	secret, err := m.aead.Open(nil, sealed[:n], sealed[n:], bound)
	if err != nil {
		return nil, fmt.Errorf("what is stored cannot be decrypted with the master key of file %s: %w", m.path, err)
	}
	return secret, nil
}

// Seal encrypts a secret that is no key, such as one of a login. What is bound
// must be given again to open it.
func (m MasterKey) Seal(secret, bound []byte) []byte { return m.seal(secret, outside(bound)) }

// Open gives back what Seal encrypted.
func (m MasterKey) Open(sealed, bound []byte) ([]byte, error) { return m.open(sealed, outside(bound)) }

// outside keeps what is sealed for others apart from keys.
func outside(bound []byte) []byte { return append([]byte("baleen sealed for others\x00"), bound...) }

// checkValue is what the row of signer_master holds, and what it is bound to.
const checkValue = "baleen master key check 1"

// HasMaster says whether the database belongs to a master key already: then its
// file must be there, and must not be created.
func HasMaster(ctx context.Context, db *pgxpool.Pool) (bool, error) {
	has, err := pgq.New().HasSignerMaster(ctx, db)
	if err != nil {
		return false, fmt.Errorf("master key check: %w", postgres.Classify(err))
	}
	return has, nil
}

// CheckMaster makes sure that key is the one this database was started with, and
// records it in a new database. An error that it is another one names the file.
// With a nil fence nothing is written: a standby only compares.
func CheckMaster(ctx context.Context, db *pgxpool.Pool, fence postgres.Fence, key MasterKey) error {
	q := pgq.New()
	sealed, err := q.GetSignerMaster(ctx, db)
	if errors.Is(err, pgx.ErrNoRows) {
		if fence == nil {
			return nil
		}
		row := pgq.InsertSignerMasterParams{Sealed: key.seal([]byte(checkValue), []byte(checkValue)), CreatedAt: time.Now().UTC()}
		err = postgres.InFencedTx(ctx, db, fence, func(tx pgx.Tx) error {
			if err := q.InsertSignerMaster(ctx, tx, row); err != nil {
				return err
			}
			sealed, err = q.GetSignerMaster(ctx, tx) // another process may have been first
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("master key check: %w", postgres.Classify(err))
	}
	if got, err := key.open(sealed, []byte(checkValue)); err != nil || string(got) != checkValue {
		return fmt.Errorf("master key file %s is not the one that the keys in this database were encrypted with: put the right file there (BALEEN_MASTER_KEY_FILE)", key.path)
	}
	return nil
}
