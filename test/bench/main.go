// Command bench measures what an operator feels and what bounds the system:
// for one CA the time to the answer for one ROA and until its delta is in the
// notification, with the pool of ready keys and without; and how many objects
// a bulk load publishes per second. It prints figures and judges nothing.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"baleen/test/harness"
)

func main() {
	changes := flag.Int("changes", 60, "single ROA changes to measure in each run")
	bulk := flag.Int("bulk", 300, "ROAs of the bulk load, in one call")
	flag.Parse()
	if err := run(context.Background(), *changes, *bulk); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, changes, bulk int) error {
	bin, err := os.MkdirTemp("", "baleen-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(bin) }()
	if err := harness.Build(ctx, bin); err != nil {
		return err
	}
	fmt.Printf("%s, %d cores\n", runtime.Version(), runtime.NumCPU())
	if err := keysAndSignatures(); err != nil {
		return err
	}
	for _, pool := range []string{"64", "0"} {
		if err := oneCA(ctx, bin, pool, changes, bulk); err != nil {
			return err
		}
	}
	return nil
}

// keysAndSignatures gives the ceiling: what the machine can do if it does
// nothing else.
func keysAndSignatures() error {
	const n = 40
	var wg sync.WaitGroup
	errs := make(chan error, n)
	start := time.Now()
	for range runtime.NumCPU() {
		wg.Go(func() {
			for range n / runtime.NumCPU() {
				if _, err := rsa.GenerateKey(rand.Reader, 2048); err != nil {
					errs <- err
				}
			}
		})
	}
	wg.Wait()
	keys := time.Since(start)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte("x"))
	start = time.Now()
	for range 500 {
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, 5, digest[:]); err != nil {
			return err
		}
	}
	fmt.Printf("ceiling: %.1f RSA-2048 keys/s on all cores, %.0f signatures/s on one\n", n/keys.Seconds(), 500/time.Since(start).Seconds())
	return nil
}

// oneCA measures one server with one CA.
func oneCA(ctx context.Context, bin, pool string, changes, bulk int) (err error) {
	dir, err := os.MkdirTemp("", "baleen-bench-data-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	s := &harness.Server{Bin: bin, Dir: dir, Env: []string{
		// One object for each ROA, whatever their number.
		"BALEEN_KEY_POOL_SIZE=" + pool, "BALEEN_ROA_AGGREGATE_THRESHOLD=100000",
	}}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		return err
	}
	defer func() {
		if stopErr := s.Stop(); err == nil {
			err = stopErr
		}
	}()
	if _, err := s.Ctl(ctx, "testbed", "join", "--ca", "ca1", "--ipv4", "10.0.0.0/8"); err != nil {
		return err
	}
	if err := s.Settle(ctx); err != nil {
		return err
	}
	fmt.Printf("\none CA, key pool %s\n", pool)
	if err := single(ctx, s, changes, pool != "0"); err != nil {
		return err
	}
	return load(ctx, s, bulk)
}

// single changes one ROA at a time. With a pool it waits until the pool is full
// again, so that what is measured is a warm server.
func single(ctx context.Context, s *harness.Server, n int, warm bool) error {
	var answers, visible []time.Duration
	for i := range n {
		if warm {
			if err := waitPool(ctx, s); err != nil {
				return err
			}
		}
		before, err := s.Notification(ctx)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := add(ctx, s, []roa{{64496, fmt.Sprintf("10.1.%d.0/24", i)}}); err != nil {
			return err
		}
		answered := time.Since(start)
		err = s.Until(ctx, "the change is in RRDP", func() (bool, error) {
			n, err := s.Notification(ctx)
			return err == nil && n.Serial > before.Serial, nil
		})
		if err != nil {
			return err
		}
		answers, visible = append(answers, answered), append(visible, time.Since(start)-answered)
		if err := s.Settle(ctx); err != nil {
			return err
		}
	}
	fmt.Printf("  answer to one ROA:           %s\n", quantiles(answers))
	fmt.Printf("  answer to delta in RRDP:     %s\n", quantiles(visible))
	return nil
}

// load adds many ROAs in one call and waits until all are published.
func load(ctx context.Context, s *harness.Server, n int) error {
	var list []roa
	for i := range n {
		list = append(list, roa{uint32(64500 + i%2), fmt.Sprintf("10.%d.%d.0/24", 2+i/256, i%256)})
	}
	cpuBefore, start := cpu(s), time.Now()
	if err := add(ctx, s, list); err != nil {
		return err
	}
	answered := time.Since(start)
	if err := s.Settle(ctx); err != nil {
		return err
	}
	all := time.Since(start)
	fmt.Printf("  %d ROAs in one call:        answered in %s, all published after %s: %.1f objects/s, %.0f ms CPU an object\n", n, round(answered), round(all),
		float64(n)/all.Seconds(), float64((cpu(s)-cpuBefore).Milliseconds())/float64(n))
	return nil
}

// roa is a route of the benchmark.
type roa struct {
	ASN    uint32 `json:"asn"`
	Prefix string `json:"prefix"`
}

func add(ctx context.Context, s *harness.Server, roas []roa) error {
	status, body, err := s.Do(ctx, http.MethodPost, "/api/v1/cas/ca1/routes", map[string]any{"added": roas, "removed": []roa{}})
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("status %d: %s", status, body)
	}
	return nil
}

// waitPool waits until the pool of ready keys has at least four.
func waitPool(ctx context.Context, s *harness.Server) error {
	return s.Until(ctx, "the key pool is warm", func() (bool, error) {
		_, body, err := s.Do(ctx, http.MethodGet, "/metrics", nil)
		if err != nil {
			return false, nil
		}
		for line := range bytes.Lines(body) {
			var ready float64
			if strings.HasPrefix(string(line), "baleen_key_pool_ready ") && json.Unmarshal(bytes.TrimSpace(line[len("baleen_key_pool_ready "):]), &ready) == nil {
				return ready >= 4, nil
			}
		}
		return false, fmt.Errorf("no metric baleen_key_pool_ready")
	})
}

// cpu gives the processor time that all processes of this one's children used
// so far: of the server, read from the kernel.
func cpu(s *harness.Server) time.Duration {
	out, err := exec.Command("ps", "-o", "cputimes=", "-p", fmt.Sprint(s.PID())).Output()
	if err != nil {
		return 0
	}
	var seconds int64
	if _, err := fmt.Sscan(string(out), &seconds); err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func quantiles(d []time.Duration) string {
	slices.Sort(d)
	at := func(q float64) time.Duration { return round(d[min(len(d)-1, int(q*float64(len(d))))]) }
	return fmt.Sprintf("p50 %s, p99 %s, worst %s (%d)", at(0.5), at(0.99), at(1), len(d))
}
