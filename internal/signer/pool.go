package signer

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// keyBits is the only size of RSA keys in the RPKI (RFC 7935 section 3).
const keyBits = 2048

// Pool makes RSA-2048 keys and has some ready. The zero value works: it makes
// every key when it is asked for.
type Pool struct {
	Size  int // how many keys Run keeps ready
	Cores int // so many keys are made at once, whoever asks; 0: as many as there are cores

	// Source gives a new key of the right size; nil: crypto/rsa makes it. Nobody may get the same key twice.
	Source func() (*rsa.PrivateKey, error)

	mu     sync.Mutex
	ready  []*rsa.PrivateKey
	busy   int // callers that are making a key
	taken  uint64
	missed uint64
	wake   chan struct{} // tells Run to look again
	turns  chan struct{} // holds one for each key that is being made
}

// PoolStats is what a Pool did since it was made.
type PoolStats struct {
	Ready  int    // keys ready now
	Taken  uint64 // keys given out, or waited for in vain
	Missed uint64 // those of them that were not ready and had to be made first
}

// Take gives a key that nobody else has. If none is ready it makes one in the
// caller's goroutine, which takes some 70 ms; more callers than Cores wait for
// their turn. It never waits for Run.
func (p *Pool) Take(ctx context.Context) (*rsa.PrivateKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if key := p.take(); key != nil {
		return key, nil
	}
	defer p.done()
	return p.make(ctx)
}

// take gives a ready key, or nil: then the caller makes one and calls done.
func (p *Pool) take() *rsa.PrivateKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken++
	n := len(p.ready)
	if n == 0 {
		p.missed++
		p.busy++
		return nil
	}
	key := p.ready[n-1]
	p.ready[n-1] = nil
	p.ready = p.ready[:n-1]
	p.signal()
	return key
}

func (p *Pool) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	p.signal()
}

// Run keeps Size keys ready until ctx ends. It has low priority: it makes one
// key at a time, and none while a caller of Take is making one.
func (p *Pool) Run(ctx context.Context) error {
	for {
		wait, want := p.wanted()
		if !want {
			select {
			case <-ctx.Done():
				return nil
			case <-wait:
			}
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		key, err := p.make(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		p.put(key)
	}
}

// make makes a key when it has its turn: one more than there are cores would make
// none of them sooner, and take the thread of whoever only wants an answer.
func (p *Pool) make(ctx context.Context) (*rsa.PrivateKey, error) {
	turns := p.turnstile()
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.Source != nil {
		return p.Source()
	}
	return generate()
}

// wanted says whether Run should make a key now, else what to wait for.
func (p *Pool) wanted() (wait <-chan struct{}, want bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wakeUp(), p.busy == 0 && len(p.ready) < p.Size
}

func (p *Pool) turnstile() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns == nil {
		p.turns = make(chan struct{}, cmp.Or(p.Cores, runtime.NumCPU()))
	}
	return p.turns
}

func (p *Pool) put(key *rsa.PrivateKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = append(p.ready, key)
}

// Both need mu.
func (p *Pool) wakeUp() chan struct{} {
	if p.wake == nil {
		p.wake = make(chan struct{}, 1)
	}
	return p.wake
}

func (p *Pool) signal() {
	select {
	case p.wakeUp() <- struct{}{}:
	default: // Run has a call waiting already
	}
}

// Len gives how many keys are ready.
func (p *Pool) Len() int { return p.Stats().Ready }

// Stats gives figures for metrics.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Ready: len(p.ready), Taken: p.taken, Missed: p.missed}
}

// generate makes one key and checks it.
func generate() (key *rsa.PrivateKey, err error) {
	patiently(func() {
		if key, err = rsa.GenerateKey(rand.Reader, keyBits); err == nil {
			err = check(key)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return key, nil
}

// check holds a key to RFC 7935 section 3: RSA, 2048 bits, exponent 65537.
func check(key *rsa.PrivateKey) error {
	if n := key.N.BitLen(); n != keyBits {
		return fmt.Errorf("the modulus has %d bits instead of %d", n, keyBits)
	}
	if key.E != 65537 {
		return fmt.Errorf("the public exponent is %d instead of 65537", key.E)
	}
	if len(key.Primes) != 2 {
		return errors.New("the modulus must have two prime factors")
	}
	return key.Validate()
}
