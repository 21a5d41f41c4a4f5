package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/oauth2-proxy/mockoidc"

	"baleen/api"
	"baleen/internal/testdb"
	"baleen/internal/testkeys"
	"baleen/test/harness"
)

// staff is a server over https whose users stand in a file.
type staff struct {
	operator

	file string
}

// newStaff starts one; extra are further lines of the file.
func newStaff(t *testing.T, how, text string) *staff {
	t.Helper()
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	f := &staff{operator: operator{Server: s, ctx: ctx, t: t}, file: filepath.Join(s.Dir, "users.toml")}
	f.write(text)
	s.TLS, s.Env = true, []string{"BALEEN_AUTH_TYPE=" + how, "BALEEN_AUTH_FILE=" + f.file}
	mustStart(ctx, t, s)
	return f
}

func (f *staff) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// entryOf has baleenctl make the entry of a user, without its section.
func entryOf(ctx context.Context, t *testing.T, id, role, secret string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "baleenctl"), "config", "user", "--id", id, "--role", role)
	cmd.Env, cmd.Stdin = []string{"PATH=" + os.Getenv("PATH")}, strings.NewReader(secret+"\n")
	out, err := cmd.Output()
	line, ok := strings.CutPrefix(string(out), "[auth_users]\n")
	if err != nil || !ok {
		t.Fatalf("%s %v", out, err)
	}
	return line
}

