package access

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baleen/internal/password"
)

const (
	digits = "c4df1f917ff6baa68be09cb9d569460b47971d7292b98fd72a020e372561a2ac"
	salt   = "0ee96bbeb32175fbd870f700d0038c44c1543a2b9ec7de38c852624bce147b69"
	entry  = `password_hash="` + digits + `", salt="` + salt + `"`
)

const provider = `
[auth_openidconnect]
issuer_url = "https://idp.example.net"
client_id = "baleen"
client_secret = "hush"
id_claims = [{ claim = "email" }]
`

// write makes a file of users.
func write(t *testing.T, text string) Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Source{Path: path, Type: ConfigFile, ServiceURI: "https://localhost:3000/"}
}

func read(t *testing.T, text string) Settings {
	t.Helper()
	s, err := write(t, text).Read()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFileWithUsers(t *testing.T) {
	s := read(t, `
[auth_users]
"joe@example.com" = { `+entry+`, role="readwrite" }
" Zoë Ａ " = { attributes={ role="readonly" }, `+entry+` }
`+provider)
	joe := s.Users["joe@example.com"]
	if joe.Role != "readwrite" || hex.EncodeToString(joe.Password.Hash[:]) != digits || hex.EncodeToString(joe.Password.Salt) != salt || !joe.Password.Matches("joe@example.com", "geheim") {
		t.Errorf("got %+v", joe)
	}
	if len(s.Users) != 2 || s.Users["Zoë A"].Role != "readonly" {
		t.Errorf("got %v", s.Users)
	}
	if !slices.Equal(s.Roles.Names(), []string{"admin", "readonly", "readwrite"}) {
		t.Errorf("got roles %v", s.Roles.Names())
	}
	if s.OpenIDConnect == nil || s.OpenIDConnect.ClientID != "baleen" || s.OpenIDConnect.ServiceURI != "https://localhost:3000/" {
		t.Errorf("got %+v", s.OpenIDConnect)
	}
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], `Zoë A: write role = "readonly"`) {
		t.Errorf("got %q", s.Warnings)
	}
}

func TestRolesOfOnesOwn(t *testing.T) {
	s := read(t, `
[auth_users]
[auth_roles]
"all" = { permissions = ["any"] }
reader = { permissions = ["login", "read"] }
writer = { permissions = ["login", "read", "update", "aspas-update"], cas = ["ca1", "ca2"] }
nowhere = { permissions = ["login", "read"], cas = [] }
`)
	if !slices.Equal(s.Roles.Names(), []string{"all", "nowhere", "reader", "writer"}) {
		t.Errorf("the roles that there are by default were not replaced: %v", s.Roles.Names())
	}
	for name, want := range map[string]string{
		"all":     "aspas-read aspas-update bgpsec-read bgpsec-update ca-admin ca-create ca-delete ca-list ca-read ca-update login pub-admin pub-create pub-delete pub-list pub-read routes-analysis routes-read routes-update rta-list rta-read rta-update",
		"reader":  "aspas-read bgpsec-read ca-read login routes-analysis routes-read rta-read",
		"writer":  "aspas-read aspas-update bgpsec-read bgpsec-update ca-read login routes-analysis routes-read routes-update rta-read rta-update",
		"nowhere": "aspas-read bgpsec-read ca-read login routes-analysis routes-read rta-read",
	} {
		var may []string
		for _, p := range permissions {
			if s.Roles[name].Allows(p, "") {
				may = append(may, string(p))
			}
		}
		slices.Sort(may)
		if got := strings.Join(may, " "); got != want {
			t.Errorf("%s may\n%s, want\n%s", name, got, want)
		}
	}
	for _, tt := range []struct {
		role, ca string
		want     bool
	}{
		{"reader", "ca3", true},
		{"writer", "ca1", true},
		{"writer", "ca2", true},
		{"writer", "ca3", false},
		{"writer", "", true},
		{"nowhere", "ca1", false},
		{"nowhere", "", true},
		{"missing", "", false},
	} {
		if got := s.Roles[tt.role].Allows(CARead, tt.ca); got != tt.want {
			t.Errorf("%s on %q: %v", tt.role, tt.ca, got)
		}
	}
	if s.Roles["reader"].Bound() || !s.Roles["writer"].Bound() || !s.Roles["nowhere"].Bound() {
		t.Error("bound is not what has a list of CAs")
	}
}

