package ctl

import (
	"context"

	"github.com/spf13/cobra"

	"baleen/api"
)

func (s *session) progress() *cobra.Command {
	cmd := s.caDocument("progress", "Show how far a CA is with signing its ROAs", func(ctx context.Context, ca handle) error {
		return ask(ctx, s, get(ca.path("/issuing")), issuingReport)
	})
	cmd.Long = "Show how many ROA objects the CA should have and has. What is signed is published while the rest is signed."
	return cmd
}

func (s *session) pauseIssuing() *cobra.Command {
	cmd := s.caDocument("pause", "Hold ROAs that are not issued yet", func(ctx context.Context, ca handle) error {
		return s.tell(ctx, post(ca.path("/issuing/pause"), nil))
	})
	cmd.Long = "Hold the ROAs of routes that none authorises yet, such as the rest of a large job.\n" +
		"What is issued is renewed and, where its route is removed, withdrawn all the same. 'roas resume' lets them go."
	return cmd
}

func (s *session) resumeIssuing() *cobra.Command {
	return s.caDocument("resume", "Go on issuing ROAs", func(ctx context.Context, ca handle) error {
		return s.tell(ctx, post(ca.path("/issuing/resume"), nil))
	})
}

func issuingReport(r *report, answer api.Issuing) {
	r.linef("issued %d of %d", answer.Issued, answer.Wanted)
	if answer.Withdraw > 0 {
		r.linef("to be withdrawn: %d", answer.Withdraw)
	}
	if answer.Paused {
		r.line("paused: 'roas resume' lets the others be issued")
	}
}
