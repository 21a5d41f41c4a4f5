package web_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"baleen/api"
	"baleen/internal/rpki/tal"
)

const resourcesOfCA1 = `{"asn":"AS64496","ipv4":"10.0.0.0/8","ipv6":"2001:db8::/32"}`

// join does over HTTP what an operator does for a CA below testbed, in XML or
// JSON.
func (w *world) join(name, resources string) {
	w.t.Helper()
	ca := "/api/v1/cas/" + name
	w.post("/api/v1/cas", `{"handle":"`+name+`"}`).empty()
	request := w.get(ca + "/id/publisher_request.json").ok().body
	w.post("/api/v1/pubd/publishers", request).ok()
	w.post(ca+"/repo", w.get("/api/v1/pubd/publishers/"+name+"/response.xml").ok().body).empty()
	var child api.ChildRequest
	w.get(ca + "/id/child_request.json").json(&child)
	response := w.post("/api/v1/cas/testbed/children", `{"handle":"`+name+`","resources":`+resources+`,"id_cert":"`+base64.StdEncoding.EncodeToString(child.IDCert)+`"}`).ok().body
	w.post(ca+"/parents", `{"handle":"myparent","response":`+response+`}`).empty()
	w.settle()
}

// TestFirstTenMinutes is what an operator does first, from an empty server to
// a published ROA and its history.
func TestFirstTenMinutes(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const ca = "/api/v1/cas/ca1"

	a := w.get(ca).ok()
	golden(t, "ca", a.body)
	etag := a.header.Get("ETag")
	golden(t, "parents", w.get(ca+"/parents").ok().body)
	golden(t, "parent", w.get(ca+"/parents/myparent").ok().body)
	golden(t, "repo", w.get(ca+"/repo").ok().body)
	golden(t, "repo_status", w.get(ca+"/repo/status").ok().body)
	golden(t, "child", w.get("/api/v1/cas/testbed/children/ca1").ok().body)
	golden(t, "issues", w.get(ca+"/issues").ok().body)
	golden(t, "routes_none", w.get(ca+"/routes").ok().body)

	delta := `{"added":[{"asn":64496,"prefix":"10.0.0.0/16","max_length":24,"comment":"my <first>"},{"asn":64497,"prefix":"2001:db8::/48"}],"removed":[]}`
	w.ask(with("If-Match", `"999"`), "POST", ca+"/routes", delta).fails(http.StatusConflict, "version-mismatch")
	w.ask(with("If-Match", `W/`+etag), "POST", ca+"/routes", delta).fails(http.StatusConflict, "version-mismatch")
	a = w.ask(with("If-Match", etag), "POST", ca+"/routes", delta)
	a.empty()
	w.settle()
	if after := w.get(ca).header.Get("ETag"); after == etag || a.header.Get("ETag") == etag {
		t.Errorf("the ETag stayed %s", etag)
	}
	a = w.get(ca + "/routes").ok()
	golden(t, "routes", a.body)
	if a.header.Get("X-Total-Count") != "2" {
		t.Errorf("got %v", a.header)
	}
	var page []api.ConfiguredROA
	w.get(ca + "/routes?offset=1&limit=1").json(&page)
	if len(page) != 1 || page[0].ASN != 64497 {
		t.Errorf("got %+v", page)
	}
	w.get(ca+"/routes?limit=-1").fails(http.StatusBadRequest, "general-error")
	w.post(ca+"/routes", `{"added":[],"removed":[{"asn":64497,"prefix":"2001:db8::/48","max_length":48}]}`).empty()
	w.post(ca+"/routes", `{"added":[{"asn":64496,"prefix":"10.0.0.0/16","max_length":24,"comment":"other"}],"removed":[]}`).empty()
	w.settle()
	w.post("/api/v1/cas/testbed/children/ca1", `{"resources":{"asn":"AS64496","v4":"10.0.0.0/8","v6":""}}`).empty()
	w.settle()

	w.checkHistory()
	w.checkStatistics()
	w.checkFiles()
}

