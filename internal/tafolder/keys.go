package tafolder

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/crypto/scrypt"

	"baleen/internal/rpki/cert"
)

// Keys gives the signer's two keys, that of the trust anchor and that of its
// identity, wherever they are kept.
type Keys interface {
	Signer(id cert.KeyID) (crypto.Signer, error)
}

// SoftKeys are keys in memory.
type SoftKeys map[cert.KeyID]*rsa.PrivateKey

// Add takes a key in and gives its identifier.
func (s SoftKeys) Add(key *rsa.PrivateKey) (cert.KeyID, error) {
	id, err := cert.KeyIDOf(key.Public())
	s[id] = key
	return id, err
}

// Signer gives a key.
func (s SoftKeys) Signer(id cert.KeyID) (crypto.Signer, error) {
	key, ok := s[id]
	if !ok {
		return nil, fmt.Errorf("key %s is not there", id)
	}
	return key, nil
}

// Cost is what scrypt costs whoever tries a passphrase: 2^Cost blocks of 1 KiB.
type Cost uint8

// DefaultCost takes 128 MiB and less than a second.
const DefaultCost Cost = 17

const (
	maxCost = 22 // 4 GiB

	// MinPassphrase is how many octets a passphrase has at least.
	MinPassphrase = 12

	scryptR, scryptP, saltSize, keySize = 8, 1, 16, 32
)

// keyFile is the content of keys.json.
type keyFile struct {
	Format int          `json:"format"` // 1: scrypt, then AES-256-GCM over JSON
	Cost   Cost         `json:"scrypt_log_n"`
	Salt   []byte       `json:"salt"`
	Keys   []cert.KeyID `json:"keys"` // which keys are inside
	Nonce  []byte       `json:"nonce,omitempty"`
	Sealed []byte       `json:"sealed,omitempty"`
}

// seal encrypts keys under a passphrase.
func seal(keys SoftKeys, passphrase []byte, cost Cost) ([]byte, error) {
	if len(passphrase) < MinPassphrase {
		return nil, fmt.Errorf("a passphrase has at least %d characters", MinPassphrase)
	}
	compare := func(a, b cert.KeyID) int { return slices.Compare(a[:], b[:]) }
	f := keyFile{Format: 1, Cost: cost, Salt: random(saltSize), Keys: slices.SortedFunc(maps.Keys(keys), compare)}
	plain := map[cert.KeyID][]byte{}
	for id, key := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		plain[id] = der
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	gcm, around, err := f.cipher(passphrase)
	if err != nil {
		return nil, err
	}
	f.Nonce = random(gcm.NonceSize())
	f.Sealed = gcm.Seal(nil, f.Nonce, text, around)
	out, err := json.MarshalIndent(f, "", "  ")
	return append(out, '\n'), err
}

func random(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.Read(out) // never fails
	return out
}

// cipher gives the cipher and what it authenticates beside the keys: the rest of
// the file.
func (f keyFile) cipher(passphrase []byte) (cipher.AEAD, []byte, error) {
	f.Nonce, f.Sealed = nil, nil
	around, err := json.Marshal(f)
	if err != nil {
		return nil, nil, err
	}
	key, err := scrypt.Key(passphrase, f.Salt, 1<<f.Cost, scryptR, scryptP, keySize)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	gcm, err := cipher.NewGCM(block)
	return gcm, around, err
}

// unseal decrypts what seal wrote.
func unseal(text, passphrase []byte) (SoftKeys, error) {
	var f keyFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", keysName, err)
	}
	if f.Format != 1 || f.Cost < 1 || f.Cost > maxCost || len(f.Salt) != saltSize {
		return nil, fmt.Errorf("%s is not of a form that this program knows", keysName)
	}
	gcm, around, err := f.cipher(passphrase)
	if err != nil {
		return nil, err
	}
	wrong := errors.New("the passphrase is wrong (or " + keysName + " was altered)")
	if len(f.Nonce) != gcm.NonceSize() {
		return nil, wrong
	}
	inside, err := gcm.Open(nil, f.Nonce, f.Sealed, around)
	if err != nil {
		return nil, wrong
	}
	var plain map[cert.KeyID][]byte
	if err := json.Unmarshal(inside, &plain); err != nil {
		return nil, fmt.Errorf("%s: %w", keysName, err)
	}
	out := SoftKeys{}
	for _, der := range plain {
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		key, ok := parsed.(*rsa.PrivateKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("%s has a key that is not RSA", keysName)
		}
		if _, err := out.Add(key); err != nil {
			return nil, err
		}
	}
	return out, nil
}
