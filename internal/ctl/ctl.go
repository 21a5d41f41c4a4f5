// Package ctl is baleenctl, the command line client of operators: it turns a
// command line into calls of the REST API and their answers into reports. All
// it knows about the server it learns through that API.
package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Env is what a run takes from its surroundings.
type Env struct {
	Args     []string            // without the program's name
	Getenv   func(string) string // environment variables
	Stdout   io.Writer           // reports
	Stderr   io.Writer           // errors and progress
	Terminal bool                // Stderr is a terminal, on which a line can be drawn again
	Password passwordSource      // asks for a new password
	Socket   string              // DefaultSocket, or another that is asked where no server is named; "": none
}

// Run does what one command line says and gives the exit status: 0 when it
// succeeded, 1 when it did not, with the reason on Stderr.
func Run(ctx context.Context, env Env) int {
	s := &session{env: env, opt: options{socket: env.Socket}}
	root := s.root()
	root.SetArgs(env.Args)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		s.printError(err)
		return 1
	}
	return 0
}

// session is one run: its options and, once they are known, its client.
type session struct {
	env    Env
	opt    options
	client *client
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "baleenctl",
		Short: "Operate the CAs and the publication server of a Baleen server",
		Long: "baleenctl operates the CAs and the publication server of a Baleen server through its REST API.\n\n" +
			"Options can also come from the environment: BALEEN_CLI_SERVER, BALEEN_CLI_TOKEN, BALEEN_CLI_FORMAT,\n" +
			"BALEEN_CLI_API, BALEEN_CLI_MY_CA (for --ca) and BALEEN_HTTPS_ROOT_CERTS (PEM files, separated by colons).",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return s.start(cmd)
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.Flags().BoolP("version", "V", false, "print the version")
	s.opt.bind(root.PersistentFlags())
	root.AddCommand(
		s.health(), s.info(), s.list(), s.show(), s.add(), s.deleteCA(), s.issues(), s.tasks(), s.forceReissue(),
		s.history(), s.children(), s.parents(), s.keyroll(), s.repo(), s.identity(), s.roas(), s.aspas(), s.bgpsec(), s.ghostbusters(), s.rsc(),
		s.pubserver(), s.bulk(), s.ta(), s.testbed(), s.demo(), s.config(),
	)
	return root
}

// start settles the options, with which the client is made.
func (s *session) start(cmd *cobra.Command) error {
	if err := s.opt.resolve(cmd.Flags().Changed, s.env.Getenv); err != nil {
		return err
	}
	client, err := newClient(s.opt)
	s.client = client
	return err
}

// command makes a command without arguments.
func (s *session) command(use, short string, run func(ctx context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return run(cmd.Context()) },
	}
}

// group makes a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fmt.Errorf("a subcommand is missing: see %s --help", cmd.CommandPath())
		},
	}
	g.AddCommand(commands...)
	return g
}

// printError reports a failure in the chosen format. Nobody is left to tell
// when that fails too.
func (s *session) printError(err error) {
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	var refused *callError
	if errors.As(err, &refused) && refused.hint() != "" {
		text += "\n" + refused.hint()
	}
	switch s.opt.format {
	case formatNone:
	case formatJSON:
		raw, _ := encodeJSON(struct {
			Error string `json:"error"`
		}{text}) // a string has a JSON form
		_, _ = s.env.Stderr.Write(raw)
	default:
		_, _ = fmt.Fprintln(s.env.Stderr, "Error:", printable(text))
	}
}

// version is that of the build.
func version() string {
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "unknown"
}
