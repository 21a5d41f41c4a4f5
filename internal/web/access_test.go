package web_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/api"
	"baleen/internal/access"
	"baleen/internal/login"
	"baleen/internal/password"
	"baleen/internal/web/rest"
)

// entryOf writes a user as the file has it. The password is the name backwards.
func entryOf(id, role string) string {
	p := password.New(id, secretOf(id))
	return `"` + id + `" = { password_hash="` + hex.EncodeToString(p.Hash[:]) + `", salt="` + hex.EncodeToString(p.Salt) + `", role="` + role + `" }` + "\n"
}

func secretOf(id string) string {
	r := []rune(id)
	slices.Reverse(r)
	return string(r)
}

const ownRoles = `
[auth_roles]
admin = { permissions = ["any"] }
ca1only = { permissions = ["login", "read", "update"], cas = ["ca1"] }
mute = { permissions = ["read"] }
`

// office is a world with users and a clock for what is about them.
type office struct {
	*world

	now      time.Time
	settings access.Settings
}

// newOffice has the users of a file log in.
func newOffice(t *testing.T, how access.Type, provider rest.Provider, file string) *office {
	t.Helper()
	o := &office{world: newWorld(t), now: time.Now().Truncate(time.Second), settings: readAccess(t, how, file)}
	clock := func() time.Time { return o.now }
	o.logins = &login.Recorder{DB: o.service.DB, Fence: o.service.Fence, Log: slog.New(slog.DiscardHandler), Now: clock}
	o.access = rest.Access{
		Type: how, Settings: func() access.Settings { return o.settings }, Door: access.NewDoor(clock), Provider: provider,
		Sessions: &login.Sessions{DB: o.service.DB, Fence: o.service.Fence, Sealer: o.service.Keys.Master, Now: clock, Idle: 12 * time.Hour},
	}
	o.clock = clock
	o.server = o.newServer(false)
	return o
}

// basicAuth shows name and password.
func basicAuth(id, pass string) as {
	return func(r *http.Request) { r.SetBasicAuth(id, pass) }
}

