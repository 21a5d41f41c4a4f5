package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"baleen/api"
)

func (s *session) bgp() *cobra.Command {
	return group("bgp", "Compare the ROAs of a CA with the routes that are seen announced",
		s.caDocument("analyze", "Show what each ROA and each announcement comes to", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/routes/analysis/full")), analysisReport)
		}),
		s.bgpSuggest(),
	)
}

func (s *session) bgpSuggest() *cobra.Command {
	var ca handle
	var f resourceFlags
	cmd := &cobra.Command{Use: "suggest", Short: "Show which ROAs to add, remove and replace", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := get(ca.path("/routes/analysis/suggest"))
		if cmd.Flags().Changed("ipv4") || cmd.Flags().Changed("ipv6") {
			scope, err := f.set()
			if err != nil {
				return err
			}
			q = post(q.path, scope)
		}
		return ask(cmd.Context(), s, q, suggestionReport)
	}
	s.caFlag(cmd, &ca)
	f.bindIP(cmd)
	return cmd
}

// errNotMade is what a cautious update ends with that was not made.
var errNotMade = errors.New("the update was not made: announcements would be invalid")

// try sends an update that the server makes only if it does no harm. If it
// does, the server's advice is printed, and the command fails.
func (s *session) try(ctx context.Context, q call) error {
	if s.opt.api {
		return s.printCall(q)
	}
	raw, err := s.client.do(ctx, q)
	if err != nil {
		return err
	}
	if len(raw) == 0 {
		return s.done()
	}
	var advice api.BGPAnalysisAdvice
	if err := json.Unmarshal(raw, &advice); err != nil {
		return fmt.Errorf("the answer to %s %s cannot be read: %w", q.method, q.path, err)
	}
	var r report
	r.line("Unsafe update, please review what it would lead to:")
	r.line("")
	analysisReport(&r, advice.Effect)
	r.line("Suggested instead:")
	r.line("")
	suggestionReport(&r, advice.Suggestion)
	switch s.opt.format {
	case formatText:
		err = s.print(r.b.Bytes())
	case formatJSON:
		err = s.printJSON(raw)
	}
	return errors.Join(err, errNotMade)
}
