package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	openid "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	skew            = time.Minute // by which clocks may differ
	defaultLifetime = time.Hour   // of a session, where the provider says none
	maxID           = 256         // characters of a user's id and of a role
)

// anyAlgorithm is what an ID token may be signed with where nobody verifies it.
var anyAlgorithm = []string{
	openid.RS256, openid.RS384, openid.RS512, openid.ES256, openid.ES384, openid.ES512, openid.PS256, openid.PS384, openid.PS512, openid.EdDSA,
	"HS256", "HS384", "HS512",
}

// keySet notes why a signature could not be verified: the verifier does not
// hand that on in a form that can be told apart.
type keySet struct {
	openid.KeySet
	err error
}

// VerifySignature is openid.KeySet's.
func (k *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	k.err = err
	return payload, err
}

func (p *Provider) verifier(issuer string, keys openid.KeySet) *openid.IDTokenVerifier {
	c := &openid.Config{
		ClientID: p.config.ClientID, SupportedSigningAlgs: []string{openid.RS256},
		Now: func() time.Time { return p.now().Add(-skew) },
	}
	if p.config.Insecure {
		c.InsecureSkipSignatureCheck, c.SupportedSigningAlgs = true, anyAlgorithm
	}
	return openid.NewVerifier(issuer, keys, c)
}

// exchangeError says why a provider gave no tokens (RFC 6749 section 5.2). Its
// answer may hold anything: only its error code and description are repeated,
// without the secrets of the request.
func (p *Provider) exchangeError(err error, secrets ...string) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return p.noTokens(err)
	}
	status := refused.Response.StatusCode
	if refused.ErrorCode == "" {
		return p.refused("token endpoint", status)
	}
	said := said(refused.ErrorCode, refused.ErrorDescription, append(secrets, string(p.config.ClientSecret))...)
	switch code := refused.ErrorCode; {
	case status >= 500 || code == "server_error" || code == "temporarily_unavailable":
		return transient("the OpenID Connect provider has a problem ("+said+"): try again later", nil)
	case code == "invalid_grant":
		return loginError("the OpenID Connect provider does not accept the code of this login ("+said+"): log in again", nil)
	case code == "invalid_client":
		return permanent("the OpenID Connect provider does not accept client_id and client_secret ("+said+"): check them", nil)
	}
	return permanent("the OpenID Connect provider refuses this server ("+said+"): check how it is registered there", nil)
}

// noTokens is the error of a token endpoint that did not answer, or with nonsense.
func (p *Provider) noTokens(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if strings.HasPrefix(err.Error(), "oauth2: cannot parse") || strings.HasPrefix(err.Error(), "oauth2: server response missing") ||
		errors.As(err, &syntax) || errors.As(err, &kind) {
		return permanent("what the token endpoint of the OpenID Connect provider answers holds no tokens", nil)
	}
	if strings.Contains(err.Error(), errTooLong.Error()) { // the library does not wrap
		err = errTooLong
	}
	return p.unreachable("token endpoint", err)
}

// verify checks an ID token (OpenID Connect Core 1.0 section 3.1.3.7) but for
// its nonce.
func (p *Provider) verify(ctx context.Context, at *provider, raw string) (*openid.IDToken, error) {
	keys := &keySet{KeySet: at.keys}
	token, err := p.verifier(at.Issuer, keys).Verify(ctx, raw)
	if err != nil {
		return nil, p.tokenError(err, keys.err)
	}
	var more struct {
		AuthorizedParty string `json:"azp"`
	}
	if err := token.Claims(&more); err != nil || token.Subject == "" {
		return nil, loginError("the ID token does not say whom it is about", nil)
	}
	if more.AuthorizedParty != "" && more.AuthorizedParty != p.config.ClientID || more.AuthorizedParty == "" && len(token.Audience) > 1 {
		return nil, loginError("the ID token was issued to another client: check client_id", nil)
	}
	return token, nil
}

