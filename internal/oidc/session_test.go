package oidc_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"baleen/internal/oidc"
)

const wellKnown = "/.well-known/openid-configuration"

// The provider is asked what it can do again when that is older than a minute
// and needed. While it is away what it said before is used.
func TestDiscoveryIsRefreshed(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	begin := func(after time.Duration, asked int) {
		t.Helper()
		p.change(func() { p.now = p.now.Add(after) })
		if _, _, err := client.Begin(t.Context()); err != nil {
			t.Error(err)
		}
		if n := p.count(wellKnown); n != asked {
			t.Errorf("asked %d times, want %d", n, asked)
		}
	}
	begin(0, 1)
	begin(59*time.Second, 1)
	begin(time.Second, 2)
	p.change(func() { p.instead[wellKnown] = text(http.StatusBadGateway, "") })
	begin(time.Minute, 3)
	begin(9*time.Second, 3)
	begin(time.Second, 4)
	p.change(func() { p.instead[wellKnown] = text(http.StatusOK, "garbage") })
	begin(23*time.Hour, 5)
	p.change(func() { p.now = p.now.Add(time.Hour) })
	_, _, err := client.Begin(t.Context())
	wantFault(t, err, oidc.CodePermanent, "check issuer_url")
	p.change(func() { delete(p.instead, wellKnown) })
	begin(0, 7)
	if n := p.count("/keys"); n != 0 {
		t.Errorf("keys were asked for %d times", n)
	}
	for range 2 {
		p.change(func() { p.now = p.now.Add(2 * time.Minute) })
		if _, err := p.login(client); err != nil {
			t.Error(err)
		}
	}
	if n := p.count("/keys"); n != 1 {
		t.Errorf("keys were asked for %d times, want 1", n)
	}
}

// A provider that is known is not waited for long before what it said is used.
func TestSlowDiscovery(t *testing.T) {
	p := newIDP(t)
	client := p.client(func(c *oidc.Config) { c.Timeout = 9 * time.Second })
	if _, err := p.login(client); err != nil {
		t.Fatal(err)
	}
	p.change(func() {
		p.now = p.now.Add(2 * time.Minute)
		p.instead[wellKnown] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	})
	if _, err := p.login(client); err != nil {
		t.Error(err)
	}
}

// A new key of the provider is noticed.
func TestKeysChange(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	if _, err := p.login(client); err != nil {
		t.Fatal(err)
	}
	p.change(func() {
		p.sign = func(c object) string { return jwt("RS256", "unknown", c, p.keys["unknown"]) }
		keys, err := json.Marshal(object{"keys": []object{p.jwk("unknown")}})
		if err != nil {
			t.Error(err)
		}
		p.instead["/keys"] = text(http.StatusOK, string(keys))
	})
	if _, err := p.login(client); err != nil {
		t.Error(err)
	}
}

// Many at once ask the provider once; who waits is not kept by one who gave up.
func TestDiscoveryIsShared(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	arrived, open := make(chan struct{}), make(chan struct{})
	p.instead[wellKnown] = func(w http.ResponseWriter, r *http.Request) {
		p.change(func() { delete(p.instead, wellKnown) })
		close(arrived)
		<-open
		p.ServeHTTP(w, r)
	}
	var all sync.WaitGroup
	begin := func() {
		if _, _, err := client.Begin(t.Context()); err != nil {
			t.Error(err)
		}
	}
	all.Go(begin)
	<-arrived
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := client.Begin(gone)
	wantFault(t, err, oidc.CodeTransient, "the request ended before")
	for range 5 {
		all.Go(begin)
	}
	close(open)
	all.Wait()
	if n := p.count(wellKnown); n != 2 { // the one that was held, handed on
		t.Errorf("asked %d times", n)
	}
}

func TestUserInfo(t *testing.T) {
	p := newIDP(t)
	p.claims, p.userInfo = object{"role": nil}, object{"role": "readonly", "email": "other@example.net"}
	got, err := p.login(p.client(nil))
	if err != nil || got.ID != "joe@example.net" || got.Role != "readonly" {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := p.count("/userinfo"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	signed := func(changes object) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt; charset=utf-8")
			_, _ = w.Write([]byte(jwt("RS256", "known", merge(object{"iss": p.URL, "aud": clientID, "sub": "user-1", "role": "signed"}, changes), p.keys["known"])))
		}
	}
	p.change(func() { p.instead["/userinfo"] = signed(nil) })
	if got, err = p.login(p.client(nil)); err != nil || got.Role != "signed" {
		t.Errorf("got %+v, %v", got, err)
	}
	p.change(func() { p.instead["/userinfo"] = signed(object{"aud": "other"}) })
	_, err = p.login(p.client(nil))
	wantFault(t, err, oidc.CodeLogin, "expected audience")
	p.change(func() { p.instead["/userinfo"] = signed(object{"sub": "user-2"}) })
	_, err = p.login(p.client(nil))
	wantFault(t, err, oidc.CodeLogin, "about another user")

	p.change(func() { p.metadata = object{"userinfo_endpoint": nil} })
	_, err = p.login(p.client(nil))
	wantFault(t, err, oidc.CodeLogin, "no rule of role_claims matches")
	p.change(func() { p.metadata = object{"userinfo_endpoint": "http://idp.example.net/userinfo"} })
	_, err = p.login(p.client(nil))
	wantFault(t, err, oidc.CodeLogin, "no rule of role_claims matches")
}