// TestAllThatIsWrongIsListed: each text has the problems that follow it, and no
// other.
func TestAllThatIsWrongIsListed(t *testing.T) {
	for text, want := range map[string][]string{
		`[auth_users`: {"line 1: "},
		`[auth_users]` + "\n" + `joe = { salt = 3 }`: {"incompatible types"},
		"": {"[auth_users]: is missing"},
		"port = 3000\n[auth_user]\njoe = {}\n[auth_users]": {"no section or setting auth_user here", "no section or setting port here"},
		`[auth_users]` + "\n" + `joe = { ` + entry + `, role="owner", home="/" }` + "\n" + `admin-token = { ` + entry + `, role="admin" }` + "\n" + `"a b " = { role="admin" }`: {
			"[auth_users]: the name \"admin-token\"", "[auth_users]: there is no setting joe.home", "user a b: password_hash must be", "user a b: salt must be",
			`user joe has a role that does not exist: "owner"; there are admin, readonly, readwrite`,
		},
		`[auth_users]` + "\n" + `joe = { ` + entry + `, attributes = { exc_cas = "ca1" } }` + "\n" + `jim = { ` + entry + `, role = "admin", attributes = { role = "readonly" } }`: {
			"user jim has two roles", "user joe has no role", "user joe: there is no attribute exc_cas",
		},
		`[auth_users]` + "\n" + `"joe" = { ` + entry + `, role="admin" }` + "\n" + `"joe " = { ` + entry + `, role="admin" }`: {"user joe is there twice"},
		"[auth_users]\n[auth_roles]": {"defines no role"},
		`[auth_users]` + "\n" + `[auth_roles]` + "\n" + `r = { permissions = ["login", "aspas-analysis", "reed"], cas = ["a b"], also = 1 }` + "\n" + `" " = {}`: {
			`"aspas-analysis"`, `"reed"`, `"a b" cannot be the name of a CA`, "no setting r.also", `" " cannot be the name of a role`, "role   has no permissions",
		},
		"[auth_users]\n[auth_openidconnect]\nclient_id = \"x\"\nclient_key = \"y\"": {"[auth_openidconnect]: there is no setting client_key", "issuer_url", "client_secret"},
	} {
		_, err := write(t, text).Read()
		var wrong *Error
		if !errors.As(err, &wrong) || len(wrong.Problems) != len(want) {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s\nlacks %q in %v", text, w, err)
			}
		}
		if strings.Contains(err.Error(), digits) {
			t.Errorf("a hash is shown: %v", err)
		}
	}
	from := write(t, "[auth_users]")
	from.Type = OpenIDConnect
	if _, err := from.Read(); err == nil || !strings.Contains(err.Error(), "[auth_openidconnect]: is missing") {
		t.Errorf("got %v", err)
	}
}

func TestWhoMayReadTheFile(t *testing.T) {
	users := "[auth_users]\njoe = { " + entry + ", role=\"admin\" }\n"
	for _, tt := range []struct {
		mode     os.FileMode
		text     string
		refused  string
		warnings int
	}{
		{0o600, users + provider, "", 0},
		{0o640, users + provider, "", 0},
		{0o644, users + provider, "chmod 600", 0},
		{0o644, users, "", 1},
		{0o644, "[auth_users]", "", 0},
		{0o666, "[auth_users]", "chmod go-w", 0},
		{0o620, users, "chmod go-w", 0},
	} {
		from := write(t, tt.text)
		if err := os.Chmod(from.Path, tt.mode); err != nil {
			t.Fatal(err)
		}
		s, err := from.Read()
		switch {
		case tt.refused == "" && (err != nil || len(s.Warnings) != tt.warnings):
			t.Errorf("%v: %v, %q", tt.mode, err, s.Warnings)
		case tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)):
			t.Errorf("%v: %v", tt.mode, err)
		}
	}
	if _, err := (Source{Path: filepath.Join(t.TempDir(), "none")}).Read(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestDefault(t *testing.T) {
	if s := Default(); len(s.Users) != 0 || s.OpenIDConnect != nil || !s.Roles[AdminRole].Allows(CAAdmin, "ca1") {
		t.Errorf("got %+v", s)
	}
	for _, p := range permissions {
		if !Admin().Allows(p, "") || !Admin().Allows(p, "ca1") {
			t.Errorf("the admin may not %s", p)
		}
	}
	if (Role{}).Allows(Public, "") || (Role{}).Allows(Login, "") {
		t.Error("no role may something")
	}
	if got := DefaultRoles().Check(map[string]string{"root": "admin", "bob": "owner"}); len(got) != 1 || !strings.Contains(got[0], "bob") {
		t.Errorf("got %q", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("[auth_users]\njoe = { " + entry + ", role=\"admin\" }\n[auth_roles]\nadmin = { permissions = [\"any\"], cas = [\"x\"] }\n" + provider)
	f.Add("[auth_users]\njoe = { attributes = { role = \"x\" } }")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Source{Type: ConfigFile, ServiceURI: "https://h/"}.parse([]byte(text))
		if err != nil {
			return
		}
		for id, u := range s.Users {
			if _, ok := s.Roles[u.Role]; !ok || CheckID(id) != nil || id != password.CleanID(id) {
				t.Errorf("accepted user %q with role %q", id, u.Role)
			}
		}
	})
}
