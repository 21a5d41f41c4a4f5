package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/api"
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

// TestIssuesOfTheTrustAnchor goes from no trust anchor to one whose manifest is over.
func TestIssuesOfTheTrustAnchor(t *testing.T) {
	w := newWorld(t)
	const path = taProxy + "/issues"
	w.service.Config.TASupport = true
	w.get(path).fails(http.StatusBadRequest, "ta-not-initialized")
	w.post(taProxy+"/init", "").empty()
	if got := w.get(path).ok().body; !strings.HasPrefix(got, `{"next_update":null,"not_after":null,"issues":[{"label":"ta-has-no-signer",`) {
		t.Errorf("without signer: %s", got)
	}

	w, o := newTA(t)
	issues := func() (labels []string) {
		t.Helper()
		var found api.TAIssues
		w.get(path).json(&found)
		if !found.NextUpdate.Equal(o.state.Objects.NextUpdate) || !found.NotAfter.Equal(o.state.TA.NotAfter) {
			t.Errorf("times %+v", found)
		}
		for _, i := range found.Issues {
			labels = append(labels, i.Label)
		}
		return labels
	}
	if got := issues(); len(got) != 0 {
		t.Errorf("in the beginning: %v", got)
	}
	w.joinTA("kid")
	if got := issues(); !slices.Equal(got, []string{"ta-children-waiting"}) {
		t.Errorf("a child asked: %v", got)
	}
	w.service.Now = func() time.Time { return o.state.Objects.NextUpdate.Add(time.Second) }
	if got := issues(); !slices.Equal(got, []string{"ta-manifest-over", "ta-children-waiting"}) {
		t.Errorf("too late: %v", got)
	}
}
