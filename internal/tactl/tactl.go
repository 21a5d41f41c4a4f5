// Package tactl is baleen-ta, the signer of a trust anchor on a machine without
// a network: it turns a command line into work on the folder of package
// tafolder. What is decided and signed is decided and signed by package ta, as in
// the server's own signer.
//
// Every command that uses a private key asks for the passphrase on the terminal.
// Before it signs it shows what it is about to sign, and asks.
package tactl

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"baleen/internal/rpki/cms"
	"baleen/internal/secretfile"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/tafolder"
)

// Terminal is where the operator sits.
type Terminal interface {
	Ask(prompt string) (string, error)    // one line
	Secret(prompt string) ([]byte, error) // one line that is not shown
}

// Env is what a run takes from its surroundings.
type Env struct {
	Args     []string            // without the program's name
	Getenv   func(string) string // environment variables
	Stdout   io.Writer           // what was asked for
	Stderr   io.Writer           // what is about to happen, and errors
	Terminal Terminal
	Now      func() time.Time
	NewKey   func() (*rsa.PrivateKey, error) // of 2048 bits, never given twice
	Cost     tafolder.Cost                   // of trying a passphrase
}

// Run does what one command line says and gives the exit status: 0 when it
// succeeded, 1 when it did not, with the reason on Stderr.
func Run(env Env) int {
	s := &session{env: env}
	root := s.root()
	root.SetArgs(env.Args)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	if err := root.Execute(); err != nil {
		_, _ = fmt.Fprintln(env.Stderr, "baleen-ta: "+printable(err.Error()))
		if way := wayOut(err); way != "" {
			_, _ = fmt.Fprintln(env.Stderr, way)
		}
		return 1
	}
	return 0
}

// session is one run.
type session struct {
	env    Env
	dir    string
	format string
	timing ta.Timing
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "baleen-ta",
		Short: "Sign for an RPKI trust anchor on a machine without a network",
		Long: "baleen-ta keeps the key of an RPKI trust anchor in a folder and answers the requests of the server's trust anchor proxy,\n" +
			"which come and go as files. It needs no network. docs/ta-ceremony.md has every step.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) (err error) {
			if s.format != formatText && s.format != formatJSON {
				return fmt.Errorf("--format is text or json, not '%s'", s.format)
			}
			s.timing, err = timingFrom(s.env.Getenv)
			return err
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVarP(&s.dir, "dir", "d", "", "folder of the signer (required)")
	root.PersistentFlags().StringVarP(&s.format, "format", "f", formatText, "how to show things: text or json")
	_ = root.MarkPersistentFlagRequired("dir") // the flag is there
	root.AddCommand(s.init(), s.reissue(), s.process(), s.recover(), s.announce(), s.show(), s.last(), s.exchanges(), s.verify(), s.passphrase())
	return root
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// open opens the folder for one command and closes it behind it.
func (s *session) open(write bool, run func(f *tafolder.Folder) error) error {
	f, err := tafolder.Open(s.dir, write)
	if err != nil {
		return err
	}
	if f.Torn {
		s.say("Note: the last write was cut off by a crash before it was complete. It was never in effect.")
	}
	return errors.Join(run(f), f.Close())
}

// say tells the operator something that is not what was asked for.
func (s *session) say(format string, args ...any) {
	_, _ = fmt.Fprintln(s.env.Stderr, printable(fmt.Sprintf(format, args...)))
}

// readFile reads a file that came from the other side.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, tafile.MaxFile+1))
}

// deliver writes what was asked for: to a file, which then is there whole, or
// to standard output.
func (s *session) deliver(path string, content []byte) error {
	if path != "" {
		return secretfile.Replace(path, content)
	}
	_, err := s.env.Stdout.Write(content)
	return err
}

// wayOut says what an operator can do about an error.
func wayOut(err error) string {
	var message *cms.MessageError
	if errors.As(err, &message) {
		switch message.Code {
		case cms.CodeSignerUnknown, cms.CodeCRLMissing:
			return "It was not made by this signer's proxy. If the proxy has a new identity: `baleen-ta reissue --proxy-id FILE`."
		case cms.CodeExpired, cms.CodeCRLStale:
			return "Fetch the request from the proxy once more: it is signed anew then. Or is the clock of this machine wrong?"
		case cms.CodeNotYetValid, cms.CodeCRLNotYetValid, cms.CodeSignedInFuture:
			return "Is the clock of this machine wrong?"
		case cms.CodeSignatureInvalid, cms.CodeUndecodable, cms.CodeContentType:
			return "The file was damaged or altered on its way. Fetch it from the proxy once more."
		}
	}
	return wayOutOf(err)
}
