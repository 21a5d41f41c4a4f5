package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// session is what Identity.Secrets holds.
type session struct {
	ID           string `json:"id"`
	Role         string `json:"role"`
	Subject      string `json:"sub"`
	Nonce        string `json:"nonce"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token"`
}

// readSession reads Identity.Secrets.
func readSession(secrets []byte) (session, error) {
	var s session
	if err := json.Unmarshal(secrets, &s); err != nil || s.AccessToken == "" || s.ID == "" || s.Role == "" {
		return session{}, expired("what was kept of the session cannot be read: log in again", nil)
	}
	return s, nil
}

// identity gives a session to the caller; lifetime is what the provider says,
// in seconds.
func (s session) identity(now time.Time, lifetime int64) (Identity, error) {
	secrets, err := json.Marshal(s)
	if err != nil {
		return Identity{}, fmt.Errorf("OpenID Connect session: %w", err)
	}
	lasts := defaultLifetime
	if lifetime > 0 {
		lasts = time.Duration(lifetime) * time.Second
	}
	id := Identity{ID: s.ID, Role: s.Role, Secrets: secrets, ExpiresAt: now.Add(lasts)}
	if s.RefreshToken != "" {
		id.RenewAfter = now.Add(lasts / 2)
	}
	return id, nil
}

// Renew prolongs a session by its refresh token (OpenID Connect Core 1.0 section
// 12). If the provider sends a new ID token the rules are applied to it again: a
// user who lost the role, or is another one, must log in again (CodeExpired).
// After any other error, above all CodeTransient, the session lasts until its
// ExpiresAt and can be tried again.
//
// A refresh token may be good for one use: the caller keeps the new Secrets
// before it renews again. Calls at the same time with the same secrets are one.
// A call that began is not given up when ctx ends: its answer may be the only
// one there will be.
func (p *Provider) Renew(ctx context.Context, secrets []byte) (Identity, error) {
	s, err := readSession(secrets)
	if err != nil {
		return Identity{}, err
	}
	if s.RefreshToken == "" {
		return Identity{}, expired("the OpenID Connect provider gave nothing to renew it with: log in again", nil)
	}
	v, err, _ := p.renewals.Do(s.RefreshToken, func() (any, error) {
		id, err := p.renew(context.WithoutCancel(ctx), s)
		p.complain(ctx, "a session could not be renewed at the OpenID Connect provider", err)
		return id, err
	})
	if err != nil {
		return Identity{}, err
	}
	return v.(Identity), nil
}

func (p *Provider) renew(ctx context.Context, s session) (Identity, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	at, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	token, err := at.oauth.TokenSource(p.withClient(ctx), &oauth2.Token{RefreshToken: s.RefreshToken}).Token()
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" {
			return Identity{}, expired("the OpenID Connect provider ended it: log in again", nil)
		}
		return Identity{}, p.exchangeError(err, s.RefreshToken)
	}
	was := s
	s.AccessToken, s.RefreshToken = token.AccessToken, token.RefreshToken
	if raw, _ := token.Extra("id_token").(string); raw != "" {
		s.IDToken = raw
		if s, err = p.identifyAgain(ctx, at, s, was); err != nil {
			return Identity{}, err
		}
	}
	return s.identity(p.now(), token.ExpiresIn)
}

// identifyAgain checks an ID token that came with a renewal (OpenID Connect Core
// 1.0 section 12.2). The user must be the same; the role may be another one.
func (p *Provider) identifyAgain(ctx context.Context, at *provider, s, was session) (session, error) {
	token, err := p.verify(ctx, at, s.IDToken)
	if err != nil {
		return s, ended(err)
	}
	if token.Subject != was.Subject || token.Nonce != "" && token.Nonce != was.Nonce {
		return s, expired("the OpenID Connect provider renewed it for another user: log in again", nil)
	}
	if s, err = p.identify(ctx, at, s, token); err != nil {
		return s, ended(err)
	}
	if s.ID != was.ID {
		return s, expired("the user is called otherwise now: log in again", nil)
	}
	return s, nil
}

// ended makes of a refused login the end of a session; the rest may pass.
func ended(err error) error {
	if isTransient(err) {
		return err
	}
	return expired("the OpenID Connect provider does not vouch for the user any more: log in again", err)
}

// Logout ends a session at the provider as far as that can be done, and gives
// the address to send the browser to. There is always an address, also with an
// error, which is in the log already: the session of this server ends in any case.
//
//	logout_url  revocation  end of session  result
//	no          no          no              the service URI
//	no          yes         no              the token is revoked, the service URI
//	no          any         yes             the provider's logout page
//	yes         no          any             logout_url
//	yes         yes         any             the token is revoked, logout_url
func (p *Provider) Logout(ctx context.Context, secrets []byte) (address string, err error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	defer func() { p.complain(ctx, "a session could not be ended at the OpenID Connect provider", err) }()
	home := p.config.ServiceURI
	if p.config.LogoutURL != "" {
		home = p.config.LogoutURL
	}
	s, err := readSession(secrets)
	if err != nil {
		return home, err
	}
	at, err := p.discover(ctx)
	switch {
	case err != nil:
		return home, err
	case p.config.LogoutURL == "" && at.EndSessionURL != "":
		return p.endSession(at, s), nil
	case at.RevocationURL != "":
		return home, p.revoke(ctx, at, s)
	}
	return home, nil
}

// endSession is the address of OpenID Connect RP-Initiated Logout 1.0 section 2.
func (p *Provider) endSession(at *provider, s session) string {
	params := url.Values{"post_logout_redirect_uri": {p.config.ServiceURI}}
	if s.IDToken != "" {
		params.Set("id_token_hint", s.IDToken)
	} else {
		params.Set("client_id", p.config.ClientID)
	}
	return withQuery(at.EndSessionURL, params)
}

// revoke revokes the refresh token, or the access token where there is none (RFC
// 7009 section 2.1).
func (p *Provider) revoke(ctx context.Context, at *provider, s session) error {
	form := url.Values{"token": {s.AccessToken}, "token_type_hint": {"access_token"}}
	if s.RefreshToken != "" {
		form = url.Values{"token": {s.RefreshToken}, "token_type_hint": {"refresh_token"}}
	}
	methods := at.RevokeAuthMethods
	if methods == nil {
		methods = at.TokenAuthMethods
	}
	style, _ := authStyle(methods)
	if style == oauth2.AuthStyleInParams {
		form.Set("client_id", p.config.ClientID)
		form.Set("client_secret", string(p.config.ClientSecret))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.RevocationURL, strings.NewReader(form.Encode()))
	if err != nil {
		return permanent("the revocation_endpoint of the OpenID Connect provider is no address", nil)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if style == oauth2.AuthStyleInHeader {
		req.SetBasicAuth(url.QueryEscape(p.config.ClientID), url.QueryEscape(string(p.config.ClientSecret))) // RFC 6749 section 2.3.1
	}
	res, err := p.client.Do(req)
	if err != nil {
		return p.unreachable("revocation endpoint", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return p.refused("revocation endpoint", res.StatusCode)
	}
	return nil
}
