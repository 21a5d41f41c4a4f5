package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	openid "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	refreshAfter = time.Minute      // what a provider says of itself is asked for again when it is older than this and needed
	retryAfter   = 10 * time.Second // not before, if that failed
	staleAfter   = 24 * time.Hour   // what is older than this is not used any more
)

// metadata is what a provider says of itself (OpenID Connect Discovery 1.0
// section 3, RFC 8414 section 2).
type metadata struct {
	Issuer            string   `json:"issuer"`
	AuthorizationURL  string   `json:"authorization_endpoint"`
	TokenURL          string   `json:"token_endpoint"`
	KeysURL           string   `json:"jwks_uri"`
	UserInfoURL       string   `json:"userinfo_endpoint"`
	RevocationURL     string   `json:"revocation_endpoint"`
	EndSessionURL     string   `json:"end_session_endpoint"`
	Scopes            []string `json:"scopes_supported"`
	ResponseModes     []string `json:"response_modes_supported"`
	SigningAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	ChallengeMethods  []string `json:"code_challenge_methods_supported"`
	TokenAuthMethods  []string `json:"token_endpoint_auth_methods_supported"`
	NamesIssuer       bool     `json:"authorization_response_iss_parameter_supported"`
	RevokeAuthMethods []string `json:"revocation_endpoint_auth_methods_supported"`

	ignored []string // endpoints whose address is not safe to use
}

// provider is a metadata that was checked, ready to use.
type provider struct {
	metadata
	keys  openid.KeySet
	oauth *oauth2.Config
}

// discovery is the latest metadata, and when to ask again.
type discovery struct {
	busy chan struct{} // holds one element while somebody asks

	mu    sync.Mutex
	known *provider
	at    time.Time // when it was received
	next  time.Time // when to ask again
}

// fresh gives what is known if it need not be asked for again; else what is
// known all the same, which may be nothing.
func (d *discovery) fresh(now time.Time) (known *provider, fresh bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known != nil && now.Sub(d.at) > staleAfter {
		d.known = nil
	}
	return d.known, d.known != nil && now.Before(d.next)
}

// discover gives what the provider says of itself. One caller asks; others use
// what was known before, and wait only if that is nothing. If a provider that is
// known cannot be asked again, what is known goes on being used.
func (p *Provider) discover(ctx context.Context) (*provider, error) {
	d := &p.discovery
	known, fresh := d.fresh(p.now())
	if fresh {
		return known, nil
	}
	select {
	case d.busy <- struct{}{}:
		defer func() { <-d.busy }()
	default:
		if known != nil {
			return known, nil
		}
		select {
		case d.busy <- struct{}{}:
			defer func() { <-d.busy }()
		case <-ctx.Done():
			return nil, p.unreachable("discovery", ctx.Err())
		}
	}
	if known, fresh = d.fresh(p.now()); fresh { // somebody else was faster
		return known, nil
	}
	wait := p.config.Timeout
	if known != nil {
		wait /= 6 // the caller has other things to ask
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait) // others wait for the answer too
	defer cancel()
	found, err := p.ask(asking, known)
	now := p.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.known, d.at, d.next = found, now, now.Add(refreshAfter)
		return found, nil
	case known != nil:
		p.complain(ctx, "the OpenID Connect provider could not be asked again; what it said before is used", err)
		d.next = now.Add(retryAfter)
		return known, nil
	}
	return nil, err
}

// ask gets the metadata and checks it. Keys that are known from before stay.
func (p *Provider) ask(ctx context.Context, before *provider) (*provider, error) {
	address := strings.TrimSuffix(p.config.issuer(), "/") + wellKnown
	body, _, err := p.get(ctx, "discovery", address, "")
	if err != nil {
		return nil, err
	}
	m, err := decodeMetadata(body)
	if err != nil {
		return nil, permanent("what "+address+" answers does not describe an OpenID Connect provider: "+err.Error()+": check issuer_url", nil)
	}
	if !p.sameIssuer(m.Issuer) {
		return nil, permanent(fmt.Sprintf("the OpenID Connect provider calls itself %q, not %q: set issuer_url to exactly that if it is the right one",
			printable(m.Issuer), p.config.issuer()), nil)
	}
	if len(m.ignored) > 0 && before == nil {
		p.log.Warn("endpoints of the OpenID Connect provider are not used: their addresses are not https", "issuer", m.Issuer, "endpoints", m.ignored)
	}
	if lacks := m.lacks(); len(lacks) > 0 {
		return nil, permanent("the OpenID Connect provider "+p.config.issuer()+" lacks what is needed: "+strings.Join(lacks, "; "), nil)
	}
	return p.ready(m, before), nil
}