func (w *world) checkHistory() {
	w.t.Helper()
	const commands = "/api/v1/cas/ca1/history/commands"
	body := w.get(commands).ok().body
	golden(w.t, "history", body)
	var all api.CommandHistory
	w.get(commands + "/").json(&all)
	if all.Total != len(all.Commands) || all.Total < 6 {
		w.t.Fatalf("got %+v", all)
	}
	var page api.CommandHistory
	w.get(commands + "/2/1/").json(&page)
	if page.Offset != 1 || page.Total != all.Total || len(page.Commands) != 2 || page.Commands[0].Version != all.Commands[1].Version {
		w.t.Errorf("got %+v", page)
	}
	w.get(commands + "/1").json(&page)
	if page.Offset != 0 || page.Total != all.Total || len(page.Commands) != 1 {
		w.t.Errorf("got %+v", page)
	}
	first, last := all.Commands[0].Timestamp, all.Commands[all.Total-1].Timestamp
	for path, want := range map[string]int{
		fmt.Sprintf("/100/0/%d", first):                all.Total,
		fmt.Sprintf("/100/0/%d", last+1):               0,
		fmt.Sprintf("/100/0/%d", last/1000+1):          0,
		fmt.Sprintf("/100/0/0/%d", last):               all.Total,
		fmt.Sprintf("/100/0/0/%d", last/1000):          all.Total,
		fmt.Sprintf("/100/0/%d/%d", last+1, last+1000): 0,
		fmt.Sprintf("/0/0/%d", first):                  all.Total,
		"/100/0/-9223372036854775808":                  all.Total,
		"/100/0/0/9223372036854775807":                 all.Total,
	} {
		w.get(commands + path).json(&page)
		if page.Total != want || strings.HasPrefix(path, "/0/") && len(page.Commands) != 0 {
			w.t.Errorf("%s: got %d of %d, want %d", path, len(page.Commands), page.Total, want)
		}
	}
	w.get(commands + "?machine=false").json(&page)
	for _, c := range page.Commands {
		if c.Actor != "user:admin-token" {
			w.t.Errorf("an operator did not do this: %+v", c)
		}
	}
	if page.Total != 5 {
		w.t.Errorf("the operator gave 5 commands, listed are %d", page.Total)
	}
	w.get(commands + "/2/1?machine=false").json(&page)
	if page.Total != 5 || len(page.Commands) != 2 || page.Offset != 1 {
		w.t.Errorf("got %+v", page)
	}
	var details []json.RawMessage
	for version := range all.Commands[all.Total-1].Version + 1 {
		details = append(details, json.RawMessage(w.get(fmt.Sprintf("/api/v1/cas/ca1/history/details/%d", version)).ok().body))
	}
	text, err := api.Marshal(details)
	if err != nil {
		w.t.Fatal(err)
	}
	golden(w.t, "details", string(text))
	w.get("/api/v1/cas/ca1/history/details/9999").fails(http.StatusNotFound, "history-unknown")
	w.get("/api/v1/cas/ca1/history/details/18446744073709551615").fails(http.StatusNotFound, "history-unknown")
}

