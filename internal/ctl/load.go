package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"sync"

	"golang.org/x/sync/errgroup"

	"baleen/api"
	"baleen/internal/demo"
	"baleen/internal/rpki/resources"
)

const loadWorkers = 4 // networks that are worked on at a time

// loader turns networks into CAs with ROAs.
type loader struct {
	client   *client
	progress *progress
}

// loaded counts what a load found and did.
type loaded struct {
	Networks int    `json:"networks"`
	Changed  int    `json:"networks_changed"` // CAs that were not yet as the file wants them
	Routes   int    `json:"routes"`
	Added    int    `json:"routes_added"`
	Objects  int    `json:"roa_objects"` // published ROAs, each of which may hold several routes
	Serial   uint64 `json:"rrdp_serial"` // in which all of it is public
}

// load sets all networks up, then waits until all of it is issued and public.
func (l *loader) load(ctx context.Context, networks []demo.Network) (loaded, error) {
	done := loaded{Networks: len(networks)}
	var mu sync.Mutex
	err := l.each(ctx, networks, func(ctx context.Context, n demo.Network) error {
		added, err := l.setUp(ctx, n)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		done.Routes += len(n.Prefixes)
		done.Added += added
		if added > 0 {
			done.Changed++
		}
		l.progress.step(fmt.Sprintf("%s: %d routes, %d added", caOf(n), len(n.Prefixes), added))
		return nil
	})
	if err != nil {
		return done, err
	}

	l.progress.done = 0
	wanted := make(map[string][]byte)
	err = l.each(ctx, networks, func(ctx context.Context, n demo.Network) error {
		objects, err := l.awaitObjects(ctx, n)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		maps.Copy(wanted, objects)
		l.progress.step(fmt.Sprintf("%s: ROA objects issued: %d", caOf(n), len(objects)))
		return nil
	})
	if err != nil {
		return done, err
	}
	done.Objects = len(wanted)
	done.Serial, err = l.awaitPublic(ctx, wanted)
	return done, err
}

// each works on several networks at a time and stops at the first failure.
func (l *loader) each(ctx context.Context, networks []demo.Network, work func(context.Context, demo.Network) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(loadWorkers)
	for _, n := range networks {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return work(ctx, n)
		})
	}
	return g.Wait()
}

func caOf(n demo.Network) handle { return handle(fmt.Sprintf("AS%d", n.ASID)) }

// resourcesOf gives exactly what a network needs to authorise its routes.
func resourcesOf(n demo.Network) resources.Set {
	return resources.Set{
		AS: resources.NewASSet(resources.ASRange{Lo: n.ASID, Hi: n.ASID}),
		V4: resources.IPSetOf(resources.IPv4, n.Prefixes...),
		V6: resources.IPSetOf(resources.IPv6, n.Prefixes...),
	}
}

// setUp makes the CA of a network and adds the ROAs that it lacks.
func (l *loader) setUp(ctx context.Context, n demo.Network) (added int, err error) {
	ca, wanted := caOf(n), resourcesOf(n)
	j := newJoiner(l.client, func(joinStep) {})
	if err := j.join(ctx, ca, wanted); err != nil {
		return 0, err
	}
	if err := j.await(ctx, ca, wanted); err != nil {
		return 0, err
	}
	err = retry(ctx, func() error {
		there, err := l.routes(ctx, n)
		if err != nil {
			return err
		}
		updates := noUpdates()
		for _, p := range n.Prefixes {
			if _, ok := there[p]; !ok {
				length := uint8(p.Bits()) // at most 128
				updates.Added = append(updates.Added, api.ROAConfiguration{
					ROAPayload: api.ROAPayload{ASN: n.ASID, Prefix: api.Prefix{Prefix: p}, MaxLength: &length},
				})
			}
		}
		if added = len(updates.Added); added == 0 {
			return nil
		}
		_, err = l.client.do(ctx, post(ca.path("/routes"), updates))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("CA %s: %w", ca, err)
	}
	return added, nil
}

// routes gives the network's own routes that its CA has a configured ROA for,
// with the objects that were issued for each.
func (l *loader) routes(ctx context.Context, n demo.Network) (map[netip.Prefix][]api.ROAInfo, error) {
	var configured []api.ConfiguredROA
	if _, err := l.client.fetch(ctx, get(caOf(n).path("/routes")), &configured); err != nil {
		return nil, err
	}
	there := make(map[netip.Prefix][]api.ROAInfo, len(configured))
	for _, roa := range configured {
		length := roa.Prefix.Bits()
		if roa.MaxLength != nil {
			length = int(*roa.MaxLength)
		}
		if roa.ASN == n.ASID && length == roa.Prefix.Bits() {
			there[roa.Prefix.Prefix] = roa.ROAObjects
		}
	}
	return there, nil
}

// awaitObjects returns once there is a ROA object for every route of a
// network, and gives those objects by their URIs.
func (l *loader) awaitObjects(ctx context.Context, n demo.Network) (objects map[string][]byte, err error) {
	ca := caOf(n)
	err = poll(ctx, func() (bool, error) {
		there, err := l.routes(ctx, n)
		if err != nil {
			return false, err
		}
		objects = make(map[string][]byte)
		for _, p := range n.Prefixes {
			if len(there[p]) == 0 {
				return false, nil
			}
			for _, object := range there[p] {
				objects[object.URI] = object.Base64
			}
		}
		return true, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("CA %s has not issued all of its ROAs yet: see the commands issues and tasks", ca)
	}
	if err != nil {
		return nil, fmt.Errorf("CA %s: %w", ca, err)
	}
	return objects, nil
}

// progress shows how far a load is: in one line that is drawn again on a
// terminal, else in a line for each step.
type progress struct {
	w        io.Writer // nil: nobody looks
	terminal bool
	total    int
	done     int
}

// step counts one network. Nothing hangs on whether it can be shown.
func (p *progress) step(text string) {
	p.done++
	if p.w == nil {
		return
	}
	before, after := "", "\n"
	if p.terminal {
		before, after = "\r\x1b[K", ""
	}
	_, _ = fmt.Fprintf(p.w, "%s[%d/%d] %s%s", before, p.done, p.total, text, after)
}

// end leaves the line that was drawn last.
func (p *progress) end() {
	if p.w != nil && p.terminal && p.done > 0 {
		_, _ = fmt.Fprintln(p.w)
	}
}