// holding shows a token.
func holding(token string) as {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// logIn gives the token of a new session.
func (o *office) logIn(id string) string {
	o.t.Helper()
	var in api.LoggedInUser
	o.ask(basicAuth(id, secretOf(id)), "POST", "/auth/login", "").json(&in)
	return in.Token
}

// noted gives what audit.login has.
func (o *office) noted() []string {
	o.t.Helper()
	if err := o.logins.Flush(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	rows, err := o.service.DB.Query(o.t.Context(), `SELECT concat_ws(' ', provider, coalesce("user", '-'), outcome, fault, attempts) FROM audit.login ORDER BY 1`)
	if err != nil {
		o.t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

func TestLoginWithPassword(t *testing.T) {
	o := newOffice(t, access.ConfigFile, nil, "[auth_users]\n"+entryOf("joe@example.com", "admin")+entryOf("mae", "mute")+ownRoles)
	if a := o.ask(anybody, "GET", "/auth/login", "ignored").ok(); a.body != "/login?withId=true" || a.header.Get("Cache-Control") != "no-cache" || a.header.Get("Content-Type") != "text/plain" {
		t.Errorf("got %q %v", a.body, a.header)
	}
	var in api.LoggedInUser
	a := o.ask(basicAuth(" joe@example.com", secretOf("joe@example.com")+" "), "POST", "/auth/login", "ignored")
	a.json(&in)
	if in.ID != "joe@example.com" || in.Attributes["role"] != "admin" || len(in.Attributes) != 1 || !login.IsToken(in.Token) {
		t.Errorf("got %s", a.body)
	}
	o.ask(holding(in.Token), "POST", "/api/v1/cas", `{"handle":"ca1"}`).empty()
	if a := o.ask(holding(in.Token), "GET", "/api/v1/cas/ca1/history/details/0", "").ok(); !strings.Contains(a.body, `"actor":"user:joe@example.com"`) {
		t.Errorf("the history says %s", a.body)
	}
	o.get("/api/v1/authorized").empty() // with the admin token

	for cause, who := range map[string]as{
		"Missing credentials":   admin,
		"Incorrect credentials": basicAuth("joe@example.com", "guess"),
	} {
		if a := o.ask(who, "POST", "/auth/login", "").fails(http.StatusUnauthorized, "api-invalid-credentials"); !strings.Contains(a.body, `"msg":"Invalid credentials: `+cause+`"`) || a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("got %s %v", a.body, a.header)
		}
	}
	for _, header := range []string{"", "Basic", "Basic ?", "Basic " + base64.StdEncoding.EncodeToString([]byte("joe")), "Basic " + base64.StdEncoding.EncodeToString([]byte("j\xf6e:x"))} {
		o.ask(func(r *http.Request) { r.Header.Set("Authorization", header) }, "POST", "/auth/login", "").fails(http.StatusUnauthorized, "api-invalid-credentials")
	}
	o.ask(basicAuth("jim", "x"), "POST", "/auth/login", "").fails(http.StatusUnauthorized, "api-invalid-credentials")
	a = o.ask(basicAuth("mae", secretOf("mae")), "POST", "/auth/login", "").fails(http.StatusForbidden, "api-insufficient-rights")
	if !strings.Contains(a.body, "Login denied for user 'mae': User is not permitted to 'login'") {
		t.Errorf("got %s", a.body)
	}

	if a := o.ask(holding(in.Token), "POST", "/auth/logout", "ignored").ok(); a.body != "/" {
		t.Errorf("got %s", a.body)
	}
	o.ask(holding(in.Token), "POST", "/auth/logout", "").ok()
	o.ask(holding(in.Token), "GET", "/api/v1/authorized", "").fails(http.StatusForbidden, "api-insufficient-rights")
	o.ask(basicAuth("joe@example.com", secretOf("joe@example.com")), "GET", "/api/v1/authorized", "").fails(http.StatusForbidden, "api-insufficient-rights")
	want := []string{
		"bearer - refused api-invalid-credentials 1", "config-file - refused api-invalid-credentials 7", "config-file joe@example.com ok 1",
		"config-file joe@example.com refused api-invalid-credentials 1", "config-file mae refused api-insufficient-rights 1",
	}
	if got := o.noted(); !slices.Equal(got, want) {
		t.Errorf("noted\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCallbackWithoutProvider: it is a login that goes on to the web interface.
func TestCallbackWithoutProvider(t *testing.T) {
	o := newOffice(t, access.ConfigFile, nil, "[auth_users]\n"+entryOf("zoë", "admin"))
	to := o.callback(basicAuth("zoë", secretOf("zoë")), "")
	if to.Get("id") != "zoë" || to.Get("attributes") != base64.StdEncoding.EncodeToString([]byte(`{"role":"admin"}`)) || to.Get("error") != "" {
		t.Errorf("got %v", to)
	}
	o.ask(holding(to.Get("token")), "GET", "/api/v1/authorized", "").empty()
	if f := failure(t, o.callback(anybody, "")); f.Label != "api-invalid-credentials" || f.Args["cause"] != "Missing credentials" {
		t.Errorf("got %+v", f)
	}

	w := newRules(t)
	if to := (&office{world: w}).callback(admin, ""); to.Get("token") != token || to.Get("id") != "admin-token" {
		t.Errorf("got %v", to)
	}
	if f := failure(t, (&office{world: w}).callback(anybody, "")); f.Label != "api-invalid-credentials" || f.Args["cause"] != "Missing bearer token" {
		t.Errorf("got %+v", f)
	}
}

// callback is a browser that comes back, and gives what it goes on with.
func (o *office) callback(who as, query string) url.Values {
	o.t.Helper()
	a := o.ask(who, "GET", "/auth/callback"+query, "")
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusFound || to.Path != "/ui/login" || to.Host != "" || a.header.Get("Cache-Control") != "no-store" {
		o.t.Fatalf("got %d %v, %v", a.status, a.header, err)
	}
	return to.Query()
}

// failure reads the error that a browser goes on with.
func failure(t *testing.T, to url.Values) (f api.ErrorResponse) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(to.Get("error"))
	if err = errors.Join(err, json.Unmarshal(raw, &f)); err != nil || to.Get("token") != "" {
		t.Fatalf("got %v: %v", to, err)
	}
	return f
}

// TestRightsEndAtOnce: when the session is over, and when user, password or role
// are gone.
func TestRightsEndAtOnce(t *testing.T) {
	users := "[auth_users]\n" + entryOf("joe", "ca1only") + entryOf("jim", "admin")
	o := newOffice(t, access.ConfigFile, nil, users+ownRoles)
	before := o.settings
	token := o.logIn("joe")
	ask := func() answer { return o.ask(holding(token), "GET", "/api/v1/authorized", "") }
	ask().empty()

	delete(o.settings.Roles, "ca1only")
	a := ask().fails(http.StatusUnauthorized, "api-auth-permanent-error").record("api-auth-permanent-error")
	if a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("got %v", a.header)
	}
	o.settings = readAccess(t, access.ConfigFile, "[auth_users]\n"+entryOf("jim", "admin"))
	ask().fails(http.StatusUnauthorized, "api-auth-permanent-error")
	o.settings = readAccess(t, access.ConfigFile, "[auth_users]\n"+entryOf("joe", "admin"))
	ask().fails(http.StatusUnauthorized, "api-auth-session-expired") // another salt
	o.settings = before
	o.settings.Roles = access.Roles{"ca1only": access.Admin()}
	ask().empty()
	o.ask(holding(token), "POST", "/api/v1/pubd/session_reset", "").ok() // what the role is now counts

	o.now = o.now.Add(11 * time.Hour)
	ask().empty()
	o.now = o.now.Add(11 * time.Hour)
	ask().empty()
	o.now = o.now.Add(12*time.Hour + time.Second)
	ask().fails(http.StatusUnauthorized, "api-auth-session-expired").record("api-auth-session-expired")
	o.ask(holding(token), "GET", "/stats/info", "").ok()
	if err := o.access.Sessions.End(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	ask().fails(http.StatusForbidden, "api-insufficient-rights")

	// Sessions of another way to log in do not count.
	foreign, err := o.access.Sessions.Begin(t.Context(), login.Session{Provider: login.OpenIDConnect, User: "jim", Role: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	o.ask(holding(foreign), "GET", "/api/v1/authorized", "").fails(http.StatusForbidden, "api-insufficient-rights")
}

// TestUsersAreToldWhatTheyMayDo: at login, whenever they ask, and as it is then.
func TestUsersAreToldWhatTheyMayDo(t *testing.T) {
	users := "[auth_users]\n" + entryOf("joe", "ca1only") + entryOf("jim", "nowhere")
	o := newOffice(t, access.ConfigFile, nil, users+ownRoles+`nowhere = { permissions = ["login"], cas = [] }`)
	const told = `"id":"joe","attributes":{"role":"ca1only"},"permissions":` +
		`["aspas-read","bgpsec-read","bgpsec-update","ca-read","login","routes-analysis","routes-read","routes-update","rta-read","rta-update"],"cas":["ca1"]}`
	var in api.LoggedInUser
	a := o.ask(basicAuth("joe", secretOf("joe")), "POST", "/auth/login", "")
	a.json(&in)
	if a.body != `{"token":"`+in.Token+`",`+told {
		t.Errorf("got %s", a.body)
	}
	ask := func(who as) string { return o.ask(who, "GET", "/api/v1/user", "").ok().body }
	joe := holding(in.Token)
	if got := ask(joe); got != "{"+told {
		t.Errorf("got %s", got)
	}
	if got, want := ask(holding(o.logIn("jim"))), `{"id":"jim","attributes":{"role":"nowhere"},"permissions":["login"],"cas":[]}`; got != want {
		t.Errorf("got %s", got)
	}
	var all api.User
	o.get("/api/v1/user").json(&all)
	if all.ID != "admin-token" || all.Attributes["role"] != "admin" || all.CAs != nil || len(all.Permissions) != len(mayDo["admin"]) {
		t.Errorf("got %+v", all)
	}

	o.settings.Roles = readAccess(t, access.ConfigFile, users+`
[auth_roles]
nowhere = { permissions = ["read"] }
ca1only = { permissions = ["login", "ca-read"] }`).Roles
	if got, want := ask(joe), `{"id":"joe","attributes":{"role":"ca1only"},"permissions":["ca-read","login"],"cas":null}`; got != want {
		t.Errorf("got %s", got)
	}
}

// TestTheDatabaseIsAway: then nobody is told that they have no rights.
func TestTheDatabaseIsAway(t *testing.T) {
	o := newOffice(t, access.ConfigFile, nil, "[auth_users]\n"+entryOf("joe", "admin"))
	token := o.logIn("joe")
	if _, err := o.service.DB.Exec(t.Context(), "ALTER TABLE login_session RENAME TO away"); err != nil {
		t.Fatal(err)
	}
	o.ask(holding(token), "GET", "/api/v1/cas", "").fails(http.StatusInternalServerError, "sys-internal")
	o.get("/api/v1/authorized").empty()
	o.ask(holding(token), "GET", "/stats/info", "").ok()
}

func TestGuessesAreSlowedDown(t *testing.T) {
	o := newOffice(t, access.ConfigFile, nil, "[auth_users]\n"+entryOf("joe", "admin"))
	for range 5 {
		o.ask(basicAuth("joe", "guess"), "POST", "/auth/login", "").fails(http.StatusUnauthorized, "api-invalid-credentials")
	}
	a := o.ask(basicAuth("joe", secretOf("joe")), "POST", "/auth/login", "").fails(http.StatusTooManyRequests, "api-login-limit").record("api-login-limit")
	if a.header.Get("Retry-After") != "12" {
		t.Errorf("got %v", a.header)
	}
	o.ask(func(r *http.Request) { r.RemoteAddr = "198.51.100.9:1"; basicAuth("joe", secretOf("joe"))(r) }, "POST", "/auth/login", "").ok()
	o.now = o.now.Add(12 * time.Second)
	o.logIn("joe")
	if got := o.noted(); !slices.Contains(got, "config-file joe refused api-login-limit 1") {
		t.Errorf("noted %q", got)
	}
}

// TestSessionsOnAStandby: who is logged in may read; nobody can log in or out.
func TestSessionsOnAStandby(t *testing.T) {
	o := newOffice(t, access.ConfigFile, nil, "[auth_users]\n"+entryOf("joe", "admin"))
	token := o.logIn("joe")
	*o.role = role{other: "node-2"}
	o.ask(holding(token), "GET", "/api/v1/authorized", "").empty()
	o.ask(anybody, "GET", "/auth/login", "").ok()
	for _, path := range []string{"/auth/login", "/auth/logout"} {
		a := o.ask(basicAuth("joe", secretOf("joe")), "POST", path, "").fails(http.StatusServiceUnavailable, "sys-unavailable")
		if !strings.Contains(a.body, `"active_node":"node-2"`) || a.header.Get("Retry-After") == "" {
			t.Errorf("got %s %v", a.body, a.header)
		}
	}
	if f := failure(t, o.callback(basicAuth("joe", secretOf("joe")), "")); f.Label != "sys-unavailable" {
		t.Errorf("got %+v", f)
	}
}

// TestABoundRoleSeesItsCAsOnly: in lists and in what is told of tasks.
func TestABoundRoleSeesItsCAsOnly(t *testing.T) {
	o := newOffice(t, access.ConfigFile, nil, "[auth_users]\n"+entryOf("joe", "ca1only")+ownRoles)
	joe := holding(o.logIn("joe"))
	for _, ca := range []string{"ca1", "ca2"} {
		o.post("/api/v1/cas", `{"handle":"`+ca+`"}`).empty()
	}
	if a := o.ask(joe, "GET", "/api/v1/cas", "").ok(); a.body != `{"cas":[{"handle":"ca1"}]}` || a.header.Get("X-Total-Count") != "1" {
		t.Errorf("got %s %v", a.body, a.header)
	}
	o.ask(joe, "GET", "/api/v1/cas/ca1", "").ok()
	a := o.ask(joe, "GET", "/api/v1/cas/ca2", "").fails(http.StatusForbidden, "api-insufficient-rights")
	if !strings.Contains(a.body, "User 'joe' does not have permission 'ca-read' on resource 'ca2'") {
		t.Errorf("got %s", a.body)
	}
	o.ask(joe, "GET", "/api/v1/cas/ca3", "").fails(http.StatusForbidden, "api-insufficient-rights") // there is none

	const fault = `'{"label":"general-error","kind":"Invalid","code":"general-error","msg":"no","args":{}}'`
	if _, err := o.service.DB.Exec(t.Context(), `INSERT INTO ca_repo_status (stream_id, uri, at, fault)
		SELECT id, 'https://localhost:3000/', now(), `+fault+` FROM es_stream WHERE kind = 'ca'`); err != nil {
		t.Fatal(err)
	}
	var all, mine api.AllCAIssues
	o.get("/api/v1/bulk/cas/issues").json(&all)
	o.ask(joe, "GET", "/api/v1/bulk/cas/issues", "").json(&mine)
	if _, ok := mine.CAs["ca1"]; len(all.CAs) != 2 || len(mine.CAs) != 1 || !ok {
		t.Errorf("all have %v, ca1 has %v", all, mine)
	}

	if _, err := o.service.DB.Exec(t.Context(), `INSERT INTO task (kind, key, args, run_at, created_at, failures, last_fault) VALUES
		('ca_refresh', 'ca1', '{}', now(), now(), 1, `+fault+`), ('ca_sync_parent', 'ca2 p', '{}', now(), now(), 1, `+fault+`), ('cas_renew', 'ca1', '{}', now(), now(), 1, `+fault+`)`); err != nil {
		t.Fatal(err)
	}
	var tasks api.TaskReport
	o.get("/api/v1/tasks").json(&tasks)
	if len(tasks.Problems) != 3 {
		t.Errorf("got %+v", tasks.Problems)
	}
	o.ask(joe, "GET", "/api/v1/tasks", "").json(&tasks)
	if len(tasks.Problems) != 1 || tasks.Problems[0].Kind != "ca_refresh" {
		t.Errorf("got %+v", tasks.Problems)
	}
}
