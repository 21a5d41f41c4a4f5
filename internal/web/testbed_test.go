package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
	"baleen/internal/testbed"
	"baleen/internal/testkeys"
)

// idCert makes the identity certificate of somebody outside.
func idCert(t *testing.T) []byte {
	t.Helper()
	key, err := testkeys.Source(t)()
	if err != nil {
		t.Fatal(err)
	}
	der, err := cert.SelfSignIdentity(key, time.Now().Add(-time.Hour), time.Now().AddDate(15, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func body(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func childBody(t *testing.T, handle string) string {
	return body(t, api.AddChildRequest{Handle: handle, IDCert: idCert(t), Resources: as1})
}

func publisherBody(t *testing.T, handle string) string {
	return body(t, oob.PublisherRequest{PublisherHandle: handle, IDCert: idCert(t)})
}

// T13: everybody registers a CA and a publisher, uses them and removes them.
func TestEverybodyUsesTheTestbed(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.ask(anybody, "GET", "/testbed/enabled", "").empty()
	w.post("/api/v1/cas", `{"handle":"ca1"}`).empty()
	var child oob.ChildRequest
	w.get("/api/v1/cas/ca1/id/child_request.json").json(&child)
	asked := body(t, api.AddChildRequest{Handle: "ca1", IDCert: child.IDCert, Resources: as1})
	w.ask(anybody, "POST", "/testbed/children", asked).ok()
	var parent api.CAInfo
	w.get("/api/v1/cas/testbed").json(&parent)
	if len(parent.Children) != 1 {
		t.Errorf("children of the testbed: %v", parent.Children)
	}
	response := w.ask(anybody, "GET", "/testbed/children/ca1/parent_response.xml", "").ok().body
	if r, err := oob.DecodeParentResponse([]byte(response)); err != nil || r.ChildHandle != "ca1" || r.ParentHandle != "testbed" {
		t.Errorf("parent response %+v: %v", r, err)
	}
	w.post("/api/v1/cas/ca1/parents/testbed", response).empty()

	var publisher oob.PublisherRequest
	w.get("/api/v1/cas/ca1/id/publisher_request.json").json(&publisher)
	var repo oob.RepositoryResponse
	w.ask(anybody, "POST", "/testbed/publishers", body(t, publisher)).json(&repo)
	again := w.ask(anybody, "GET", "/testbed/publishers/ca1/response.xml", "").ok().body
	if r, err := oob.DecodeRepositoryResponse([]byte(again)); err != nil || r.SIABase != repo.SIABase {
		t.Errorf("repository response %+v: %v", r, err)
	}
	w.post("/api/v1/cas/ca1/repo", again).empty()
	w.settle()
	var ca api.CAInfo
	w.get("/api/v1/cas/ca1").json(&ca)
	if ca.Resources.AS.String() != "AS1" || len(ca.Parents) != 1 {
		t.Errorf("the CA holds %s from %v", ca.Resources, ca.Parents)
	}

	w.ask(anybody, "DELETE", "/testbed/publishers/ca1", "").empty()
	w.ask(anybody, "DELETE", "/testbed/children/ca1", "").empty()
	w.ask(anybody, "DELETE", "/testbed/children/ca1", "").fails(http.StatusNotFound, "ca-child-unknown")
	w.ask(anybody, "DELETE", "/testbed/publishers/ca1", "").fails(http.StatusNotFound, "pub-unknown")
	w.get("/api/v1/cas/testbed").json(&parent)
	if list := w.get("/api/v1/pubd/publishers").ok().body; len(parent.Children) != 0 || strings.Contains(list, "ca1") {
		t.Errorf("still there: %v %s", parent.Children, list)
	}
	if a, b := w.get("/testbed.tal").ok().body, w.get("/ta/ta.tal").ok().body; a != b {
		t.Errorf("two locators:\n%s\n%s", a, b)
	}
	var history api.CommandHistory
	w.get("/api/v1/cas/testbed/history/commands").json(&history)
	anonymous := 0
	for _, c := range history.Commands {
		if c.Actor == "anonymous" {
			anonymous++
		}
	}
	if anonymous != 2 {
		t.Errorf("%d commands of anonymous in %+v", anonymous, history.Commands)
	}
}

// What did not come through the testbed cannot be removed through it, also not
// where something of the same name once did.
func TestOnlyWhatRegisteredItselfCanBeRemoved(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	for _, name := range []string{"ta", "testbed"} {
		w.ask(anybody, "DELETE", "/testbed/publishers/"+name, "").fails(http.StatusForbidden, "testbed-not-registered")
	}
	w.ask(anybody, "DELETE", "/testbed/publishers/ta", "").fails(http.StatusForbidden, "testbed-not-registered").record("testbed-not-registered")
	for _, kind := range []struct{ open, closed, body string }{
		{"/testbed/children", "/api/v1/cas/testbed/children", childBody(t, "x")},
		{"/testbed/publishers", "/api/v1/pubd/publishers", publisherBody(t, "x")},
	} {
		w.ask(anybody, "POST", kind.open, kind.body).ok()
		w.ask(admin, "DELETE", kind.closed+"/x", "").empty()
		w.post(kind.closed, kind.body).ok()
		w.ask(anybody, "DELETE", kind.open+"/x", "").fails(http.StatusForbidden, "testbed-not-registered")
		w.ask(admin, "DELETE", kind.closed+"/x", "").empty()
	}
}

// What strangers send is refused clearly, and leaves nothing.
func TestBadRegistrationsLeaveNothing(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	versions := w.countCommands()
	w.ask(anybody, "POST", "/testbed/publishers", `{"publisher_handle":"x","id_cert":"bm9uZQ==","tag":null}`).fails(http.StatusBadRequest, "rfc-8183-xml")
	w.ask(anybody, "POST", "/testbed/publishers", `{"publisher_handle":"x","id_cert":"%%%","tag":null}`).fails(http.StatusBadRequest, "api-json")
	w.ask(anybody, "POST", "/testbed/publishers", strings.Replace(publisherBody(t, "x"), `"x"`, `"a/b"`, 1)).fails(http.StatusBadRequest, "api-json")
	w.ask(anybody, "POST", "/testbed/publishers", publisherBody(t, "testbed")).fails(http.StatusBadRequest, "pub-duplicate")
	w.ask(anybody, "POST", "/testbed/children", `{"handle":"x","id_cert":"bm9uZQ==","resources":{"asn":"AS1","ipv4":"","ipv6":""}}`).fails(http.StatusBadRequest, "api-json")
	none := body(t, api.AddChildRequest{Handle: "x", IDCert: idCert(t)})
	w.ask(anybody, "POST", "/testbed/children", none).fails(http.StatusBadRequest, "ca-child-resources-required")
	if now := w.countCommands(); now != versions {
		t.Errorf("%d commands were stored", now-versions)
	}
}

func (w *world) countCommands() (n int) {
	w.t.Helper()
	if err := w.service.DB.QueryRow(w.t.Context(), "SELECT count(*) FROM es_command").Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// Without a testbed there are no such paths, whatever is sent to them.
func TestNoTestbedNoPaths(t *testing.T) {
	w := newRules(t)
	for _, r := range []struct{ method, path, body string }{
		{"GET", "/testbed/enabled", ""},
		{"POST", "/testbed/children", "{}"},
		{"DELETE", "/testbed/children/x", ""},
		{"GET", "/testbed/children/x/parent_response.xml", ""},
		{"POST", "/testbed/publishers", "{}"},
		{"DELETE", "/testbed/publishers/x", "{}"},
		{"GET", "/testbed/publishers/x/response.xml", ""},
	} {
		if a := w.ask(anybody, r.method, r.path, r.body); a.status != http.StatusNotFound || a.body != "" {
			t.Errorf("%s %s: %d %s", r.method, r.path, a.status, a.body)
		}
	}
}

// from says which address asks.
func from(address string) as { return func(r *http.Request) { r.RemoteAddr = address } }

// Nobody gets more than their share, also not by removing what they have, and
// the count outlives the server.
func TestRegistrationsAreLimited(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.service.Config.Testbed = service.TestbedConfig{Enabled: true, Limits: testbed.Limits{PerAddress: 2, All: 4}}
	const one, same, other, v4 = "[2001:db8:0:1::1]:99", "[2001:db8:0:1:ffff::2]:7", "[2001:db8:0:2::1]:99", "192.0.2.1:99"
	w.ask(from(one), "POST", "/testbed/children", childBody(t, "a")).ok()
	w.ask(from(same), "POST", "/testbed/publishers", publisherBody(t, "a")).ok()
	w.ask(from(same), "DELETE", "/testbed/publishers/a", "").empty()
	refused := w.ask(from(one), "POST", "/testbed/children", childBody(t, "b")).fails(http.StatusTooManyRequests, "testbed-limit")
	refused.record("testbed-limit")
	if refused.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
	w.ask(from(same), "POST", "/testbed/publishers", publisherBody(t, "b")).fails(http.StatusTooManyRequests, "testbed-limit")
	w.ask(from(other), "POST", "/testbed/children", childBody(t, "b")).ok()
	w.ask(from(v4), "POST", "/testbed/children", childBody(t, "c")).ok()
	w.ask(from("[::ffff:192.0.2.2]:9"), "POST", "/testbed/children", childBody(t, "d")).fails(http.StatusTooManyRequests, "testbed-limit") // in all

	var stored string
	query := "SELECT string_agg(t::text, ' ') FROM testbed_registration t"
	if err := w.service.DB.QueryRow(t.Context(), query).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"2001:db8", "192.0.2.1", "c0000201", "20010db8"} {
		if strings.Contains(stored, address) {
			t.Errorf("the address %s stands in the table: %s", address, stored)
		}
	}
}

var as1 = func() resources.Set {
	as, err := resources.ParseASSet("AS1")
	if err != nil {
		panic(err)
	}
	return resources.Set{AS: as}
}()
