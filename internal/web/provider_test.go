package web_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/access"
	"baleen/internal/fault"
	"baleen/internal/oidc"
)

// fakeProvider answers what the test wants. Package oidc tests the real one.
type fakeProvider struct {
	who     oidc.Identity
	err     error
	back    oidc.Callback // what Finish was given
	asked   int           // how often Finish was called
	secrets string        // what Renew and Logout were given
	renewed int
	hurried bool // Renew was given a time limit of somebody else's
}

func (p *fakeProvider) Begin(context.Context) (string, oidc.Flow, error) {
	return "https://idp.example.net/authorize?state=x", oidc.Flow{Nonce: "n", CSRFHash: "c"}, p.err
}

func (p *fakeProvider) Finish(_ context.Context, back oidc.Callback) (oidc.Identity, error) {
	p.back = back
	p.asked++
	if p.err != nil {
		return oidc.Identity{}, p.err
	}
	return p.who, nil
}

func (p *fakeProvider) Renew(ctx context.Context, secrets []byte) (oidc.Identity, error) {
	_, p.hurried = ctx.Deadline()
	p.secrets = string(secrets)
	p.renewed++
	return p.who, p.err
}

func (p *fakeProvider) Logout(_ context.Context, secrets []byte) (string, error) {
	p.secrets = string(secrets)
	return "https://idp.example.net/bye", p.err
}

const withProvider = ownRoles + `
[auth_openidconnect]
issuer_url = "https://idp.example.net"
client_id = "baleen"
client_secret = "hush"
`

// newClub is an office whose users log in through a provider.
func newClub(t *testing.T) (*office, *fakeProvider) {
	t.Helper()
	p := &fakeProvider{}
	o := newOffice(t, access.OpenIDConnect, p, withProvider)
	p.who = oidc.Identity{ID: "ann@example.com", Role: "ca1only", Secrets: []byte("first"), ExpiresAt: o.now.Add(time.Hour), RenewAfter: o.now.Add(30 * time.Minute)}
	return o, p
}

// said is an error as package oidc makes it.
func said(kind fault.Kind, code, msg string) error {
	_, cause, _ := strings.Cut(msg, ": ")
	return &fault.Error{Kind: kind, Code: code, Msg: msg, Args: map[string]string{"cause": cause}}
}

// cookies gives the cookies that an answer sets, sorted.
func cookies(a answer) []string {
	out := slices.Clone(a.header.Values("Set-Cookie"))
	slices.Sort(out)
	return out
}

func TestLoginThroughAProvider(t *testing.T) {
	o, p := newClub(t)
	a := o.ask(anybody, "GET", "/auth/login", "").ok()
	if a.body != "https://idp.example.net/authorize?state=x" || a.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("got %s %v", a.body, a.header)
	}
	want := []string{
		oidc.CSRFCookie + "=c; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax", oidc.NonceCookie + "=n; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax",
	}
	if got := cookies(a); !slices.Equal(got, want) {
		t.Errorf("got cookies %q", got)
	}
	back := func(r *http.Request) { r.Header.Set("Cookie", oidc.NonceCookie+"=n; "+oidc.CSRFCookie+"=c") }
	to := o.callback(back, "?code=42&state=x")
	if p.back != (oidc.Callback{Code: "42", State: "x", Nonce: "n", CSRFHash: "c"}) || to.Get("id") != "ann@example.com" || to.Get("attributes") == "" {
		t.Errorf("got %v for %+v", to, p.back)
	}
	ann := holding(to.Get("token"))
	o.ask(ann, "GET", "/api/v1/authorized", "").empty()
	o.get("/api/v1/authorized").empty() // with the admin token
	if a := o.ask(ann, "POST", "/auth/logout", "").ok(); a.body != "https://idp.example.net/bye" || p.secrets != "first" {
		t.Errorf("got %s with secrets %s", a.body, p.secrets)
	}
	o.ask(ann, "GET", "/api/v1/authorized", "").fails(http.StatusForbidden, "api-insufficient-rights")
	o.ask(ann, "POST", "/auth/logout", "").fails(http.StatusUnauthorized, "api-invalid-credentials")
	o.ask(anybody, "POST", "/auth/logout", "").fails(http.StatusUnauthorized, "api-invalid-credentials")
	o.ask(admin, "POST", "/auth/logout", "").fails(http.StatusUnauthorized, "api-invalid-credentials")
	if got := o.noted(); !slices.Equal(got, []string{"bearer - refused api-invalid-credentials 1", "openid-connect ann@example.com ok 1"}) {
		t.Errorf("noted %q", got)
	}
}

