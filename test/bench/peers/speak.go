package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/test/harness"
)

// bench is a server with peers that share an identity.
type bench struct {
	s       *harness.Server
	client  http.Client
	id      *cert.Identity
	key     *rsa.PrivateKey
	ee, crl []byte
	speaks  *rsa.PrivateKey
}

func newBench(s *harness.Server) (*bench, error) {
	b := &bench{s: s, client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	var err error
	for _, k := range []**rsa.PrivateKey{&b.key, &b.speaks} {
		if *k, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	raw, err := cert.SelfSignIdentity(b.key, now.Add(-24*time.Hour), now.AddDate(1, 0, 0))
	if err != nil {
		return nil, err
	}
	if b.id, err = cert.DecodeIdentity(raw, now); err != nil {
		return nil, err
	}
	span := cert.Template{Serial: big.NewInt(2), NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(12 * time.Hour), PublicKey: b.speaks.Public()}
	if b.ee, err = cert.SignIdentityEE(span, b.id.Issuer(b.key)); err != nil {
		return nil, err
	}
	b.crl, err = crl.Sign(crl.Template{Number: big.NewInt(1), ThisUpdate: span.NotBefore, NextUpdate: span.NotAfter}, b.id.Issuer(b.key))
	return b, err
}

// letter is a message on its way.
type letter struct {
	path string
	raw  []byte
}

// words is what a message is made of.
type words struct {
	path    string
	content []byte
	turn    int // how many the peer sent before
}

// sign makes the messages. Those of one peer are signed a second apart, in the
// past half hour, so that none is a replay.
func (b *bench) sign(list []words) ([]letter, error) {
	start := time.Now().Add(-30 * time.Minute)
	out := make([]letter, len(list))
	err := b.each(len(list), func(i int) error {
		w := list[i]
		raw, err := cms.SignMessage(cms.MessageTemplate{
			Content: w.content, EE: b.ee, CRL: b.crl, Key: b.speaks, SigningTime: start.Add(time.Duration(w.turn) * time.Second),
		})
		out[i] = letter{path: w.path, raw: raw}
		return err
	})
	return out, err
}

// each does something n times on all cores and gives the first error.
func (b *bench) each(n int, f func(i int) error) error {
	var next atomic.Int64
	var g sync.WaitGroup
	errs := make(chan error, 2*runtime.NumCPU())
	for range cap(errs) {
		g.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	g.Wait()
	close(errs)
	return <-errs
}

// send posts a message and gives the signed answer.
func (b *bench) send(ctx context.Context, l letter) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.s.URL(l.path), bytes.NewReader(l.raw))
	if err != nil {
		return nil, err
	}
	res, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d: %.300s", l.path, res.StatusCode, body)
	}
	m, err := cms.DecodeMessage(body)
	if err != nil {
		return nil, err
	}
	return m.Content, nil
}

// measure sends all messages, each peer's in their order, and prints the rate.
// ok looks at an answer.
func (b *bench) measure(ctx context.Context, what string, peers [][]letter, ok func(answer []byte) error) error {
	n := 0
	for _, list := range peers {
		n += len(list)
	}
	start := time.Now()
	err := b.each(len(peers), func(i int) error {
		for _, l := range peers[i] {
			answer, err := b.send(ctx, l)
			if err == nil {
				err = ok(answer)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("  %-40s %8.1f/s (%d in %.1f s, %d at a time)\n", what, float64(n)/took.Seconds(), n, took.Seconds(), 2*runtime.NumCPU())
	return nil
}

// deal gives the messages of each peer, of which there are so many.
func deal(all []letter, peers int) [][]letter {
	out := make([][]letter, peers)
	for i, l := range all {
		out[i%peers] = append(out[i%peers], l)
	}
	return out
}
