package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"

	"golang.org/x/sync/errgroup"

	"baleen/api"
	"baleen/internal/demo"
	"baleen/internal/rpki/resources"
)

const (
	loadWorkers = 4             // networks that are worked on at a time
	rrdpTask    = "rrdp_update" // the task that makes staged objects public
)

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

// load sets all networks up, then waits until all of it is public.
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
	err = l.each(ctx, networks, func(ctx context.Context, n demo.Network) error {
		objects, err := l.awaitObjects(ctx, n)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		done.Objects += objects
		l.progress.step(fmt.Sprintf("%s: %d ROA objects published", caOf(n), objects))
		return nil
	})
	if err != nil {
		return done, err
	}
	done.Serial, err = l.awaitRRDP(ctx)
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
	j := &joiner{client: l.client, say: func(joinStep) {}}
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

// awaitObjects returns once a ROA object for every route of a network is in
// the repository, and gives the number of those objects.
func (l *loader) awaitObjects(ctx context.Context, n demo.Network) (objects int, err error) {
	ca := caOf(n)
	err = poll(ctx, func() (bool, error) {
		there, err := l.routes(ctx, n)
		if err != nil {
			return false, err
		}
		wanted := make(map[string][]byte)
		for _, p := range n.Prefixes {
			if len(there[p]) == 0 {
				return false, nil
			}
			for _, object := range there[p] {
				wanted[object.URI] = object.Base64
			}
		}
		objects = len(wanted)
		return l.published(ctx, ca, wanted)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return 0, fmt.Errorf("CA %s has not published all of its ROAs yet: see the commands issues and tasks", ca)
	}
	if err != nil {
		return 0, fmt.Errorf("CA %s: %w", ca, err)
	}
	return objects, nil
}

// published tells whether the repository has all of the objects.
func (l *loader) published(ctx context.Context, ca handle, wanted map[string][]byte) (bool, error) {
	var status api.RepoStatus
	if _, err := l.client.fetch(ctx, get(ca.path("/repo/status")), &status); err != nil {
		return false, err
	}
	found := 0
	for _, file := range status.Published {
		if der, ok := wanted[file.URI]; ok && bytes.Equal(der, file.Base64) {
			found++
		}
	}
	return found == len(wanted), nil
}

// awaitRRDP returns once nothing waits to become public, and gives the serial.
func (l *loader) awaitRRDP(ctx context.Context) (uint64, error) {
	err := poll(ctx, func() (bool, error) {
		var tasks api.TaskReport
		if _, err := l.client.fetch(ctx, get("/api/v1/tasks"), &tasks); err != nil {
			return false, err
		}
		n := tasks.Kinds[rrdpTask]
		if n.Parked > 0 {
			return false, errors.New("the server cannot make a new RRDP serial: see the command tasks")
		}
		return n.Waiting+n.Due+n.Running == 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return 0, errors.New("the last RRDP serial is not public yet: see the command tasks")
	}
	if err != nil {
		return 0, err
	}
	var stats api.RepoStats
	_, err = l.client.fetch(ctx, get("/stats/repo"), &stats)
	return stats.Serial, err
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