func TestRenew(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	first, err := p.login(client)
	if err != nil {
		t.Fatal(err)
	}
	p.change(func() { p.now, p.claims = p.now.Add(8*time.Minute), object{"role": "readonly"} })
	second, err := client.Renew(t.Context(), first.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	if second.ID != "joe@example.net" || second.Role != "readonly" || !second.ExpiresAt.Equal(epoch.Add(18*time.Minute)) || !second.RenewAfter.Equal(epoch.Add(13*time.Minute)) {
		t.Errorf("got %+v", second)
	}
	_, err = client.Renew(t.Context(), first.Secrets)
	wantFault(t, err, oidc.CodeExpired, "the OpenID Connect provider ended it: log in again")

	p.change(func() { p.token = object{"id_token": nil, "refresh_token": nil} })
	third, err := client.Renew(t.Context(), second.Secrets)
	if err != nil || third.Role != "readonly" || third.ID != "joe@example.net" {
		t.Errorf("got %+v, %v", third, err)
	}
	if was, is := member(t, second.Secrets, "refresh_token"), member(t, third.Secrets, "refresh_token"); was != is {
		t.Errorf("the refresh token that goes on being good is lost: %q, %q", was, is)
	}
}

func member(t *testing.T, secrets []byte, name string) string {
	t.Helper()
	var all map[string]string
	if err := json.Unmarshal(secrets, &all); err != nil {
		t.Fatal(err)
	}
	return all[name]
}

func TestRenewalRefused(t *testing.T) {
	p := newIDP(t)
	usual := p.sign
	tests := map[string]struct {
		change     func()
		code, part string
	}{
		"role lost":       {func() { p.claims = object{"role": nil} }, oidc.CodeExpired, "does not vouch for the user any more"},
		"other user":      {func() { p.claims = object{"sub": "user-2"} }, oidc.CodeExpired, "for another user"},
		"other nonce":     {func() { p.claims = object{"nonce": "other"} }, oidc.CodeExpired, "for another user"},
		"other id":        {func() { p.claims = object{"email": "jane@example.net"} }, oidc.CodeExpired, "called otherwise now"},
		"not signed":      {func() { p.sign = func(c object) string { return jwt("none", "", c, nil) } }, oidc.CodeExpired, "does not vouch"},
		"client unknown":  {func() { p.auth = func(*http.Request) string { return "who?" } }, oidc.CodePermanent, "client_id and client_secret (invalid_client: who?)"},
		"provider sick":   {func() { p.instead["/token"] = text(500, "") }, oidc.CodeTransient, "status 500"},
		"provider busy":   {func() { p.instead["/token"] = text(400, `{"error":"temporarily_unavailable"}`) }, oidc.CodeTransient, "try again later"},
		"session revoked": {func() { p.instead["/token"] = text(400, `{"error":"invalid_grant"}`) }, oidc.CodeExpired, "ended it"},
		"garbage":         {func() { p.instead["/token"] = text(200, `refresh-1`) }, oidc.CodePermanent, "holds no tokens"},
		"userinfo away": {func() {
			p.claims, p.instead["/userinfo"] = object{"role": nil}, text(502, "")
		}, oidc.CodeTransient, "status 502"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p.change(func() { p.claims, p.sign, p.auth = nil, usual, basic; clear(p.instead) })
			client := p.client(nil)
			id, err := p.login(client)
			if err != nil {
				t.Fatal(err)
			}
			p.change(test.change)
			_, err = client.Renew(t.Context(), id.Secrets)
			wantFault(t, err, test.code, test.part)
		})
	}
	client := p.client(nil)
	for _, secrets := range []string{"", "{}", "null", "garbage", `{"id":"joe","role":"admin"}`} {
		_, err := client.Renew(t.Context(), []byte(secrets))
		wantFault(t, err, oidc.CodeExpired, "cannot be read: log in again")
	}
	_, err := client.Renew(t.Context(), []byte(`{"id":"joe","role":"admin","access_token":"x"}`))
	wantFault(t, err, oidc.CodeExpired, "nothing to renew it with")
}

