package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxPassword is how much of standard input is looked at, in octets.
const maxPassword = 4096

// newPassword asks twice for a password, without showing it, where standard input
// is a terminal; elsewhere it is the first line.
func newPassword(ctx context.Context) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, maxPassword)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { // interrupted: the terminal shows again what is typed
		_ = term.Restore(fd, before)
		_, _ = fmt.Fprintln(os.Stderr)
		os.Exit(1)
	})
	defer stop()
	first, err := askHidden(fd, "Password: ")
	if err != nil {
		return "", err
	}
	again, err := askHidden(fd, "Once more: ")
	if err == nil && first != again {
		err = errors.New("the two passwords differ")
	}
	return first, err
}

func askHidden(fd int, prompt string) (string, error) {
	if _, err := fmt.Fprint(os.Stderr, prompt); err != nil {
		return "", err
	}
	secret, err := term.ReadPassword(fd)
	_, _ = fmt.Fprintln(os.Stderr)
	return string(secret), err
}
