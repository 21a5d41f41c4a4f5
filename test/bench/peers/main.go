// Command peers measures what children and publishers outside the server get:
// lists and certificates per second from one CA with many children, one-object
// changes per second of many publishers, what a full repository changes for one of
// them, and how much memory the largest message takes. Messages are real, come over HTTP, and are signed before the clock
// starts. It prints figures beside the ceiling of signatures and judges nothing.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"baleen/test/harness"
)

// sizes says how much is measured.
type sizes struct {
	children, lists, issues int
	publishers, deltas      int
	large                   int // MiB of one message
	objects                 int // of others in the repository
}

func main() {
	var n sizes
	flag.IntVar(&n.children, "children", 1000, "children of the CA")
	flag.IntVar(&n.lists, "lists", 5000, "lists that they ask for")
	flag.IntVar(&n.issues, "issues", 500, "certificates that some of them ask for")
	flag.IntVar(&n.publishers, "publishers", 100, "publishers")
	flag.IntVar(&n.deltas, "deltas", 500, "changes of one object by each publisher")
	flag.IntVar(&n.large, "large", 31, "MiB of the large message; the server takes 32")
	flag.IntVar(&n.objects, "objects", 100000, "objects of others beside those of the publisher that is measured; 0: this is left out")
	flag.Parse()
	if err := run(context.Background(), n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, n sizes) (err error) {
	bin, err := os.MkdirTemp("", "baleen-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(bin)) }()
	if err := harness.Build(ctx, bin); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "baleen-bench-data-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	fmt.Printf("%s, %d cores\n", runtime.Version(), runtime.NumCPU())
	if err := ceiling(); err != nil {
		return err
	}
	s := &harness.Server{Bin: bin, Dir: dir}
	if err := s.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	b, err := newBench(s)
	if err != nil {
		return err
	}
	for _, part := range []func(context.Context, sizes) error{b.provisioning, b.manyObjects, b.publication, b.largeMessage} {
		if err := part(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// ceiling gives how many signatures one core makes if it does nothing else. A
// list costs the server one, a certificate two; a change of objects one.
func ceiling() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte("x"))
	const n = 500
	start := time.Now()
	for range n {
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, 5, digest[:]); err != nil {
			return err
		}
	}
	fmt.Printf("ceiling: %.0f signatures/s on one core\n", n/time.Since(start).Seconds())
	return nil
}
