package web_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/internal/obs"
	"baleen/internal/web"
)

// newServerWithoutDatabase is for what is decided before any handler runs.
func newServerWithoutDatabase(t *testing.T) *web.Server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	return web.New(web.Deps{
		AdminToken: token, PostLimit: 64, RepoDir: t.TempDir(), Role: &role{active: true}, Log: log, Started: time.Unix(1795346109, 0),
		Metrics: obs.NewMetrics(obs.MetricsConfig{Source: unmeasured{}, Log: log}),
	})
}

// newRules is a world without anything behind the handlers.
func newRules(t *testing.T) *world {
	t.Helper()
	return &world{t: t, server: newServerWithoutDatabase(t)}
}

func TestPathsAndMethodsThatDoNotExist(t *testing.T) {
	w := newRules(t)
	for _, path := range []string{
		"//", "//health", "/health/", "/nope", "/stats", "/ta", "/rrdp", "/rrdp/", "/api", "/index.html", "/favicon.ico",
		"/testbed", "/testbed/enabled", "/testbed/children", "/auth", "/auth/nope",
		"/rrdp/nope", "/rrdp/notification.xml/", "/rrdp/a/1/b/other.xml", "/rrdp/a/1/snapshot.xml", "/rrdp/../ta/ta.cer", "/rrdp/a/1/%2e%2e/snapshot.xml",
		"/rrdp/a/1/b_c/snapshot.xml", "/rrdp/a//b/snapshot.xml",
	} {
		w.ask(anybody, "GET", path, "").nothing(http.StatusNotFound)
	}
	for _, path := range []string{
		"/api/v1", "/api/v1/", "/api/v1/nope", "/api/v1/authorized/", "/api/v1/cas/", "/api/v1/cas/ca1/", "/api/v1/cas/ca1/nope", "/api/v1/cas/a%20b",
		"/api/v1/cas/a%2Fb", "/api/v1/cas/ca1/children/x%20y", "/api/v1/cas/ca1/children/", "/api/v1/cas/ca1/parents/", "/api/v1/cas/ca1/history",
		"/api/v1/cas/ca1/history/commands/x", "/api/v1/cas/ca1/history/commands/-1", "/api/v1/cas/ca1/history/commands/1/-1", "/api/v1/cas/ca1/history/commands//",
		"/api/v1/cas/ca1/history/commands/1/2/3/4/5", "/api/v1/cas/ca1/history/details/", "/api/v1/cas/ca1/history/details/x", "/api/v1/cas/ca1/history/details/-1",
		"/api/v1/cas/ca1/history/details/1/", "/api/v1/cas/ca1/stats/children", "/api/v1/cas/ca1/stats/children/connections/", "/api/v1/pubd", "/api/v1/pubd/", "/api/v1/pubd/stale/x", "/api/v1/pubd/publishers/",
	} {
		w.ask(admin, "GET", path, "").nothing(http.StatusNotFound)
	}
	for _, request := range []string{
		"POST /health", "HEAD /health", "OPTIONS /health", "DELETE /metrics", "PUT /stats/info", "POST /rrdp/notification.xml", "HEAD /rrdp/notification.xml", "DELETE /rrdp/nope",
		"PATCH /auth/login", "GET /auth/logout", "GET /rfc6492/ca1", "GET /rfc8181/p/", "FOO /health",
		"DELETE /api/v1/cas", "PUT /api/v1/cas/ca1/children", "PUT /api/v1/cas/ca1", "HEAD /api/v1/cas", "OPTIONS /api/v1/cas", "GET /api/v1/cas/ca1/sync/repo",
		"POST /api/v1/cas/ca1/repo/status", "GET /api/v1/bulk/cas/publish", "POST /api/v1/pubd/stale", "DELETE /api/v1/cas/ca1/routes",
	} {
		method, path, _ := strings.Cut(request, " ")
		w.ask(admin, method, path, "").nothing(http.StatusMethodNotAllowed)
	}
	w.ask(admin, "OPTIONS", "/api/v1/nope", "").nothing(http.StatusNotFound)
}

func TestAnonymousLearnsNothingOfTheAPI(t *testing.T) {
	w := newRules(t)
	who := map[string]as{
		"no token":             anybody,
		"wrong token":          func(r *http.Request) { r.Header.Set("Authorization", "Bearer wrong") },
		"empty token":          func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") },
		"prefix of the token":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token[:3]) },
		"other scheme":         func(r *http.Request) { r.Header.Set("Authorization", "Basic "+token) },
		"scheme in small":      func(r *http.Request) { r.Header.Set("Authorization", "bearer "+token) },
		"what the UI may send": func(r *http.Request) { r.Header.Set("Authorization", "Bearer null") },
	}
	for name, as := range who {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, server: w.server}
			for _, request := range []string{"GET /api/v1/authorized", "GET /api/v1/cas", "GET /api/v1/nope", "DELETE /api/v1/cas/ca1", "OPTIONS /api/v1/cas", "POST /api/v1/pubd/init", "GET /api/v1"} {
				method, path, _ := strings.Cut(request, " ")
				a := w.ask(as, method, path, "").fails(http.StatusForbidden, "api-insufficient-rights")
				if want := `{"label":"api-insufficient-rights","msg":"Insufficient rights: User 'anonymous' does not have permission 'login'",` +
					`"args":{"cause":"User 'anonymous' does not have permission 'login'"}}`; a.body != want {
					t.Errorf("got %s", a.body)
				}
			}
		})
	}
	w.ask(func(r *http.Request) { r.Header.Set("Authorization", "Bearer   "+token+" ") }, "GET", "/api/v1/authorized", "").empty()
}

