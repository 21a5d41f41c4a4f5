package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"time"

	"baleen/internal/config"
	"baleen/internal/obs"
	"baleen/internal/tlsfiles"
	"baleen/internal/web"
)

// newWeb makes the web layer.
func (n *node) newWeb() *web.Server {
	started := time.Now()
	h := n.cfg.Hide
	return web.New(web.Deps{
		Service: n.service, AdminToken: n.token, PostLimit: n.cfg.PostLimit.API, WholeLimit: n.cfg.PostLimit.Whole, UpDownLimit: n.cfg.PostLimit.RFC6492, PublicationLimit: n.cfg.PostLimit.RFC8181, RepoDir: n.cfg.RepoDir, Role: n.term, Log: n.log, Started: started,
		Metrics: obs.NewMetrics(obs.MetricsConfig{
			Source: n, Started: started, Log: n.log,
			Hide: obs.Hide{CADetails: h.CADetails, ChildDetails: h.ChildDetails, PublisherDetails: h.PublisherDetails, ROADetails: h.ROADetails},
		}),
		Logins: n.logins, Testbed: n.cfg.Testbed.Enabled(), LogInfo: n.cfg.LogHTTP,
	})
}

// listen opens every address, with the certificate for them. It comes before
// anything else that the server does, so that a taken port is found at once.
func (n *node) listen(ctx context.Context) (secure *tls.Config, listeners []net.Listener, err error) {
	if secure, err = n.tls(); err != nil {
		return nil, nil, err
	}
	if listeners, err = web.Listen(ctx, n.cfg.Listen...); err != nil {
		return nil, nil, err
	}
	if n.cfg.UnixSocket == "" {
		return secure, listeners, nil
	}
	l, err := listenUnix(ctx, n.cfg.UnixSocket)
	if err != nil {
		for _, open := range listeners {
			err = errors.Join(err, open.Close())
		}
		return nil, nil, err
	}
	return secure, append(listeners, l), nil
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
	u, err := url.Parse(n.cfg.ServiceURI)
	if err != nil {
		return nil, fmt.Errorf("service URI: %w", err)
	}
	files, err := tlsfiles.Load(tlsfiles.Config{
		Dir: n.cfg.TLSKeysDir, Generate: n.cfg.HTTPSMode == config.HTTPSGenerate, Host: u.Hostname(), Now: time.Now(),
	})
	if err != nil {
		return nil, err
	}
	for _, w := range files.Warnings {
		n.log.Warn(w)
	}
	return files.ServerConfig(), nil
}