func (w *world) checkStatistics() {
	w.t.Helper()
	var publisher api.PublisherDetails
	w.get("/api/v1/pubd/publishers/ca1").json(&publisher)
	slices.SortFunc(publisher.CurrentFiles, func(a, b api.PublishedFile) int { return strings.Compare(path.Ext(a.URI), path.Ext(b.URI)) })
	text, err := api.Marshal(publisher)
	if err != nil {
		w.t.Fatal(err)
	}
	golden(w.t, "publisher", string(text))
	golden(w.t, "publishers", w.get("/api/v1/pubd/publishers").ok().body)
	golden(w.t, "stats_repo", w.ask(anybody, "GET", "/stats/repo", "").ok().body)
	golden(w.t, "stats_cas", w.ask(anybody, "GET", "/stats/cas", "").ok().body)
	golden(w.t, "cas", w.get("/api/v1/cas").ok().body)
	golden(w.t, "bulk_issues", w.get("/api/v1/bulk/cas/issues").ok().body)
	if got := w.get("/api/v1/cas?limit=1").ok().body; got != `{"cas":[{"handle":"ca1"}]}` {
		w.t.Errorf("got %s", got)
	}
	var tasks api.TaskReport
	w.get("/api/v1/tasks").json(&tasks)
	if tasks.Kinds["cas_renew"].Waiting != 1 || len(tasks.Problems) != 0 {
		w.t.Errorf("got %+v", tasks)
	}
	var all, none api.PublisherList
	w.get("/api/v1/pubd/stale").json(&all)
	w.get("/api/v1/pubd/stale/86400").json(&none)
	if len(all.Publishers) != 3 || len(none.Publishers) != 0 {
		w.t.Errorf("got %v and %v", all, none)
	}
}

func (w *world) checkFiles() {
	w.t.Helper()
	first := w.ask(anybody, "GET", "/ta/ta.tal", "").ok()
	if second := w.ask(anybody, "GET", "/testbed.tal", "").ok(); second.body != first.body || first.header.Get("Content-Type") != "text/plain" {
		w.t.Errorf("got %q and %q", first.body, second.body)
	}
	locator, err := tal.Decode([]byte(first.body))
	if err != nil || len(locator.URIs) != 2 {
		w.t.Errorf("got %+v, %v", locator, err)
	}
	cer := w.ask(anybody, "GET", "/ta/ta.cer", "").ok()
	if cer.header.Get("Content-Type") != "application/x-x509-ca-cert" || !strings.Contains(cer.body, string(locator.SPKI)) {
		w.t.Errorf("got %v", cer.header)
	}
	w.ask(anybody, "GET", "/testbed/enabled", "").empty()
	notification := w.ask(anybody, "GET", "/rrdp/notification.xml", "").ok()
	if notification.header.Get("Content-Type") != "application/xml" || notification.header.Get("Cache-Control") != "max-age=60" {
		w.t.Errorf("got %v", notification.header)
	}
	_, rest, _ := strings.Cut(notification.body, `<snapshot uri="https://localhost:3000`)
	path, _, _ := strings.Cut(rest, `"`)
	snapshot := w.ask(anybody, "GET", path, "").ok()
	if snapshot.header.Get("Cache-Control") != "max-age=86400" || !strings.HasPrefix(snapshot.body, "<snapshot") {
		w.t.Errorf("%s: got %v", path, snapshot.header)
	}
	w.post("/api/v1/pubd/session_reset", "").empty()
	w.post("/api/v1/bulk/cas/force_publish", "").empty()
	w.post("/api/v1/bulk/cas/publish", "").empty()
	w.post("/api/v1/bulk/cas/sync/parent", "").empty()
	w.post("/api/v1/bulk/cas/sync/repo", "").empty()
	w.post("/api/v1/cas/ca1/sync/parents", "").empty()
	w.post("/api/v1/cas/ca1/sync/repo", "").empty()
	w.settle()
	if again := w.ask(anybody, "GET", "/rrdp/notification.xml", "").ok(); again.body == notification.body {
		w.t.Error("after all this the repository is as it was")
	}
}

