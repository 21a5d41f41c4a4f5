package oidc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func subst(s string) *string { return &s }

// fixed gives claims of which each source has its own values.
func fixed(idToken, userInfo string) claims {
	c := claims{userInfo: func() (map[string]any, error) { return nil, nil }}
	var err error
	if c.idToken, err = decodeClaims([]byte(idToken)); err != nil {
		panic(err)
	}
	if userInfo != "" {
		c.userInfo = func() (map[string]any, error) { return decodeClaims([]byte(userInfo)) }
	}
	return c
}

func TestClaimRules(t *testing.T) {
	const (
		idToken = `{"sub":"s1","email":"joe@example.net","email_verified":true,"role":"admin","n":12,"f":1.50,"big":123456789012345678901234567890,"null":null,
			"no":false,"groups":["staff","rpki-ro",7,true],"mixed":[null,{"a":"b"},["x"],"y"],"none":[],"object":{"a":"b"},"empty":"","name#de":"Jörg","twice":"aXbXc"}`
		userInfo = `{"sub":"s1","email":"info@example.net","role":"info","department":"noc","nickname":"jo"}`
	)
	tests := map[string]struct {
		rules []ClaimRule
		want  string // "-": none matches
	}{
		"claim":                         {[]ClaimRule{{Claim: "email"}}, "joe@example.net"},
		"none":                          {[]ClaimRule{{Claim: "missing"}}, "-"},
		"no rules":                      {nil, "-"},
		"names are exact":               {[]ClaimRule{{Claim: "Email"}}, "-"},
		"with a language":               {[]ClaimRule{{Claim: "name#de"}}, "Jörg"},
		"true":                          {[]ClaimRule{{Claim: "email_verified"}}, "true"},
		"false":                         {[]ClaimRule{{Claim: "no", Match: "^false$"}}, "false"},
		"number":                        {[]ClaimRule{{Claim: "n"}}, "12"},
		"number as written":             {[]ClaimRule{{Claim: "f"}}, "1.50"},
		"number of any size":            {[]ClaimRule{{Claim: "big"}}, "123456789012345678901234567890"},
		"null":                          {[]ClaimRule{{Claim: "null"}}, "-"},
		"object":                        {[]ClaimRule{{Claim: "object"}}, "-"},
		"empty text":                    {[]ClaimRule{{Claim: "empty"}}, ""},
		"list, first":                   {[]ClaimRule{{Claim: "groups"}}, "staff"},
		"list, first that matches":      {[]ClaimRule{{Claim: "groups", Match: "^rpki-(.*)$", Subst: subst("$1")}}, "ro"},
		"list, number":                  {[]ClaimRule{{Claim: "groups", Match: "^[0-9]$"}}, "7"},
		"list, bool":                    {[]ClaimRule{{Claim: "groups", Match: "^true$"}}, "true"},
		"list, no objects, no lists":    {[]ClaimRule{{Claim: "mixed"}}, "y"},
		"list, empty":                   {[]ClaimRule{{Claim: "none"}}, "-"},
		"match, not anchored":           {[]ClaimRule{{Claim: "email", Match: "example"}}, "joe@example.net"},
		"match, other case":             {[]ClaimRule{{Claim: "email", Match: "EXAMPLE"}}, "-"},
		"match, any case":               {[]ClaimRule{{Claim: "email", Match: "(?i)EXAMPLE"}}, "joe@example.net"},
		"no match":                      {[]ClaimRule{{Claim: "email", Match: "^example"}}, "-"},
		"subst replaces the match":      {[]ClaimRule{{Claim: "email", Match: "example", Subst: subst("EX")}}, "joe@EX.net"},
		"subst replaces the first only": {[]ClaimRule{{Claim: "twice", Match: "X", Subst: subst("-")}}, "a-bXc"},
		"subst by nothing":              {[]ClaimRule{{Claim: "email", Match: "@.*$", Subst: subst("")}}, "joe"},
		"subst with $ is the result":    {[]ClaimRule{{Claim: "email", Match: "(.)@(exam)", Subst: subst("$2-$1")}}, "exam-e"},
		"subst with $0":                 {[]ClaimRule{{Claim: "email", Match: "@.*$", Subst: subst("user$0")}}, "user@example.net"},
		"subst with a name":             {[]ClaimRule{{Claim: "email", Match: "^(?P<who>[^@]+)", Subst: subst("${who}x")}}, "joex"},
		"subst with ${0}":               {[]ClaimRule{{Claim: "email", Match: "^joe@", Subst: subst("${0}")}}, "joe@"},
		"subst with $$":                 {[]ClaimRule{{Claim: "email", Match: "joe", Subst: subst("$$1")}}, "$1"},
		"subst, group that is not":      {[]ClaimRule{{Claim: "email", Match: "joe", Subst: subst("a$9b$x")}}, "a"},
		"subst without match":           {[]ClaimRule{{Claim: "email", Subst: subst("ignored")}}, "joe@example.net"},
		"fixed":                         {[]ClaimRule{{Subst: subst("readonly")}}, "readonly"},
		"fixed with $":                  {[]ClaimRule{{Subst: subst("$1")}}, "$1"},
		"fixed with a source":           {[]ClaimRule{{Source: SourceUserInfo, Subst: subst("readonly")}}, "readonly"},
		"in order":                      {[]ClaimRule{{Claim: "missing"}, {Claim: "role", Match: "x"}, {Claim: "role", Match: "adm", Subst: subst("A$0")}, {Subst: subst("last")}}, "Aadm"},
		"the last resort":               {[]ClaimRule{{Claim: "role", Match: "x"}, {Subst: subst("last")}}, "last"},

		"everywhere, ID token first":     {[]ClaimRule{{Claim: "role"}}, "admin"},
		"everywhere, then user info":     {[]ClaimRule{{Claim: "department"}}, "noc"},
		"everywhere, first that matches": {[]ClaimRule{{Claim: "role", Match: "^info$"}}, "info"},
		"standard, ID token":             {[]ClaimRule{{Source: SourceIDToken, Claim: "email"}}, "joe@example.net"},
		"standard has all":               {[]ClaimRule{{Source: SourceIDToken, Claim: "role"}}, "admin"},
		"additional, ID token":           {[]ClaimRule{{Source: SourceIDTokenAdditional, Claim: "role"}}, "admin"},
		"additional has no standard":     {[]ClaimRule{{Source: SourceIDTokenAdditional, Claim: "email"}}, "-"},
		"nor one with a language":        {[]ClaimRule{{Source: SourceIDTokenAdditional, Claim: "name#de"}}, "-"},
		"standard, user info":            {[]ClaimRule{{Source: SourceUserInfo, Claim: "email"}}, "info@example.net"},
		"user info only":                 {[]ClaimRule{{Source: SourceUserInfo, Claim: "groups"}}, "-"},
		"ID token only":                  {[]ClaimRule{{Source: SourceIDToken, Claim: "department"}}, "-"},
		"additional, user info":          {[]ClaimRule{{Source: SourceUserInfoAdditional, Claim: "department"}}, "noc"},
		"additional, user info, not":     {[]ClaimRule{{Source: SourceUserInfoAdditional, Claim: "nickname"}}, "-"},
	}
	for name, test := range tests {
		if wrong := checkRules("rules", test.rules); len(wrong) > 0 {
			t.Errorf("%s: %q", name, wrong)
		}
		rules, err := compile(test.rules)
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := fixed(idToken, userInfo).text(rules)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			got = "-"
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	good := Config{IssuerURL: "https://idp.example.net/realm", ClientID: "id", ClientSecret: "secret", ServiceURI: "https://ca.example.net/"}
	if wrong := good.Check(); len(wrong) > 0 {
		t.Errorf("the least that is needed: %q", wrong)
	}
	tests := map[string]struct {
		change func(*Config)
		want   []string // begins of the problems
	}{
		"all that is right": {func(c *Config) {
			c.ExtraLoginScopes, c.ExtraLoginParams, c.LogoutURL = []string{"groups", "https://example.net/scope"}, map[string]string{"prompt": "select_account"}, "https://example.net"
			c.IDClaims = []ClaimRule{{Claim: "email", Match: "(.*)@", Subst: subst("")}, {Subst: subst("x")}}
			c.IssuerURL += wellKnown
		}, nil},
		"this machine":       {func(c *Config) { c.IssuerURL = "http://127.0.0.1:8080" }, nil},
		"this machine, name": {func(c *Config) { c.IssuerURL = "http://localhost:8080/realms/x" }, nil},
		"nothing":            {func(c *Config) { *c = Config{} }, []string{"issuer_url: must be set", "client_id: must be set", "client_secret: must be set", "the service URI must"}},
		"no TLS":             {func(c *Config) { c.IssuerURL = "http://idp.example.net" }, []string{"issuer_url: must begin with https://"}},
		"other scheme":       {func(c *Config) { c.IssuerURL = "ftp://localhost" }, []string{"issuer_url: must begin with https://"}},
		"no host":            {func(c *Config) { c.IssuerURL = "idp.example.net" }, []string{"issuer_url: must be a URL"}},
		"with a query":       {func(c *Config) { c.IssuerURL = "https://idp.example.net/?x=y" }, []string{"issuer_url: must be a URL"}},
		"with a password":    {func(c *Config) { c.IssuerURL = "https://joe:secret@idp.example.net/" }, []string{"issuer_url: must be a URL"}},
		"no URL at all":      {func(c *Config) { c.IssuerURL = "https://idp.example.net/%zz" }, []string{"issuer_url: must be a URL"}},
		"scopes":             {func(c *Config) { c.ExtraLoginScopes = []string{"", "a b", "ü"} }, []string{`extra_login_scopes: "" is no`, `extra_login_scopes: "a b" is no`, `extra_login_scopes: "ü" is no`}},
		"parameters":         {func(c *Config) { c.ExtraLoginParams = map[string]string{"state": "x", "nonce": "y", "ok": "z"} }, []string{`extra_login_params: "nonce" is set`, `extra_login_params: "state" is set`}},
		"logout":             {func(c *Config) { c.LogoutURL = "javascript:alert(1)" }, []string{"logout_url: must be a URL"}},
		"service":            {func(c *Config) { c.ServiceURI = "https://ca.example.net" }, []string{"the service URI must"}},
		"no rules":           {func(c *Config) { c.IDClaims = []ClaimRule{} }, []string{"id_claims: without a rule"}},
		"rules": {func(c *Config) {
			c.RoleClaims = []ClaimRule{{Claim: "a", Match: "("}, {Match: "a", Subst: subst("b")}, {}, {Subst: subst("")}, {Claim: "a", Source: "id-token"}}
		}, []string{
			"role_claims, rule 1: match is no regular expression: ", "role_claims, rule 2: match needs claim", "role_claims, rule 3: claim or subst must be set",
			"role_claims, rule 4: subst must not be empty", `role_claims, rule 5: source "id-token" is none of id-token-standard-claim, `,
		}},
	}
	for name, test := range tests {
		c := good
		test.change(&c)
		got := c.Check()
		if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		if _, err := New(c, nil, nil); (err == nil) != (len(test.want) == 0) {
			t.Errorf("%s: New says %v", name, err)
		}
		if strings.Contains(fmt.Sprint(got), "secret@") {
			t.Errorf("%s: a password is shown: %q", name, got)
		}
	}
}

func TestConfigWarnings(t *testing.T) {
	c := Config{Insecure: true, IDClaims: []ClaimRule{{Claim: "email", Subst: subst("x")}, {Subst: subst("y")}}, RoleClaims: []ClaimRule{{Subst: subst("x")}, {Claim: "role"}}}
	want := []string{"insecure: ", "id_claims, rule 1: subst has no effect", "role_claims, rule 1: it always matches"}
	if got := c.Warnings(); !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	c := Config{ClientSecret: "hush-hush"}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprint(c), fmt.Sprintf("%+v %#v %s %q %x", c, c, c.ClientSecret, c.ClientSecret, c.ClientSecret), fmt.Sprint(&c), string(asJSON), c.ClientSecret.LogValue().String(),
	} {
		if strings.Contains(shown, "hush") || strings.Contains(shown, fmt.Sprintf("%x", "hush")) {
			t.Errorf("shown: %s", shown)
		}
	}
}

