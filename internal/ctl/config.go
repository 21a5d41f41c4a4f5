package ctl

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"baleen/internal/password"
)

// passwordSource asks whoever runs the program for a new password. It never stands
// in the command line, which others can see.
type passwordSource func(ctx context.Context) (string, error)

func (s *session) config() *cobra.Command {
	return group("config", "Make what goes into the server's configuration", s.configUser())
}

// userEntry is a user as the server's file of users has it.
type userEntry struct {
	ID           string `json:"id"`
	PasswordHash string `json:"password_hash"`
	Salt         string `json:"salt"`
	Role         string `json:"role"`
}

func (s *session) configUser() *cobra.Command {
	var id, role string
	cmd := s.command("user", "Make the entry of a user with a password", func(ctx context.Context) error {
		entry, err := s.newUser(ctx, id, role)
		if err != nil {
			return err
		}
		return s.printUser(entry)
	})
	cmd.Long = "Make the entry of a user with a password, for the section [auth_users] of the file that BALEEN_AUTH_FILE names.\n\n" +
		"The password is asked for, or read from the first line of standard input where that is no terminal. The server is not asked."
	cmd.Flags().StringVar(&id, "id", "", "`name` with which the user logs in, such as an e-mail address")
	cmd.Flags().StringVar(&role, "role", "", "the user's `role`: admin, readwrite, readonly or one of [auth_roles]")
	mustRequire(cmd, "id", "role")
	return cmd
}

func (s *session) newUser(ctx context.Context, id, role string) (userEntry, error) {
	id = password.CleanID(id)
	if err := password.CheckID(id); err != nil {
		return userEntry{}, fmt.Errorf("--id: the name %w", err)
	}
	if err := password.CheckID(role); err != nil {
		return userEntry{}, fmt.Errorf("--role: the name %w", err)
	}
	if s.env.Password == nil {
		return userEntry{}, errors.New("there is nobody to ask for a password")
	}
	secret, err := s.env.Password(ctx)
	if err != nil {
		return userEntry{}, err
	}
	if password.CleanPassword(secret) == "" {
		return userEntry{}, errors.New("the password is empty")
	}
	p := password.New(id, secret)
	return userEntry{ID: id, PasswordHash: hex.EncodeToString(p.Hash[:]), Salt: hex.EncodeToString(p.Salt), Role: role}, nil
}

// printUser prints the entry in the form in which it goes into the file. Printable
// text is quoted in TOML as it is in Go.
func (s *session) printUser(u userEntry) error {
	switch s.opt.format {
	case formatNone:
		return nil
	case formatJSON:
		return s.printValue(u)
	}
	_, err := fmt.Fprintf(s.env.Stdout, "[auth_users]\n%s = { password_hash=%q, salt=%q, role=%s }\n", strconv.Quote(u.ID), u.PasswordHash, u.Salt, strconv.Quote(u.Role))
	return err
}
