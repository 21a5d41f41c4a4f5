// Command baleen is the RPKI certificate authority and publication server:
// the server itself, and what an operator runs beside it on the same host.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"baleen/internal/obs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "baleen:", err)
		os.Exit(1)
	}
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
	cmd.AddCommand(serveCommand(), migrateCommand(), verifyCommand(), configCommand(), inspectCommand())
	return cmd
}
