package ctl

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"baleen/api"
)

const typeCSV = "text/csv"

// file is a body that is sent as it was read, so that what the server says of
// its lines is true of the file.
type file struct {
	contentType string
	text        []byte
}

// readWhole reads a whole configuration; "-" is the standard input. What begins
// like a JSON array is JSON, all else is CSV.
func readWhole(cmd *cobra.Command, name string) (file, error) {
	f := file{contentType: typeCSV}
	var err error
	if name == "-" {
		f.text, err = io.ReadAll(cmd.InOrStdin())
	} else {
		f.text, err = os.ReadFile(name)
	}
	if bytes.HasPrefix(bytes.TrimSpace(f.text), []byte("[")) {
		f.contentType = "application/json"
	}
	return f, err
}

// apply makes a command that sends a whole configuration.
func (s *session) apply(short, long string, run func(ctx context.Context, ca handle, query string, f file) error) *cobra.Command {
	var ca handle
	var dryRun bool
	cmd := &cobra.Command{
		Use: "apply FILE", Short: short, Long: long, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := readWhole(cmd, args[0])
			if err != nil {
				return err
			}
			query := ""
			if dryRun {
				query = "?dry_run=true"
			}
			return run(cmd.Context(), ca, query, f)
		},
	}
	s.caFlag(cmd, &ca)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would change")
	return cmd
}

func (s *session) roaApply() *cobra.Command {
	return s.apply("Make the ROAs of a CA exactly those of a file",
		"Make the ROAs of a CA exactly those of a file, in one step: what is not in the file is removed, what is there already\n"+
			"is left alone. FILE is CSV with the header prefix,max_length,asn,comment, or a JSON array as the API lists ROAs; - is\n"+
			"the standard input. \"baleenctl roas export\" writes such a file.",
		func(ctx context.Context, ca handle, query string, f file) error {
			return ask(ctx, s, put(ca.path("/routes"+query), f), roaDifferenceReport)
		})
}

func (s *session) aspaApply() *cobra.Command {
	return s.apply("Make the ASPAs of a CA exactly those of a file",
		"Make the ASPAs of a CA exactly those of a file, in one step: what is not in the file is removed, what is there already\n"+
			"is left alone. FILE is CSV with the header customer,providers (the providers separated by spaces), or a JSON array as\n"+
			"the API lists ASPAs; - is the standard input. \"baleenctl aspas export\" writes such a file.",
		func(ctx context.Context, ca handle, query string, f file) error {
			return ask(ctx, s, put(ca.path("/aspas"+query), f), aspaDifferenceReport)
		})
}

// export makes a command that writes a configuration as CSV, or as JSON where
// that is the format.
func (s *session) export(short, path string) *cobra.Command {
	return s.caDocument("export", short, func(ctx context.Context, ca handle) error {
		q := get(ca.path(path))
		if s.opt.format != formatJSON {
			q.accept = typeCSV
		}
		if s.opt.api {
			return s.printCall(q)
		}
		text, err := s.client.do(ctx, q)
		switch {
		case err != nil || s.opt.format == formatNone:
			return err
		case s.opt.format == formatJSON:
			return s.printJSON(text)
		default:
			return s.print(text)
		}
	})
}

func put(path string, body any) call { return call{method: http.MethodPut, path: path, body: body} }

func roaDifferenceReport(r *report, d api.ROADifference) {
	for _, roa := range d.Removed {
		r.line("- " + roa.String())
	}
	for _, roa := range d.Added {
		r.line("+ " + roa.String())
	}
	for _, roa := range d.Commented {
		r.linef("~ %s (comment was: %s)", roa.ROAConfiguration, orText(roa.Was, none))
	}
	summary(r, d.DryRun, len(d.Added)+len(d.Removed)+len(d.Commented), d.Unchanged)
}

func aspaDifferenceReport(r *report, d api.ASPADifference) {
	for _, a := range d.Removed {
		r.line("- " + a.String())
	}
	for _, a := range d.Added {
		r.line("+ " + a.String())
	}
	for _, a := range d.Updated {
		r.line("~ " + a.ASPADefinition.String())
	}
	summary(r, d.DryRun, len(d.Added)+len(d.Removed)+len(d.Updated), d.Unchanged)
}

func summary(r *report, dryRun bool, changes int, unchanged int64) {
	verb := "changed"
	if dryRun {
		verb = "would change"
	}
	r.linef("%d %s, %d unchanged", changes, verb, unchanged)
}
