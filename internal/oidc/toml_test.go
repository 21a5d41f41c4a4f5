package oidc_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"baleen/internal/oidc"
)

// The section has the form that operators know.
func TestSectionOfTheFile(t *testing.T) {
	const section = `
		issuer_url = "https://idp.example.net/realms/noc"
		client_id = "baleen"
		client_secret = "hush"
		insecure = true
		extra_login_scopes = ["groups", "offline_access"]
		extra_login_params = { display = "popup" }
		prompt_for_login = false
		logout_url = "https://idp.example.net/bye"
		id_claims = [{ source = "id-token-standard-claim", claim = "email", match = "@example.net$", subst = "" }]
		role_claims = [
			{ claim = "groups", match = "^rpki-(.+)$", subst = "$1" },
			{ subst = "readonly" },
		]
	`
	var c oidc.Config
	md, err := toml.Decode(section, &c)
	if err != nil {
		t.Fatal(err)
	}
	if rest := md.Undecoded(); len(rest) > 0 {
		t.Errorf("not read: %v", rest)
	}
	c.ServiceURI = serviceURI
	if wrong := c.Check(); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
	if c.IssuerURL != "https://idp.example.net/realms/noc" || c.ClientID != "baleen" || string(c.ClientSecret) != "hush" || !c.Insecure ||
		len(c.ExtraLoginScopes) != 2 || c.ExtraLoginParams["display"] != "popup" || c.PromptForLogin == nil || *c.PromptForLogin || c.LogoutURL != "https://idp.example.net/bye" {
		t.Errorf("got %+v", c)
	}
	if len(c.IDClaims) != 1 || *c.IDClaims[0].Subst != "" || c.IDClaims[0].Source != oidc.SourceIDToken || len(c.RoleClaims) != 2 ||
		c.RoleClaims[0].Match != "^rpki-(.+)$" || *c.RoleClaims[0].Subst != "$1" || c.RoleClaims[1].Claim != "" || *c.RoleClaims[1].Subst != "readonly" {
		t.Errorf("got %+v", c)
	}
	if c.RedirectURL() != "https://ca.example.net/auth/callback" {
		t.Errorf("redirect URI: %s", c.RedirectURL())
	}
}

// What the documentation shows can be copied.
func TestDocumentedRules(t *testing.T) {
	page, err := os.ReadFile("../../docs/openid-connect.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "```toml\n")
	section, _, _ = strings.Cut(section, "```")
	shown := []string{section}
	for _, rule := range regexp.MustCompile("`(?:id_claims = \\[)?(\\{ (?:claim|subst) = .*?\\})\\]?`").FindAllStringSubmatch(string(page), -1) {
		shown = append(shown, "[auth_openidconnect]\nissuer_url = \"https://idp.example.net\"\nclient_id = \"x\"\nclient_secret = \"x\"\nid_claims = ["+rule[1]+"]")
	}
	if len(shown) < 7 {
		t.Errorf("found only %q", shown)
	}
	for _, text := range shown {
		var file struct {
			Section oidc.Config `toml:"auth_openidconnect"`
		}
		if md, err := toml.Decode(text, &file); err != nil || len(md.Undecoded()) > 0 {
			t.Errorf("%s: %v, %v", text, err, md.Undecoded())
		}
		file.Section.ServiceURI = serviceURI
		if wrong := file.Section.Check(); len(wrong) > 0 {
			t.Errorf("%s: %q", text, wrong)
		}
	}
}
