package web_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/export"
	"baleen/internal/pubserver"
)

// longest is a handle as long as handles may be (RFC 8183 appendix A).
var longest = strings.Repeat("aB-_5", 51)

// joinAs lets CAs publish and gives each one route.
func (w *world) joinAs(names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.join(name, `{"asn":"","ipv4":"10.0.0.0/8","ipv6":""}`)
		w.post("/api/v1/cas/"+name+"/routes", `{"added":[{"asn":1,"prefix":"10.0.0.0/16"}],"removed":[]}`).empty()
	}
	w.settle()
}

// published gives where the one route of a CA is published, and looks for it in
// the files of the repository.
func (w *world) published(name string) string {
	w.t.Helper()
	var routes []api.ConfiguredROA
	w.get("/api/v1/cas/" + name + "/routes").json(&routes)
	if len(routes) != 1 || len(routes[0].ROAObjects) != 1 {
		w.t.Fatalf("%s: got %+v", name, routes)
	}
	object := routes[0].ROAObjects[0]
	path, ok := strings.CutPrefix(object.URI, "rsync://localhost/repo/"+name+"/")
	if !ok {
		w.t.Fatalf("%s publishes at %s", name, object.URI)
	}
	files := &export.Renderer{
		DB: w.service.DB, Repository: pubserver.Repository, Dir: w.t.TempDir(), Settings: export.DefaultSettings(), Now: time.Now, Log: w.service.Log,
	}
	if err := files.Render(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	der, err := os.ReadFile(filepath.Join(files.Dir, "rsync", "current", name, path))
	if err != nil || string(der) != string(object.Base64) {
		w.t.Errorf("%s: not what is on disk: %v", object.URI, err)
	}
	return object.URI
}

// TestHandlesThatDifferInCase has two CAs of one name but for capitals: the
// octets of a handle count, in URIs and file names too.
func TestHandlesThatDifferInCase(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.joinAs("ca1", "CA1")
	if got := w.get("/api/v1/cas").ok().body; got != `{"cas":[{"handle":"CA1"},{"handle":"ca1"},{"handle":"testbed"}]}` {
		t.Errorf("got %s", got)
	}
	seen := map[string]bool{}
	for _, name := range []string{"ca1", "CA1"} {
		seen[w.published(name)] = true
	}
	if len(seen) != 2 {
		t.Errorf("got %v", seen)
	}
	w.ask(admin, "DELETE", "/api/v1/cas/CA1", "").empty()
	w.ask(admin, "DELETE", "/api/v1/pubd/publishers/CA1", "").empty()
	w.settle()
	w.published("ca1")
	w.get("/api/v1/cas/CA1").fails(http.StatusNotFound, "ca-unknown")
}

// TestLongestHandles has a CA, child, parent and publisher with names as long
// as they may be, and longer ones refused.
func TestLongestHandles(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.joinAs(longest)
	w.published(longest)
	path := "/api/v1/cas/" + longest
	response := w.get("/api/v1/cas/testbed/children/" + longest + "/contact").ok().body
	w.post(path+"/parents/myparent", `{"handle":"myparent","response":`+response+`}`).empty()
	w.get(path + "/parents").ok()
	w.get(path + "/history/commands").ok()
	w.get(path + "/repo/status").ok()
	w.post(path+"/keys/roll_init", "").empty()
	w.settle()
	w.post(path+"/keys/roll_activate", "").empty()
	w.settle()
	w.published(longest)

	var child api.ChildRequest
	w.get(path + "/id/child_request.json").json(&child)
	id := base64.StdEncoding.EncodeToString(child.IDCert)
	long := longest + "x"
	w.get("/api/v1/cas/" + long).nothing(http.StatusNotFound)
	for path, body := range map[string]string{
		"/api/v1/cas":                  `{"handle":"NAME"}`,
		"/api/v1/cas/testbed/children": `{"handle":"NAME","resources":{"asn":"AS1","ipv4":"","ipv6":""},"id_cert":"` + id + `"}`,
		"/api/v1/pubd/publishers":      `{"publisher_handle":"NAME","id_cert":"` + id + `","tag":null}`,
		path + "/parents":              `{"handle":"NAME","response":` + response + `}`,
	} {
		for _, bad := range []string{long, "", "a b", "a.b", "ä", `a\\u0000b`, "a/b", "/", ".."} {
			w.post(path, strings.Replace(body, "NAME", strings.ReplaceAll(bad, `\\`, `\`), 1)).fails(http.StatusBadRequest, "api-json")
		}
	}
	w.namesWithBackslash(id, response)
}

// namesWithBackslash are handles to some, but cannot stand in an rsync URI
// (RFC 3986 section 2), nor be the name of a file everywhere.
func (w *world) namesWithBackslash(id, response string) {
	w.t.Helper()
	w.post("/api/v1/cas", `{"handle":"a\\b"}`).fails(http.StatusBadRequest, "api-json")
	w.post("/api/v1/pubd/publishers", `{"publisher_handle":"a\\b","id_cert":"`+id+`","tag":null}`).fails(http.StatusBadRequest, "rfc-8183-xml")
	w.get("/api/v1/cas/a%5Cb").fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/cas/testbed/children", `{"handle":"a\\b","resources":{"asn":"AS1","ipv4":"","ipv6":""},"id_cert":"`+id+`"}`).ok()
	w.get("/api/v1/cas/testbed/children/a%5Cb").ok()
	if xml := w.get("/api/v1/cas/testbed/children/a%5Cb/parent_response.xml").ok().body; !strings.Contains(xml, `child_handle="a\b"`) {
		w.t.Errorf("got %s", xml)
	}
	w.ask(admin, "DELETE", "/api/v1/cas/testbed/children/a%5Cb", "").empty()
	w.post("/api/v1/cas/"+longest+"/parents/a%5Cb", `{"handle":"a\\b","response":`+response+`}`).fails(http.StatusBadRequest, "ca-parent-xml-duplicate")
}

// TestTextThatCannotBeStored has octets that no text of the database holds.
func TestTextThatCannotBeStored(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	before := w.get("/api/v1/cas/ca1").header.Get("ETag")
	for _, bad := range []string{`\u0000`, `\ud800`} {
		for _, who := range []struct{ method, path, body string }{
			{"POST", routesOfCA1, `{"added":[{"asn":1,"prefix":"10.0.0.0/16","comment":"` + bad + `"}],"removed":[]}`},
			{"PUT", routesOfCA1, `[{"asn":1,"prefix":"10.0.0.0/16","comment":"` + bad + `"}]`},
			{"POST", "/api/v1/cas/testbed/children/ca1", `{"resource_class_name_mapping":{"name_in_parent":"0","name_for_child":"` + bad + `"}}`},
		} {
			if a := w.ask(admin, who.method, who.path, who.body); a.status != http.StatusBadRequest {
				t.Errorf("%s: got %d %s", a.what, a.status, a.body)
			}
		}
	}
	if after := w.get("/api/v1/cas/ca1").header.Get("ETag"); after != before {
		t.Errorf("something was done")
	}
}
