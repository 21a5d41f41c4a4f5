package cert

import (
	"crypto"
	"crypto/sha1" // as RFC 6487 section 4.8.2 prescribes: a name, no protection
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// KeyID names a key: the SHA-1 digest of its subjectPublicKey bits (RFC 6487 section 4.8.2).
type KeyID [sha1.Size]byte

// String gives 40 upper-case hexadecimal digits.
func (id KeyID) String() string { return strings.ToUpper(hex.EncodeToString(id[:])) }

// MarshalText gives the same as String.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what ParseKeyID reads.
func (id *KeyID) UnmarshalText(text []byte) error {
	parsed, err := ParseKeyID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ParseKeyID reads 40 hexadecimal digits of either case.
func ParseKeyID(text string) (KeyID, error) {
	var id KeyID
	if len(text) != 2*len(id) {
		return KeyID{}, fmt.Errorf("key identifier %q does not have %d digits", text, 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return KeyID{}, fmt.Errorf("key identifier %q is not hexadecimal", text)
	}
	return id, nil
}

// KeyIDOf gives the identifier of a public key.
func KeyIDOf(pub crypto.PublicKey) (KeyID, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return KeyID{}, fmt.Errorf("key identifier: %w", err)
	}
	return KeyIDOfSPKI(spki)
}

// KeyIDOfSPKI gives the identifier of the key in the DER of a SubjectPublicKeyInfo.
func KeyIDOfSPKI(spki []byte) (KeyID, error) {
	_, bits, ok := readSPKI(spki)
	if !ok {
		return KeyID{}, errors.New("malformed subject public key")
	}
	return sha1.Sum(bits), nil
}

func readSPKI(spki []byte) (algorithm, bits []byte, ok bool) {
	in := cryptobyte.String(spki)
	var seq, alg cryptobyte.String
	if !in.ReadASN1(&seq, tag.SEQUENCE) || !in.Empty() || !seq.ReadASN1Element(&alg, tag.SEQUENCE) ||
		!seq.ReadASN1BitStringAsBytes(&bits) || !seq.Empty() {
		return nil, nil, false
	}
	return alg, bits, true
}