func TestWithoutAdminTokenNobodyGetsIn(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, server: web.New(web.Deps{
		PostLimit: 64, Role: &role{active: true}, Log: log, Metrics: obs.NewMetrics(obs.MetricsConfig{Source: unmeasured{}, Log: log}),
	})}
	empty := func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }
	w.ask(empty, "GET", "/api/v1/authorized", "").fails(http.StatusForbidden, "api-insufficient-rights").record("api-insufficient-rights")
	w.ask(empty, "POST", "/auth/login", "").fails(http.StatusUnauthorized, "api-invalid-credentials").record("api-invalid-credentials")
}

func TestLogin(t *testing.T) {
	w := newRules(t)
	for request, body := range map[string]string{"GET /auth/login": "/login", "POST /auth/logout": "/"} {
		method, path, _ := strings.Cut(request, " ")
		a := w.ask(anybody, method, path, "ignored").ok()
		if a.body != body || a.header.Get("Content-Type") != "text/plain" || a.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: got %q %v", request, a.body, a.header)
		}
	}
	a := w.ask(admin, "POST", "/auth/login", "ignored").ok()
	const added = `,"permissions":["aspas-read","aspas-update","bgpsec-read","bgpsec-update","ca-admin","ca-create","ca-delete","ca-list","ca-read","ca-update","login",` +
		`"pub-admin","pub-create","pub-delete","pub-list","pub-read","routes-analysis","routes-read","routes-update","rta-list","rta-read","rta-update"],"cas":null`
	if want := `{"token":"let me in","id":"admin-token","attributes":{"role":"admin"}` + added + `}`; a.body != want {
		t.Errorf("got %s", a.body)
	}
	for header, cause := range map[string]string{"": "Missing bearer token", "Bearer wrong": "Invalid bearer token"} {
		a := w.ask(func(r *http.Request) {
			if header != "" {
				r.Header.Set("Authorization", header)
			}
		}, "POST", "/auth/login", "").fails(http.StatusUnauthorized, "api-invalid-credentials")
		if a.header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(a.body, `"msg":"Invalid credentials: `+cause+`"`) {
			t.Errorf("got %s %v", a.body, a.header)
		}
	}
}

func TestPathsAreText(t *testing.T) {
	w := newRules(t)
	w.ask(anybody, "GET", "/health%FF", "").fails(http.StatusBadRequest, "invalid-path").record("invalid-path")
	w.ask(anybody, "GET", "/h%65alth?anything=%zz", "").empty()
}

func TestBodies(t *testing.T) {
	w := newRules(t)
	w.ask(admin, "GET", "/api/v1/authorized", "x").fails(http.StatusBadRequest, "api-unexpected-body").record("api-unexpected-body")
	w.ask(admin, "POST", "/api/v1/cas/ca1/sync/repo", "{}").fails(http.StatusBadRequest, "api-unexpected-body")
	w.ask(admin, "DELETE", "/api/v1/pubd/publishers/p", "{}").fails(http.StatusBadRequest, "api-unexpected-body")
	w.ask(func(r *http.Request) { admin(r); r.ContentLength = -1 }, "GET", "/api/v1/authorized", "").fails(http.StatusBadRequest, "api-unexpected-body")

	atLimit := strings.Repeat(" ", 64)
	w.post("/api/v1/cas", atLimit).fails(http.StatusBadRequest, "api-json")
	w.post("/api/v1/cas", atLimit+" ").fails(http.StatusBadRequest, "api-post-body-exceeds-limit").record("api-post-body-exceeds-limit")
	chunked := func(r *http.Request) { admin(r); r.ContentLength = -1 }
	w.ask(chunked, "POST", "/api/v1/cas", atLimit).fails(http.StatusBadRequest, "api-json")
	w.ask(chunked, "POST", "/api/v1/cas", atLimit+" ").fails(http.StatusBadRequest, "api-post-body-cannot-read").record("api-post-body-cannot-read")
	w.ask(anybody, "POST", "/api/v1/cas", atLimit+" ").fails(http.StatusForbidden, "api-insufficient-rights")

	a := w.post("/api/v1/cas", "{\n  \"handle\": 7}").fails(http.StatusBadRequest, "api-json")
	if want := `{"label":"api-json","msg":"Invalid JSON: invalid type: integer ` + "`7`" + `, expected a string at line 2 column 13",` +
		`"args":{"cause":"invalid type: integer ` + "`7`" + `, expected a string at line 2 column 13"}}`; a.body != want {
		t.Errorf("got  %s\nwant %s", a.body, want)
	}
	for _, name := range []string{"", "a b", "a/b", "é", strings.Repeat("x", 256)} {
		if len(name) < 40 {
			w.post("/api/v1/cas", `{"handle":"`+name+`"}`).fails(http.StatusBadRequest, "api-json")
		}
	}
}

