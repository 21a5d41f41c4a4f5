// Command baleen-ta signs for an RPKI trust anchor on a machine without a
// network.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"os"
	"time"

	"baleen/internal/tactl"
	"baleen/internal/tafolder"
)

func main() {
	os.Exit(tactl.Run(tactl.Env{
		Args:     os.Args[1:],
		Getenv:   os.Getenv,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Terminal: &terminal{},
		Now:      time.Now,
		NewKey:   func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		Cost:     tafolder.DefaultCost,
	}))
}
