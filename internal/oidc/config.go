package oidc

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// CallbackPath is where the provider sends the browser back to, below the
// service URI.
const CallbackPath = "auth/callback"

// wellKnown is where a provider describes itself, below its issuer URL (OpenID
// Connect Discovery 1.0 section 4).
const wellKnown = "/.well-known/openid-configuration"

const defaultTimeout = 30 * time.Second

// Config is the section [auth_openidconnect] of the configuration file, and what
// the program adds to it.
type Config struct {
	IssuerURL        string            `toml:"issuer_url"` // perhaps with /.well-known/openid-configuration
	ClientID         string            `toml:"client_id"`
	ClientSecret     Secret            `toml:"client_secret"`
	Insecure         bool              `toml:"insecure"`           // take ID tokens without verifying their signature
	ExtraLoginScopes []string          `toml:"extra_login_scopes"` // beside openid, and email where the provider offers it
	ExtraLoginParams map[string]string `toml:"extra_login_params"` // of the authorization request
	PromptForLogin   *bool             `toml:"prompt_for_login"`   // nil: true
	LogoutURL        string            `toml:"logout_url"`         // where to go after logout; "": what the provider offers
	IDClaims         []ClaimRule       `toml:"id_claims"`          // nil: the claim email
	RoleClaims       []ClaimRule       `toml:"role_claims"`        // nil: the claim role

	ServiceURI string        `toml:"-"` // of this server, with a slash at its end: the redirect URI is CallbackPath below it
	Timeout    time.Duration `toml:"-"` // of one call of this package; 0: 30 seconds
	RootFiles  []string      `toml:"-"` // PEM files of certificates to trust beside the system's
	UserAgent  string        `toml:"-"`
}

// ClaimRule says how a text, a user's id or role, is made from a claim. Rules
// are tried in order; the first that matches wins.
type ClaimRule struct {
	Source string  `toml:"source"` // one of the Source constants; "": all of them, in their order
	Claim  string  `toml:"claim"`  // name of the claim; "": the rule always matches and gives Subst
	Match  string  `toml:"match"`  // regular expression that is somewhere in the value; "": every value matches
	Subst  *string `toml:"subst"`  // with $1, ${name}: the result; without $: what replaces the matched part; nil: the value is the result
}

// The sources of claims. A standard source has all claims of the ID token or of
// the answer of the userinfo endpoint; an additional source only those that
// OpenID Connect Core 1.0 does not define.
const (
	SourceIDToken            = "id-token-standard-claim"
	SourceIDTokenAdditional  = "id-token-additional-claim"
	SourceUserInfo           = "user-info-standard-claim"
	SourceUserInfoAdditional = "user-info-additional-claim"
)

// Secret is a text that is never printed.
type Secret string

const hidden = "(secret)"

// String gives a placeholder.
func (s Secret) String() string { return hidden }

// GoString gives a placeholder.
func (s Secret) GoString() string { return hidden }

// LogValue gives a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText gives a placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// RedirectURL is the address that must be registered at the provider.
func (c Config) RedirectURL() string { return c.ServiceURI + CallbackPath }

// Check names everything that is wrong, each with its option.
func (c Config) Check() []string {
	var wrong []string
	add := func(option, problem string) { wrong = append(wrong, option+": "+problem) }
	switch u, err := url.Parse(c.issuer()); {
	case c.IssuerURL == "":
		add("issuer_url", "must be set")
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		add("issuer_url", "must be a URL without user, query and fragment")
	case !secure(c.issuer()):
		add("issuer_url", "must begin with https:// (http:// only for this machine)")
	}
	if c.ClientID == "" {
		add("client_id", "must be set")
	}
	if c.ClientSecret == "" {
		add("client_secret", "must be set")
	}
	for _, scope := range c.ExtraLoginScopes {
		if !isScope(scope) {
			add("extra_login_scopes", fmt.Sprintf("%q is no scope: give each as an element of its own", scope))
		}
	}
	for _, name := range sortedKeys(c.ExtraLoginParams) {
		if slices.Contains(reservedParams, name) {
			add("extra_login_params", fmt.Sprintf("%q is set by this server itself", name))
		}
	}
	if c.LogoutURL != "" {
		if u, err := url.Parse(c.LogoutURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			add("logout_url", "must be a URL that begins with https:// or http://")
		}
	}
	wrong = append(wrong, checkRules("id_claims", c.IDClaims)...)
	wrong = append(wrong, checkRules("role_claims", c.RoleClaims)...)
	if u, err := url.Parse(c.ServiceURI); err != nil || u.Host == "" || !strings.HasSuffix(c.ServiceURI, "/") {
		wrong = append(wrong, "the service URI must be a URL with a slash at its end")
	}
	return wrong
}

// Warnings names what is allowed and yet worth a word to the operator.
func (c Config) Warnings() []string {
	var list []string
	if c.Insecure {
		list = append(list, "insecure: signatures of ID tokens are not verified")
	}
	warn := func(option string, rules []ClaimRule) {
		for i, r := range rules {
			if r.Claim != "" && r.Match == "" && r.Subst != nil {
				list = append(list, fmt.Sprintf("%s, rule %d: subst has no effect without match", option, i+1))
			}
			if r.Claim == "" && i+1 < len(rules) {
				list = append(list, fmt.Sprintf("%s, rule %d: it always matches, so later rules have no effect", option, i+1))
			}
		}
	}
	warn("id_claims", c.IDClaims)
	warn("role_claims", c.RoleClaims)
	return list
}

// reservedParams are what the flow itself says in an authorization request.
var reservedParams = []string{
	"client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "request", "request_uri", "response_mode",
	"response_type", "scope", "state",
}

// invalid gives all of Check as one error.
func (c Config) invalid() error {
	if wrong := c.Check(); len(wrong) > 0 {
		return errors.New("OpenID Connect: " + strings.Join(wrong, "; "))
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.IDClaims == nil {
		c.IDClaims = []ClaimRule{{Claim: "email"}}
	}
	if c.RoleClaims == nil {
		c.RoleClaims = []ClaimRule{{Claim: "role"}}
	}
	return c
}

// issuer is the issuer URL without what discovery appends to it.
func (c Config) issuer() string { return strings.TrimSuffix(c.IssuerURL, wellKnown) }

// prompts says whether the provider shall always ask the user to log in.
func (c Config) prompts() bool { return c.PromptForLogin == nil || *c.PromptForLogin }

// isScope says whether s is a scope-token of RFC 6749 section 3.3.
func isScope(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' })
}

// secure says whether what is sent to an address is safe on its way: by TLS, or
// because it never leaves this machine.
func secure(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