// send asks with a header Authorization.
func (f *staff) send(authorization, method, path, body string) harness.Answer {
	f.t.Helper()
	a, err := f.Ask(f.ctx, harness.Request{Method: method, Path: path, Body: strings.NewReader(body), Header: map[string]string{"Authorization": authorization}})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

func (f *staff) want(status int, authorization, method, path, body string) harness.Answer {
	f.t.Helper()
	a := f.send(authorization, method, path, body)
	if a.Status != status {
		f.t.Errorf("%s %s: got %s, want %d", method, path, show(a), status)
	}
	return a
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// TestUsersWithPasswords: entries that baleenctl makes, roles of one's own, and a
// session that outlives a restart and ends when the file says so.
func TestUsersWithPasswords(t *testing.T) {
	ctx := bounded(t)
	const roles = `
[auth_roles]
owner = { permissions = ["any"] }
ca1 = { permissions = ["login", "read", "update"], cas = ["ca1"] }
`
	joe, ann := entryOf(ctx, t, "joe@example.com", "owner", "joe's secret"), entryOf(ctx, t, "ann", "ca1", "pässword")
	f := newStaff(t, "config-file", "[auth_users]\n"+joe+ann+roles)
	in := func(id, secret string) string {
		t.Helper()
		var who api.LoggedInUser
		a := f.want(http.StatusOK, basic(id, secret), http.MethodPost, "/auth/login", "")
		if err := json.Unmarshal(a.Body, &who); err != nil || who.ID != id {
			t.Fatalf("got %s: %v", a.Body, err)
		}
		return who.Token
	}
	asJoe, asAnn := in("joe@example.com", "joe's secret"), in("ann", "pässword")
	for _, ca := range []string{"ca1", "ca2"} {
		f.want(http.StatusOK, "Bearer "+asJoe, http.MethodPost, "/api/v1/cas", `{"handle":"`+ca+`"}`)
	}
	if a := f.want(http.StatusOK, "Bearer "+asAnn, http.MethodGet, "/api/v1/cas", ""); string(a.Body) != `{"cas":[{"handle":"ca1"}]}` {
		t.Errorf("ann sees %s", a.Body)
	}
	f.want(http.StatusForbidden, "Bearer "+asAnn, http.MethodGet, "/api/v1/cas/ca2", "")
	f.want(http.StatusUnauthorized, basic("ann", "guess"), http.MethodPost, "/auth/login", "")
	if body := f.get("/api/v1/cas/ca1/history/details/0"); !bytes.Contains(body, []byte(`"actor":"user:joe@example.com"`)) {
		t.Errorf("the history says %s", body)
	}
	byKrillc(t, f, asAnn)

	if err := f.Kill(); err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, f.Server)
	f.want(http.StatusOK, "Bearer "+asAnn, http.MethodGet, "/api/v1/authorized", "")

	f.write("[auth_users]\n" + joe + "ann = 3\n" + roles)
	f.hangUp("has a problem")
	f.want(http.StatusOK, "Bearer "+asAnn, http.MethodGet, "/api/v1/authorized", "") // what was read before counts
	f.write("[auth_users]\n" + joe + roles)
	f.hangUp("was read again\"")
	f.want(http.StatusUnauthorized, "Bearer "+asAnn, http.MethodGet, "/api/v1/authorized", "")
	f.want(http.StatusOK, "Bearer "+asJoe, http.MethodGet, "/api/v1/authorized", "")
	f.want(http.StatusOK, "Bearer "+asJoe, http.MethodPost, "/auth/logout", "")
	f.want(http.StatusForbidden, "Bearer "+asJoe, http.MethodGet, "/api/v1/authorized", "")

	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	f.write("[auth_users]\n" + strings.ReplaceAll(joe, "owner", "king") + roles + "queen = { permissions = [\"rule\"] }\n")
	if err := f.Launch(); err != nil {
		t.Fatal(err)
	}
	status, err := f.Exit(ctx)
	if err != nil || status != 1 || !strings.Contains(f.Log(), "has 2 problems:") || !strings.Contains(f.Log(), `"rule"`) || !strings.Contains(f.Log(), `"king"`) {
		t.Errorf("with two mistakes in the file it ended with %d, %v: %s", status, err, f.Log())
	}
	if err := f.Kill(); err != nil { // it has ended
		t.Fatal(err)
	}
}

// hangUp has the server read its file again, and waits until it says so.
func (f *staff) hangUp(said string) {
	f.t.Helper()
	before := strings.Count(f.Log(), said)
	if err := f.Signal(syscall.SIGHUP); err != nil {
		f.t.Fatal(err)
	}
	if err := f.Until(f.ctx, "the file was read again", func() (bool, error) { return strings.Count(f.Log(), said) > before, nil }); err != nil {
		f.t.Fatal(err)
	}
}

// byKrillc asks with the predecessor's client, where there is one.
func byKrillc(t *testing.T, f *staff, token string) {
	t.Helper()
	dir := os.Getenv("KRILL_BIN")
	if dir == "" {
		t.Log("krillc is not tried: KRILL_BIN does not say where it is")
		return
	}
	for _, line := range [][]string{{"ca1", "list"}, {"", "roas", "list", "--ca", "ca1"}, {"!", "roas", "list", "--ca", "ca2"}, {"!", "add", "--ca", "ca3"}} {
		cmd := exec.CommandContext(f.ctx, filepath.Join(dir, "krillc"), append([]string{"-s", f.URL("/"), "-t", token}, line[1:]...)...)
		out, err := cmd.CombinedOutput()
		if (err != nil) != (line[0] == "!") || err == nil && line[0] != "" && strings.TrimSpace(string(out)) != line[0] {
			t.Errorf("krillc %v: %s %v", line[1:], out, err)
		}
	}
}

// TestUsersOfAProvider: a browser that logs in at a provider that others wrote.
func TestUsersOfAProvider(t *testing.T) {
	key, err := testkeys.Source(t)()
	if err != nil {
		t.Fatal(err)
	}
	idp, err := mockoidc.NewServer(key)
	if err != nil {
		t.Fatal(err)
	}
	err = idp.AddMiddleware(func(next http.Handler) http.Handler { // it offers Basic, and does not read it
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if id, secret, ok := r.BasicAuth(); ok && r.ParseForm() == nil {
				r.Form.Set("client_id", id)
				r.Form.Set("client_secret", secret)
			}
			next.ServeHTTP(w, r)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	at, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := idp.Start(at, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = idp.Shutdown() })
	f := newStaff(t, "openid-connect", fmt.Sprintf(`
[auth_openidconnect]
issuer_url = %q
client_id = %q
client_secret = %q
extra_login_scopes = ["groups"]
role_claims = [{ claim = "groups", match = "^rpki-(.*)$", subst = "$1" }]
`, idp.Issuer(), idp.ClientID, idp.ClientSecret))

	idp.QueueUser(&mockoidc.MockUser{Subject: "1", Email: "ann@example.com", EmailVerified: true, Groups: []string{"staff", "rpki-readonly"}})
	to := f.browse()
	if to.Get("id") != "ann@example.com" || to.Get("attributes") != base64.StdEncoding.EncodeToString([]byte(`{"role":"readonly"}`)) {
		t.Fatalf("the browser goes on with %v", to)
	}
	ann := "Bearer " + to.Get("token")
	f.want(http.StatusOK, ann, http.MethodGet, "/api/v1/cas", "")
	f.want(http.StatusForbidden, ann, http.MethodPost, "/api/v1/cas", `{"handle":"ca1"}`)
	if a := f.want(http.StatusOK, ann, http.MethodPost, "/auth/logout", ""); string(a.Body) != f.PublicURI() {
		t.Errorf("after logout it goes on to %s", a.Body)
	}
	f.want(http.StatusForbidden, ann, http.MethodGet, "/api/v1/cas", "")

	idp.QueueUser(&mockoidc.MockUser{Subject: "2", Email: "bob@example.com", EmailVerified: true, Groups: []string{"rpki-owner"}})
	to = f.browse()
	raw, err := base64.StdEncoding.DecodeString(to.Get("error"))
	if err != nil || !bytes.Contains(raw, []byte(`"label":"api-auth-permanent-error"`)) || !bytes.Contains(raw, []byte("owner")) {
		t.Errorf("a user of no role goes on with %v: %s %v", to, raw, err)
	}
}

// browse logs in as a browser does, and gives what it goes on with.
func (f *staff) browse() url.Values {
	f.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	browser := &http.Client{
		Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer browser.CloseIdleConnections()
	get := func(address string) (location, body string) {
		req, err := http.NewRequestWithContext(f.ctx, http.MethodGet, address, nil)
		if err != nil {
			f.t.Fatal(err)
		}
		res, err := browser.Do(req)
		if err != nil {
			f.t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var b bytes.Buffer
		if _, err := b.ReadFrom(res.Body); err != nil {
			f.t.Fatal(err)
		}
		return res.Header.Get("Location"), b.String()
	}
	_, login := get(f.PublicURI() + "auth/login")
	back, said := get(login)
	if !strings.HasPrefix(back, f.PublicURI()+"auth/callback?") {
		f.t.Fatalf("the provider sends to %q: %s", back, said)
	}
	end, _ := get(back)
	to, err := url.Parse(end)
	if err != nil || to.Path != "/ui/login" {
		f.t.Fatalf("the browser goes on to %q: %v", end, err)
	}
	return to.Query()
}
