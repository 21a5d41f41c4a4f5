package access

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"baleen/internal/password"
)

// User is one who logs in with a password.
type User struct {
	Password password.Hashed
	Role     string // its name
}

// maxID is the longest name of a user, in octets.
const maxID = 256

// CheckID refuses what cannot be the name of a user: it must be printable text,
// and none that means something else in the history.
func CheckID(id string) error {
	switch {
	case id == "" || len(id) > maxID || !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("must be of 1 to %d octets of printable text", maxID)
	case id == AdminName || id == Anonymous:
		return errors.New("cannot be had by a user")
	}
	return nil
}
