package oidc_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"baleen/internal/fault"
	"baleen/internal/oidc"
	"baleen/internal/testkeys"
)

const (
	clientID     = "baleen client"
	clientSecret = "s3cr3t:%+&"
	serviceURI   = "https://ca.example.net/"
)

var epoch = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

type object = map[string]any

// idp is an OpenID Connect provider of our own: unlike a good one it can be told
// to do everything wrong. It is strict with its client.
type idp struct {
	*httptest.Server
	t    *testing.T
	keys map[string]*rsa.PrivateKey

	mu       sync.Mutex
	now      time.Time
	metadata object                       // what differs from the usual
	claims   object                       // of the ID token: what differs from the usual; nil removes
	token    object                       // of the token endpoint's answer, likewise
	userInfo object                       // nil: as {sub}
	sign     func(claims object) string   // how ID tokens are signed
	instead  map[string]http.HandlerFunc  // by path
	codes    map[string]url.Values        // unused codes, with the authorization request
	refresh  map[string]bool              // good refresh tokens
	asked    map[string]int               // requests by path
	revoked  []string                     // tokens
	auth     func(r *http.Request) string // how the client must say who it is; "" is good
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	next := testkeys.Source(t)
	p := &idp{t: t, now: epoch, keys: map[string]*rsa.PrivateKey{}, instead: map[string]http.HandlerFunc{}, codes: map[string]url.Values{}, refresh: map[string]bool{}, asked: map[string]int{}}
	for _, name := range []string{"known", "unknown"} {
		key, err := next()
		if err != nil {
			t.Fatal(err)
		}
		p.keys[name] = key
	}
	p.metadata, p.claims, p.token = object{}, object{}, object{}
	p.sign = func(claims object) string { return jwt("RS256", "known", claims, p.keys["known"]) }
	p.auth = basic
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	instead := p.instead[r.URL.Path]
	p.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer(w, http.StatusOK, merge(object{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"userinfo_endpoint": p.URL + "/userinfo", "scopes_supported": []string{"openid", "email"}, "response_modes_supported": []string{"query", "fragment"},
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256"}, "code_challenge_methods_supported": []string{"plain", "S256"},
		}, p.metadata))
	case "/keys":
		answer(w, http.StatusOK, object{"keys": []object{{"kty": "OKP", "crv": "Ed448", "x": "AAAA", "kid": "other"}, p.jwk("known")}})
	case "/token":
		p.serveToken(w, r)
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer access-1" {
			answer(w, http.StatusUnauthorized, object{"error": "invalid_token"})
			return
		}
		answer(w, http.StatusOK, merge(object{"sub": "user-1"}, p.userInfo))
	case "/revoke":
		if problem := p.auth(r); problem != "" {
			answer(w, http.StatusUnauthorized, object{"error": "invalid_client"})
			return
		}
		p.revoked = append(p.revoked, r.PostFormValue("token_type_hint")+" "+r.PostFormValue("token"))
	default:
		http.NotFound(w, r)
	}
}

func (p *idp) serveToken(w http.ResponseWriter, r *http.Request) {
	if problem := p.auth(r); problem != "" {
		answer(w, http.StatusUnauthorized, object{"error": "invalid_client", "error_description": problem})
		return
	}
	refuse := func(why string) {
		answer(w, http.StatusBadRequest, object{"error": "invalid_grant", "error_description": why})
	}
	claims := object{"iss": p.URL, "aud": clientID, "sub": "user-1", "iat": p.now.Unix(), "exp": p.now.Add(5 * time.Minute).Unix(), "email": "joe@example.net", "role": "admin"}
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		asked := p.codes[r.PostFormValue("code")]
		delete(p.codes, r.PostFormValue("code"))
		challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		switch {
		case asked == nil:
			refuse("no such code")
			return
		case r.PostFormValue("redirect_uri") != asked.Get("redirect_uri"):
			refuse("another redirect_uri")
			return
		case asked.Get("code_challenge") != "" && asked.Get("code_challenge") != b64(challenge[:]), asked.Get("code_challenge") == "" && r.PostForm.Has("code_verifier"):
			refuse("another code_verifier")
			return
		}
		claims["nonce"] = asked.Get("nonce")
	case "refresh_token":
		if !p.refresh[r.PostFormValue("refresh_token")] {
			refuse("no such refresh token")
			return
		}
		delete(p.refresh, r.PostFormValue("refresh_token"))
	default:
		answer(w, http.StatusBadRequest, object{"error": "unsupported_grant_type"})
		return
	}
	refresh := fmt.Sprintf("refresh-%d", p.asked["/token"])
	p.refresh[refresh] = true
	answer(w, http.StatusOK, merge(object{
		"access_token": "access-1", "token_type": "Bearer", "expires_in": 600, "refresh_token": refresh, "id_token": p.sign(merge(claims, p.claims)),
	}, p.token))
}

