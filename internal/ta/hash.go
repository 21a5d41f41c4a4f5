package ta

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash is the SHA-256 of an object's DER; its text form is lower-case
// hexadecimal.
type Hash [sha256.Size]byte

// HashOf gives the hash of an object.
func HashOf(der []byte) Hash { return sha256.Sum256(der) }

// String gives 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the text form.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the text form and refuses everything else.
func (h *Hash) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	if len(raw) != len(h) {
		return fmt.Errorf("hash: %d octets, want %d", len(raw), len(h))
	}
	copy(h[:], raw)
	if h.String() != string(text) {
		return fmt.Errorf("hash %q: not in lower case", text)
	}
	return nil
}