// TestWhatIsRefused has the error of every refusal that can be brought about.
func TestWhatIsRefused(t *testing.T) {
	w := newWorld(t)
	const pubd = "/api/v1/pubd"
	w.get(pubd+"/publishers").fails(http.StatusBadRequest, "pub-repo-not-initialized").record("pub-repo-not-initialized")
	w.get(pubd+"/publishers/x").fails(http.StatusBadRequest, "pub-repo-not-initialized")
	w.ask(anybody, "GET", "/stats/repo", "").fails(http.StatusInternalServerError, "sys-wal-store").record("sys-wal-store")
	w.get(pubd+"/stale").fails(http.StatusInternalServerError, "sys-wal-store")
	w.ask(admin, "DELETE", pubd+"/publishers/x", "").fails(http.StatusInternalServerError, "sys-wal-store")
	w.post(pubd+"/session_reset", "").empty()
	w.ask(anybody, "GET", "/rrdp/notification.xml", "").nothing(http.StatusNotFound)
	w.ask(anybody, "GET", "/ta/ta.cer", "").fails(http.StatusBadRequest, "general-error").record("general-error-ta")
	w.post(pubd+"/init", `{"rrdp_base_uri":"ftp://localhost/","rsync_jail":"rsync://localhost/repo/"}`).fails(http.StatusBadRequest, "pub-uri-invalid").record("pub-uri-invalid")
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	w.refusedNames()
	w.refusedPeers()
	w.refusedChildren()
	w.refusedRoutes()
	w.refusalsAreHistory()
}

func (w *world) refusedNames() {
	w.t.Helper()
	const ca, pubd = "/api/v1/cas/ca1", "/api/v1/pubd"
	w.post(pubd+"/init", `{"rrdp_base_uri":"https://localhost:3000/rrdp/","rsync_jail":"rsync://localhost/repo/"}`).fails(http.StatusBadRequest, "pub-repo-initialized").record("pub-repo-initialized")
	w.get(pubd+"/publishers/x").fails(http.StatusNotFound, "pub-unknown").record("pub-unknown")
	w.ask(admin, "DELETE", pubd+"/publishers/x", "").fails(http.StatusNotFound, "pub-unknown")
	w.post(pubd+"/publishers", w.get(ca+"/id/publisher_request.json").body).fails(http.StatusBadRequest, "pub-duplicate").record("pub-duplicate")
	w.post(pubd+"/publishers", `{"publisher_handle":"x","id_cert":"AAAA","tag":null}`).fails(http.StatusBadRequest, "rfc-8183-xml")
	w.post("/api/v1/cas", `{"handle":"ca1"}`).fails(http.StatusBadRequest, "ca-duplicate").record("ca-duplicate")
	w.post("/api/v1/cas", `{"handle":"ta"}`).fails(http.StatusBadRequest, "ta-name-reserved").record("ta-name-reserved")
	w.post("/api/v1/cas", `{"handle":"version"}`).fails(http.StatusBadRequest, "ta-name-reserved")
	for _, path := range []string{
		"", "/issues", "/id/child_request.json", "/id/child_request.xml", "/id/publisher_request.json", "/id/publisher_request.xml", "/parents", "/parents/x",
		"/repo", "/repo/status", "/routes", "/children/x", "/children/x/contact", "/children/x/parent_response.xml", "/history/commands", "/history/details/0", "/history/commands/0",
	} {
		w.get("/api/v1/cas/nope"+path).fails(http.StatusNotFound, "ca-unknown")
	}
	w.get("/api/v1/cas/ta").fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/cas/nope/sync/parents", "").fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/cas/nope/sync/repo", "").fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/cas/nope/routes", `{"added":[],"removed":[]}`).fails(http.StatusNotFound, "ca-unknown").record("ca-unknown")
	w.post("/api/v1/cas/nope/parents", w.get("/api/v1/cas/testbed/children/ca1/parent_response.xml").body).fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/cas/nope/repo", w.get(pubd+"/publishers/ca1/response.xml").body).fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/cas/nope/children/x", `{}`).fails(http.StatusNotFound, "ca-unknown")
	w.get("/api/v1/cas/ca1/history/details/777").fails(http.StatusNotFound, "history-unknown").record("history-unknown")
}

