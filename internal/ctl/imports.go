package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"baleen/api"
)

const importPath = "/api/v1/bulk/cas/import"

// readFile reads JSON from a file; the server judges what it means.
func readFile(file string) (json.RawMessage, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("%s is not JSON", file)
	}
	return text, nil
}

func (s *session) childExport() *cobra.Command {
	var f childFlags
	cmd := s.command("export", "Print a child with its certified key, for another parent to take in", func(ctx context.Context) error {
		return ask(ctx, s, get(f.path("/export")), func(r *report, answer api.ImportChild) {
			text, _ := json.MarshalIndent(answer, "", "  ") // it came as JSON
			r.linef("%s", text)
		})
	})
	return s.bindChild(cmd, &f)
}

func (s *session) childImport() *cobra.Command {
	var f childFlags
	var file string
	cmd := s.command("import", "Take in a child that another parent exported", func(ctx context.Context) error {
		body, err := readFile(file)
		if err != nil {
			return err
		}
		return s.tell(ctx, post(f.path("/import"), body))
	})
	cmd.Long = "Take in a child that another parent exported with \"children export\".\n\n" +
		"The child has a certificate for its key at once. Give it the parent response of this CA (\"children response\"),\n" +
		"which it sets under the name that its parent has already; then remove it at the former parent."
	fileFlag(cmd, &file, handleOption{name: "file", usage: "`file` with the exported child", required: true})
	return s.bindChild(cmd, &f)
}

func (s *session) bulkImport() *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a trust anchor, a publication server and CAs from a JSON file",
		Long: "Make a trust anchor, a publication server and CAs from a JSON file.\n\n" +
			"Everything is checked before anything is done. The CAs are then made in the background; \"bulk imports\" shows how\n" +
			"far that is. The same file sent again while it is not complete goes on where it was.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := readFile(args[0])
			if err != nil {
				return err
			}
			if !wait || s.opt.api {
				return s.tell(cmd.Context(), post(importPath, body))
			}
			if _, err := s.client.do(cmd.Context(), post(importPath, body)); err != nil {
				return err
			}
			return s.awaitImports(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until no import is under way any more, and say how far they are")
	return cmd
}

// awaitImports shows how far imports are until there is none, or none goes on.
func (s *session) awaitImports(ctx context.Context) error {
	said := ""
	var stuck error
	err := poll(ctx, func() (bool, error) {
		var answer api.ImportProgress
		if _, err := s.client.fetch(ctx, get(importPath), &answer); err != nil {
			return false, err
		}
		for _, i := range answer.Imports {
			if line := fmt.Sprintf("import %s: %d of %d CAs made, %d failing\n", i.ID, i.Made, i.CAs, len(i.Failing)); line != said && s.opt.format == formatText {
				said = line
				_, _ = fmt.Fprint(s.env.Stderr, line)
			}
			if parked(i) {
				stuck = fmt.Errorf("import %s cannot go on: CA %s: %s", i.ID, i.Failing[0].Handle, i.Failing[0].Fault.Msg)
				return true, nil
			}
		}
		return len(answer.Imports) == 0, nil
	})
	if err == nil {
		err = stuck
	}
	if err != nil {
		return err
	}
	return s.done()
}

// parked says whether all that is left of an import was given up.
func parked(i api.RunningImport) bool {
	n := 0
	for _, f := range i.Failing {
		if f.Parked {
			n++
		}
	}
	return n > 0 && int64(n) == i.CAs-i.Made
}

func (s *session) bulkImports() *cobra.Command {
	return s.command("imports", "Show how far the imports are that are not complete", func(ctx context.Context) error {
		return ask(ctx, s, get(importPath), func(r *report, answer api.ImportProgress) {
			if len(answer.Imports) == 0 {
				r.linef("No import is under way.")
			}
			for _, i := range answer.Imports {
				if i.Abandoned {
					r.linef("import %s: abandoned, %d CAs are to be taken back", i.ID, i.CAs-i.Made)
				} else {
					r.linef("import %s: %d of %d CAs made", i.ID, i.Made, i.CAs)
				}
				if !i.Prepared && !i.Abandoned {
					r.linef("  it was cut off before its CAs: send it again")
				}
				for _, f := range i.Failing {
					state := "tried again"
					if f.Parked {
						state = "given up"
					}
					r.linef("  %s: failed %d times, %s: %s", f.Handle, f.Failures, state, f.Fault.Msg)
				}
			}
		})
	})
}

func (s *session) bulkAbandon() *cobra.Command {
	return &cobra.Command{
		Use:   "abandon ID",
		Short: "Give up an import that is not complete, and take back the CAs that are not made",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.tell(cmd.Context(), remove(importPath+"/"+url.PathEscape(args[0])))
		},
	}
}

// forceReissue makes the command for one CA.
func (s *session) forceReissue() *cobra.Command {
	var ca handle
	cmd := s.command("force-reissue", "Sign again all that a CA issued", func(ctx context.Context) error {
		return s.tell(ctx, post(ca.path("/force_reissue"), nil))
	})
	s.caFlag(cmd, &ca)
	return cmd
}

func (s *session) pubserverDelete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete URI",
		Short: "Withdraw the object at an rsync URI, or all below it if it ends in a slash",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.tell(cmd.Context(), post("/api/v1/pubd/delete", api.PublishedURI{BaseURI: args[0]}))
		},
	}
}

func (s *session) serverClear() *cobra.Command {
	return s.command("clear", "Close the publication server, which must have no publishers any more", func(ctx context.Context) error {
		return s.tell(ctx, remove("/api/v1/pubd/init"))
	})
}
