package oidc

import (
	"context"
	"net"
	"net/http"
	"time"
)

// SetClock makes a client follow another clock.
func SetClock(p *Provider, now func() time.Time) { p.now = now }

// DialAt makes a client find every host at an address.
func DialAt(p *Provider, address string) {
	p.client.Transport.(*transport).verifying.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// SetTransport makes a client send its requests otherwise than over the network.
func SetTransport(p *Provider, t http.RoundTripper) { p.client.Transport = t }