func (w *world) refusedPeers() {
	w.t.Helper()
	const ca = "/api/v1/cas/ca1"
	up := w.get("/api/v1/cas/testbed/children/ca1/contact").ok().body
	xml := w.get("/api/v1/cas/testbed/children/ca1/parent_response.xml").ok().body
	w.get(ca+"/parents/nope").fails(http.StatusNotFound, "ca-parent-unknown").record("ca-parent-unknown")
	w.post(ca+"/parents", "  <nope/>").fails(http.StatusBadRequest, "ca-parent-response-invalid-xml").record("ca-parent-response-invalid-xml")
	w.post(ca+"/parents/a", `{"handle":"b","response":`+up+`}`).fails(http.StatusBadRequest, "general-error").record("general-error-parent")
	w.post(ca+"/parents/other", xml).fails(http.StatusBadRequest, "ca-parent-xml-duplicate").record("ca-parent-xml-duplicate")
	w.post(ca+"/parents/myparent", xml).empty()
	w.post(ca+"/parents/myparent", `{"handle":"myparent","contact":`+up+`}`).empty()
	w.post(ca+"/parents", `{"handle":"a b","response":`+up+`}`).fails(http.StatusBadRequest, "api-json").record("api-json")
	var contact api.ParentResponse
	if err := json.Unmarshal([]byte(up), &contact); err != nil {
		w.t.Fatal(err)
	}
	contact.IDCert = []byte("nothing")
	text, err := api.Marshal(api.ParentRequest{Handle: "x", Response: contact})
	if err != nil {
		w.t.Fatal(err)
	}
	w.post(ca+"/parents", string(text)).fails(http.StatusBadRequest, "rfc-8183-xml")
	w.post(ca+"/repo", "<nope/>").fails(http.StatusBadRequest, "ca-repo-response-invalid-xml").record("ca-repo-response-invalid-xml")
	response := w.get("/api/v1/pubd/publishers/ca1/response.json").ok().body
	w.post(ca+"/repo", `{"repository_response":`+response+`}`).fails(http.StatusBadRequest, "ca-repo-same").record("ca-repo-same")
	w.post("/api/v1/cas", `{"handle":"ca2"}`).empty()
	w.get("/api/v1/cas/ca2/repo").fails(http.StatusBadRequest, "repo-not-set").record("repo-not-set")
	golden(w.t, "repo_status_none", w.get("/api/v1/cas/ca2/repo/status").ok().body)
	w.post("/api/v1/cas/ca2/repo", `{"repository_response":`+strings.Replace(response, "rfc8181/ca1/", "rfc8181/nobody/", 1)+`}`).
		fails(http.StatusBadRequest, "ca-repo-issue").record("ca-repo-issue")
}

