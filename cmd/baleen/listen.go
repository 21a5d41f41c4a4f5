package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/user"
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
	proxies, _ := n.cfg.Testbed.TrustedProxies() // checked with the rest of the configuration
	return web.New(web.Deps{
		Service: n.service, Imports: n.imports, AdminToken: n.token, PostLimit: n.cfg.PostLimit.API, WholeLimit: n.cfg.PostLimit.Whole, UpDownLimit: n.cfg.PostLimit.RFC6492, PublicationLimit: n.cfg.PostLimit.RFC8181, RepoDir: n.cfg.RepoDir, Role: n.term, Log: n.log, Started: started,
		Metrics: obs.NewMetrics(obs.MetricsConfig{
			Source: n, Started: started, Log: n.log,
			Hide: obs.Hide{CADetails: h.CADetails, ChildDetails: h.ChildDetails, PublisherDetails: h.PublisherDetails, ROADetails: h.ROADetails},
		}),
		Logins: n.logins, Testbed: n.cfg.Testbed.Enabled(), TestbedProxies: proxies, LogInfo: n.cfg.LogHTTP, Access: n.users.access(),
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
	l, err := web.ListenUnix(ctx, n.cfg.UnixSocket, others(n.cfg.UnixUsers))
	if err != nil {
		for _, open := range listeners {
			err = errors.Join(err, open.Close())
		}
		return nil, nil, err
	}
	return secure, append(listeners, l), nil
}

// others says whether users of this system other than root and the server's own
// are to use the Unix socket. The kernel tells who each is.
func others(users config.UnixUsers) bool {
	me, err := user.Current()
	for name := range users {
		if name != "root" && (err != nil || name != me.Username) {
			return true
		}
	}
	return false
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