// handler answers requests within the process.
type handler struct{ http.Handler }

func (h handler) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// A refresh token is good once: whoever asks at the same time gets the same
// answer, and whoever goes away does not take it along.
func TestRenewalsAtTheSameTime(t *testing.T) {
	p := newIDP(t)
	id, err := p.login(p.client(nil))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		client := p.client(nil)
		oidc.SetTransport(client, handler{p})
		open := make(chan struct{})
		p.instead["/token"] = func(w http.ResponseWriter, r *http.Request) {
			p.change(func() { delete(p.instead, "/token") })
			<-open
			p.ServeHTTP(w, r)
		}
		leaving, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		renew := func(ctx context.Context) {
			if _, err := client.Renew(ctx, id.Secrets); err != nil {
				t.Error(err)
			}
		}
		all.Go(func() { renew(leaving) })
		synctest.Wait()
		leave()
		for range 5 {
			all.Go(func() { renew(t.Context()) })
		}
		synctest.Wait()
		close(open)
		all.Wait()
	})
}

// The table of Logout.
func TestLogout(t *testing.T) {
	const configured = "https://intranet.example.net/bye"
	tests := map[string]struct {
		logoutURL          string
		revocation, ending bool
		want               string
		revoked            bool
	}{
		"nothing":                     {want: serviceURI},
		"revocation":                  {revocation: true, want: serviceURI, revoked: true},
		"end of session":              {ending: true, want: "end"},
		"both":                        {revocation: true, ending: true, want: "end"},
		"configured":                  {logoutURL: configured, want: configured},
		"configured, end of session":  {logoutURL: configured, ending: true, want: configured},
		"configured, revocation":      {logoutURL: configured, revocation: true, want: configured, revoked: true},
		"configured, and all of them": {logoutURL: configured, revocation: true, ending: true, want: configured, revoked: true},
	}
	p := newIDP(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p.change(func() {
				p.revoked, p.metadata = nil, object{}
				if test.revocation {
					p.metadata["revocation_endpoint"] = p.URL + "/revoke"
				}
				if test.ending {
					p.metadata["end_session_endpoint"] = p.URL + "/end?realm=x"
				}
			})
			client := p.client(func(c *oidc.Config) { c.LogoutURL = test.logoutURL })
			id, err := p.login(client)
			if err != nil {
				t.Fatal(err)
			}
			got, err := client.Logout(t.Context(), id.Secrets)
			if err != nil {
				t.Error(err)
			}
			want := test.want
			if want == "end" {
				want = p.URL + "/end?" + url.Values{"realm": {"x"}, "post_logout_redirect_uri": {serviceURI}, "id_token_hint": {member(t, id.Secrets, "id_token")}}.Encode()
			}
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			var revoked []string
			if test.revoked {
				revoked = []string{"refresh_token " + member(t, id.Secrets, "refresh_token")}
			}
			if !slices.Equal(p.revoked, revoked) {
				t.Errorf("revoked %q, want %q", p.revoked, revoked)
			}
		})
	}
}

// Logout always says where to go, whatever happens at the provider.
func TestLogoutGoesOn(t *testing.T) {
	p := newIDP(t)
	p.metadata = object{"revocation_endpoint": p.URL + "/revoke", "revocation_endpoint_auth_methods_supported": []string{"client_secret_post"}}
	p.token = object{"refresh_token": nil}
	client := p.client(nil)
	id, err := p.login(client)
	if err != nil {
		t.Fatal(err)
	}
	logout := func(secrets []byte, code, part string) {
		t.Helper()
		got, err := client.Logout(t.Context(), secrets)
		if got != serviceURI {
			t.Errorf("got %q", got)
		}
		if code != "" {
			wantFault(t, err, code, part)
		} else if err != nil {
			t.Error(err)
		}
	}
	logout(id.Secrets, oidc.CodePermanent, "status 401 Unauthorized (revocation endpoint)")
	p.change(func() { p.auth = post })
	logout(id.Secrets, "", "")
	if want := []string{"access_token access-1"}; !slices.Equal(p.revoked, want) {
		t.Errorf("revoked %q, want %q", p.revoked, want)
	}
	logout([]byte("garbage"), oidc.CodeExpired, "cannot be read")
	p.change(func() { p.instead["/revoke"] = text(503, "") })
	logout(id.Secrets, oidc.CodeTransient, "status 503")
	p.change(func() {
		p.now, p.metadata["revocation_endpoint"], p.metadata["end_session_endpoint"] = p.now.Add(time.Hour), "http://idp.example.net/revoke", "http://idp.example.net/end"
	})
	logout(id.Secrets, "", "")
	p.Close()
	client = p.client(nil)
	logout(id.Secrets, oidc.CodeTransient, "cannot be reached")
}