func (w *world) refusedChildren() {
	w.t.Helper()
	const children = "/api/v1/cas/ca1/children"
	var request api.ChildRequest
	w.get("/api/v1/cas/ca2/id/child_request.json").json(&request)
	add := func(parent, handle, resources, cert string) answer {
		w.t.Helper()
		return w.post("/api/v1/cas/"+parent+"/children", `{"handle":"`+handle+`","resources":`+resources+`,"id_cert":"`+cert+`"}`)
	}
	cert := base64.StdEncoding.EncodeToString(request.IDCert)
	const none, some, tooMuch = `{"asn":"","ipv4":"","ipv6":""}`, `{"asn":"","ipv4":"10.1.0.0/16","ipv6":""}`, `{"asn":"","ipv4":"11.0.0.0/8","ipv6":""}`
	add("ca1", "ca2", none, cert).fails(http.StatusBadRequest, "ca-child-resources-required").record("ca-child-resources-required")
	add("ca1", "ca2", tooMuch, cert).fails(http.StatusBadRequest, "ca-child-resources-extra").record("ca-child-resources-extra")
	add("ca1", "ca2", some, "AAAA").fails(http.StatusBadRequest, "api-json")
	add("ca1", "ca2", some, "AA AA").fails(http.StatusBadRequest, "api-json")
	add("ca1", "a/b", some, cert).fails(http.StatusBadRequest, "api-json")
	add("nope", "ca2", some, cert).fails(http.StatusNotFound, "ca-unknown")
	add("ca1", "ca2", some, cert).ok()
	add("ca1", "ca2", some, cert).fails(http.StatusBadRequest, "ca-child-duplicate").record("ca-child-duplicate")
	add("ta", "ca2", some, cert).ok()
	for _, s := range []string{"contact", "parent_response.json"} {
		w.get("/api/v1/cas/ta/children/ca2/" + s).ok()
	}
	if xml := w.get("/api/v1/cas/ta/children/ca2/parent_response.xml").ok(); xml.header.Get("Content-Type") != "application/xml" ||
		!strings.Contains(xml.body, `service_uri="https://localhost:3000/rfc6492/ta"`) {
		w.t.Errorf("got %s", xml.body)
	}
	w.get("/api/v1/cas/ta/children/ca2").fails(http.StatusNotFound, "ca-unknown")
	w.get(children+"/nope").fails(http.StatusNotFound, "ca-child-unknown").record("ca-child-unknown")
	w.get(children+"/nope/contact").fails(http.StatusNotFound, "ca-child-unknown")
	w.post(children+"/nope", `{}`).fails(http.StatusNotFound, "ca-child-unknown")
	w.post(children+"/nope", `{"resources":`+some+`}`).fails(http.StatusNotFound, "ca-child-unknown")
	w.post(children+"/ca2", `{}`).empty()
	with := func(other string) answer {
		w.t.Helper()
		return w.post(children+"/ca2", `{"resources":{"asn":"","ipv4":"10.2.0.0/16","ipv6":""},`+other+`}`)
	}
	with(`"id_cert":""`).fails(http.StatusBadRequest, "api-json")
	with(`"id_cert":"AAAA"`).fails(http.StatusBadRequest, "api-json")
	with(`"resource_class_name_mapping":{"name_in_parent":"0","name_for_child":""}`).fails(http.StatusBadRequest, "general-error")
	w.post(children+"/ca2", `{"suspend":true}`).empty() // it has no certificate: nothing to suspend
	w.post(children+"/ca2", `{"suspend":null,"resource_class_name_mapping":null}`).empty()
	if got := w.get(children + "/ca2").ok().body; !strings.Contains(got, "10.1.0.0/16") {
		w.t.Errorf("what was refused changed the child: %s", got)
	}
}

func (w *world) refusedRoutes() {
	w.t.Helper()
	const routes = "/api/v1/cas/ca1/routes"
	w.post(routes, `{"added":[{"asn":1,"prefix":"10.0.0.0/16"}],"removed":[]}`).empty()
	w.post(routes, `{"added":[
		{"asn":1,"prefix":"10.0.0.0/16"},{"asn":2,"prefix":"192.0.2.0/24","comment":"not ours"},{"asn":3,"prefix":"10.0.0.0/8","max_length":33}],
		"removed":[{"asn":4,"prefix":"10.4.0.0/16"}]}`).fails(http.StatusBadRequest, "ca-roa-delta-error").record("ca-roa-delta-error")
	for _, bad := range []string{`"10.0.0.1/8"`, `"10.0.0.0"`, `"x"`, `7`} {
		a := w.post(routes, `{"added":[{"asn":1,"prefix":`+bad+`}],"removed":[]}`).fails(http.StatusBadRequest, "api-json")
		if !strings.Contains(strings.ReplaceAll(a.body, `\"`, `"`), bad) {
			w.t.Errorf("the message does not name %s: %s", bad, a.body)
		}
	}
	w.ask(with("If-Match", `"0"`), "POST", routes, `{"added":[{"asn":9,"prefix":"10.9.0.0/16"}],"removed":[]}`).
		fails(http.StatusConflict, "version-mismatch")
	w.ask(with("If-Match", "*"), "POST", routes, `{"added":[{"asn":9,"prefix":"10.9.0.0/16"}],"removed":[]}`).empty()
	if etag := w.get(routes).ok().header.Get("ETag"); etag != w.get("/api/v1/cas/ca1").header.Get("ETag") {
		w.t.Errorf("got %s", etag)
	}
}

