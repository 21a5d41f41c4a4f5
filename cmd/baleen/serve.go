package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"baleen/internal/config"
	"baleen/internal/embedded"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/leader"
	"baleen/internal/obs"
	"baleen/internal/postgres"
	"baleen/internal/signer"
)

// serveCommand runs the server until it is told to stop.
func serveCommand() *cobra.Command {
	var welcome bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.FromEnv()
			if err != nil {
				return err
			}
			out := io.Discard
			if welcome {
				out = cmd.OutOrStdout()
			}
			shareCores()
			return serve(cmd.Context(), cfg, out)
		},
	}
	cmd.Flags().BoolVar(&welcome, "welcome", false, "print where it listens, the admin token and what to try next, once it is active")
	return cmd
}

// serve starts what the server stands on, then answers requests and, whenever
// this node is the active one, does the work.
func serve(ctx context.Context, cfg config.Config, welcome io.Writer) (err error) {
	log := obs.NewLogger(os.Stderr, cfg.LogLevel.Level())
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	who, err := newUsers(cfg, log)
	if err != nil {
		return err
	}
	if err := cfg.MakeDataDir(); err != nil {
		return err
	}
	url, stop, err := database(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := leader.Check(ctx, url); err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, url, log); err != nil {
		return err
	}
	if cfg.UpgradeOnly {
		return upgraded(ctx, os.Stdout, url)
	}
	n, err := newNode(ctx, cfg, who, url, log)
	if err != nil {
		return err
	}
	defer n.db.Close()
	log.Info("starting", "version", obs.Version, "node", cfg.NodeName, "listen", strings.Join(cfg.Listen, ","), "service_uri", cfg.ServiceURI)
	return n.run(ctx, welcome)
}

// database gives the connection string, and starts the private Postgres if
// none is configured. stop ends what was started.
func database(ctx context.Context, cfg config.Config, log *slog.Logger) (url string, stop func() error, err error) {
	if !cfg.Embedded() {
		return cfg.DatabaseURL, func() error { return nil }, nil
	}
	server, err := embedded.Start(ctx, embeddedConfig(cfg, log))
	if err != nil {
		return "", nil, err
	}
	return server.URL(), func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		return server.Stop(ctx)
	}, nil
}

// stopPatience is how long the private Postgres may take to end.
const stopPatience = 20 * time.Second

// embeddedConfig says where the private Postgres is.
func embeddedConfig(cfg config.Config, log *slog.Logger) embedded.Config {
	return embedded.Config{Dir: filepath.Join(cfg.DataDir, "postgres"), BinDir: cfg.PostgresBinDir, Log: log}
}

// run answers requests all the time and works while this node is active.
func (n *node) run(ctx context.Context, welcome io.Writer) error {
	secure, listeners, err := n.listen(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.web.Serve(ctx, secure, listeners...) })
	g.Go(func() error { return n.profile(ctx) })
	g.Go(func() error { return n.keys.Pool.Run(ctx) })
	g.Go(func() error { return n.logins.Run(ctx) })
	g.Go(func() error { return n.users.run(ctx) })
	g.Go(func() error {
		l := &leader.Node{URL: n.url, Name: n.cfg.NodeName, Log: n.log}
		stop := n.standBy(ctx, g)
		defer func() { stop() }()
		return l.Run(ctx, func(term context.Context, lease *leader.Lease) error {
			stop()
			defer func() { stop = n.standBy(ctx, g) }()
			return n.active(term, lease, welcome)
		})
	})
	return g.Wait()
}

// active is one term as the active node: what is missing is made, what recurs
// is scheduled, and tasks run until the lease ends.
func (n *node) active(ctx context.Context, lease *leader.Lease, welcome io.Writer) error {
	n.term.begin(lease)
	defer n.term.end()
	if err := n.usable(ctx); err != nil {
		return err
	}
	if err := signer.CheckMaster(ctx, n.db, n.term, n.keys.Master); err != nil {
		return err
	}
	if err := n.overtake(ctx, lease); err != nil {
		return err
	}
	if err := n.rebuild(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.worker.Run(ctx) })
	g.Go(func() error { return n.asker.Run(ctx) })
	g.Go(func() error { return n.prepare(ctx, welcome) })
	return g.Wait()
}

