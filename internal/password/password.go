// Package password keeps what is needed to tell a user by a password, and
// nothing from which the password could be read. The hashes are those of Krill, so
// that entries of its configuration can be copied.
package password

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/scrypt"
	"golang.org/x/text/unicode/norm"
)

// The cost of a hash: 2^13 rounds over 8 MiB, twice.
const (
	scryptN, scryptR, scryptP = 1 << 13, 8, 1

	saltSize = 32 // octets
)

// Size is the length of a hash, in octets.
const Size = 32

// Hashed is what is kept of a password.
type Hashed struct {
	Hash [Size]byte
	Salt []byte
}

// New hashes a password of a user under a new salt.
func New(id, password string) Hashed {
	p := Hashed{Salt: make([]byte, saltSize)}
	_, _ = rand.Read(p.Salt) // never fails
	p.Hash = hash(id, password, p.Salt)
	return p
}

// Matches says whether it is the password of the user. It takes as long for a
// wrong one.
func (p Hashed) Matches(id, password string) bool {
	got := hash(id, password, p.Salt)
	return subtle.ConstantTimeCompare(got[:], p.Hash[:]) == 1
}

// Mark tells what is kept of one password from what is kept of another, and gives
// nothing of either away.
func (p Hashed) Mark() []byte {
	sum := sha256.Sum256(append(append([]byte("baleen password mark\x00"), p.Hash[:]...), p.Salt...))
	return sum[:16]
}

// Nobody is what is kept of the password of a user who does not exist: to compare
// with it takes as long as with another, and fails.
func Nobody() Hashed { return Hashed{Salt: make([]byte, saltSize)} }

// hash is scrypt (RFC 7914) over scrypt: first with a salt that anybody can make
// of the user's name, so that a client could do it, then with the random one.
// Name and password are in the normal form NFKC, so that it does not matter how a
// keyboard composes letters.
func hash(id, password string, salt []byte) (out [Size]byte) {
	interim := derive([]byte(CleanPassword(password)), []byte(norm.NFKC.String("krill-lagosta-"+CleanID(id))))
	copy(out[:], derive(interim, salt))
	return out
}

func derive(secret, salt []byte) []byte {
	key, err := scrypt.Key(secret, salt, scryptN, scryptR, scryptP, Size)
	if err != nil { // only for other parameters
		panic(fmt.Sprintf("scrypt: %v", err))
	}
	return key
}

// MaxID is the longest name of a user, in octets.
const MaxID = 256

// CheckID refuses what cannot be the name of a user: it must be printable text.
func CheckID(id string) error {
	if id == "" || len(id) > MaxID || !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("must be of 1 to %d octets of printable text", MaxID)
	}
	return nil
}

// CleanID gives the form in which names of users are compared and hashed.
func CleanID(id string) string { return norm.NFKC.String(strings.TrimSpace(id)) }

// CleanPassword gives the form in which passwords are hashed.
func CleanPassword(password string) string { return norm.NFKC.String(strings.TrimSpace(password)) }