// The issuer is compared octet by octet, but for what a configured discovery
// address does not say.
func TestSameIssuer(t *testing.T) {
	for _, test := range []struct {
		configured, said string
		same             bool
	}{
		{"https://idp.example.net", "https://idp.example.net", true},
		{"https://idp.example.net", "https://idp.example.net/", false},
		{"https://idp.example.net/", "https://idp.example.net/", true},
		{"https://idp.example.net/", "https://idp.example.net", false},
		{"https://idp.example.net" + wellKnown, "https://idp.example.net", true},
		{"https://idp.example.net" + wellKnown, "https://idp.example.net/", true},
		{"https://idp.example.net" + wellKnown, "https://idp.example.net//", false},
		{"https://idp.example.net", "https://idp.example.net.evil", false},
	} {
		p := &Provider{config: Config{IssuerURL: test.configured}}
		if got := p.sameIssuer(test.said); got != test.same {
			t.Errorf("%s calls itself %s: got %v", test.configured, test.said, got)
		}
	}
}

// Rules give a part of what there is, or what the configuration says; they never
// fail on anything that a provider may say.
func FuzzClaimRules(f *testing.F) {
	f.Add(`{"role":["a","b"]}`, "role", "b", "$1")
	f.Add(`{"role":{"a":"b"}}`, "role", "", "")
	f.Add(`{"role":1e3,"email":"\ud800"}`, "email", "(?i)^(.+)@(?P<n>x)$", "${n}$$$0")
	f.Add(`[]`, "", "[", "fixed")
	f.Add(`{"a":true}{}`, "a", "^t", "x")
	f.Fuzz(func(t *testing.T, object, claim, match, to string) {
		decoded, err := decodeClaims([]byte(object))
		if err != nil {
			return
		}
		list := []ClaimRule{{Claim: claim, Match: match, Subst: &to}, {Claim: claim, Source: SourceIDTokenAdditional}}
		if len(checkRules("rules", list)) > 0 {
			return
		}
		rules, err := compile(list)
		if err != nil {
			t.Fatal(err)
		}
		c := claims{idToken: decoded, userInfo: func() (map[string]any, error) { return nil, nil }}
		if _, ok, err := c.text(rules); err != nil || ok && claim != "" && decoded[claim] == nil {
			t.Errorf("a claim that is not there matches, or an error: %v", err)
		}
		if text, err := c.pick("role", "role_claims", rules); err == nil && (text == "" || utf8.RuneCountInString(text) > maxID || !utf8.ValidString(text)) {
			t.Errorf("picked %q", text)
		}
	})
}

