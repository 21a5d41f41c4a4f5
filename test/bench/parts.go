package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"
)

// clients is how many ask at once.
const clients = 8

// ceiling gives what the machine can do if it does nothing else. A change of one
// ROA needs two keys and five signatures.
func ceiling(context.Context, options) error {
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
	fmt.Printf("  %.1f RSA-2048 keys/s on all cores, %.0f signatures/s on one\n", n/keys.Seconds(), 500/time.Since(start).Seconds())
	return nil
}

// crowd has several clients do n things.
func crowd(n int, do func(i int) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, clients)
	for c := range clients {
		wg.Go(func() {
			for i := c; i < n; i += clients {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func caName(i int) string { return fmt.Sprintf("ca%d", i) }

// makeCAs makes CAs and waits until each holds its resources and has its first
// manifest and CRL out.
func makeCAs(ctx context.Context, s system, n int) error {
	before, err := published(ctx, s)
	if err != nil {
		return err
	}
	if err := crowd(n, func(i int) error { return join(ctx, s, caName(i)) }); err != nil {
		return err
	}
	if err := crowd(n, func(i int) error { return awaitResources(ctx, s, caName(i)) }); err != nil {
		return err
	}
	return awaitObjects(ctx, s, before.objects()+3*n) // each also has a certificate at the testbed
}

// awaitResources waits until a CA has its certificate. What is published does not
// tell: the testbed itself may have been about to publish.
func awaitResources(ctx context.Context, s system, name string) error {
	return await(ctx, name+" holds resources", look, func() (bool, error) {
		var ca struct{ Resources struct{ IPv4 string } }
		err := call(ctx, s, http.MethodGet, cas+"/"+name, nil, &ca)
		return ca.Resources.IPv4 != "", err
	})
}

func create(ctx context.Context, o options) error {
	var took ratio
	err := o.each(ctx, func(ctx context.Context, s system) error {
		n := o.made
		start := time.Now()
		if err := makeCAs(ctx, s, n); err != nil {
			return err
		}
		took.add(s, time.Since(start))
		fmt.Printf("  %s: %.2f CAs/s (%d)\n", s.Name(), float64(n)/time.Since(start).Seconds(), n)
		return nil
	})
	took.print("CAs per second")
	return err
}

func changes(ctx context.Context, o options) error {
	for _, n := range o.cas {
		if n > 100 {
			continue // that many are for the re-issue
		}
		var took ratio
		err := o.each(ctx, func(ctx context.Context, s system) error {
			if err := makeCAs(ctx, s, n); err != nil {
				return err
			}
			before, err := published(ctx, s)
			if err != nil {
				return err
			}
			share, err := profiled(ctx, s)
			if err != nil {
				return err
			}
			start := time.Now()
			err = crowd(o.storm, func(i int) error {
				return addRoutes(ctx, s, caName(i%n), route{64496, fmt.Sprintf("10.%d.%d.0/24", i/n/256, i/n%256)})
			})
			if err != nil {
				return err
			}
			answered := time.Since(start)
			if err := awaitObjects(ctx, s, before.objects()+o.storm); err != nil {
				return err
			}
			all := time.Since(start)
			took.add(s, all)
			fmt.Printf("  %s, %d CAs: %.2f changes/s until all are published (%d; all answered after %s)%s\n",
				s.Name(), n, float64(o.storm)/all.Seconds(), o.storm, round(answered), share())
			return nil
		})
		took.print("changes per second")
		if err != nil {
			return err
		}
	}
	return nil
}

func reissue(ctx context.Context, o options) error {
	for _, n := range o.cas {
		var took ratio
		err := o.each(ctx, func(ctx context.Context, s system) error {
			if _, ours := s.(baleen); !ours && n > o.krillCAs {
				fmt.Printf("  %s, %d CAs: left out\n", s.Name(), n)
				return nil
			}
			if err := makeCAs(ctx, s, n); err != nil {
				return err
			}
			before, err := published(ctx, s)
			if err != nil {
				return err
			}
			share, err := profiled(ctx, s)
			if err != nil {
				return err
			}
			start := time.Now()
			if err := call(ctx, s, http.MethodPost, "/api/v1/bulk/cas/force_publish", nil, nil); err != nil {
				return err
			}
			if err := awaitManifests(ctx, s, before); err != nil {
				return err
			}
			took.add(s, time.Since(start))
			fmt.Printf("  %s, %d CAs: all manifests again after %s%s\n", s.Name(), n, round(time.Since(start)), share())
			return nil
		})
		took.print("manifests per second")
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitManifests waits until no manifest is the one that it was, apart from the
// trust anchor's.
func awaitManifests(ctx context.Context, s system, before repository) error {
	return await(ctx, "all manifests are new", 2*look, func() (bool, error) {
		now, err := published(ctx, s)
		if err != nil {
			return false, err
		}
		for name, p := range now.Publishers {
			for i, m := range p.Manifests {
				if old := before.Publishers[name].Manifests; name != "ta" && i < len(old) && old[i] == m {
					return false, nil
				}
			}
		}
		return true, nil
	})
}

// besides is how many single changes are made while a bulk load is under way.
const besides = 12

func bulk(ctx context.Context, o options) error {
	var took, answered ratio
	err := o.each(ctx, func(ctx context.Context, s system) error {
		if err := makeCAs(ctx, s, 2); err != nil {
			return err
		}
		before, err := published(ctx, s)
		if err != nil {
			return err
		}
		var list []route
		for i := range o.bulk {
			list = append(list, route{uint32(64496 + i%2), fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)})
		}
		share, err := profiled(ctx, s)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := addRoutes(ctx, s, caName(0), list...); err != nil {
			return err
		}
		first := time.Since(start)
		var beside []time.Duration
		for i := range besides {
			other := time.Now()
			if err := addRoutes(ctx, s, caName(1), route{64496, fmt.Sprintf("10.0.%d.0/24", i)}); err != nil {
				return err
			}
			beside = append(beside, time.Since(other))
		}
		if err := awaitObjects(ctx, s, before.objects()+o.bulk+besides); err != nil {
			return err
		}
		answered.add(s, first)
		took.add(s, time.Since(start))
		fmt.Printf("  %s: %d ROAs in one call answered in %s, one by one on another CA meanwhile in %s, all published after %s%s\n",
			s.Name(), o.bulk, round(first), quantiles(beside), round(time.Since(start)), share())
		return nil
	})
	answered.print("the answer")
	took.print("all published")
	return err
}

// ratio compares how long the systems took.
type ratio struct{ ours, theirs time.Duration }

func (r *ratio) add(s system, took time.Duration) {
	if _, ours := s.(baleen); ours {
		r.ours = took
	} else {
		r.theirs = took
	}
}

func (r *ratio) print(what string) {
	if r.ours > 0 && r.theirs > 0 {
		fmt.Printf("  ratio, %s: %.1f times krill\n", what, float64(r.theirs)/float64(r.ours))
	}
}
