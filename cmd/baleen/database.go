package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"baleen/internal/config"
	"baleen/internal/es/pgstore"
	"baleen/internal/obs"
	"baleen/internal/postgres"
)

// withDatabase runs f with the configured database, for commands beside the
// server. A private Postgres that the server runs is not shared: stop it first.
func withDatabase(ctx context.Context, f func(ctx context.Context, url string, log *slog.Logger) error) (err error) {
	cfg, err := config.FromEnv()
	if err != nil {
		return err
	}
	if err := cfg.MakeDataDir(); err != nil {
		return err
	}
	log := obs.NewLogger(os.Stderr, cfg.LogLevel.Level())
	url, stop, err := database(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return f(ctx, url, log)
}

// migrateCommand brings the schema to this program's version.
func migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "bring the database schema to the version of this program",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDatabase(cmd.Context(), func(ctx context.Context, url string, log *slog.Logger) error {
				if err := postgres.Migrate(ctx, url, log); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "the schema is that of this program")
				return err
			})
		},
	}
}

// errFindings ends the program with status 1 after the findings were printed.
var errFindings = errors.New("the log is not as it was written")

// verifyCommand recomputes the hash chain of every stream.
func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "prove that nobody edited the log: recompute the hash chain and snapshots of every stream",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDatabase(cmd.Context(), func(ctx context.Context, url string, _ *slog.Logger) error {
				db, err := postgres.Open(ctx, url)
				if err != nil {
					return err
				}
				defer db.Close()
				found := 0
				streams, err := pgstore.VerifyAll(ctx, db, func(f pgstore.Finding) {
					found++
					_, _ = fmt.Fprintln(cmd.OutOrStdout(), f)
				})
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%d streams verified, %d findings\n", streams, found); err != nil {
					return err
				}
				if found > 0 {
					return errFindings
				}
				return nil
			})
		},
	}
}

// configCommand prints every setting.
func configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "print every setting, its value, origin and meaning",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.FromEnv()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, r := range cfg.Table() {
				if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, r.Value, r.Origin, r.Meaning); err != nil {
					return err
				}
			}
			return w.Flush()
		},
	}
}
