package oidc_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"baleen/internal/oidc"
	"baleen/internal/testkeys"
)

func TestLogin(t *testing.T) {
	p := newIDP(t)
	client := p.client(func(c *oidc.Config) {
		c.ExtraLoginScopes = []string{"groups", "email"}
		c.ExtraLoginParams = map[string]string{"hd": "example.net"}
	})
	if n := p.count("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("making the client asked the provider %d times", n)
	}
	address, flow, err := client.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	for name, want := range map[string]string{"scope": "openid email groups", "prompt": "login", "hd": "example.net", "code_challenge_method": "S256"} {
		if got := query.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, kept := range []string{flow.Nonce, flow.CSRFHash} {
		if strings.Contains(address, kept) {
			t.Errorf("the provider sees what only the browser may have: %s", address)
		}
	}
	got, err := client.Finish(t.Context(), oidc.ReadCallback(p.browser(address, flow)))
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "joe@example.net" || got.Role != "admin" || !got.ExpiresAt.Equal(epoch.Add(10*time.Minute)) || !got.RenewAfter.Equal(epoch.Add(5*time.Minute)) {
		t.Errorf("got %+v", got)
	}
	var secrets map[string]string
	if err := json.Unmarshal(got.Secrets, &secrets); err != nil || secrets["access_token"] != "access-1" || secrets["refresh_token"] == "" || secrets["id_token"] == "" {
		t.Errorf("secrets: %v, %v", secrets, err)
	}
	if n := p.count("/userinfo"); n != 0 {
		t.Errorf("no rule needed the userinfo endpoint, and it was asked %d times", n)
	}
}

func TestLoginWithoutOptions(t *testing.T) {
	p := newIDP(t)
	p.metadata = object{"code_challenge_methods_supported": nil, "scopes_supported": nil, "response_modes_supported": nil, "token_endpoint_auth_methods_supported": []string{"client_secret_post"}}
	p.auth = post
	p.token = object{"expires_in": nil, "refresh_token": nil}
	no := false
	client := p.client(func(c *oidc.Config) {
		c.PromptForLogin = &no
		c.IssuerURL = p.URL + "/.well-known/openid-configuration"
	})
	address, flow, err := client.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{"prompt=", "code_challenge", "email"} {
		if strings.Contains(address, absent) {
			t.Errorf("%s is in %s", absent, address)
		}
	}
	got, err := client.Finish(t.Context(), oidc.ReadCallback(p.browser(address, flow)))
	if err != nil {
		t.Fatal(err)
	}
	if !got.ExpiresAt.Equal(epoch.Add(time.Hour)) || !got.RenewAfter.IsZero() {
		t.Errorf("got %v, %v", got.ExpiresAt, got.RenewAfter)
	}
}

// The same with a provider that others wrote.
func TestLoginAtAnotherProvider(t *testing.T) {
	key, err := testkeys.Source(t)()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mockoidc.NewServer(key)
	if err != nil {
		t.Fatal(err)
	}
	err = m.AddMiddleware(func(next http.Handler) http.Handler { // it offers Basic, and does not read it
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, ok := r.BasicAuth(); ok && r.ParseForm() == nil {
				r.Form.Set("client_id", user)
				r.Form.Set("client_secret", password)
			}
			next.ServeHTTP(w, r)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(at, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	made := newIDP(t).client(func(c *oidc.Config) {
		c.IssuerURL, c.ClientID, c.ClientSecret = m.Issuer(), m.ClientID, oidc.Secret(m.ClientSecret)
		c.ExtraLoginScopes = []string{"groups"}
		c.RoleClaims = []oidc.ClaimRule{{Claim: "groups", Match: "^des(.*)$", Subst: ptr("read$1")}}
	})
	oidc.SetClock(made, time.Now)
	address, flow, err := made.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	back := httptest.NewRequest(http.MethodGet, res.Header.Get("Location"), nil)
	for _, c := range flow.Cookies() {
		back.AddCookie(c)
	}
	got, err := made.Finish(t.Context(), oidc.ReadCallback(back))
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "jane.doe@example.com" || got.Role != "readign" {
		t.Errorf("got %s, %s", got.ID, got.Role)
	}
	if got, err = made.Renew(t.Context(), got.Secrets); err != nil || got.Role != "readign" {
		t.Errorf("renewed: %+v, %v", got, err)
	}
}

func TestCookies(t *testing.T) {
	flow := oidc.Flow{Nonce: "n", CSRFHash: "c"}
	var set []string
	for _, c := range append(flow.Cookies(), oidc.ClearCookies()...) {
		set = append(set, c.String())
	}
	want := []string{
		"__Host-baleen_login_nonce=n; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax",
		"__Host-baleen_login_csrf_hash=c; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax",
		"__Host-baleen_login_nonce=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"__Host-baleen_login_csrf_hash=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
	}
	if !slices.Equal(set, want) {
		t.Errorf("got %q, want %q", set, want)
	}
}

// What comes back must be the answer to what this browser asked, once.
func TestCallbackOfAnotherLogin(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	address, flow, err := client.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := client.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fails := func(name string, change func(*oidc.Callback), code, part string) {
		back := oidc.ReadCallback(p.browser(address, flow))
		change(&back)
		_, err := client.Finish(t.Context(), back)
		t.Log(name)
		wantFault(t, err, code, part)
	}
	before := p.count("/token")
	fails("no code", func(b *oidc.Callback) { b.Code = "" }, oidc.CodeIncomplete, "Request is not RFC-6749 section 4.1.2 compliant")
	fails("no state", func(b *oidc.Callback) { b.State = "" }, oidc.CodeIncomplete, "RFC-6749")
	fails("no nonce cookie", func(b *oidc.Callback) { b.Nonce = "" }, oidc.CodeIncomplete, "with cookies allowed")
	fails("no state cookie", func(b *oidc.Callback) { b.CSRFHash = "" }, oidc.CodeIncomplete, "RFC-6749")
	fails("endless", func(b *oidc.Callback) { b.Code = strings.Repeat("x", 9000) }, oidc.CodeIncomplete, "RFC-6749")
	fails("another state", func(b *oidc.Callback) { b.State += "x" }, oidc.CodeLogin, "belongs to another login")
	fails("state is the hash", func(b *oidc.Callback) { b.State = b.CSRFHash }, oidc.CodeLogin, "belongs to another login")
	fails("another browser", func(b *oidc.Callback) { b.CSRFHash = other.CSRFHash }, oidc.CodeLogin, "belongs to another login")
	fails("another provider", func(b *oidc.Callback) { b.Issuer = "https://other.example.net" }, oidc.CodeLogin, "another provider")
	if n := p.count("/token"); n != before {
		t.Errorf("the provider was asked for tokens %d times", n-before)
	}
	fails("another nonce", func(b *oidc.Callback) { b.Nonce = other.Nonce }, oidc.CodeLogin, "code_verifier")
	p.change(func() { p.metadata["code_challenge_methods_supported"], p.now = nil, p.now.Add(2*time.Minute) })
	if address, flow, err = client.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.change(func() {
		p.metadata["authorization_response_iss_parameter_supported"], p.now = true, p.now.Add(2*time.Minute)
	})
	fails("no provider", func(*oidc.Callback) {}, oidc.CodeLogin, "another provider")
	p.change(func() {
		p.metadata["authorization_response_iss_parameter_supported"], p.now = nil, p.now.Add(2*time.Minute)
	})
	fails("another nonce, without PKCE", func(b *oidc.Callback) { b.Nonce = other.Nonce }, oidc.CodeLogin, "belongs to another login")

	back := oidc.ReadCallback(p.browser(address, flow))
	if _, err := client.Finish(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	_, err = client.Finish(t.Context(), back)
	wantFault(t, err, oidc.CodeLogin, "no such code")
}

// A provider may send the browser back with an error instead of a code (RFC 6749
// section 4.1.2.1); it counts only with the right state.
func TestProviderRefuses(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	address, flow, err := client.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for problem, code := range map[string]string{
		"access_denied": oidc.CodeLogin, "login_required": oidc.CodeLogin, "server_error": oidc.CodeTransient, "temporarily_unavailable": oidc.CodeTransient,
		"unauthorized_client": oidc.CodePermanent, "invalid_scope": oidc.CodePermanent,
	} {
		back := oidc.ReadCallback(p.browser(address, flow))
		back.Code, back.Error, back.ErrorDescription = "", problem, "because\r\nof\x1b[31m this"
		_, err := client.Finish(t.Context(), back)
		wantFault(t, err, code, "("+problem+": because  of[31m this)")
		back.State = "guessed"
		_, err = client.Finish(t.Context(), back)
		wantFault(t, err, oidc.CodeLogin, "belongs to another login")
	}
}

func ptr(s string) *string { return &s }
