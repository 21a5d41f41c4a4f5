package access

import (
	"errors"

	"baleen/internal/password"
)

// User is one who logs in with a password.
type User struct {
	Password password.Hashed
	Role     string // its name
}

// CheckID refuses what cannot be the name of a user: it must be printable text,
// and none that means something else in the history.
func CheckID(id string) error {
	if id == AdminName || id == Anonymous {
		return errors.New("cannot be had by a user")
	}
	return password.CheckID(id)
}
