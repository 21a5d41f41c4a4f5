package ctl

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"baleen/internal/demo"
)

func (s *session) demo() *cobra.Command {
	return group("demo", "Fill a testbed with real networks, as BGP shows them", s.demoLoad(), s.demoExpect())
}

func (s *session) demoLoad() *cobra.Command {
	var file string
	var wait time.Duration
	cmd := s.command("load", "Set up a CA with ROAs for every network of a file", func(ctx context.Context) error {
		return s.loadNetworks(ctx, file, wait)
	})
	cmd.Long = "Set up a CA with ROAs for every network of a file.\n\n" +
		"Each network becomes a child of the CA \"testbed\", named AS<number>, that holds its AS number and its prefixes, with\n" +
		"a ROA for each of its routes. Then waits until all is published. What is there already is left as it is.\n\n" +
		"Lines of the file: origin AS, prefix and number of peers, separated by tabs; # starts a comment."
	dataFlag(cmd, &file)
	cmd.Flags().DurationVar(&wait, "wait", 15*time.Minute, "`time` that all of it may take")
	return cmd
}

func (s *session) demoExpect() *cobra.Command {
	var file string
	cmd := s.command("expect", "Print what relying parties must find after demo load, as JSON", func(context.Context) error {
		networks, err := readNetworks(file)
		if err != nil || s.opt.format == formatNone {
			return err
		}
		return s.printValue(expected(networks))
	})
	dataFlag(cmd, &file)
	return cmd
}

func dataFlag(cmd *cobra.Command, file *string) {
	fileFlag(cmd, file, handleOption{name: "data", usage: "`file` with routes", required: true})
}

// vrp is a validated ROA payload, named as relying parties name it.
type vrp struct {
	ASN       uint32       `json:"asn"`
	Prefix    netip.Prefix `json:"prefix"`
	MaxLength int          `json:"maxLength"`
}

func expected(networks []demo.Network) []vrp {
	var list []vrp
	for _, n := range networks {
		for _, p := range n.Prefixes {
			list = append(list, vrp{ASN: n.ASID, Prefix: p, MaxLength: p.Bits()})
		}
	}
	return list
}

func readNetworks(name string) ([]demo.Network, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	networks, err := demo.Networks(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return networks, nil
}

func (s *session) loadNetworks(ctx context.Context, file string, wait time.Duration) error {
	if s.opt.api {
		return errManyCalls
	}
	networks, err := readNetworks(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	l := &loader{client: s.client, progress: &progress{total: len(networks), terminal: s.env.Terminal}}
	if s.opt.format == formatText {
		l.progress.w = s.env.Stderr
	}
	done, err := l.load(ctx, networks)
	l.progress.end()
	if err != nil {
		return err
	}
	switch s.opt.format {
	case formatNone:
		return nil
	case formatJSON:
		return s.printValue(done)
	}
	return s.print(fmt.Appendf(nil, "Networks:    %d (%d changed)\nRoutes:      %d (%d added)\nROA objects: %d\nRRDP serial: %d\n",
		done.Networks, done.Changed, done.Routes, done.Added, done.Objects, done.Serial))
}
