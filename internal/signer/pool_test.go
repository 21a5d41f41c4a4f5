package signer

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

func pkcs8(t testing.TB, key *rsa.PrivateKey) []byte {
	t.Helper()
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// run starts the refill inside a synctest bubble and gives what stops it.
func run(t *testing.T, p *Pool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestPoolRefills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pool{Size: 3}
		stop := run(t, p)
		synctest.Wait() // until Run has nothing to do
		if got := p.Stats(); got != (PoolStats{Ready: 3}) {
			t.Errorf("filled: %+v", got)
		}
		seen := map[string]bool{}
		for range 5 {
			key, err := p.Take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if seen[key.N.String()] {
				t.Error("a key was given out twice")
			}
			seen[key.N.String()] = true
		}
		synctest.Wait()
		if got := p.Stats(); got.Ready != 3 || got.Taken != 5 {
			t.Errorf("refilled: %+v", got)
		}
		stop()
	})
}

func TestTakeDoesNotNeedRun(t *testing.T) {
	p := &Pool{Size: 8}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := p.Take(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := p.Stats(); got != (PoolStats{Taken: 4, Missed: 4}) {
		t.Errorf("got %+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRefillGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pool{Size: 1}
		if key := p.take(); key != nil { // a caller begins to make a key
			t.Fatal("a key out of nothing")
		}
		stop := run(t, p)
		synctest.Wait()
		if n := p.Len(); n != 0 {
			t.Errorf("%d keys were made while a caller needed the processor", n)
		}
		p.done()
		synctest.Wait()
		if n := p.Len(); n != 1 {
			t.Errorf("%d keys ready after the caller had its own", n)
		}
		stop()
	})
}

func TestNoPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pool{}
		stop := run(t, p)
		if _, err := p.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := p.Len(); n != 0 {
			t.Errorf("%d keys ready", n)
		}
		stop()
	})
}

func BenchmarkGenerate(b *testing.B) {
	b.Run("one at a time", func(b *testing.B) {
		for b.Loop() {
			if _, err := generate(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all cores", func(b *testing.B) {
		p := &Pool{}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := p.Take(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkTakeReady(b *testing.B) {
	key, err := generate()
	if err != nil {
		b.Fatal(err)
	}
	p := &Pool{}
	for b.Loop() {
		p.put(key)
		if _, err := p.Take(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// No more keys are made at once than there are cores, whoever asks, and who
// waits for a turn can give up.
func TestTurns(t *testing.T) {
	key := new(rsa.PrivateKey)
	synctest.Test(t, func(t *testing.T) {
		making := make(chan struct{})
		var mu sync.Mutex
		now, most := 0, 0
		p := &Pool{Cores: 2, Source: func() (*rsa.PrivateKey, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-making
			mu.Lock()
			now--
			mu.Unlock()
			return key, nil
		}}
		var done sync.WaitGroup
		for range 5 {
			done.Go(func() {
				if _, err := p.Take(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if now != 2 {
			t.Errorf("%d keys are being made", now)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error)
		go func() {
			_, err := p.Take(ctx)
			gaveUp <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
		close(making)
		done.Wait()
		if most != 2 {
			t.Errorf("%d keys were made at once", most)
		}
		if s := p.Stats(); s.Taken != 6 || s.Missed != 6 {
			t.Errorf("got %+v", s)
		}
	})
}
