package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"baleen/internal/access"
	"baleen/internal/obs"
	"baleen/internal/web"
	"baleen/internal/web/rest"
)

// mayDo says what each role may do, after the reference of the API.
var mayDo = map[string][]string{
	"admin": {
		"login", "pub-admin", "pub-list", "pub-read", "pub-create", "pub-delete", "ca-list", "ca-read", "ca-create", "ca-update", "ca-admin", "ca-delete",
		"routes-read", "routes-update", "routes-analysis", "aspas-read", "aspas-update", "bgpsec-read", "bgpsec-update", "rta-list", "rta-read", "rta-update",
	},
	"readwrite": {
		"login", "ca-list", "ca-read", "ca-create", "ca-update", "pub-list", "pub-read", "pub-create", "pub-delete", "routes-read", "routes-analysis", "routes-update",
		"aspas-read", "aspas-update", "bgpsec-read", "bgpsec-update", "rta-list", "rta-read", "rta-update",
	},
	"readonly": {"login", "ca-list", "ca-read", "pub-list", "pub-read", "routes-read", "routes-analysis", "aspas-read", "bgpsec-read", "rta-list", "rta-read"},
	"":         nil,

	// Roles of one's own, of the file boundRoles: each has the permissions on one CA only.
	"here":      {"login", "ca-read", "routes-read", "routes-analysis", "aspas-read", "bgpsec-read", "rta-read", "ca-create", "ca-delete", "pub-admin"},
	"elsewhere": {"login", "ca-read", "routes-read", "routes-analysis", "aspas-read", "bgpsec-read", "rta-read", "ca-create", "ca-delete", "pub-admin"},
}

// boundRoles defines roles of one's own. All names on the paths of
// TestEveryRouteForEveryRole are 1.
const boundRoles = `
[auth_roles]
admin = { permissions = ["any"] }
readwrite = { permissions = ["login", "ca-list", "ca-read", "ca-create", "ca-update", "pub-list", "pub-read", "pub-create", "pub-delete", "routes-read", "routes-analysis",
	"update", "aspas-read", "aspas-update", "bgpsec-read", "rta-list", "rta-read"] }
readonly = { permissions = ["login", "ca-list", "pub-list", "pub-read", "read", "rta-list"] }
here = { permissions = ["login", "read", "ca-create", "ca-delete", "pub-admin"], cas = ["1"] }
elsewhere = { permissions = ["login", "read", "ca-create", "ca-delete", "pub-admin"], cas = ["2", "3"] }
`

// demanded gives all the permissions that a route asks for, one after the other:
// what its part of the API needs, then its own.
func demanded(path, own string) (all []string) {
	if own == "" {
		return nil
	}
	if path != "/api/v1/authorized" {
		all = append(all, "login")
	}
	if strings.HasPrefix(path, "/api/v1/cas/:ca") {
		all = append(all, "ca-read")
	}
	if strings.HasPrefix(path, "/api/v1/pubd/") {
		all = append(all, "pub-admin")
	}
	return append(all, own)
}

// overSocket is a user of the system on the Unix socket.
func overSocket(login string) as {
	return func(r *http.Request) {
		*r = *r.WithContext(rest.WithPeer(r.Context(), func() string { return login }))
		r.RemoteAddr = "@"
	}
}

// readAccess reads a file of users.
func readAccess(t *testing.T, how access.Type, text string) access.Settings {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := access.Source{Path: path, Type: how, ServiceURI: "https://localhost:3000/"}.Read()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newServerWithUsers is one without a database and with users of the system.
func newServerWithUsers(t *testing.T, users map[string]string) *web.Server {
	t.Helper()
	return newServerWithAccess(t, rest.Access{UnixUsers: users})
}

func newServerWithAccess(t *testing.T, a rest.Access) *web.Server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	return web.New(web.Deps{
		AdminToken: token, PostLimit: 64, RepoDir: t.TempDir(), Role: &role{active: true}, Log: log, Access: a,
		Metrics: obs.NewMetrics(obs.MetricsConfig{Source: unmeasured{}, Log: log}),
	})
}

