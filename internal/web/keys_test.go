package web_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/resources"
)

func (w *world) remove(path string) answer { return w.ask(admin, "DELETE", path, "") }

// TestKeyRollOverHTTP is a key roll as an operator makes it, with the states
// that clients see.
func TestKeyRollOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const ca1, keys = "/api/v1/cas/ca1", "/api/v1/cas/ca1/keys"
	w.post(ca1+"/routes", `{"added":[{"asn":64496,"prefix":"10.0.0.0/16","max_length":24}],"removed":[]}`).empty()
	w.settle()
	w.post(keys+"/roll_activate", "").empty() // nothing is staged
	w.post(keys+"/roll_init", "").empty()
	golden(t, "ca_roll_pending", w.get(ca1).ok().body)
	w.settle()
	golden(t, "ca_roll_new", w.get(ca1).ok().body)
	w.post(keys+"/roll_init", "").empty()
	var other api.RepositoryResponse
	w.post("/api/v1/pubd/publishers", strings.Replace(w.get(ca1+"/id/publisher_request.json").ok().body, `"ca1"`, `"other"`, 1)).json(&other)
	text, err := json.Marshal(api.RepositoryUpdate{RepositoryResponse: other})
	if err != nil {
		t.Fatal(err)
	}
	w.post(ca1+"/repo", string(text)).fails(http.StatusBadRequest, "key-roll-disallowed").record("key-roll-disallowed")

	// A certificate of the current key is asked for: the new one must wait.
	w.post("/api/v1/cas/testbed/children/ca1", `{"resources":{"asn":"AS64496","ipv4":"10.0.0.0/8","ipv6":""}}`).empty()
	var held resources.Set
	if err := json.Unmarshal([]byte(`{"asn":"AS64496","ipv4":"10.0.0.0/8","ipv6":""}`), &held); err != nil {
		t.Fatal(err)
	}
	offer := ca.UpdateEntitlements{Parent: "myparent", Entitlements: []ca.Entitlement{{Class: "0", Resources: held, NotAfter: time.Now()}}}
	if _, err := w.service.CAs.Execute(t.Context(), "ca1", offer, pgstore.Write{Actor: es.Actor{Name: "test"}}); err != nil {
		t.Fatal(err)
	}
	w.post(keys+"/roll_activate", "").fails(http.StatusBadRequest, "key-roll-pending-requests").record("key-roll-pending-requests")
	w.settle()
	w.post(keys+"/roll_activate", "").empty()
	w.remove("/api/v1/pubd/publishers/ca1").empty() // so that it stays as it is for a while
	w.settle()
	golden(t, "ca_roll_old", w.get(ca1).ok().body)
	var h api.CommandHistory
	w.get(ca1 + "/history/commands").json(&h)
	labels := map[string]int{}
	for _, c := range h.Commands {
		labels[c.Summary.Label]++
		w.get(ca1 + "/history/details/" + strconv.FormatInt(int64(c.Version), 10)).ok()
	}
	if labels["cmd-ca-keyroll-init"] != 1 || labels["cmd-ca-keyroll-activate"] != 2 || labels["cmd-ca-keyroll-switch"] != 1 {
		t.Errorf("history: %v", labels)
	}
	for _, s := range []string{"/roll_init", "/roll_activate"} {
		w.post("/api/v1/cas/nope/keys"+s, "").fails(http.StatusNotFound, "ca-unknown")
	}
}

