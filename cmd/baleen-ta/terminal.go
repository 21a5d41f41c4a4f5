package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// terminal is the one from which the program was started, wherever its standard
// input and output go: a passphrase comes from nowhere else.
type terminal struct{}

func (t *terminal) open() (*os.File, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.New("there is no terminal to ask on")
	}
	return tty, nil
}

// Ask reads one line.
func (t *terminal) Ask(prompt string) (string, error) {
	tty, err := t.open()
	if err != nil {
		return "", err
	}
	defer func() { _ = tty.Close() }()
	if _, err := fmt.Fprint(tty, prompt); err != nil {
		return "", err
	}
	var text strings.Builder
	for one := make([]byte, 1); ; { // no more than the line: what follows is for the next question
		if _, err := io.ReadFull(tty, one); err != nil {
			return "", errors.New("there was no answer")
		}
		if one[0] == '\n' {
			return text.String(), nil
		}
		text.WriteByte(one[0])
	}
}

// Secret reads one line that is not shown. After an interrupt the terminal shows
// again what is typed.
func (t *terminal) Secret(prompt string) ([]byte, error) {
	tty, err := t.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = tty.Close() }()
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	interrupts, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer func() { signal.Stop(interrupts); close(done) }()
	go func() {
		select {
		case <-interrupts:
			_ = term.Restore(fd, before)
			_, _ = fmt.Fprintln(tty)
			os.Exit(1)
		case <-done:
		}
	}()
	if _, err := fmt.Fprint(tty, prompt); err != nil {
		return nil, err
	}
	secret, err := term.ReadPassword(fd)
	_, _ = fmt.Fprintln(tty)
	return secret, err
}