// What is taken of a discovery document has only addresses that are safe to use.
func FuzzMetadata(f *testing.F) {
	f.Add(`{"issuer":"https://idp.example.net","authorization_endpoint":"https://idp.example.net/a","token_endpoint":"https://idp.example.net/t",
		"jwks_uri":"https://idp.example.net/k","id_token_signing_alg_values_supported":["RS256"],"end_session_endpoint":"http://idp.example.net/e"}`)
	f.Add(`{"issuer":"http://localhost","authorization_endpoint":"http://[::1]:80/a?b=c","token_endpoint":"HTTPS://x","jwks_uri":"http://127.1/","scopes_supported":[]}`)
	f.Add(`{"issuer":null}`)
	f.Add(`[{}]`)
	f.Fuzz(func(t *testing.T, document string) {
		m, err := decodeMetadata([]byte(document))
		if err != nil {
			return
		}
		for _, address := range []string{m.UserInfoURL, m.RevocationURL, m.EndSessionURL} {
			if address != "" && !secure(address) {
				t.Errorf("%q is used", address)
			}
		}
		if len(m.lacks()) > 0 {
			return
		}
		p := &Provider{config: Config{ClientID: "id", ServiceURI: "https://ca.example.net/"}}
		at := p.ready(m, nil)
		if at.oauth.Endpoint.AuthURL != m.AuthorizationURL || !secure(at.oauth.AuthCodeURL("state")) {
			t.Errorf("sends the browser to %q", at.oauth.AuthCodeURL("state"))
		}
	})
}

// A session that was kept is either what was written or refused.
func FuzzSession(f *testing.F) {
	f.Add(`{"id":"joe","role":"admin","sub":"1","nonce":"n","access_token":"a","refresh_token":"r","id_token":"i"}`)
	f.Add(`{"id":"joe"}`)
	f.Fuzz(func(t *testing.T, kept string) {
		s, err := readSession([]byte(kept))
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := readSession(again); err != nil || same != s {
			t.Errorf("got %+v, want %+v (%v)", same, s, err)
		}
	})
}
