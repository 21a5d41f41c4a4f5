package oidc

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"

	openid "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"baleen/internal/fault"
)

// Names of the cookies of a login that is under way.
const (
	NonceCookie = "__Host-baleen_login_nonce"
	CSRFCookie  = "__Host-baleen_login_csrf_hash"
)

// patience is how long a user may take at the provider.
const patience = 5 * time.Minute

// maxMember is the longest code, state or cookie that is looked at, in octets.
const maxMember = 8 << 10

// Flow is a login that is under way: what the browser keeps of it in cookies, so
// that the answer counts only in the browser that asked.
//
// The nonce is a secret. Its hash is the nonce that the ID token must repeat
// (OpenID Connect Core 1.0 section 15.5.2), and the PKCE verifier is derived
// from it: who sees the code but not the cookie can use neither.
type Flow struct {
	Nonce    string
	CSRFHash string // hash of the state (RFC 6749 section 10.12)
}

// Cookies gives the cookies to set with the answer that sends the browser away.
func (f Flow) Cookies() []*http.Cookie {
	return []*http.Cookie{cookie(NonceCookie, f.Nonce, int(patience.Seconds())), cookie(CSRFCookie, f.CSRFHash, int(patience.Seconds()))}
}

// ClearCookies gives the cookies to set with the answer to the callback: a login
// counts once.
func ClearCookies() []*http.Cookie {
	return []*http.Cookie{cookie(NonceCookie, "", -1), cookie(CSRFCookie, "", -1)}
}

