package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"baleen/internal/embedded"
	"baleen/internal/rpki/rrdp"
)

// sizes measures one ROA more on CAs that have more and more of them.
func sizes(ctx context.Context, o options) error {
	for _, n := range o.sizes {
		err := o.each(ctx, func(ctx context.Context, s system) error {
			if _, ours := s.(baleen); !ours && n > o.krillROAs {
				fmt.Printf("  one CA with %d ROAs: left out for %s: it would have to sign them all\n", n, s.Name())
				return nil
			}
			return oneSize(ctx, s, o, n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func oneSize(ctx context.Context, s system, o options, n int) error {
	if err := makeCAs(ctx, s, 1); err != nil {
		return err
	}
	if err := fill(ctx, s, n); err != nil {
		return err
	}
	share, err := profiled(ctx, s)
	if err != nil {
		return err
	}
	var answers, visible []time.Duration
	if err := warm(ctx, s, o.pool); err != nil {
		return err
	}
	before := cpu(s)
	for i := range o.changes {
		if err := warm(ctx, s, min(4, o.pool)); err != nil {
			return err
		}
		last, err := notification(ctx, s)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := addRoutes(ctx, s, caName(0), route{64496, fmt.Sprintf("10.1.%d.0/24", i)}); err != nil {
			return err
		}
		answered := time.Since(start)
		err = await(ctx, "the change is in RRDP", 2*time.Millisecond, func() (bool, error) {
			n, err := notification(ctx, s)
			return n.Serial > last.Serial, err
		})
		if err != nil {
			return err
		}
		answers, visible = append(answers, answered), append(visible, time.Since(start)-answered)
	}
	if err := warm(ctx, s, o.pool); err != nil { // so that the keys that were used count, whenever they are made again
		return err
	}
	spent := cpu(s) - before
	fmt.Printf("  %s, one CA with %d ROAs: answer %s; answer to RRDP %s; %.0f ms CPU a change; %d MiB resident%s\n",
		s.Name(), n, quantiles(answers), quantiles(visible), float64(spent.Milliseconds())/float64(len(answers)), resident(s.PID()), share())
	return nil
}

// fill gives the CA its ROAs: ours are generated, without signatures.
func fill(ctx context.Context, s system, n int) error {
	base, err := published(ctx, s)
	if err != nil {
		return err
	}
	b, ours := s.(baleen)
	if !ours {
		var list []route
		for i := range n {
			list = append(list, route{64496, generated(i).Prefix.String()})
		}
		if err := addRoutes(ctx, s, caName(0), list...); err != nil {
			return err
		}
		return awaitObjects(ctx, s, base.objects()+n)
	}
	url, stop, err := embedded.Use(ctx, embedded.Config{Dir: filepath.Join(b.Dir, "postgres"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := errors.Join(generate(ctx, url, caName(0), n), stop(ctx)); err != nil {
		return err
	}
	if err := call(ctx, s, http.MethodPost, "/api/v1/bulk/cas/publish", nil, nil); err != nil {
		return err
	}
	return awaitObjects(ctx, s, base.objects()+n)
}

// warm waits until the pool of ready keys has so many, where the server tells.
func warm(ctx context.Context, s system, keys int) error {
	if _, ours := s.(baleen); !ours {
		return nil
	}
	return await(ctx, "the key pool is warm", 10*time.Millisecond, func() (bool, error) {
		_, body, err := s.Do(ctx, http.MethodGet, "/metrics", nil)
		if err != nil {
			return false, err
		}
		for line := range strings.Lines(string(body)) {
			var ready float64
			if n, _ := fmt.Sscanf(line, "baleen_key_pool_ready %g", &ready); n == 1 {
				return ready >= float64(keys), nil
			}
		}
		return false, errors.New("no metric baleen_key_pool_ready")
	})
}

func notification(ctx context.Context, s system) (rrdp.Notification, error) {
	_, body, err := s.Do(ctx, http.MethodGet, "/rrdp/notification.xml", nil)
	if err != nil {
		return rrdp.Notification{}, err
	}
	return rrdp.ParseNotification(strings.NewReader(string(body)), rrdp.DefaultLimits())
}