// sameIssuer compares what a provider calls itself with the configuration. They
// must be equal (OpenID Connect Discovery 1.0 section 4.3); but where the
// address of the discovery document was configured, nobody said whether a slash
// comes before /.well-known.
func (p *Provider) sameIssuer(issuer string) bool {
	if issuer == p.config.issuer() {
		return true
	}
	return strings.HasSuffix(p.config.IssuerURL, wellKnown) && issuer == p.config.issuer()+"/"
}

// decodeMetadata reads a discovery document. Endpoints to which nothing may be
// sent that is not protected on its way are left out where one can do without.
func decodeMetadata(data []byte) (metadata, error) {
	var m metadata
	if err := json.Unmarshal(data, &m); err != nil {
		return metadata{}, errors.New("it is no JSON object with the right members")
	}
	if m.Issuer == "" {
		return metadata{}, errors.New("it names no issuer")
	}
	for _, optional := range []struct {
		name    string
		address *string
	}{{"userinfo_endpoint", &m.UserInfoURL}, {"revocation_endpoint", &m.RevocationURL}, {"end_session_endpoint", &m.EndSessionURL}} {
		if *optional.address != "" && !secure(*optional.address) {
			*optional.address = ""
			m.ignored = append(m.ignored, optional.name)
		}
	}
	return m, nil
}

// lacks names what a provider must have for operators to log in, and has not.
func (m metadata) lacks() []string {
	var lacks []string
	for _, endpoint := range []struct{ name, address string }{
		{"authorization_endpoint", m.AuthorizationURL}, {"token_endpoint", m.TokenURL}, {"jwks_uri", m.KeysURL},
	} {
		if !secure(endpoint.address) || strings.Contains(endpoint.address, "#") {
			lacks = append(lacks, endpoint.name+" with an https address, without a fragment")
		}
	}
	if !slices.Contains(m.SigningAlgorithms, openid.RS256) {
		lacks = append(lacks, "RS256 in id_token_signing_alg_values_supported")
	}
	if m.Scopes != nil && !slices.Contains(m.Scopes, openid.ScopeOpenID) {
		lacks = append(lacks, "openid in scopes_supported")
	}
	if m.ResponseModes != nil && !slices.Contains(m.ResponseModes, "query") {
		lacks = append(lacks, "query in response_modes_supported")
	}
	if _, ok := authStyle(m.TokenAuthMethods); !ok {
		lacks = append(lacks, "client_secret_basic or client_secret_post in token_endpoint_auth_methods_supported")
	}
	return lacks
}

// authStyle says how a client proves who it is: by HTTP Basic, which is what
// holds where nothing is said (RFC 8414 section 2), or in the request's body.
func authStyle(methods []string) (oauth2.AuthStyle, bool) {
	switch {
	case methods == nil || slices.Contains(methods, "client_secret_basic"):
		return oauth2.AuthStyleInHeader, true
	case slices.Contains(methods, "client_secret_post"):
		return oauth2.AuthStyleInParams, true
	}
	return oauth2.AuthStyleInHeader, false
}

// ready makes a provider of its metadata.
func (p *Provider) ready(m metadata, before *provider) *provider {
	style, _ := authStyle(m.TokenAuthMethods)
	found := &provider{metadata: m, oauth: &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: string(p.config.ClientSecret), RedirectURL: p.config.RedirectURL(),
		Endpoint: oauth2.Endpoint{AuthURL: m.AuthorizationURL, TokenURL: m.TokenURL, AuthStyle: style}, Scopes: p.scopes(m),
	}}
	if before != nil && before.KeysURL == m.KeysURL {
		found.keys = before.keys
	} else {
		found.keys = openid.NewRemoteKeySet(p.withClient(context.Background()), m.KeysURL)
	}
	return found
}

// scopes are those to ask for.
func (p *Provider) scopes(m metadata) []string {
	scopes := []string{openid.ScopeOpenID}
	if slices.Contains(m.Scopes, openid.ScopeEmail) {
		scopes = append(scopes, openid.ScopeEmail)
	}
	for _, scope := range p.config.ExtraLoginScopes {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// pkce says whether the provider binds codes to verifiers (RFC 7636).
func (m metadata) pkce() bool { return slices.Contains(m.ChallengeMethods, "S256") }

// withQuery adds parameters to an address that may have some.
func withQuery(address string, add url.Values) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	query := u.Query()
	for name, values := range add {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	return u.String()
}
