package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"baleen/internal/config"
	"baleen/internal/embedded"
	"baleen/internal/es/pgstore"
	"baleen/internal/leader"
	"baleen/internal/obs"
	"baleen/internal/postgres"
	"baleen/internal/verify"
)

// withDatabase runs f with the configured database, for commands beside the
// server. A private Postgres that the server runs is used; where none runs, one
// is started for as long as f takes.
func withDatabase(ctx context.Context, f func(ctx context.Context, url string, log *slog.Logger) error) (err error) {
	cfg, err := config.FromEnv()
	if err != nil {
		return err
	}
	if err := cfg.MakeDataDir(); err != nil {
		return err
	}
	log := obs.NewLogger(os.Stderr, cfg.LogLevel.Level())
	if !cfg.Embedded() {
		return f(ctx, cfg.DatabaseURL, log)
	}
	url, stop, err := embedded.Use(ctx, embeddedConfig(cfg, log))
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		err = errors.Join(err, stop(ctx))
	}()
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
				if err := leader.Check(ctx, url); err != nil {
					return err
				}
				if err := postgres.Migrate(ctx, url, log); err != nil {
					return err
				}
				return migrated(ctx, cmd.OutOrStdout(), url)
			})
		},
	}
}

// migrated says which schema the database has after a migration.
func migrated(ctx context.Context, out io.Writer, url string) error {
	db, err := postgres.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	schema, err := postgres.SchemaOf(ctx, db)
	if err != nil {
		return err
	}
	if schema.Current() {
		_, err = fmt.Fprintln(out, "the schema is that of this program")
		return err
	}
	_, err = fmt.Fprintf(out, "the schema has version %d, %s\n", schema.Database, whose(schema))
	return err
}

// errFindings ends the program with status 1 after the findings were printed.
var errFindings = errors.New("the database is not as it was written")

// verifyCommand compares the database with the log, and the log with itself.
func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "prove that nobody edited the database: hash chains, snapshots, keys, signed and published objects; may run beside the server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDatabase(cmd.Context(), func(ctx context.Context, url string, _ *slog.Logger) error {
				return verifyDatabase(ctx, cmd.OutOrStdout(), url)
			})
		},
	}
}

// verifyDatabase prints one line for each finding, and a summary.
func verifyDatabase(ctx context.Context, out io.Writer, url string) error {
	db, err := postgres.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	schema, err := postgres.SchemaOf(ctx, db)
	if err != nil {
		return err
	}
	if err := schema.Usable(); err != nil {
		return err
	}
	var printing error
	sum, err := verify.Database(ctx, db, verify.Options{Now: time.Now(), Report: func(f verify.Finding) {
		_, err := fmt.Fprintln(out, f)
		printing = cmp.Or(printing, err)
	}})
	if err := cmp.Or(err, printing); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%d objects and %d streams verified, %d findings\n", sum.Objects, sum.Streams, sum.Findings); err != nil {
		return err
	}
	if sum.Findings > 0 {
		return errFindings
	}
	return nil
}

// upgraded ends a start that was only to bring the database to this version:
// the newest command of every stream is checked, and nothing is served.
func upgraded(ctx context.Context, out io.Writer, url string) error {
	db, err := postgres.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	schema, err := postgres.SchemaOf(ctx, db)
	if err != nil {
		return err
	}
	found := 0
	var printing error
	streams, err := pgstore.VerifyHeads(ctx, db, func(f pgstore.Finding) {
		found++
		_, err := fmt.Fprintln(out, f)
		printing = cmp.Or(printing, err)
	})
	if err := cmp.Or(err, printing); err != nil {
		return err
	}
	if found > 0 {
		return fmt.Errorf("%w: %d findings; baleen verify says more", errFindings, found)
	}
	_, err = fmt.Fprintf(out, "the database has schema version %d, %s; the newest commands of %d streams were checked\n", schema.Database, whose(schema), streams)
	return err
}

// whose tells a schema of this program from one that it can run on.
func whose(s postgres.Schema) string {
	if s.Current() {
		return "that of this program"
	}
	return fmt.Sprintf("on which this program, which knows %d, can run", s.Program)
}

// configCommand prints every setting.
func configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "print every setting, its value, origin and meaning; check them, and the file of users if there is one",
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
			if err := w.Flush(); err != nil {
				return err
			}
			_, err = readAccess(cfg)
			return err
		},
	}
}