// usable makes sure that this program can run on the schema, which somebody may
// have changed since it started.
func (n *node) usable(ctx context.Context) error {
	schema, err := postgres.SchemaOf(ctx, n.db)
	if err != nil {
		return err
	}
	return schema.Usable()
}

// overtake looks whether the database went back or moved since it was last
// seen, and has what the world saw meanwhile overtaken.
func (n *node) overtake(ctx context.Context, lease *leader.Lease) error {
	saw, err := readNoted(n.cfg.DataDir)
	if err != nil {
		return err
	}
	now := noted{Epoch: lease.Epoch()}
	stats, err := n.service.Pubs.Stats(ctx)
	switch {
	case err == nil:
		now.Session, now.Serial = stats.Session, stats.Serial
	case fault.Code(err) != "pub-repo-not-initialized":
		return err
	}
	reason := lease.Reason
	if back := saw.behind(now); back != "" {
		reason = strings.Trim(reason+", "+back, ", ")
	}
	if reason != "" {
		if err := n.service.Overtake(ctx, lease.Epoch(), reason); err != nil {
			return err
		}
		n.overtaken.Store(time.Now().Unix())
	}
	return now.write(n.cfg.DataDir)
}

// note keeps what was published last, for overtake.
func (n *node) note(session string, serial uint64) {
	epoch := n.term.Epoch()
	if epoch < 0 { // the term is over: what was seen is another node's to note
		return
	}
	if err := (noted{Epoch: epoch, Session: session, Serial: serial}).write(n.cfg.DataDir); err != nil {
		n.log.Warn("what was published cannot be noted in the data folder", "error", err)
	}
}

// prepare makes what is missing while tasks run already: a testbed waits for
// its own certificates.
func (n *node) prepare(ctx context.Context, welcome io.Writer) error {
	if err := n.testbed(ctx); err != nil {
		return err
	}
	if err := n.service.ScheduleStart(ctx); err != nil {
		return err
	}
	if b := n.cfg.Benchmark; b.CAs > 0 {
		if err := n.imports.StartBenchmark(ctx, int(b.CAs), int(b.ROAs)); err != nil {
			return err
		}
	}
	n.term.ready()
	return n.welcome(ctx, welcome)
}

// welcome prints what a newcomer needs. The admin token goes to the terminal
// only, never into the log.
func (n *node) welcome(ctx context.Context, out io.Writer) error {
	if out == io.Discard {
		return nil
	}
	if n.cfg.Testbed.Enabled() {
		if err := n.service.WaitForTestbed(ctx); err != nil && fault.Code(err) != pgstore.CodeStreamBroken {
			return err
		}
	}
	_, err := fmt.Fprintf(out, `
Baleen %[1]s is ready.

  listens on    %[2]s
  admin token   %[3]s
  TAL           %[4]sta/ta.tal
  rsync tree    %[5]s
  web page      %[4]sui

Try next, in another terminal:

  export BALEEN_CLI_SERVER=%[4]s BALEEN_CLI_TOKEN=%[3]s
  bin/baleenctl testbed join --ca ca1 --asn AS64496 --ipv4 10.0.0.0/8 --ipv6 2001:db8::/32
  bin/baleenctl roas update --ca ca1 --add "10.0.0.0/16-24 => 64496"
  bin/baleenctl roas list --ca ca1

Stop it with Ctrl-C.
`, obs.Version, strings.Join(n.cfg.Listen, ", "), n.token, n.cfg.ServiceURI, filepath.Join(n.cfg.RepoDir, "rsync", "current"))
	return err
}
