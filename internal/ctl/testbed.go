package ctl

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
)

var errManyCalls = errors.New("--api cannot show these calls: later ones depend on the answers to earlier ones")

func (s *session) testbed() *cobra.Command {
	return group("testbed", "Get started on a server that runs a testbed", s.testbedJoin())
}

// joinReport is the JSON form of what testbed join did.
type joinReport struct {
	CA    string     `json:"ca"`
	Steps []joinStep `json:"steps"`
}

func (s *session) testbedJoin() *cobra.Command {
	var ca handle
	var wanted resourceFlags
	var wait time.Duration
	cmd := s.command("join", "Set up a CA with resources from the testbed, ready to issue ROAs", func(ctx context.Context) error {
		return s.joinTestbed(ctx, ca, wanted, wait)
	})
	cmd.Long = "Set up a CA with resources from the testbed, ready to issue ROAs.\n\n" +
		"Creates the CA, lets it publish in the same server, makes it a child of the CA \"testbed\" and waits until it has\n" +
		"its certificate. What is there already is left as it is, so the command can be repeated."
	cmd.Example = "  baleenctl testbed join --ca ca1 --asn AS64496 --ipv4 192.0.2.0/24 --ipv6 2001:db8::/32"
	s.caFlag(cmd, &ca)
	wanted.bind(cmd)
	cmd.Flags().DurationVar(&wait, "wait", 30*time.Second, "`time` to wait for the certificate; 0: do not wait")
	return cmd
}

func (s *session) joinTestbed(ctx context.Context, ca handle, flags resourceFlags, wait time.Duration) error {
	if s.opt.api {
		return errManyCalls
	}
	wanted, err := flags.set()
	if err != nil {
		return err
	}
	if wanted.IsEmpty() {
		return errors.New("a CA needs resources: give --asn, --ipv4 or --ipv6")
	}

	done := joinReport{CA: string(ca)}
	var written error
	j := newJoiner(s.client, func(step joinStep) {
		done.Steps = append(done.Steps, step)
		if s.opt.format == formatText {
			written = errors.Join(written, s.print([]byte(step.Step+": "+step.Result+"\n")))
		}
	})
	if err := j.join(ctx, ca, wanted); err != nil {
		return err
	}
	if wait > 0 {
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		if err := j.await(ctx, ca, wanted); err != nil {
			return err
		}
	}
	if s.opt.format != formatJSON {
		return written
	}
	return s.printValue(done)
}