// TestAProviderRefuses: the browser hears why, and so does whoever asks without
// one.
func TestAProviderRefuses(t *testing.T) {
	o, p := newClub(t)
	p.err = said(fault.Denied, oidc.CodeLogin, "Login error: the provider refused")
	a := o.ask(anybody, "POST", "/auth/login", "").fails(http.StatusUnauthorized, "api-login-error").record("api-login-error")
	if got := cookies(a); len(got) != 2 || !strings.Contains(got[0], "Max-Age=0") {
		t.Errorf("the cookies are still good: %q", got)
	}
	if f := failure(t, o.callback(anybody, "?error=access_denied")); f.Label != "api-login-error" || f.Args["cause"] != "the provider refused" {
		t.Errorf("got %+v", f)
	}
	p.err = said(fault.Unavailable, oidc.CodeTransient, "Transient authentication error: the provider cannot be reached")
	o.ask(anybody, "GET", "/auth/login", "").fails(http.StatusUnauthorized, "api-auth-transient-error").record("api-auth-transient-error")
	p.err = nil
	for _, who := range []struct{ id, role, label string }{
		{"ann", "owner", "api-auth-permanent-error"},
		{"ann", "mute", "api-insufficient-rights"},
		{"admin-token", "admin", "api-login-error"},
		{"a\nb", "admin", "api-login-error"},
	} {
		p.who.ID, p.who.Role = who.id, who.role
		if f := failure(t, o.callback(anybody, "?code=1&state=x")); f.Label != who.label {
			t.Errorf("%v: got %+v", who, f)
		}
	}
	want := []string{
		"openid-connect - refused api-login-error 4", "openid-connect ann refused api-auth-permanent-error 1", "openid-connect ann refused api-insufficient-rights 1",
	}
	if got := o.noted(); !slices.Equal(got, want) {
		t.Errorf("noted %q", got)
	}
}

// TestMadeUpCallbacks: after a number of visits from an address the provider is
// not asked for a while, nor does a browser forget its login.
func TestMadeUpCallbacks(t *testing.T) {
	o, p := newClub(t)
	p.err = said(fault.Denied, oidc.CodeLogin, "Login error: no such code")
	for range 50 {
		o.callback(anybody, "?code=made-up&state=x")
	}
	p.err, p.asked = nil, 0
	if f := failure(t, o.callback(anybody, "?code=1&state=x")); f.Label != "api-login-limit" {
		t.Errorf("got %+v", f)
	}
	a := o.ask(anybody, "POST", "/auth/login?code=1&state=x", "").fails(http.StatusTooManyRequests, "api-login-limit")
	if a.header.Get("Retry-After") != "1" || len(cookies(a)) != 0 || p.asked != 0 {
		t.Errorf("got %v, and the provider was asked %d times", a.header, p.asked)
	}
	elsewhere := func(r *http.Request) { r.RemoteAddr = "198.51.100.9:1" }
	if o.callback(elsewhere, "?code=1&state=x").Get("token") == "" {
		t.Error("who is elsewhere does not get in")
	}
	o.now = o.now.Add(time.Second)
	if o.callback(anybody, "?code=1&state=x").Get("token") == "" || p.asked != 2 {
		t.Errorf("who waited does not get in; the provider was asked %d times", p.asked)
	}
	if got := o.noted(); !slices.Contains(got, "openid-connect - refused api-login-limit 2") {
		t.Errorf("noted %q", got)
	}
}

