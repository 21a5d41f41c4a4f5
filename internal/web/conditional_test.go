package web_test

import (
	"net/http"
	"strings"
	"testing"
)

// conditional are the bodies with which each route would change something of
// the CA testbed or of its child ca1.
func (w *world) conditional() map[string]string {
	const testbed = "/api/v1/cas/testbed"
	identity := w.get("/api/v1/cas/ca1/id/child_request.json").ok().body
	identity = identity[strings.Index(identity, `"id_cert"`):]
	identity = identity[:strings.Index(identity, ",")]
	parent := w.get(testbed + "/children/ca1/parent_response.json").ok().body
	return map[string]string{
		"DELETE /api/v1/cas/:ca":                      "",
		"POST /api/v1/cas/:ca/id":                     "",
		"POST /api/v1/cas/:ca/keys/roll_init":         "",
		"POST /api/v1/cas/:ca/keys/roll_activate":     "",
		"POST /api/v1/cas/:ca/sync/parents":           "",
		"POST /api/v1/cas/:ca/sync/repo":              "",
		"POST /api/v1/cas/:ca/children":               `{"handle":"new","resources":{"asn":"AS1","ipv4":"","ipv6":""},` + identity + `}`,
		"POST /api/v1/cas/:ca/children/:child":        `{"resources":{"asn":"AS1","ipv4":"","ipv6":""}}`,
		"DELETE /api/v1/cas/:ca/children/:child":      "",
		"POST /api/v1/cas/:ca/parents":                `{"handle":"other","response":` + parent + `}`,
		"POST /api/v1/cas/:ca/parents/:parent":        `{"handle":"myparent","response":` + parent + `}`,
		"DELETE /api/v1/cas/:ca/parents/:parent":      "",
		"POST /api/v1/cas/:ca/repo":                   w.get("/api/v1/pubd/publishers/ca1/response.xml").ok().body,
		"POST /api/v1/cas/:ca/routes":                 `{"added":[{"asn":1,"prefix":"10.0.0.0/16"}],"removed":[]}`,
		"PUT /api/v1/cas/:ca/routes":                  `[{"asn":1,"prefix":"10.0.0.0/16"}]`,
		"POST /api/v1/cas/:ca/routes/try":             `{"added":[{"asn":1,"prefix":"10.0.0.0/16"}],"removed":[]}`,
		"POST /api/v1/cas/:ca/aspas":                  `{"add_or_replace":[{"customer":64496,"providers":[1]}],"remove":[]}`,
		"PUT /api/v1/cas/:ca/aspas":                   `[{"customer":64496,"providers":[1]}]`,
		"POST /api/v1/cas/:ca/aspas/as/:asn":          `{"added":[1],"removed":[]}`,
		"DELETE /api/v1/cas/:ca/aspas/as/:asn":        "",
		"POST /api/v1/cas/:ca/bgpsec":                 `{"add":[],"remove":[]}`,
		"POST /api/v1/cas/:ca/ghostbusters":           `{"add":[{"name":"noc","contact":{"fn":"NOC","tel":["1"]}}],"remove":[]}`,
		"POST /api/v1/cas/:ca/rscs":                   `{"resources":{"asn":"AS65000","ipv4":"","ipv6":""},"files":[{"hash":"` + strings.Repeat("0a", 32) + `"}],"not_after":"2020-01-01T00:00:00Z"}`,
		"DELETE /api/v1/cas/:ca/rscs/:serial":         "",
		"POST /api/v1/cas/:ca/force_reissue":          "",
		"POST /api/v1/cas/:ca/issuing/pause":          "",
		"POST /api/v1/cas/:ca/issuing/resume":         "",
		"POST /api/v1/cas/:ca/children/:child/import": strings.NewReplacer("localhost:3000", "rpki.example.net", "localhost", "rpki.example.net").Replace(w.get(testbed + "/children/ca1/export").ok().body),
	}
}

// TestEveryWriteHeedsIfMatch asks every route that changes a CA for the change
// at a version that the CA is not at.
func TestEveryWriteHeedsIfMatch(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	bodies := w.conditional()
	before := w.get("/api/v1/cas/ca1").ok()
	for _, r := range w.server.Registered() {
		what := r.Method + " " + r.Path
		if r.Method == http.MethodGet || !strings.HasPrefix(r.Path, "/api/v1/cas/:ca") || strings.Contains(r.Path, "/analysis/") {
			continue
		}
		body, known := bodies[what]
		if !known {
			t.Errorf("%s: nobody says how it heeds If-Match", what)
			continue
		}
		ca := "ca1"
		if strings.Contains(r.Path, ":child") {
			ca = "testbed"
		}
		path := strings.NewReplacer(":ca", ca, ":child", "ca1", ":parent", "myparent", ":asn", "64496", ":serial", "1").Replace(r.Path)
		_, life, _ := strings.Cut(w.get("/api/v1/cas/"+ca).ok().header.Get("ETag"), "-")
		for _, tag := range []string{`"999"`, `"x"`, `"999-` + life} {
			w.ask(with("If-Match", tag), r.Method, path, body).fails(http.StatusConflict, "version-mismatch")
		}
	}
	if after := w.get("/api/v1/cas/ca1").ok(); after.body != before.body || after.header.Get("ETag") != before.header.Get("ETag") {
		t.Errorf("something was done:\n%s\n%s", before.body, after.body)
	}
	w.ask(with("If-Match", before.header.Get("ETag")), "DELETE", "/api/v1/cas/ca1", "").empty()
}

