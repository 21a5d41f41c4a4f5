package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"baleen/internal/inspect"
)

// errNotValid ends the program with status 1 after the findings were printed.
var errNotValid = errors.New("not everything is valid")

// inspectCommand prints what files say and which rules they break.
func inspectCommand() *cobra.Command {
	var opts inspect.Options
	var at string
	cmd := &cobra.Command{
		Use:   "inspect [--issuer CER] [--id-cert FILE] [--at TIME] [--json] FILE…",
		Short: "say what a CER, CRL, MFT, ROA, ASA, TAL, RRDP file, protocol message or set-up document says, and every rule it breaks",
		Long: "Prints what each file says in the words of the RFCs, and every rule it breaks with RFC and section.\n" +
			"With --issuer also signature, validity at that time and resources are checked; a self-signed certificate is its own issuer.\n" +
			"Protocol messages (RFC 6492, RFC 8181) may be in DER, BER or base64; with --id-cert they are verified as their receiver would.\n" +
			"The exit status is 0 only if all files are valid.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			opts.At = time.Now().UTC()
			if at != "" {
				t, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return fmt.Errorf("--at wants a time such as 2026-11-03T12:00:00Z: %w", err)
				}
				opts.At = t.UTC()
			}
			opts.Files = files
			valid, err := inspect.Run(cmd.Context(), opts, cmd.OutOrStdout())
			if err == nil && !valid {
				err = errNotValid
			}
			return err
		},
	}
	cmd.Flags().StringVar(&opts.Issuer, "issuer", "", "certificate of the issuer, DER")
	cmd.Flags().StringVar(&opts.IDCert, "id-cert", "", "identity certificate of who sent protocol messages: DER, PEM or a set-up document")
	cmd.Flags().StringVar(&at, "at", "", "time at which to check (RFC 3339); now if not given")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print JSON, one object a line")
	return cmd
}