func TestStandbyReadsAndRefusesToWrite(t *testing.T) {
	w := newRules(t)
	w.role = &role{other: "node-2"}
	log := slog.New(slog.DiscardHandler)
	w.server = web.New(web.Deps{
		AdminToken: token, PostLimit: 64, Role: w.role, Log: log, Metrics: obs.NewMetrics(obs.MetricsConfig{Source: unmeasured{}, Log: log}),
	})
	w.get("/api/v1/authorized").empty()
	w.get("/stats/info").ok()
	w.ask(anybody, "GET", "/ui/cas/ca1", "").ok()
	w.ask(admin, "POST", "/auth/login", "").ok()
	for _, request := range []string{"POST /api/v1/cas", "POST /api/v1/cas/ca1/sync/parents", "DELETE /api/v1/pubd/publishers/p", "POST /rfc6492/ca1"} {
		method, path, _ := strings.Cut(request, " ")
		a := w.ask(admin, method, path, "").fails(http.StatusServiceUnavailable, "sys-unavailable")
		if a.header.Get("Retry-After") == "" || !strings.Contains(a.body, `"args":{"active_node":"node-2"}`) {
			t.Errorf("%s: got %s %v", request, a.body, a.header)
		}
	}
	w.ask(anybody, "POST", "/api/v1/cas", "").fails(http.StatusForbidden, "api-insufficient-rights")
	h := w.ask(anybody, "GET", "/health", "")
	h.empty()
	if h.header.Get("Baleen-Role") != "standby" || h.header.Get("Baleen-Active-Node") != "node-2" {
		t.Errorf("got %v", h.header)
	}
	w.ask(anybody, "GET", "/health/active", "").nothing(http.StatusServiceUnavailable)
	w.role.active = true
	w.ask(anybody, "GET", "/health/active", "").empty()
}

func TestPanicsAndUnknownErrorsAreOurs(t *testing.T) {
	w := newRules(t)
	w.server.Handle("GET", "/panics", func(echo.Context) error { panic("secret") })
	w.server.Handle("GET", "/fails", func(echo.Context) error { return errors.New("secret") })
	w.server.Handle("GET", "/aborts", func(echo.Context) error { panic(http.ErrAbortHandler) })
	for _, path := range []string{"/panics", "/fails"} {
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		id := rec.Header().Get("X-Request-Id")
		want := `{"label":"sys-internal","msg":"Internal error: see the server's log for request ` + id + `","args":{"cause":"see the server's log for request ` + id + `"}}`
		if rec.Code != http.StatusInternalServerError || rec.Body.String() != want || len(id) != 16 {
			t.Errorf("%s: got %d %s", path, rec.Code, rec.Body)
		}
	}
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the way to break off a connection does not work")
		}
	}()
	w.server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/aborts", nil))
}

func TestStoppingServerRefuses(t *testing.T) {
	w := newRules(t)
	w.server.Stop()
	a := w.get("/api/v1/authorized").fails(http.StatusServiceUnavailable, "sys-unavailable").record("sys-unavailable")
	if want := `{"label":"sys-unavailable","msg":"Service Unavailable","args":{}}`; a.body != want || a.header.Get("Connection") != "close" {
		t.Errorf("got %s %v", a.body, a.header)
	}
}

func TestMetricsHaveRoutesNotPaths(t *testing.T) {
	w := newRules(t)
	for _, path := range []string{"/api/v1/cas/one/nope", "/made/up", "/stats/info"} {
		w.get(path)
	}
	w.ask(admin, "INVENTED", "/stats/info", "")
	text := w.ask(anybody, "GET", "/metrics", "").ok().body
	for _, want := range []string{
		`baleen_http_requests_total{method="GET",route="/stats/info",status="200"} 1`,
		`baleen_http_requests_total{method="other",route="/stats/info",status="405"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	for _, never := range []string{"made/up", "one/nope", "INVENTED"} {
		if strings.Contains(text, never) {
			t.Errorf("the metrics show %s", never)
		}
	}
}

func TestServerInfo(t *testing.T) {
	w := newRules(t)
	if a := w.ask(anybody, "GET", "/stats/info", ""); a.body != `{"version":"`+obs.Version+`","started":1795346109}` {
		t.Errorf("got %s", a.body)
	}
}
