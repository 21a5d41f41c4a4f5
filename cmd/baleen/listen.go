package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"baleen/internal/config"
	"baleen/internal/obs"
	"baleen/internal/web"
)

// newWeb makes the web layer.
func (n *node) newWeb() *web.Server {
	started := time.Now()
	h := n.cfg.Hide
	return web.New(web.Deps{
		Service: n.service, AdminToken: n.token, PostLimit: n.cfg.PostLimit.API, RepoDir: n.cfg.RepoDir, Role: n.term, Log: n.log, Started: started,
		Metrics: obs.NewMetrics(obs.MetricsConfig{
			Source: n, Started: started, Log: n.log,
			Hide: obs.Hide{CADetails: h.CADetails, ChildDetails: h.ChildDetails, PublisherDetails: h.PublisherDetails, ROADetails: h.ROADetails},
		}),
		Testbed: n.cfg.Testbed.Enabled(),
	})
}

// answer listens and answers until ctx ends.
func (n *node) answer(ctx context.Context) error {
	secure, err := n.tls()
	if err != nil {
		return err
	}
	listeners, err := web.Listen(ctx, n.cfg.Listen...)
	if err != nil {
		return err
	}
	if n.cfg.UnixSocket != "" {
		l, err := listenUnix(ctx, n.cfg.UnixSocket)
		if err != nil {
			return err
		}
		listeners = append(listeners, l)
	}
	return n.web.Serve(ctx, secure, listeners...)
}

// listenUnix opens the socket, which only this user may use. One that a former
// run left behind is removed.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	return l, nil
}

// tls gives the server's certificate; nil where TLS is disabled.
func (n *node) tls() (*tls.Config, error) {
	if n.cfg.HTTPSMode == config.HTTPSDisable {
		return nil, nil
	}
	return nil, errors.New("TLS later")
}
