// Package oidc lets operators log in at an OpenID Connect provider: the client
// (relying party) of the authorization code flow (OpenID Connect Core 1.0
// section 3.1) with PKCE (RFC 7636), of discovery, refresh tokens, token
// revocation (RFC 7009) and RP-initiated logout.
//
// A login is two calls. Begin gives the address to send the browser to and two
// cookies; the provider sends the browser back with a code; Finish turns code
// and cookies into an Identity: who it is and in which role, as the rules of the
// configuration read it from the provider's claims. What the caller keeps of a
// session is Identity.Secrets, sealed; Renew and Logout take it back.
//
// The provider is asked only when somebody logs in, is renewed or logs out: a
// session that exists goes on while the provider is away. Nothing here is
// stored, and no secret or token is ever part of an error or of the log.
package oidc

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/singleflight"
)

// Provider is the client of one OpenID Connect provider. It is safe for use by
// many at once.
type Provider struct {
	config Config
	client *http.Client
	now    func() time.Time
	log    *slog.Logger

	id, role []rule

	discovery  discovery
	complaints complaints
	renewals   singleflight.Group // by refresh token: it may be good for one use only
}

// New makes the client. It contacts nobody: the provider may come up later. It
// fails if Check finds something wrong or a file of trust roots cannot be read.
func New(c Config, now func() time.Time, log *slog.Logger) (*Provider, error) {
	if err := c.invalid(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	client, err := newClient(c)
	if err != nil {
		return nil, err
	}
	p := &Provider{config: c, client: client, now: now, log: log}
	if p.id, err = compile(c.IDClaims); err != nil {
		return nil, err
	}
	if p.role, err = compile(c.RoleClaims); err != nil {
		return nil, err
	}
	p.discovery.busy = make(chan struct{}, 1)
	return p, nil
}

// within bounds one call of this package, whatever it asks the provider.
func (p *Provider) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.config.Timeout)
}
