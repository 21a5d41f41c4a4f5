package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"baleen/internal/checklist"
)

// errNotVerified ends the program with status 1 after the report was printed.
var errNotVerified = errors.New("not every file is verified")

// rscCommand groups what is done with signed checklists without a server.
func rscCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rsc",
		Short: "verify files against signed checklists (RFC 9323); \"baleenctl rsc\" signs them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(rscVerifyCommand())
	return cmd
}

func rscVerifyCommand() *cobra.Command {
	var opts checklist.Options
	var at string
	cmd := &cobra.Command{
		Use:   "verify --tal FILE --repo URI=DIR --rsc FILE FILE…",
		Short: "verify files against a signed checklist, offline",
		Long: "Validates a signed checklist from a trust anchor down, with what is published in local folders: certificates, manifests\n" +
			"and CRLs. Then says of each file whether the checklist has it under its name, and which of its entries were not given.\n" +
			"A folder holds HOST/PATH of what is published, as the caches of validators do, or with URI=DIR what is below that URI.\n" +
			"FILE may be - for data without a name on standard input.\n" +
			"The exit status is 0 only if the checklist is valid and every file is verified.",
		Example: "  baleen rsc verify --tal ta.tal --ta-cert ta.cer --repo rsync://rpki.example.net/repo/=/var/lib/baleen/repo/rsync/current \\\n" +
			"    --rsc letter.sig letter.pdf",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if at != "" {
				t, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return fmt.Errorf("--at wants a time such as 2026-11-03T12:00:00Z: %w", err)
				}
				opts.At = t
			}
			opts.Files, opts.Stdin = files, cmd.InOrStdin()
			verified, err := checklist.Run(cmd.Context(), opts, cmd.OutOrStdout())
			if err == nil && !verified {
				err = errNotVerified
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.TAL, "tal", "", "trust anchor locator (RFC 8630)")
	f.StringVar(&opts.TACert, "ta-cert", "", "certificate of the trust anchor, DER; if not given, --repo must have it under an URI of the locator")
	f.StringArrayVar(&opts.Repo, "repo", nil, "folder of what is published, as `[URI=]DIR` (repeatable)")
	f.StringVar(&opts.RSC, "rsc", "", "the signed checklist")
	f.BoolVar(&opts.NoNames, "no-names", false, "go by the content of files alone: they must be listed without a name")
	f.StringVar(&at, "at", "", "time at which to check (RFC 3339); now if not given")
	f.BoolVar(&opts.JSON, "json", false, "print JSON")
	_ = errors.Join(cmd.MarkFlagRequired("rsc"), cmd.MarkFlagRequired("repo")) // they are there
	cmd.MarkFlagsOneRequired("tal", "ta-cert")
	return cmd
}
