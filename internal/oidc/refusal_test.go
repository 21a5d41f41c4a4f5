package oidc_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/internal/oidc"
)

// Every ID token that is refused, and why (OpenID Connect Core 1.0 section
// 3.1.3.7).
func TestIDTokenRefused(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	public, err := json.Marshal(p.jwk("known"))
	if err != nil {
		t.Fatal(err)
	}
	otherHash := sha256.Sum256([]byte("another access token"))
	tests := map[string]struct {
		claims object
		sign   func(object) string
		part   string
	}{
		"other issuer":             {claims: object{"iss": "https://other.example.net"}, part: "issued by a different provider"},
		"no issuer":                {claims: object{"iss": nil}, part: "issued by a different provider"},
		"other audience":           {claims: object{"aud": "other"}, part: "expected audience"},
		"no audience":              {claims: object{"aud": nil}, part: "expected audience"},
		"two audiences":            {claims: object{"aud": []string{clientID, "other"}}, part: "issued to another client"},
		"other authorized party":   {claims: object{"aud": []string{clientID, "other"}, "azp": "other"}, part: "issued to another client"},
		"expired":                  {claims: object{"exp": epoch.Add(-61 * time.Second).Unix()}, part: "expired at 2026-11-26T11:58:59Z"},
		"no expiry":                {claims: object{"exp": nil}, part: "expired"},
		"not yet":                  {claims: object{"nbf": epoch.Add(time.Hour).Unix()}, part: "not before"},
		"other nonce":              {claims: object{"nonce": "other"}, part: "belongs to another login"},
		"no nonce":                 {claims: object{"nonce": nil}, part: "belongs to another login"},
		"no subject":               {claims: object{"sub": nil}, part: "whom it is about"},
		"other access token":       {claims: object{"at_hash": b64(otherHash[:16])}, part: "the access token does not belong"},
		"no id claim":              {claims: object{"email": nil}, part: "no rule of id_claims matches"},
		"no role claim":            {claims: object{"role": nil}, part: "no rule of role_claims matches"},
		"role is an object":        {claims: object{"role": object{"name": "admin"}}, part: "no rule of role_claims matches"},
		"role is a list of none":   {claims: object{"role": []any{object{}, nil, []string{"admin"}}}, part: "no rule of role_claims matches"},
		"empty id":                 {claims: object{"email": ""}, part: "is empty"},
		"id not printable":         {claims: object{"email": "joe\n@example.net"}, part: "not printable"},
		"endless id":               {claims: object{"email": strings.Repeat("é", 257)}, part: "longer than 256 characters"},
		"bad signature":            {sign: func(c object) string { s := jwt("RS256", "known", c, p.keys["known"]); return s[:len(s)-6] + "AAAAAA" }, part: "not signed with a key"},
		"other key, same name":     {sign: func(c object) string { return jwt("RS256", "known", c, p.keys["unknown"]) }, part: "not signed with a key"},
		"other key":                {sign: func(c object) string { return jwt("RS256", "unknown", c, p.keys["unknown"]) }, part: "not signed with a key"},
		"claims of another":        {sign: func(c object) string { return swapped(jwt("RS256", "known", c, p.keys["known"]), c) }, part: "not signed with a key"},
		"algorithm none":           {sign: func(c object) string { return jwt("none", "", c, nil) }, part: "signature algorithm"},
		"algorithm None":           {sign: func(c object) string { return jwt("None", "", c, nil) }, part: "signature algorithm"},
		"no algorithm":             {sign: func(c object) string { return jwt("", "known", c, p.keys["known"]) }, part: "not valid"},
		"HS256 with public key":    {sign: func(c object) string { return hs256(c, public) }, part: "signature algorithm"},
		"HS256 with client secret": {sign: func(c object) string { return hs256(c, []byte(clientSecret)) }, part: "signature algorithm"},
		"ES256":                    {sign: func(c object) string { return jwt("ES256", "known", c, p.keys["known"]) }, part: "signature algorithm"},
		"garbage":                  {sign: func(object) string { return "garbage" }, part: "not valid"},
		"three parts of garbage":   {sign: func(object) string { return "a.b.c" }, part: "not valid"},
		"claims are no object":     {sign: func(object) string { return jwt("RS256", "known", nil, p.keys["known"]) }, part: ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			usual := p.sign
			p.change(func() {
				p.claims = test.claims
				if test.sign != nil {
					p.sign = test.sign
				}
			})
			defer p.change(func() { p.sign = usual })
			_, err := p.login(client)
			wantFault(t, err, oidc.CodeLogin, test.part)
		})
	}
	p.change(func() { p.claims = nil })
	if _, err := p.login(client); err != nil {
		t.Errorf("the next login: %v", err)
	}
}

