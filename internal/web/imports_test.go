package web_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"baleen/api"
)

// TestImportsOverHTTP: a delegated child goes from one parent to another, and
// CAs are made in bulk.
func TestImportsOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.service.Config.AnyHost = true // all are called localhost
	w.testbed()
	w.join("p1", resourcesOfCA1)
	w.join("p2", resourcesOfCA1)
	w.post("/api/v1/cas", `{"handle":"moving"}`).empty()
	w.post("/api/v1/pubd/publishers", w.get("/api/v1/cas/moving/id/publisher_request.json").ok().body).ok()
	w.post("/api/v1/cas/moving/repo", w.get("/api/v1/pubd/publishers/moving/response.xml").ok().body).empty()
	var request api.ChildRequest
	w.get("/api/v1/cas/moving/id/child_request.json").json(&request)
	answer := w.post("/api/v1/cas/p1/children", `{"handle":"moving","resources":{"asn":"","ipv4":"10.0.0.0/16","ipv6":""},"id_cert":"`+base64.StdEncoding.EncodeToString(request.IDCert)+`"}`).ok().body
	w.post("/api/v1/cas/moving/parents", `{"handle":"p1","response":`+answer+`}`).empty()
	w.settle()

	exported := w.get("/api/v1/cas/p1/children/moving/export").ok().body
	w.post("/api/v1/cas/p2/children/moving/import", exported).empty()
	var child api.ChildInfo
	w.get("/api/v1/cas/p2/children/moving").json(&child)
	if child.State != "active" || child.EntitledResources.V4.String() != "10.0.0.0/16" {
		t.Errorf("got %+v", child)
	}
	w.post("/api/v1/cas/p2/children/other/import", exported).fails(http.StatusBadRequest, "ca-child-import-handle-mismatch")

	w.post("/api/v1/bulk/cas/import", `{"cas":[{"handle":"bulk1","parent":{"handle":"testbed","resources":{"asn":"","ipv4":"10.1.0.0/16","ipv6":""}},"roas":[{"asn":64496,"prefix":"10.1.0.0/16"}]}]}`).empty()
	w.settle()
	if a := w.get("/api/v1/bulk/cas/import").ok(); a.body != `{"imports":[]}` {
		t.Errorf("not complete: %s", a.body)
	}
	w.published("bulk1")
	w.post("/api/v1/bulk/cas/force_reissue", "").empty()
	w.settle()
}

// TestIssuingOverHTTP: ROAs are held back, and everything is signed anew.
func TestIssuingOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const ca1 = "/api/v1/cas/ca1"
	w.post(ca1+"/issuing/pause", "").empty()
	w.post(ca1+"/routes", `{"added":[{"asn":64496,"prefix":"10.0.0.0/16"}],"removed":[]}`).empty()
	w.settle()
	var progress api.Issuing
	w.get(ca1 + "/issuing").json(&progress)
	if !progress.Paused || progress.Wanted != 1 || progress.Issued != 0 {
		t.Errorf("got %+v", progress)
	}
	w.post(ca1+"/issuing/resume", "").empty()
	w.settle()
	w.get(ca1 + "/issuing").json(&progress)
	if progress.Paused || progress.Issued != 1 {
		t.Errorf("got %+v", progress)
	}
	serial := func() string {
		t.Helper()
		var routes []api.ConfiguredROA
		w.get(ca1 + "/routes").json(&routes)
		if len(routes) != 1 || len(routes[0].ROAObjects) != 1 {
			t.Fatalf("got %+v", routes)
		}
		return routes[0].ROAObjects[0].Serial
	}
	before := serial()
	w.post(ca1+"/force_reissue", "").empty()
	w.settle()
	if serial() == before {
		t.Error("the ROA is as it was")
	}
}
