package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/test/harness"
)

// given records events without signing anything.
type given struct {
	Events []es.Event `json:"-"`
}

// CommandName names the command in the log.
func (given) CommandName() string { return "bench_given" }

// Process lets happen what it was given.
func (g given) Process(*ca.State, time.Time) ([]es.Event, error) { return g.Events, nil }

// bare makes a CA that holds nothing, so that no task has anything to do for it.
func (p *place) bare(ctx context.Context, name string) error {
	_, err := p.store.Create(ctx, name, ca.Init{Handle: name, Identity: ca.Identity{Cert: make([]byte, 800)}}, pgstore.Write{Actor: actor})
	return err
}

// create makes a CA that holds 10.0.0.0/8.
func (p *place) create(ctx context.Context, name string) error {
	if err := p.bare(ctx, name); err != nil {
		return err
	}
	held, err := resources.ParseIPSet("10.0.0.0/8", resources.IPv4)
	if err != nil {
		return err
	}
	key := cert.KeyID{1}
	now := time.Now().UTC().Truncate(time.Second)
	_, err = p.store.Execute(ctx, name, given{[]es.Event{
		ca.ResourceClassAdded{Class: "0", Parent: "up", ParentClass: "0", KeyID: key},
		ca.CertificateReceived{Class: "0", KeyID: key, Cert: ca.CertRecord{
			URI: "rsync://localhost/repo/up/0/x.cer", Serial: "1", KeyID: key, Resources: resources.Set{V4: held}, NotBefore: now, NotAfter: now.AddDate(1, 0, 0),
			SIA: ca.SIA{Repository: "rsync://localhost/repo/" + name + "/0/", Manifest: "rsync://localhost/repo/" + name + "/0/x.mft"},
		}},
	}}, pgstore.Write{Actor: actor})
	return err
}

// configure adds a ROA and removes the tenth before it.
func (p *place) configure(ctx context.Context, name string, i int) error {
	ev := ca.ROAsConfigured{Added: []ca.ConfiguredROA{{ROA: route(i)}}}
	if i >= 10 {
		ev.Removed = []ca.ROA{route(i - 10)}
	}
	_, err := p.store.Execute(ctx, name, given{[]es.Event{ev}}, pgstore.Write{Actor: actor})
	return err
}

func route(i int) ca.ROA {
	return ca.ROA{ASID: 64496, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), MaxLength: 32}
}

// issue records ten ROA objects that nobody signed.
func (p *place) issue(ctx context.Context, name string) error {
	now := time.Now().UTC().Truncate(time.Second)
	var ev ca.ROAsIssued
	var cfg ca.ROAsConfigured
	ev.Class = "0"
	for i := range 10 {
		cfg.Added = append(cfg.Added, ca.ConfiguredROA{ROA: route(i)})
		ev.Issued = append(ev.Issued, ca.IssuedROA{
			Name: fmt.Sprintf("%x.roa", route(i).String()), Authorizations: []ca.ROA{route(i)}, Serial: strings.Repeat("7", 47), NotBefore: now, NotAfter: now.AddDate(1, 0, 0),
		})
	}
	_, err := p.store.Execute(ctx, name, given{[]es.Event{cfg, ev}}, pgstore.Write{Actor: actor})
	return err
}

// startUp fills the database and starts the built server on it.
func (p *place) startUp(ctx context.Context, dir string, cas, history int) error {
	begin := time.Now()
	err := many(ctx, cas, func(ctx context.Context, i int) error {
		name := fmt.Sprintf("ca%d", i)
		if err := p.create(ctx, name); err != nil {
			return err
		}
		if err := p.issue(ctx, name); err != nil {
			return err
		}
		for i := range max(0, history-3) {
			cmd := ca.ConfigureROAs{Added: []ca.ConfiguredROA{{ROA: route(i % 10), Comment: fmt.Sprint("change ", i)}}}
			if _, err := p.store.Execute(ctx, name, cmd, pgstore.Write{Actor: actor}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("made %d CAs with %d commands each in %s\n", cas, history, time.Since(begin).Round(time.Second))
	if err := harness.Build(ctx, dir); err != nil {
		return err
	}
	s := &harness.Server{Bin: dir, Dir: dir, Database: p.url, Env: []string{"BALEEN_KEY_POOL_SIZE=0"}}
	for _, run := range []string{"first start (makes a testbed)", "start"} {
		begin := time.Now()
		if err := s.Launch(); err != nil {
			return err
		}
		if err := s.WaitActive(ctx); err != nil {
			return err
		}
		ready, early := time.Since(begin), resident(s.PID())
		if err := s.Settle(ctx); err != nil {
			return err
		}
		fmt.Printf("%-32s  ready after %s, %d MiB resident; %d MiB once all CAs were looked at\n", run+":", ready.Round(time.Millisecond), early, resident(s.PID()))
		if err := s.Stop(); err != nil {
			return err
		}
	}
	return nil
}

// resident gives a process's resident memory in MiB, 0 if the kernel does not
// tell.
func resident(pid int) (mib int) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			mib = kib / 1024
		}
	}
	return mib
}