// TestSessionsAreRenewed: past half of its life a session is, by whatever request
// comes, and the answer has the token; a provider that is away ends nothing before
// its time, and one that says no ends it at once.
func TestSessionsAreRenewed(t *testing.T) {
	o, p := newClub(t)
	token := o.callback(anybody, "?code=1&state=x").Get("token")
	ask := func() answer { return o.ask(holding(token), "GET", "/api/v1/authorized", "") }
	asks := func(renewed int, header string) {
		t.Helper()
		a := ask()
		a.empty()
		if p.renewed != renewed || a.header.Get("Authorization") != header {
			t.Errorf("renewed %d times, header %q", p.renewed, a.header.Get("Authorization"))
		}
	}
	asks(0, "")
	o.now = o.now.Add(31 * time.Minute)
	o.role.active = false
	asks(0, "") // a standby cannot
	o.role.active = true
	p.err = said(fault.Unavailable, oidc.CodeTransient, "Transient authentication error: away")
	asks(1, "")
	asks(1, "") // not at each request
	p.err = nil
	o.now = o.now.Add(31 * time.Second)
	p.who.Secrets, p.who.ExpiresAt, p.who.RenewAfter = []byte("second"), o.now.Add(time.Hour), o.now.Add(30*time.Minute)
	p.who.Role = "admin"
	asks(2, "Bearer "+token)
	asks(2, "")
	o.ask(holding(token), "POST", "/api/v1/pubd/session_reset", "").ok() // in the new role

	p.err = said(fault.Unavailable, oidc.CodeTransient, "Transient authentication error: away")
	o.now = o.now.Add(61 * time.Minute)
	ask().fails(http.StatusUnauthorized, "api-auth-transient-error")
	if p.secrets != "second" {
		t.Errorf("asked with %s", p.secrets)
	}
	o.role.active = false
	ask().fails(http.StatusServiceUnavailable, "sys-unavailable")
	o.role.active = true
	p.err = nil
	p.who.ExpiresAt, p.who.RenewAfter = o.now.Add(time.Hour), o.now.Add(30*time.Minute)
	asks(4, "Bearer "+token)

	o.now = o.now.Add(31 * time.Minute)
	p.err = said(fault.Denied, oidc.CodeExpired, "Session expired: the provider ended it")
	ask().fails(http.StatusUnauthorized, "api-auth-session-expired")
	p.err = nil
	ask().fails(http.StatusForbidden, "api-insufficient-rights")
}

// TestARenewalIsNotLost: the provider may take its time, since what it answers
// replaces what the session had, and what is wrong with the provider for a while
// ends no session.
func TestARenewalIsNotLost(t *testing.T) {
	o, p := newClub(t)
	token := o.callback(anybody, "?code=1&state=x").Get("token")
	o.now = o.now.Add(31 * time.Minute)
	p.err = said(fault.Denied, oidc.CodePermanent, "Authentication error: the provider does not know this client")
	o.ask(holding(token), "GET", "/api/v1/authorized", "").empty()
	if p.renewed != 1 || p.hurried {
		t.Errorf("renewed %d times, hurried: %v", p.renewed, p.hurried)
	}
	o.now = o.now.Add(28 * time.Minute)
	p.err = nil
	p.who.ExpiresAt, p.who.RenewAfter = o.now.Add(time.Hour), o.now.Add(30*time.Minute)
	o.ask(holding(token), "GET", "/api/v1/authorized", "").empty()
	o.now = o.now.Add(10 * time.Minute)
	o.ask(holding(token), "GET", "/api/v1/authorized", "").empty()
}

// TestSessionsThatCannotBeRenewed end in time, also if the provider takes the
// user for somebody else.
func TestSessionsThatCannotBeRenewed(t *testing.T) {
	o, p := newClub(t)
	swapped := o.callback(anybody, "?code=1&state=x").Get("token")
	p.who.RenewAfter = time.Time{}
	short := o.callback(anybody, "?code=1&state=x").Get("token")
	o.now = o.now.Add(59 * time.Minute)
	o.ask(holding(short), "GET", "/api/v1/authorized", "").empty()
	p.who.ID = "bob@example.com"
	o.ask(holding(swapped), "GET", "/api/v1/authorized", "").fails(http.StatusUnauthorized, "api-auth-session-expired")
	o.ask(holding(swapped), "GET", "/api/v1/authorized", "").fails(http.StatusForbidden, "api-insufficient-rights")
	o.now = o.now.Add(time.Minute)
	o.ask(holding(short), "GET", "/api/v1/authorized", "").fails(http.StatusUnauthorized, "api-auth-session-expired")
	if p.renewed != 1 {
		t.Errorf("renewed %d times", p.renewed)
	}
}
