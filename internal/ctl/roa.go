package ctl

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"baleen/api"
)

func (s *session) roas() *cobra.Command {
	return group("roas", "Manage the ROAs of a CA",
		s.caDocument("list", "List the configured ROAs", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/routes")), roasReport)
		}),
		s.roaUpdate(), s.roaApply(), s.export("Write the configured ROAs as CSV", "/routes"), s.bgp(),
		s.progress(), s.pauseIssuing(), s.resumeIssuing(),
	)
}

// roaFlags say what is to be changed: in a file, or line by line.
type roaFlags struct {
	delta       string
	add, remove []string
	dryRun, try bool
}

func (s *session) roaUpdate() *cobra.Command {
	var ca handle
	var f roaFlags
	cmd := s.command("update", "Add and remove ROAs in one step: all of them or none", func(ctx context.Context) error {
		updates, err := f.updates()
		if err != nil {
			return err
		}
		switch {
		case f.dryRun:
			return ask(ctx, s, post(ca.path("/routes/analysis/dryrun"), updates), analysisReport)
		case f.try:
			return s.try(ctx, post(ca.path("/routes/try"), updates))
		default:
			return s.tell(ctx, post(ca.path("/routes"), updates))
		}
	})
	cmd.Long = "Add and remove ROAs in one step: all of them or none.\n\n" +
		"A ROA is written PREFIX[-MAXLENGTH] => ASN [# COMMENT]. Lines of a delta file are \"A: ROA\" to add and \"R: ROA\" to\n" +
		"remove; blank lines and lines that start with # are passed over.\n\n" +
		"With --dryrun nothing changes; with --try the update is made unless routes that are seen announced would be\n" +
		"invalid, and the command fails if it was not. A server that knows of no announcements makes every update."
	cmd.Example = `  baleenctl roas update --ca ca1 --add "192.0.2.0/24 => 64496" --remove "2001:db8::/32-48 => 64496"`
	s.caFlag(cmd, &ca)
	cmd.Flags().StringVar(&f.delta, "delta", "", "`file` with lines to add and to remove")
	cmd.Flags().StringArrayVar(&f.add, "add", nil, "`ROA` to add (repeatable)")
	cmd.Flags().StringArrayVar(&f.remove, "remove", nil, "`ROA` to remove (repeatable)")
	cmd.Flags().BoolVar(&f.dryRun, "dryrun", false, "only show what the update would lead to")
	cmd.Flags().BoolVar(&f.try, "try", false, "update only if no announcement would be invalid")
	cmd.MarkFlagsMutuallyExclusive("dryrun", "try")
	cmd.MarkFlagsMutuallyExclusive("delta", "add")
	cmd.MarkFlagsMutuallyExclusive("delta", "remove")
	return cmd
}

func (f roaFlags) updates() (api.ROAConfigurationUpdates, error) {
	updates := noUpdates()
	if f.delta != "" {
		file, err := os.Open(f.delta)
		if err != nil {
			return updates, err
		}
		defer func() { _ = file.Close() }() // only read
		return parseDelta(file)
	}
	for _, text := range f.add {
		roa, err := parseROA(text)
		if err != nil {
			return updates, err
		}
		updates.Added = append(updates.Added, roa)
	}
	for _, text := range f.remove {
		roa, err := parseROA(text)
		if err != nil {
			return updates, err
		}
		updates.Removed = append(updates.Removed, roa.ROAPayload)
	}
	if len(updates.Added)+len(updates.Removed) == 0 {
		return updates, errors.New("nothing to change: give --add, --remove or --delta")
	}
	return updates, nil
}

func roasReport(r *report, answer []api.ConfiguredROA) {
	for _, roa := range answer {
		r.line(roa.String())
	}
}
