package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/postgres"
)

// given records events without signing anything.
type given struct {
	Events []es.Event `json:"-"`
}

// CommandName names the command in the log.
func (given) CommandName() string { return "bench_given" }

// Process lets happen what it was given.
func (g given) Process(*ca.State, time.Time) ([]es.Event, error) { return g.Events, nil }

// epoch is the fence of the running server, which is written beside.
type epoch int64

// Epoch implements postgres.Fence.
func (e epoch) Epoch() int64 { return int64(e) }

// objectSize is what a ROA object weighs, in octets.
const objectSize = 1900

// generate gives a CA of a running server this many ROAs with objects that
// nobody signed, as if they had been issued: the server publishes them, and
// measures nothing of how they came to be. Relying parties would refuse them.
func generate(ctx context.Context, url, handle string, n int) error {
	db, err := postgres.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	var term int64
	if err := db.QueryRow(ctx, "SELECT epoch FROM leader").Scan(&term); err != nil {
		return err
	}
	rows := &castore.Store{DB: db}
	store := &pgstore.Store[ca.State]{Type: ca.Type(), DB: db, Fence: epoch(term)}
	var class string
	err = store.View(ctx, handle, func(s *ca.State, _ int64) error {
		class = slices.Sorted(maps.Keys(s.Classes))[0]
		return nil
	})
	if err != nil {
		return err
	}
	for first := 0; first < n; first += 1000 {
		events, ders, err := unsigned(class, first, min(first+1000, n))
		if err != nil {
			return err
		}
		_, err = store.Execute(ctx, handle, given{events}, pgstore.Write{
			Actor: es.Actor{Name: "user:bench"},
			InTx:  func(ctx context.Context, tx pgx.Tx, _ pgstore.Commit) error { return rows.Put(ctx, tx, ders...) },
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unsigned makes the events of some ROAs, and their objects.
func unsigned(class string, from, to int) ([]es.Event, [][]byte, error) {
	now := time.Now().UTC().Truncate(time.Second)
	var cfg ca.ROAsConfigured
	ev := ca.ROAsIssued{Class: class}
	var ders [][]byte
	for i := from; i < to; i++ {
		r := generated(i)
		der := make([]byte, objectSize)
		if _, err := rand.Read(der); err != nil {
			return nil, nil, err
		}
		ders = append(ders, der)
		cfg.Added = append(cfg.Added, ca.ConfiguredROA{ROA: r})
		ev.Issued = append(ev.Issued, ca.IssuedROA{
			Name: hex.EncodeToString([]byte(r.String())) + ".roa", Authorizations: []ca.ROA{r}, Hash: ca.HashOf(der),
			Serial: fmt.Sprintf("7%046d", i), NotBefore: now, NotAfter: now.AddDate(1, 0, 0),
		})
	}
	return []es.Event{cfg, ev}, ders, nil
}

// generated is a route that no other part uses: its prefix is in 10.128.0.0/9.
func generated(i int) ca.ROA {
	addr := netip.AddrFrom4([4]byte{10, 128 | byte(i>>14), byte(i >> 6), byte(i << 2)})
	return ca.ROA{ASID: 64496, Prefix: netip.PrefixFrom(addr, 30), MaxLength: 30}
}
