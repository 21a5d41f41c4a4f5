package web_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestListsLoadNoCA makes every log unreadable behind the server's back: lists of all CAs and their issues, and figures
// that were made before, are answered as they were, and nobody notices.
func TestListsLoadNoCA(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	for _, name := range []string{"ca1", "ca2", "ca3"} {
		w.join(name, `{"asn":"AS64496","ipv4":"","ipv6":""}`)
	}
	w.ask(admin, "DELETE", "/api/v1/pubd/publishers/ca1", "").empty()
	w.ask(admin, "DELETE", "/api/v1/cas/testbed/children/ca2", "").empty()
	w.post("/api/v1/cas/ca1/sync/repo", "").empty()
	w.post("/api/v1/cas/ca2/sync/parents", "").empty()
	w.settle()
	before := map[string]string{}
	for _, path := range []string{"/api/v1/cas", "/api/v1/bulk/cas/issues", "/api/v1/bulk/cas/issues?limit=1", "/stats/cas"} {
		before[path] = w.get(path).ok().body
	}
	issues := before["/api/v1/bulk/cas/issues"]
	for name, want := range map[string]bool{`"ca1":{"repo_issue":`: true, `"ca2":{"repo_issue":null,"parent_issues":[{"parent":"myparent"`: true, `"ca3"`: false} {
		if strings.Contains(issues, name) != want {
			t.Errorf("%s: %v in %s", name, !want, issues)
		}
	}

	if _, err := w.service.DB.Exec(t.Context(), "UPDATE es_event SET payload = payload || '{\"edited\":true}'; DELETE FROM es_snapshot"); err != nil {
		t.Fatal(err)
	}
	w.service.CAs.Forget()
	for path, was := range before {
		if got := w.get(path).ok().body; got != was {
			t.Errorf("%s: got %s, was %s", path, got, was)
		}
	}
	if b := w.service.CAs.Broken(); len(b) != 0 {
		t.Errorf("somebody looked into %v", b)
	}

	// Who looks into one learns it, and then it is an issue.
	w.get("/api/v1/cas/ca3").fails(http.StatusInternalServerError, "stream-broken")
	if got := w.get("/api/v1/bulk/cas/issues?handle_prefix=ca3").ok().body; !strings.HasPrefix(got, `{"cas":{"ca3":{"repo_issue":{"label":"stream-broken"`) {
		t.Errorf("got %s", got)
	}
}