// tokenError says what is wrong with an ID token, or why nobody can tell.
func (p *Provider) tokenError(err, signature error) error {
	var late *openid.TokenExpiredError
	switch {
	case errors.As(err, &late):
		return loginError("the ID token expired at "+late.Expiry.UTC().Format(time.RFC3339)+": log in again; if that does not help, compare the clocks", nil)
	case signature != nil && strings.HasPrefix(signature.Error(), "fetching keys"):
		if !isTimeout(signature) { // the rest may have the whole answer in it
			signature = errors.New(printable(signature.Error()))
		}
		return p.unreachable("keys", signature)
	case signature != nil:
		return loginError("the ID token is not signed with a key of the OpenID Connect provider", nil)
	}
	return loginError("the ID token is not valid: "+printable(strings.TrimPrefix(err.Error(), "oidc: ")), nil)
}

// identify reads from the claims who the user is.
func (p *Provider) identify(ctx context.Context, at *provider, s session, token *openid.IDToken) (session, error) {
	var raw json.RawMessage
	if err := token.Claims(&raw); err != nil {
		return s, loginError("the ID token cannot be read", nil)
	}
	fromToken, err := decodeClaims(raw)
	if err != nil {
		return s, loginError("the claims of the ID token cannot be read: "+err.Error(), nil)
	}
	c := claims{idToken: fromToken, userInfo: sync.OnceValues(func() (map[string]any, error) { return p.userInfo(ctx, at, s.AccessToken, token.Subject) })}
	if s.ID, err = c.pick("id", "id_claims", p.id); err != nil {
		return s, err
	}
	if s.Role, err = c.pick("role", "role_claims", p.role); err != nil {
		return s, err
	}
	s.Subject = token.Subject
	return s, nil
}

// pick gives what rules say, which must be something that can be shown.
func (c claims) pick(what, option string, rules []rule) (string, error) {
	text, ok, err := c.text(rules)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", loginError("no rule of "+option+" matches what the OpenID Connect provider says of the user: ask the administrator for a "+what, nil)
	case text == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxID || strings.ContainsFunc(text, unicode.IsControl):
		return "", loginError(fmt.Sprintf("the user's %s that %s give is empty, longer than %d characters or not printable", what, option, maxID), nil)
	}
	return text, nil
}

// userInfo gives the claims of the userinfo endpoint (OpenID Connect Core 1.0
// section 5.3); none if the provider has no such endpoint.
func (p *Provider) userInfo(ctx context.Context, at *provider, accessToken, subject string) (map[string]any, error) {
	if at.UserInfoURL == "" {
		return nil, nil
	}
	body, kind, err := p.get(ctx, "userinfo endpoint", at.UserInfoURL, accessToken)
	if err != nil {
		return nil, err
	}
	if media, _, err := mime.ParseMediaType(kind); err == nil && media == "application/jwt" {
		if body, err = p.signedUserInfo(ctx, at, string(body)); err != nil {
			return nil, err
		}
	}
	object, err := decodeClaims(body)
	if err != nil {
		return nil, loginError("what the userinfo endpoint answers cannot be read: "+err.Error(), nil)
	}
	if object["sub"] != subject { // section 5.3.2
		return nil, loginError("the userinfo endpoint answers about another user than the ID token", nil)
	}
	return object, nil
}

// signedUserInfo verifies an answer that is a JWT; it need not expire.
func (p *Provider) signedUserInfo(ctx context.Context, at *provider, raw string) ([]byte, error) {
	keys := &keySet{KeySet: at.keys}
	c := &openid.Config{ClientID: p.config.ClientID, SupportedSigningAlgs: []string{openid.RS256}, SkipExpiryCheck: true}
	token, err := openid.NewVerifier(at.Issuer, keys, c).Verify(ctx, strings.TrimSpace(raw))
	if err != nil {
		return nil, p.tokenError(err, keys.err)
	}
	var body json.RawMessage
	if err := token.Claims(&body); err != nil {
		return nil, loginError("what the userinfo endpoint answers cannot be read", nil)
	}
	return body, nil
}