// refusalsAreHistory looks for what was refused in the history.
func (w *world) refusalsAreHistory() {
	w.t.Helper()
	var h api.CommandHistory
	w.get("/api/v1/cas/ca1/history/commands").json(&h)
	found := map[string]bool{}
	for _, c := range h.Commands {
		if c.Effect.Error != nil {
			found[c.Summary.Label] = true
			var d api.CommandDetails
			w.get(fmt.Sprintf("/api/v1/cas/ca1/history/details/%d", c.Version)).json(&d)
			if d.Effect.Result != "error" || d.Effect.Msg != *c.Effect.Error {
				w.t.Errorf("got %+v", d.Effect)
			}
		}
	}
	for _, label := range []string{"cmd-ca-roas-updated", "cmd-ca-child-add", "cmd-ca-child-update-res", "cmd-ca-parent-add", "cmd-ca-repo-update"} {
		if !found[label] {
			w.t.Errorf("no refusal under %s: %v", label, found)
		}
	}
}

// TestIssuesTellWhatFailed breaks the way to parent and repository.
func TestIssuesTellWhatFailed(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	w.ask(admin, "DELETE", "/api/v1/pubd/publishers/ca1", "").empty()
	w.post("/api/v1/cas/ca1/sync/repo", "").empty()
	w.settle()
	golden(t, "issues_repo", w.get("/api/v1/cas/ca1/issues").ok().body)
	golden(t, "issues_all", w.get("/api/v1/bulk/cas/issues").ok().body)
	golden(t, "repo_status_failed", w.get("/api/v1/cas/ca1/repo/status").ok().body)
}

// TestTasksThatFailAreShown parks a task and looks at the report.
func TestTasksThatFailAreShown(t *testing.T) {
	w := newWorld(t)
	_, err := w.service.DB.Exec(t.Context(), `INSERT INTO task (kind, key, args, run_at, failures, last_fault, created_at)
		VALUES ('ca_issue', 'ca1', '{"ca":"ca1"}', 'infinity', 1, '{"kind":"invalid","code":"task-args","msg":"unreadable"}', now())`)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"kinds":{"ca_issue":{"waiting":0,"due":0,"running":0,"failing":1,"parked":1}},` +
		`"problems":[{"kind":"ca_issue","key":"ca1","failures":1,"run_at":null,"last_fault":{"kind":"invalid","code":"task-args","msg":"unreadable"}}]}`
	if got := w.get("/api/v1/tasks").ok().body; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, path := range []string{"/api/v1/tasks/ca_issue/retry", "/api/v1/tasks/ca_issue/retry?key=ca2", "/api/v1/tasks/nothing/retry?key=ca1"} {
		w.post(path, "").fails(http.StatusNotFound, "task-unknown")
	}
	w.post("/api/v1/tasks/ca_issue/retry?key=ca1", "").empty()
	w.settle() // there is no such CA, so that nothing is to be done
	if got := w.get("/api/v1/tasks").ok().body; got != `{"kinds":{},"problems":[]}` {
		t.Errorf("after the retry: %s", got)
	}
}

// TestDatabaseDown takes the database away.
func TestDatabaseDown(t *testing.T) {
	w := newWorld(t)
	w.post("/api/v1/cas", `{"handle":"ca1"}`).empty()
	w.service.DB.Close()
	a := w.get("/api/v1/cas/ca1")
	if a.status != http.StatusServiceUnavailable && a.status != http.StatusInternalServerError {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if strings.Contains(a.body, "pool") {
		t.Errorf("the cause is for the log only: %s", a.body)
	}
}