// swapped puts other claims under a signature.
func swapped(token string, claims object) string {
	parts := strings.Split(token, ".")
	body, err := json.Marshal(merge(claims, object{"role": "admin", "email": "eve@example.net"}))
	if err != nil {
		panic(err)
	}
	return parts[0] + "." + b64(body) + "." + parts[2]
}

func hs256(claims object, key []byte) string {
	unsigned := strings.TrimSuffix(jwt("HS256", "known", claims, nil), ".")
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(unsigned))
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// What a good provider may also say.
func TestIDTokenTaken(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	for name, claims := range map[string]object{
		"expired within the skew":   {"exp": epoch.Add(-59 * time.Second).Unix()},
		"one audience in a list":    {"aud": []string{clientID}},
		"two audiences, we asked":   {"aud": []string{clientID, "other"}, "azp": clientID},
		"number with fraction":      {"exp": float64(epoch.Add(time.Minute).Unix()) + 0.5},
		"hash of the access token":  {"at_hash": halfHash("access-1")},
		"longest id, not in ASCII":  {"email": strings.Repeat("é", 256)},
		"groups of all kinds":       {"groups": []any{1, true, nil, "x", object{}}},
		"not before, within 4 min.": {"nbf": epoch.Add(3 * time.Minute).Unix()},
	} {
		p.change(func() { p.claims = claims })
		if _, err := p.login(client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func halfHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return b64(sum[:16])
}

// Without verification of signatures all else is still checked.
func TestInsecure(t *testing.T) {
	p := newIDP(t)
	client := p.client(func(c *oidc.Config) { c.Insecure = true })
	for _, sign := range []func(object) string{
		func(c object) string { return jwt("RS256", "unknown", c, p.keys["unknown"]) },
		func(c object) string { return jwt("none", "", c, nil) },
		func(c object) string { return hs256(c, []byte("anything")) },
	} {
		p.change(func() { p.sign, p.claims = sign, nil })
		if _, err := p.login(client); err != nil {
			t.Error(err)
		}
		p.change(func() { p.claims = object{"aud": "other"} })
		_, err := p.login(client)
		wantFault(t, err, oidc.CodeLogin, "expected audience")
		p.change(func() { p.claims = object{"nonce": "other"} })
		_, err = p.login(client)
		wantFault(t, err, oidc.CodeLogin, "belongs to another login")
	}
	if n := p.count("/keys"); n != 0 {
		t.Errorf("keys were asked for %d times", n)
	}
}

// Every endpoint that answers with something else than it should, or not at all.
func TestAnswersRefused(t *testing.T) {
	huge := text(http.StatusOK, `{"x":"`+strings.Repeat("x", 600<<10)+`"}`)
	moved := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	ask := []oidc.ClaimRule{{Source: oidc.SourceUserInfo, Claim: "role"}}
	discovery := "/.well-known/openid-configuration"
	tests := []struct {
		path       string
		instead    http.HandlerFunc
		code, part string
	}{
		{discovery, text(404, "nothing here"), oidc.CodePermanent, "status 404 Not Found (discovery)"},
		{discovery, text(503, ""), oidc.CodeTransient, "status 503"},
		{discovery, text(429, ""), oidc.CodeTransient, "try again later"},
		{discovery, moved, oidc.CodePermanent, "status 302 Found"},
		{discovery, hangUp, oidc.CodeTransient, "cannot be reached (discovery)"},
		{discovery, huge, oidc.CodePermanent, "too long (discovery)"},
		{discovery, text(200, "<html>"), oidc.CodePermanent, "check issuer_url"},
		{discovery, text(200, "[]"), oidc.CodePermanent, "no JSON object"},
		{discovery, text(200, "null"), oidc.CodePermanent, "names no issuer"},
		{discovery, text(200, `{"issuer":7}`), oidc.CodePermanent, "no JSON object"},
		{discovery, text(200, `{"issuer":"https://other.example.net"}`), oidc.CodePermanent, `calls itself "https://other.example.net"`},
		{"/token", text(200, `{"token_type":"Bearer","refresh_token":"refresh-1"}`), oidc.CodePermanent, "holds no tokens"},
		{"/token", text(200, `{"access_token":"access-1","token_type":"Bearer"}`), oidc.CodePermanent, "gave no ID token"},
		{"/token", text(200, `{"access_token":["access-1"]}`), oidc.CodePermanent, "holds no tokens"},
		{"/token", text(200, `access-1`), oidc.CodePermanent, "holds no tokens"},
		{"/token", text(200, `{"error":"invalid_grant"}`), oidc.CodeLogin, "log in again"},
		{"/token", text(400, `{"error":"unauthorized_client","error_description":"x`+strings.Repeat("x", 1000)+`"}`), oidc.CodePermanent, "check how it is registered"},
		{"/token", text(401, `{"error":"invalid_client"}`), oidc.CodePermanent, "client_id and client_secret"},
		{"/token", text(400, `{"error":"temporarily_unavailable"}`), oidc.CodeTransient, "try again later"},
		{"/token", text(500, "access-1"), oidc.CodeTransient, "status 500"},
		{"/token", text(403, "access-1"), oidc.CodePermanent, "status 403"},
		{"/token", moved, oidc.CodePermanent, "status 302"},
		{"/token", hangUp, oidc.CodeTransient, "cannot be reached (token endpoint)"},
		{"/token", huge, oidc.CodePermanent, "too long (token endpoint)"},
		{"/keys", text(503, "busy"), oidc.CodeTransient, "(keys)"},
		{"/keys", text(200, "garbage"), oidc.CodeTransient, "(keys)"},
		{"/keys", text(200, `{"keys":[]}`), oidc.CodeLogin, "not signed with a key"},
		{"/keys", moved, oidc.CodeTransient, "(keys)"},
		{"/keys", hangUp, oidc.CodeTransient, "cannot be reached (keys)"},
		{"/keys", huge, oidc.CodeTransient, "(keys)"},
		{"/userinfo", text(401, `{"access":"access-1"}`), oidc.CodePermanent, "status 401 Unauthorized (userinfo endpoint)"},
		{"/userinfo", text(200, `garbage access-1`), oidc.CodeLogin, "no JSON object"},
		{"/userinfo", text(200, `{"sub":"user-1"}{}`), oidc.CodeLogin, "no JSON object"},
		{"/userinfo", text(200, `{"sub":"user-2","role":"admin"}`), oidc.CodeLogin, "about another user"},
		{"/userinfo", text(200, `{"role":"admin"}`), oidc.CodeLogin, "about another user"},
		{"/userinfo", moved, oidc.CodePermanent, "status 302"},
		{"/userinfo", hangUp, oidc.CodeTransient, "cannot be reached (userinfo endpoint)"},
		{"/userinfo", huge, oidc.CodePermanent, "too long (userinfo endpoint)"},
	}
	p := newIDP(t)
	for _, test := range tests {
		t.Run(test.path+" "+test.part, func(t *testing.T) {
			client := p.client(func(c *oidc.Config) { c.RoleClaims = ask })
			p.change(func() { p.instead[test.path] = test.instead })
			defer p.change(func() { delete(p.instead, test.path) })
			address, flow, err := client.Begin(t.Context())
			if err == nil {
				_, err = client.Finish(t.Context(), oidc.ReadCallback(p.browser(address, flow)))
			}
			wantFault(t, err, test.code, test.part)
		})
	}
	if n := p.count("/elsewhere"); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// The log has what only the log may have, and nobody can flood it.
func TestLog(t *testing.T) {
	p := newIDP(t)
	var lines bytes.Buffer
	client, err := oidc.New(p.config(), p.clock, slog.New(slog.NewTextHandler(&lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.login(client)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = client.Finish(t.Context(), oidc.Callback{})
	if lines.Len() > 0 {
		t.Errorf("logged without need: %s", &lines)
	}
	p.change(func() { p.claims = object{"role": nil} })
	_, _ = p.login(client)
	p.Close()
	_, _ = client.Renew(t.Context(), id.Secrets)
	for range 50 {
		_, _ = client.Finish(t.Context(), oidc.Callback{Code: "x", State: "x", Nonce: "x", CSRFHash: "y"})
	}
	log := lines.String()
	for _, part := range []string{"no rule of role_claims matches", "a session could not be renewed", "connection refused", "belongs to another login", "issuer=" + p.URL} {
		if !strings.Contains(log, part) {
			t.Errorf("%q is not in the log: %s", part, log)
		}
	}
	if n := strings.Count(log, "\n"); n != 20 {
		t.Errorf("%d lines, want 20", n)
	}
	for _, secret := range []string{clientSecret, "access-1", "refresh-", "ey" + "J"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log: %s", secret, log)
		}
	}
	p.change(func() { p.now = p.now.Add(time.Minute) })
	_, _ = client.Finish(t.Context(), oidc.Callback{Code: "x", State: "x", Nonce: "x", CSRFHash: "y"})
	if n := strings.Count(lines.String(), "\n"); n != 21 {
		t.Errorf("%d lines a minute later, want 21", n)
	}
}

// A provider may repeat what it was told; nobody else does.
func TestSecretsAreNotRepeated(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	id, err := p.login(client)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	p.instead["/token"] = func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		told = append(told, r.PostFormValue("code"), r.PostFormValue("code_verifier"), r.PostFormValue("refresh_token"))
		answer(w, http.StatusBadRequest, object{"error": "invalid_request", "error_description": "not " + password + " " + clientSecret + " " + r.PostFormValue("code") +
			r.PostFormValue("code_verifier") + r.PostFormValue("refresh_token") + "!"})
	}
	_, first := p.login(client)
	_, second := client.Renew(t.Context(), id.Secrets)
	for _, err := range []error{first, second} {
		wantFault(t, err, oidc.CodePermanent, "invalid_request: not (secret) (secret) (secret)")
		for _, secret := range told {
			if secret != "" && strings.Contains(err.Error(), secret) {
				t.Errorf("%q is repeated: %v", secret, err)
			}
		}
	}
}

// A provider that says nothing is given up.
func TestSlowProvider(t *testing.T) {
	p := newIDP(t)
	ask := []oidc.ClaimRule{{Source: oidc.SourceUserInfo, Claim: "role"}}
	for _, path := range []string{"/.well-known/openid-configuration", "/token", "/keys", "/userinfo"} {
		client := p.client(func(c *oidc.Config) { c.RoleClaims, c.Timeout = ask, 200*time.Millisecond })
		p.change(func() {
			p.instead[path] = func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client is gone
				<-r.Context().Done()
			}
		})
		address, flow, err := client.Begin(t.Context())
		if err == nil {
			_, err = client.Finish(t.Context(), oidc.ReadCallback(p.browser(address, flow)))
		}
		wantFault(t, err, oidc.CodeTransient, "did not answer in time")
		p.change(func() { delete(p.instead, path) })
	}
}

func TestProviderAway(t *testing.T) {
	p := newIDP(t)
	client := p.client(nil)
	p.Close()
	_, _, err := client.Begin(t.Context())
	wantFault(t, err, oidc.CodeTransient, "cannot be reached (discovery): try again later")
}

// What a provider must have.
func TestProviderLacks(t *testing.T) {
	p := newIDP(t)
	for part, metadata := range map[string]object{
		"RS256":                    {"id_token_signing_alg_values_supported": []string{"ES256"}},
		"RS256 in":                 {"id_token_signing_alg_values_supported": nil},
		"openid in":                {"scopes_supported": []string{"email"}},
		"query in":                 {"response_modes_supported": []string{"form_post"}},
		"client_secret_basic or":   {"token_endpoint_auth_methods_supported": []string{"private_key_jwt"}},
		"authorization_endpoint w": {"authorization_endpoint": "javascript:alert(1)"},
		"token_endpoint with an":   {"token_endpoint": "http://idp.example.net/token"},
		"jwks_uri with an https a": {"jwks_uri": nil},
		"without a fragment":       {"authorization_endpoint": p.URL + "/authorize#x"},
	} {
		p.change(func() { p.metadata = metadata })
		_, _, err := p.client(nil).Begin(t.Context())
		wantFault(t, err, oidc.CodePermanent, part)
	}
}

// TLS counts everywhere but on this machine.
func TestTLSIsVerified(t *testing.T) {
	p := newIDP(t)
	p.metadata = object{"issuer": "https://example.com"}
	secured := httptest.NewUnstartedServer(p)
	secured.Config.ErrorLog = log.New(io.Discard, "", 0) // it is told of the refusal
	secured.StartTLS()
	t.Cleanup(secured.Close)
	begin := func(issuer string, roots ...string) error {
		client := p.client(func(c *oidc.Config) { c.IssuerURL, c.RootFiles = issuer, roots })
		oidc.DialAt(client, secured.Listener.Addr().String())
		_, _, err := client.Begin(t.Context())
		return err
	}
	wantFault(t, begin("https://example.com"), oidc.CodeTransient, "cannot be reached")
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := begin("https://example.com", roots); err != nil {
		t.Error(err)
	}
	p.change(func() { p.metadata["issuer"] = secured.URL })
	if err := begin(secured.URL); err != nil {
		t.Errorf("on this machine: %v", err)
	}
	if _, err := oidc.New(merged(p.config(), filepath.Join(t.TempDir(), "none")), time.Now, nil); err == nil {
		t.Error("a file of trust roots that is not there was not missed")
	}
}

func merged(c oidc.Config, root string) oidc.Config {
	c.RootFiles = []string{root}
	return c
}
