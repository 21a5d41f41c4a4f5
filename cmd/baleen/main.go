// Command baleen is the RPKI certificate authority and publication server:
// the server itself, and what an operator runs beside it on the same host.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"baleen/internal/fault"
	"baleen/internal/obs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "baleen:", reason(err))
		os.Exit(1)
	}
}

// reason is what the operator of the host reads: the message, and the cause
// that clients do not get to see, in one line.
func reason(err error) string {
	text := err.Error()
	var f *fault.Error
	if errors.As(err, &f) && f.Err != nil {
		text = strings.TrimSuffix(text, ".") + ": " + strings.Join(strings.Fields(f.Err.Error()), " ")
	}
	return text
}

// root gives the command tree.
func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "baleen",
		Short:         "RPKI certificate authority and publication server on Postgres",
		Version:       obs.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(serveCommand(), migrateCommand(), verifyCommand(), configCommand(), inspectCommand(), rscCommand())
	return cmd
}