// TestMigrationOverHTTP moves a CA by the document of another publisher.
func TestMigrationOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const ca1 = "/api/v1/cas/ca1"
	var other api.RepositoryResponse
	w.post("/api/v1/pubd/publishers", strings.Replace(w.get(ca1+"/id/publisher_request.json").ok().body, `"ca1"`, `"other"`, 1)).json(&other)
	w.post(ca1+"/repo", w.get("/api/v1/pubd/publishers/other/response.xml").ok().body).empty()
	w.settle()
	w.post(ca1+"/keys/roll_activate", "").empty()
	w.settle()
	var info api.CAInfo
	w.get(ca1).json(&info)
	if info.RepoInfo == nil || info.RepoInfo.SIABase != other.SIABase || info.ResourceClasses["0"].Keys.Active == nil ||
		!strings.HasPrefix(info.ResourceClasses["0"].Keys.Active.ActiveKey.IncomingCert.CARepository, other.SIABase) {
		t.Errorf("got %+v", info)
	}
	var left, came api.PublisherDetails
	w.get("/api/v1/pubd/publishers/ca1").json(&left)
	w.get("/api/v1/pubd/publishers/other").json(&came)
	if len(left.CurrentFiles) != 0 || len(came.CurrentFiles) != 2 {
		t.Errorf("left %d, there %d", len(left.CurrentFiles), len(came.CurrentFiles))
	}
}

// TestPartingOverHTTP changes and removes children, parents and CAs.
func TestPartingOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const child = "/api/v1/cas/testbed/children/ca1"
	w.post("/api/v1/cas", `{"handle":"ca2"}`).empty()
	var id api.ChildRequest
	w.get("/api/v1/cas/ca2/id/child_request.json").json(&id)
	w.post("/api/v1/cas/testbed/children", `{"handle":"ca2","resources":{"asn":"AS1","ipv4":"","ipv6":""},"id_cert":"`+base64.StdEncoding.EncodeToString(id.IDCert)+`"}`).ok()
	w.get("/api/v1/cas/ca1/id/child_request.json").json(&id)
	w.post("/api/v1/cas/testbed/children/ca2", `{"id_cert":"`+base64.StdEncoding.EncodeToString(id.IDCert)+`","resources":{"asn":"AS2","ipv4":"","ipv6":""},
		"resource_class_name_mapping":{"name_in_parent":"0","name_for_child":"lacnic"}}`).empty()
	var info api.ChildInfo
	w.get("/api/v1/cas/testbed/children/ca2").json(&info)
	if string(info.IDCert.Base64) != string(id.IDCert) || info.EntitledResources.AS.String() != "AS2" {
		t.Errorf("got %+v", info)
	}
	w.post(child, `{"resource_class_name_mapping":{"name_in_parent":"0","name_for_child":"x"}}`).fails(http.StatusBadRequest, "general-error").record("general-error-mapping")

	before := w.get("/api/v1/cas/ca1/id/child_request.json").ok().body
	w.post("/api/v1/cas/ca1/id", "").empty()
	if w.get("/api/v1/cas/ca1/id/child_request.json").ok().body == before {
		t.Error("the identity stayed")
	}
	w.remove("/api/v1/cas/ca1/parents/nope").fails(http.StatusNotFound, "ca-parent-unknown")
	w.remove("/api/v1/cas/testbed/children/nope").fails(http.StatusNotFound, "ca-child-unknown")
	w.remove("/api/v1/cas/ca1/parents/myparent").empty()
	w.settle()
	w.remove(child).empty()
	w.settle()
	var published api.PublisherDetails
	w.get("/api/v1/pubd/publishers/ca1").json(&published)
	if len(published.CurrentFiles) != 0 {
		t.Errorf("left: %+v", published.CurrentFiles)
	}
	w.remove("/api/v1/cas/ca1").empty()
	w.settle()
	w.get("/api/v1/cas/ca1").fails(http.StatusNotFound, "ca-unknown")
	w.get("/api/v1/pubd/publishers/ca1").ok()
	for _, path := range []string{"", "/parents/x", "/children/x"} {
		w.remove("/api/v1/cas/ca1"+path).fails(http.StatusNotFound, "ca-unknown")
	}
	w.post("/api/v1/cas/ca1/id", "").fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/cas", `{"handle":"ca1"}`).empty()
	var h api.CommandHistory
	w.get("/api/v1/cas/testbed/history/commands").json(&h)
	for _, c := range h.Commands {
		w.get("/api/v1/cas/testbed/history/details/" + strconv.FormatInt(int64(c.Version), 10)).ok()
	}
}