// browser goes where a login sends it, as a user who logs in, and comes back.
func (p *idp) browser(address string, flow oidc.Flow) *http.Request {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	query := u.Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": clientID, "redirect_uri": serviceURI + "auth/callback"} {
		if got := query[name]; len(got) != 1 || got[0] != want {
			p.t.Errorf("authorization request: %s is %q, want %q", name, got, want)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := rand.Text()
	p.codes[code] = query
	back := httptest.NewRequest(http.MethodGet, query.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {query.Get("state")}}.Encode(), nil)
	for _, c := range flow.Cookies() {
		back.AddCookie(c)
	}
	return back
}

func (p *idp) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *idp) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

func (p *idp) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// client is the one that is tested, at this provider.
func (p *idp) client(change func(*oidc.Config)) *oidc.Provider {
	p.t.Helper()
	c := p.config()
	if change != nil {
		change(&c)
	}
	made, err := oidc.New(c, p.clock, slog.New(slog.DiscardHandler))
	if err != nil {
		p.t.Fatal(err)
	}
	return made
}

func (p *idp) config() oidc.Config {
	return oidc.Config{IssuerURL: p.URL, ClientID: clientID, ClientSecret: clientSecret, ServiceURI: serviceURI, Timeout: time.Minute}
}

// login is a whole login.
func (p *idp) login(client *oidc.Provider) (oidc.Identity, error) {
	p.t.Helper()
	address, flow, err := client.Begin(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return client.Finish(p.t.Context(), oidc.ReadCallback(p.browser(address, flow)))
}

func (p *idp) jwk(name string) object {
	key := p.keys[name]
	return object{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": name, "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
}

// basic wants RFC 6749 section 2.3.1: Basic with both parts form-encoded.
func basic(r *http.Request) string {
	user, password, _ := r.BasicAuth()
	if user != url.QueryEscape(clientID) || password != url.QueryEscape(clientSecret) {
		return "bad credentials"
	}
	if r.PostFormValue("client_secret") != "" {
		return "the secret twice"
	}
	return ""
}

// post wants the credentials in the body.
func post(r *http.Request) string {
	if _, _, ok := r.BasicAuth(); ok || r.PostFormValue("client_id") != clientID || r.PostFormValue("client_secret") != clientSecret {
		return "bad credentials"
	}
	return ""
}

// jwt makes a token by hand: not with the library that reads it.
func jwt(alg, kid string, claims object, key *rsa.PrivateKey) string {
	head, err := json.Marshal(object{"alg": alg, "kid": kid, "typ": "JWT"})
	if err != nil {
		panic(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	signed := b64(head) + "." + b64(body)
	if key == nil {
		return signed + "."
	}
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + b64(signature)
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// merge lays changes over what is usual; nil removes a member.
func merge(usual, changes object) object {
	merged := maps.Clone(usual)
	maps.Copy(merged, changes)
	maps.DeleteFunc(merged, func(_ string, v any) bool { return v == nil })
	return merged
}

func answer(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(err)
	}
}

// text answers with anything.
func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// wantFault checks code, kind and that a part of the message is there, and that
// no secret is, whichever way the error is printed.
func wantFault(t *testing.T, err error, code, part string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s with %q", code, part)
	}
	kinds := map[string]fault.Kind{
		oidc.CodeLogin: fault.Denied, oidc.CodeIncomplete: fault.Denied, oidc.CodeExpired: fault.Denied,
		oidc.CodePermanent: fault.Invalid, oidc.CodeTransient: fault.Unavailable,
	}
	if fault.Code(err) != code || fault.Of(err) != kinds[code] || !strings.Contains(err.Error(), part) {
		t.Errorf("got %s %s %q, want %s with %q", fault.Of(err), fault.Code(err), err, code, part)
	}
	for chain := []error{err}; len(chain) > 0; chain = chain[1:] {
		if wrapped, ok := chain[0].(interface{ Unwrap() error }); ok && wrapped.Unwrap() != nil {
			chain = append(chain, wrapped.Unwrap())
		}
		for _, secret := range []string{clientSecret, url.QueryEscape(clientSecret), "access-1", "refresh-", "ey" + "J"} {
			if shown := fmt.Sprintf("%v %+v %#v", chain[0], chain[0], chain[0]); strings.Contains(shown, secret) {
				t.Errorf("the error shows %q: %s", secret, shown)
			}
		}
	}
}