// cookie is sent back with the top-level navigation that the provider causes,
// hence Lax; the prefix of its name binds it to this host.
func cookie(name, value string, age int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Callback is what the browser brings back from the provider (RFC 6749 sections
// 4.1.2 and 4.1.2.1, RFC 9207).
type Callback struct {
	Code, State             string
	Error, ErrorDescription string // of the provider, instead of a code
	Issuer                  string
	Nonce, CSRFHash         string // of the cookies
}

// ReadCallback takes a Callback from a request.
func ReadCallback(r *http.Request) Callback {
	query := r.URL.Query()
	return Callback{
		Code: query.Get("code"), State: query.Get("state"), Error: query.Get("error"), ErrorDescription: query.Get("error_description"),
		Issuer: query.Get("iss"), Nonce: cookieValue(r, NonceCookie), CSRFHash: cookieValue(r, CSRFCookie),
	}
}

func cookieValue(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// Identity is a user who logged in.
type Identity struct {
	ID   string
	Role string // as the provider or the rules name it: the caller must know it

	// Secrets is JSON with the tokens of the session, for Renew and Logout. Nobody
	// may see it: the caller seals it.
	Secrets []byte

	ExpiresAt  time.Time // end of the session, unless it is renewed before
	RenewAfter time.Time // from when on it should be renewed; zero: it cannot be
}

// Begin starts a login: it gives the address at the provider to send the browser
// to, and what the browser must keep until it comes back.
func (p *Provider) Begin(ctx context.Context) (address string, flow Flow, err error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	at, err := p.discover(ctx)
	if err != nil {
		p.complain(ctx, "nobody can be sent to the OpenID Connect provider to log in", err)
		return "", Flow{}, err
	}
	nonce, state := rand.Text()+rand.Text(), rand.Text()+rand.Text()
	params := []oauth2.AuthCodeOption{openid.Nonce(hash(nonce))}
	if p.config.prompts() {
		params = append(params, oauth2.SetAuthURLParam("prompt", "login"))
	}
	if at.pkce() {
		params = append(params, oauth2.S256ChallengeOption(codeVerifier(nonce)))
	}
	for name, value := range p.config.ExtraLoginParams {
		params = append(params, oauth2.SetAuthURLParam(name, value))
	}
	return at.oauth.AuthCodeURL(state, params...), Flow{Nonce: nonce, CSRFHash: hash(state)}, nil
}

// Finish ends a login: it exchanges the code for tokens, verifies the ID token
// and reads from the claims who the user is. A code is good for one call.
func (p *Provider) Finish(ctx context.Context, back Callback) (Identity, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	id, err := p.finish(ctx, back)
	p.complain(ctx, "a login at the OpenID Connect provider failed", err)
	return id, err
}

func (p *Provider) finish(ctx context.Context, back Callback) (Identity, error) {
	if err := back.check(); err != nil {
		return Identity{}, err
	}
	at, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	if back.Issuer != at.Issuer && (back.Issuer != "" || at.NamesIssuer) { // RFC 9207 section 2.4
		return Identity{}, loginError("the answer comes from another provider than the one that was asked: log in again", nil)
	}
	var params []oauth2.AuthCodeOption
	if at.pkce() {
		params = append(params, oauth2.VerifierOption(codeVerifier(back.Nonce)))
	}
	token, err := at.oauth.Exchange(p.withClient(ctx), back.Code, params...)
	if err != nil {
		return Identity{}, p.exchangeError(err, back.Code, codeVerifier(back.Nonce))
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, permanent("the OpenID Connect provider gave no ID token: is it one for OpenID Connect, and not for OAuth alone?", nil)
	}
	idToken, err := p.verify(ctx, at, raw)
	if err != nil {
		return Identity{}, err
	}
	if subtle.ConstantTimeCompare([]byte(idToken.Nonce), []byte(hash(back.Nonce))) != 1 {
		return Identity{}, loginError("the ID token belongs to another login: log in again", nil)
	}
	if idToken.AccessTokenHash != "" && !p.config.Insecure && idToken.VerifyAccessToken(token.AccessToken) != nil { // OpenID Connect Core 1.0 section 3.1.3.8
		return Identity{}, loginError("the access token does not belong to the ID token", nil)
	}
	s, err := p.identify(ctx, at, session{Nonce: idToken.Nonce, AccessToken: token.AccessToken, RefreshToken: token.RefreshToken, IDToken: raw}, idToken)
	if err != nil {
		return Identity{}, err
	}
	return s.identity(p.now(), token.ExpiresIn)
}

// check compares the state with the cookie's before anything else counts, then
// says what the provider said instead of a code.
func (back Callback) check() error {
	if back.State == "" || back.Nonce == "" || back.CSRFHash == "" || back.Code == "" && back.Error == "" ||
		max(len(back.State), len(back.Nonce), len(back.CSRFHash), len(back.Code)) > maxMember {
		return newFault(fault.Denied, CodeIncomplete, "Invalid credentials: ",
			"Request is not RFC-6749 section 4.1.2 compliant: log in again, within five minutes, with cookies allowed", nil)
	}
	if subtle.ConstantTimeCompare([]byte(hash(back.State)), []byte(back.CSRFHash)) != 1 {
		return loginError("the answer of the provider belongs to another login: log in again", nil)
	}
	if back.Error == "" {
		return nil
	}
	said := said(back.Error, back.ErrorDescription)
	switch back.Error { // RFC 6749 section 4.1.2.1
	case "server_error", "temporarily_unavailable":
		return transient("the OpenID Connect provider has a problem ("+said+"): try again later", nil)
	case "unauthorized_client", "unsupported_response_type", "invalid_scope", "invalid_request":
		return permanent("the OpenID Connect provider refuses this server ("+said+"): check how it is registered there", nil)
	}
	return loginError("the OpenID Connect provider refused the login ("+said+")", nil)
}

// hash is what leaves this server of a secret of the flow, or stays of it in a
// cookie.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// codeVerifier derives the PKCE verifier (RFC 7636 section 4.1) from the nonce's
// secret, of which the provider knows another hash.
func codeVerifier(nonce string) string {
	mac := hmac.New(sha256.New, []byte(nonce))
	mac.Write([]byte("PKCE code verifier"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
