// Command bench measures what operators feel and what bounds the system: CAs
// made, ROA changes, manifests issued again, CAs with many ROAs, a bulk load, and
// the share of processor time that is not spent on keys and signatures. It
// prints figures, and the command that makes each again, and judges nothing.
//
// Where KRILL_BIN names the folder of the program krill, that one is given the
// same work over the same REST API, and the ratio is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"baleen/test/harness"
)

// options say how much is measured.
type options struct {
	parts     string
	pool      int
	cas       []int // CAs of the changes and of the re-issue
	made      int   // CAs to make
	changes   int   // changes of one ROA on a CA of each size
	storm     int   // changes over many CAs
	bulk      int   // ROAs in one call
	sizes     []int
	krillROAs int
	krillCAs  int
	limit     time.Duration

	bin   string
	krill string // the program; empty: not measured
}

// parts are all measurements, in the order in which they run.
var parts = []struct {
	name, what string
	run        func(context.Context, options) error
}{
	{"ceiling", "keys and signatures per second, if nothing else is done", ceiling},
	{"bulk", "many ROAs in one call, and one more while they are issued", bulk},
	{"create", "CAs made and certified per second", create},
	{"changes", "ROA changes per second over many CAs, 8 clients, until all are published", changes},
	{"reissue", "all manifests of many CAs issued again", reissue},
	{"sizes", "one ROA more on a CA that has many", sizes},
	{"storage", "octets and commits of a CA, a ROA, a manifest", storage},
}

func main() {
	var o options
	quick := flag.Bool("quick", false, "a few minutes in all")
	flag.StringVar(&o.parts, "run", "", "parts to run, separated by commas; all without it")
	flag.IntVar(&o.pool, "pool", 64, "one-off keys kept ready")
	casFlag := flag.String("cas", "", "numbers of CAs for changes and reissue, separated by commas")
	sizesFlag := flag.String("sizes", "", "numbers of ROAs for sizes, separated by commas")
	flag.IntVar(&o.changes, "one", 0, "changes of one ROA on a CA of each size")
	flag.IntVar(&o.storm, "changes", 0, "changes over many CAs")
	flag.IntVar(&o.made, "made", 0, "CAs that create makes")
	flag.IntVar(&o.bulk, "bulk", 0, "ROAs in one call")
	flag.IntVar(&o.krillROAs, "krill-roas", 1000, "Krill is given no CA with more ROAs than this")
	flag.IntVar(&o.krillCAs, "krill-cas", 100, "Krill is given no more CAs than this")
	flag.DurationVar(&o.limit, "limit", 30*time.Minute, "how long one system may take for one measurement")
	flag.Parse()
	err := o.settle(*quick, *casFlag, *sizesFlag)
	if err == nil {
		err = run(context.Background(), o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settle fills in what was not given.
func (o *options) settle(quick bool, cas, sizes string) (err error) {
	or := func(n *int, whole, short int) {
		if *n == 0 {
			*n = whole
			if quick {
				*n = short
			}
		}
	}
	or(&o.changes, 60, 10)
	or(&o.storm, 400, 60)
	or(&o.made, 100, 10)
	or(&o.bulk, 300, 60)
	list := func(text, whole, short string) []int {
		if text == "" {
			text = whole
			if quick {
				text = short
			}
		}
		var out []int
		for part := range strings.SplitSeq(text, ",") {
			var n int
			if _, scan := fmt.Sscan(part, &n); scan != nil {
				err = fmt.Errorf("%q is no list of numbers", text)
			}
			out = append(out, n)
		}
		return out
	}
	o.cas, o.sizes = list(cas, "40,100,1000", "10"), list(sizes, "10,1000,10000", "10,1000")
	return err
}

func run(ctx context.Context, o options) (err error) {
	bin, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := harness.Build(ctx, bin); err != nil {
		return err
	}
	o.bin = bin
	if dir := os.Getenv("KRILL_BIN"); dir != "" {
		o.krill = filepath.Join(dir, "krill")
	}
	fmt.Printf("%s, %d cores; %s\n", runtime.Version(), runtime.NumCPU(), command(slices.Collect(anyOf(os.Args[1:]))...))
	wanted := strings.Split(o.parts, ",")
	for _, p := range parts {
		if o.parts != "" && !slices.Contains(wanted, p.name) {
			continue
		}
		fmt.Printf("\n%s: %s (%s)\n", p.name, p.what, command("-run", p.name))
		if err := p.run(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// each runs a measurement on every system, each in a folder of its own.
func (o options) each(ctx context.Context, measure func(ctx context.Context, s system) error) error {
	for _, start := range []func(dir string) system{
		func(dir string) system { return newBaleen(o.bin, dir, fmt.Sprint("BALEEN_KEY_POOL_SIZE=", o.pool)) },
		func(dir string) system { return &krill{program: o.krill, dir: dir} },
	} {
		if err := o.on(ctx, start, measure); err != nil {
			return err
		}
	}
	return nil
}

func (o options) on(ctx context.Context, make func(dir string) system, measure func(ctx context.Context, s system) error) (err error) {
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	s := make(dir)
	if _, theirs := s.(*krill); theirs && o.krill == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if err := measure(ctx, s); err != nil {
		return fmt.Errorf("%s: %w", s.Name(), err)
	}
	return nil
}

func anyOf(list []string) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		for _, s := range list {
			if !yield(s) {
				return
			}
		}
	}
}