// TestEveryRouteForEveryRole asks for every route as everybody whom the server
// can tell apart, and holds the answer against the reference.
func TestEveryRouteForEveryRole(t *testing.T) {
	users := map[string]string{"alice": "admin", "rob": "readwrite", "ron": "readonly", "odd": "no such role", "hal": "here", "eli": "elsewhere"}
	byDefault, own := newServerWithUsers(t, users), readAccess(t, access.AdminToken, boundRoles)
	_, permission := listed(reference + additions)
	for _, u := range []somebody{
		{"bound to this CA", "hal", "here", overSocket("hal"), false},
		{"bound to other CAs", "eli", "elsewhere", overSocket("eli"), false},
		{"admin token", "admin-token", "admin", admin, false},
		{"admin on the socket", "alice", "admin", overSocket("alice"), false},
		{"readwrite on the socket", "rob", "readwrite", overSocket("rob"), false},
		{"readonly on the socket", "ron", "readonly", overSocket("ron"), false},
		{"a role that there is not", "odd", "", overSocket("odd"), true},
		{"not listed on the socket", "eve", "", overSocket("eve"), true},
		{"the admin token on the socket", "admin-token", "admin", func(r *http.Request) { overSocket("eve")(r); admin(r) }, false},
		{"a wrong token on the socket", "ron", "readonly", func(r *http.Request) { overSocket("ron")(r); r.Header.Set("Authorization", "Bearer wrong") }, false},
		{"nobody", "anonymous", "", anybody, false},
		{"a wrong token", "anonymous", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer wrong") }, false},
	} {
		for server, name := range map[*web.Server]string{
			byDefault: "default roles", newServerWithAccess(t, rest.Access{UnixUsers: users, Settings: func() access.Settings { return own }}): "roles of the file",
		} {
			if strings.HasPrefix(u.what, "bound") && server == byDefault {
				continue // there these roles do not exist
			}
			t.Run(u.what+", "+name, func(t *testing.T) { everyRoute(t, server, u, permission) })
		}
	}
}

// somebody asks for every route.
type somebody struct {
	what, name, role string
	as               as
	unknown          bool // gets 401
}

func everyRoute(t *testing.T, server *web.Server, u somebody, permission map[string]string) {
	t.Helper()
	for _, r := range server.Registered() {
		own, ok := permission[r.Method+" "+r.Path]
		if !ok {
			continue // TestEveryRouteOfTheReferenceIsThereOrMissing complains
		}
		lacks := lacking(r.Path, own, u.had(r.Path))
		a := roleAsks(t, server, u.as, r.Method, r.Path)
		switch {
		case lacks == "" && (a.status == http.StatusForbidden || a.status == http.StatusUnauthorized) && !strings.HasPrefix(r.Path, "/auth/"):
			t.Errorf("%s %s: %d %s", r.Method, r.Path, a.status, a.body)
		case lacks != "" && u.unknown:
			a.fails(http.StatusUnauthorized, "api-invalid-credentials")
			if !strings.Contains(a.body, `"cause":"Unauthorised system user '`+u.name+`'"`) || a.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %s: %s %v", r.Method, r.Path, a.body, a.header)
			}
		case lacks != "":
			a.fails(http.StatusForbidden, "api-insufficient-rights")
			if !strings.Contains(a.body, `"cause":"User '`+u.name+`' does not have permission '`+lacks+`'`) {
				t.Errorf("%s %s: %s", r.Method, r.Path, a.body)
			}
		}
	}
}

// had gives the permissions that somebody has on a path.
func (u somebody) had(path string) []string {
	if u.role == "elsewhere" && strings.HasPrefix(path, "/api/v1/cas/:ca") {
		return []string{"login"} // which is about no CA
	}
	return mayDo[u.role]
}

// lacking gives the first permission that is demanded and not had, or "".
func lacking(path, own string, had []string) string {
	for _, p := range demanded(path, own) {
		if !slices.Contains(had, p) {
			return p
		}
	}
	return ""
}

var pathArgument = regexp.MustCompile(`:[a-z]+|\*`)

// roleAsks asks a server behind which there is nothing: what is allowed fails
// later.
func roleAsks(t *testing.T, server *web.Server, who as, method, path string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, pathArgument.ReplaceAllString(path, "1"), nil)
	who(r)
	rec := httptest.NewRecorder()
	server.ServeHTTP(rec, r)
	return answer{t: t, what: method + " " + path, status: rec.Code, header: rec.Header(), body: rec.Body.String()}
}

// TestRolesAreThoseOfTheReference: a role that the server knows and the
// reference does not, or the reverse, would be tested by nobody.
func TestRolesAreThoseOfTheReference(t *testing.T) {
	for _, name := range access.DefaultRoles().Names() {
		if _, ok := mayDo[name]; !ok {
			t.Errorf("no test knows the role %s", name)
		}
	}
	if len(mayDo) != len(access.DefaultRoles().Names())+3 {
		t.Errorf("the roles are %v", access.DefaultRoles().Names())
	}
}
