package web_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/login"
)

// An operator suspends a child and makes it active again; every answer says so.
func TestSuspendOverTheAPI(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const testbed, child = "/api/v1/cas/testbed", "/api/v1/cas/testbed/children/ca1"
	state := func(want string) {
		t.Helper()
		var info api.ChildInfo
		w.get(child).json(&info)
		var ca api.CAInfo
		w.get(testbed).json(&ca)
		var stats api.ChildrenConnectionStats
		w.get(testbed + "/stats/children/connections").json(&stats)
		if info.State != want || slices.Contains(ca.SuspendedChildren, "ca1") != (want == "suspended") || !slices.Contains(ca.Children, "ca1") {
			t.Errorf("state %s, suspended children %q, want %s", info.State, ca.SuspendedChildren, want)
		}
		if len(stats.Children) != 1 || stats.Children[0].State != want || stats.Children[0].LastExchange == nil || stats.Children[0].LastExchange.Result.Failure != nil ||
			*stats.Children[0].LastExchange.UserAgent != "local-child" {
			t.Errorf("connections %+v", stats)
		}
	}
	state("active")
	w.post(child, `{"suspend":false}`).empty()
	w.post(child, `{"suspend":true}`).empty()
	w.settle()
	state("suspended")
	w.post(child, `{"suspend":true}`).empty()
	w.post(child, `{"resources":{"asn":"AS64496","ipv4":"10.0.0.0/9","ipv6":""},"suspend":false}`).empty()
	w.settle()
	state("active")
	w.post(child, `{"suspend":true}`).empty()
	w.post(child, `{"suspend":false}`).empty()
	w.settle()
	state("active")
	w.get("/api/v1/cas/nope/stats/children/connections").fails(http.StatusNotFound, "ca-unknown")
	w.ask(anybody, "GET", testbed+"/stats/children/connections", "").fails(http.StatusForbidden, "api-insufficient-rights")

	var history api.CommandHistory
	w.get(testbed + "/history/commands").json(&history)
	var labels []string
	for _, c := range history.Commands {
		labels = append(labels, c.Summary.Label)
		details := w.get(testbed + "/history/details/" + strconv.FormatInt(int64(c.Version), 10)).ok().body
		switch c.Summary.Label {
		case "cmd-ca-child-suspend-inactive":
			wantIn(t, details, `"msg":"Suspend child 'ca1'"`, `"type":"child_suspend_inactive"`, `"suspended":["`, `"type":"child_suspended"`)
		case "cmd-ca-child-unsuspend":
			wantIn(t, details, `"msg":"Unsuspend child 'ca1'"`, `"type":"child_unsuspend"`, `"type":"child_unsuspended"`)
		case "cmd-ca-child-update": // several changes in one call are one command
			wantIn(t, details, `, unsuspend"`, `"suspend":false`, `"type":"child_updated_resources"`, `"type":"child_unsuspended"`)
		}
	}
	for label, want := range map[string]int{"cmd-ca-child-suspend-inactive": 2, "cmd-ca-child-unsuspend": 1, "cmd-ca-child-update": 1} {
		if n := len(slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l != label })); n != want {
			t.Errorf("%d commands %s in the history: %q", n, label, labels)
		}
	}
	w.post("/api/v1/cas/testbed/children/nobody", `{"suspend":true}`).fails(http.StatusNotFound, "ca-child-unknown")
}

func wantIn(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s is not in %s", p, text)
		}
	}
}

// The route for all CAs suspends who has been silent, where that is wanted.
func TestBulkSuspend(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	silent := func() []string {
		t.Helper()
		if _, err := w.service.DB.Exec(t.Context(), "UPDATE ca_child_status SET at = at - interval '3 days'"); err != nil {
			t.Fatal(err)
		}
		w.post("/api/v1/bulk/cas/suspend", "").empty()
		w.settle()
		var ca api.CAInfo
		w.get("/api/v1/cas/testbed").json(&ca)
		return ca.SuspendedChildren
	}
	if got := silent(); len(got) != 0 {
		t.Errorf("suspended without a setting: %q", got)
	}
	w.service.Config.SuspendAfter = time.Nanosecond
	if got := silent(); !slices.Equal(got, []string{"ca1"}) {
		t.Errorf("suspended: %q", got)
	}
	w.ask(anybody, "POST", "/api/v1/bulk/cas/suspend", "").fails(http.StatusForbidden, "api-insufficient-rights")
}

// Logins and refusals are noted, with no secret in them; a wrong token at any
// route counts.
func TestLoginsAreNoted(t *testing.T) {
	w := newWorld(t)
	recorder := &login.Recorder{DB: w.service.DB, Fence: w.service.Fence, Log: w.service.Log, Now: time.Now}
	w.logins = recorder
	w.server = w.newServer(false)
	const secret = "not-the-token"
	wrong := func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+secret)
		r.RemoteAddr = "[2001:db8::7]:4711"
	}
	w.ask(admin, "POST", "/auth/login", "").ok()
	for range 3 {
		w.ask(wrong, "POST", "/auth/login", "").fails(http.StatusUnauthorized, "api-invalid-credentials")
		w.ask(wrong, "GET", "/api/v1/cas", "").fails(http.StatusForbidden, "api-insufficient-rights")
	}
	w.ask(anybody, "GET", "/api/v1/cas", "").fails(http.StatusForbidden, "api-insufficient-rights") // no token is no try
	w.get("/api/v1/cas").ok()                                                                       // a good one is no login
	w.ask(overSocket("eve"), "GET", "/api/v1/cas", "")
	w.ask(overSocket("eve"), "GET", "/health", "") // she may
	if err := recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	type row struct {
		user, provider, outcome string
		remote                  *netip.Addr
		attempts                int
	}
	found, err := w.service.DB.Query(t.Context(), `SELECT coalesce("user", ''), provider, outcome, remote_address, attempts FROM audit.login ORDER BY outcome, provider`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var got []row
	for found.Next() {
		var r row
		if err := found.Scan(&r.user, &r.provider, &r.outcome, &r.remote, &r.attempts); err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	want := []row{{user: "admin-token", provider: "admin-token", outcome: "ok", attempts: 1}, {provider: "admin-token", outcome: "refused", attempts: 3}, {provider: "bearer", outcome: "refused", attempts: 3}, {user: "eve", provider: "unix-socket", outcome: "refused", attempts: 1}}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i, r := range got {
		if r.outcome == "refused" && r.provider != "unix-socket" && (r.remote == nil || *r.remote != netip.MustParseAddr("2001:db8::7")) {
			t.Errorf("from %v", r.remote)
		}
		if r.remote = nil; r != want[i] {
			t.Errorf("got %+v, want %+v", r, want[i])
		}
	}
	var all string
	if err := w.service.DB.QueryRow(t.Context(), "SELECT string_agg(l::text, ' ') FROM login l").Scan(&all); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(all, secret) || strings.Contains(all, token) {
		t.Errorf("a secret in %s", all)
	}
}