// versionOf is the version that an ETag is of.
func versionOf(etag string) string {
	version, _, _ := strings.Cut(strings.TrimPrefix(etag, `"`), "-")
	return version
}

// TestETagsOfAFormerLife makes a CA, deletes it and makes it again, until it is at the same version: what is said of the
// one is not true of the other.
func TestETagsOfAFormerLife(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	life := func() map[string]string {
		t.Helper()
		w.post("/api/v1/cas", `{"handle":"again"}`).empty()
		w.post("/api/v1/cas/again/keys/roll_activate", "") // nothing to do
		tags := map[string]string{}
		for _, path := range []string{"", "/routes", "/aspas", "/bgpsec", "/children", "/ghostbusters", "/rscs", "/parents"} {
			tags[path] = w.get("/api/v1/cas/again" + path).ok().header.Get("ETag")
			if versionOf(tags[path]) != "0" {
				t.Errorf("%s: ETag %s", path, tags[path])
			}
		}
		return tags
	}
	first := life()
	w.remove("/api/v1/cas/again").empty()
	second := life()
	for path, old := range first {
		if old == second[path] {
			t.Errorf("%s: both have the ETag %s", path, old)
		}
		a := w.ask(with("If-None-Match", old), "GET", "/api/v1/cas/again"+path, "")
		a.ok()
		if again := a.header.Get("ETag"); again != second[path] {
			t.Errorf("%s: ETag %s, then %s", path, second[path], again)
		}
	}
	bodies := w.conditional()
	for _, r := range w.server.Registered() {
		body, known := bodies[r.Method+" "+r.Path]
		if !known || strings.Contains(r.Path, ":child") {
			continue
		}
		path := strings.NewReplacer(":ca", "again", ":parent", "myparent", ":asn", "64496", ":serial", "1").Replace(r.Path)
		w.ask(with("If-Match", first[""]), r.Method, path, body).fails(http.StatusConflict, "version-mismatch")
	}
	w.ask(with("If-Match", first[""]), "PUT", "/api/v1/cas/again/routes?dry_run=true", `[]`).fails(http.StatusConflict, "version-mismatch")
	if got := w.get("/api/v1/cas/again").ok().header.Get("ETag"); got != second[""] {
		t.Errorf("something was done: %s, then %s", second[""], got)
	}
	w.ask(with("If-Match", second[""]), "DELETE", "/api/v1/cas/again", "").empty()
}

// TestIfNoneMatch asks for what the client has already.
func TestIfNoneMatch(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	w.post(routesOfCA1, `{"added":[{"asn":1,"prefix":"10.0.0.0/16"}],"removed":[]}`).empty()
	w.settle()
	paths := []string{
		"/api/v1/cas/ca1", "/api/v1/cas/ca1/routes", "/api/v1/cas/ca1/aspas", "/api/v1/cas/ca1/bgpsec", "/api/v1/cas/ca1/repo",
		"/api/v1/cas/ca1/parents/myparent", "/api/v1/cas/testbed/children", "/api/v1/cas/testbed/children/ca1",
	}
	for _, path := range paths {
		etag := w.get(path).ok().header.Get("ETag")
		for _, header := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
			a := w.ask(with("If-None-Match", header), "GET", path, "")
			if a.status != http.StatusNotModified || a.body != "" || a.header.Get("ETag") != etag {
				t.Errorf("%s with %s: got %d %s", path, header, a.status, a.body)
			}
		}
		w.ask(with("If-None-Match", `"0"`), "GET", path, "").ok()
	}
	tag := w.ask(csv, "GET", routesOfCA1, "").header.Get("ETag")
	w.ask(with("If-None-Match", tag), "GET", routesOfCA1, "").ok() // JSON is not the CSV that the client has
	if parents := w.get("/api/v1/cas/ca1/parents"); parents.header.Get("ETag") != w.get("/api/v1/cas/ca1").header.Get("ETag") {
		t.Errorf("got %v", parents.header)
	}
	w.ask(with("If-None-Match", "*"), "GET", "/api/v1/cas/ca1/parents", "").ok() // exchanges change it, not the version
}
