package web_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"baleen/api"
)

const (
	aspas  = "/api/v1/cas/ca1/aspas"
	bgpsec = "/api/v1/cas/ca1/bgpsec"
)

// routerCSR is a request made with OpenSSL, and the same with a bad signature.
func routerCSR(t *testing.T) (good, forged string) {
	t.Helper()
	der, err := os.ReadFile("../rpki/cert/testdata/router.csr")
	if err != nil {
		t.Fatal(err)
	}
	bad := slices.Clone(der)
	bad[len(bad)-1] ^= 1
	return base64.StdEncoding.EncodeToString(der), base64.StdEncoding.EncodeToString(bad)
}

// ofCA1 gives what CA ca1 publishes with this extension, by file name.
func (w *world) ofCA1(ext string) (names []string) {
	w.t.Helper()
	var status api.RepoStatus
	w.get("/api/v1/cas/ca1/repo/status").json(&status)
	for _, f := range status.Published {
		if name := f.URI[strings.LastIndex(f.URI, "/")+1:]; strings.HasSuffix(name, ext) {
			names = append(names, name)
		}
	}
	return names
}

func TestASPAsOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", `{"asn":"AS65000-AS65001","ipv4":"10.0.0.0/16","ipv6":""}`)
	list := func(want string) {
		t.Helper()
		if got := w.get(aspas).ok().body; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	list(`[]`)
	etag := w.get(aspas).header.Get("ETag")
	const add = `{"add_or_replace":[{"customer":65000,"providers":[65005,65002,65003]}],"remove":[]}`
	w.ask(with("If-Match", `"999"`), "POST", aspas, add).fails(http.StatusConflict, "version-mismatch")
	a := w.ask(with("If-Match", etag), "POST", aspas, add)
	a.empty()
	if a.header.Get("ETag") == etag {
		t.Errorf("the ETag stayed %s", etag)
	}
	w.settle()
	list(`[{"customer":65000,"providers":[65002,65003,65005]}]`)
	if got := w.ofCA1(".asa"); !slices.Equal(got, []string{"AS65000.asa"}) {
		t.Errorf("published: %v", got)
	}
	w.post(aspas+"/as/AS65000", `{"added":[65006],"removed":[65002]}`).empty()
	w.post(aspas+"/as/65001", `{"added":[1],"removed":[]}`).empty()
	list(`[{"customer":65000,"providers":[65003,65005,65006]},{"customer":65001,"providers":[1]}]`)
	if a := w.get(aspas + "?limit=1&offset=1").ok(); a.body != `[{"customer":65001,"providers":[1]}]` || a.header.Get("X-Total-Count") != "2" {
		t.Errorf("got %s %v", a.body, a.header)
	}
	w.post(aspas, `{"add_or_replace":[{"customer":65001,"providers":[7]}],"remove":[65001]}`).empty()
	w.ask(admin, "DELETE", aspas+"/as/AS65000", "").empty()
	list(`[{"customer":65001,"providers":[7]}]`)
	w.settle()
	if got := w.ofCA1(".asa"); !slices.Equal(got, []string{"AS65001.asa"}) {
		t.Errorf("published: %v", got)
	}
	w.labels("cmd-ca-aspas-update", "cmd-ca-aspas-update-existing", "cmd-ca-aspas-update-existing", "cmd-ca-aspas-update", "cmd-ca-aspas-update")
}

// labels wants these as what the operator did last; everything there is must
// be told.
func (w *world) labels(want ...string) {
	w.t.Helper()
	var h api.CommandHistory
	w.get("/api/v1/cas/ca1/history/commands?machine=false").json(&h)
	var got []string
	for _, c := range h.Commands {
		got = append(got, c.Summary.Label)
	}
	if got = got[max(0, len(got)-len(want)):]; !slices.Equal(got, want) {
		w.t.Errorf("got %v, want %v", got, want)
	}
	w.get("/api/v1/cas/ca1/history/commands").json(&h)
	for _, c := range h.Commands {
		var d api.CommandDetails
		w.get("/api/v1/cas/ca1/history/details/" + strconv.FormatInt(c.Version, 10)).json(&d)
		if c.Effect.Error == nil && d.Effect.Result != "success" {
			w.t.Errorf("got %+v", d)
		}
	}
}

func TestRouterKeysOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", `{"asn":"AS64512","ipv4":"10.0.0.0/16","ipv6":""}`)
	csr, _ := routerCSR(t)
	if got := w.get(bgpsec).ok().body; got != `[]` {
		t.Errorf("got %s", got)
	}
	etag := w.get(bgpsec).header.Get("ETag")
	add := `{"add":[{"asn":64512,"csr":"` + csr + `"}],"remove":[]}`
	w.ask(with("If-Match", `"999"`), "POST", bgpsec, add).fails(http.StatusConflict, "version-mismatch")
	w.ask(with("If-Match", etag), "POST", bgpsec, add).empty()
	w.settle()
	const id = "766D2731139C74A2CE8009932D1622B7830EE469"
	if got, want := w.get(bgpsec).ok().body, `[{"asn":64512,"key_identifier":"`+id+`","csr":"`+csr+`"}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	const router = "ROUTER-0000FC00-" + id
	if got := w.ofCA1(".cer"); !slices.Equal(got, []string{router + ".cer"}) {
		t.Errorf("published: %v", got)
	}
	w.post(bgpsec, `{"add":[],"remove":["`+strings.ReplaceAll(strings.ToLower(router), "router", "ROUTER")+`"]}`).empty()
	w.settle()
	if got, files := w.get(bgpsec).ok().body, w.ofCA1(".cer"); got != `[]` || len(files) > 0 {
		t.Errorf("got %s, published %v", got, files)
	}
	w.labels("cmd-bgpsec-update", "cmd-bgpsec-update")
}

func TestASObjectsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", `{"asn":"AS65000","ipv4":"10.0.0.0/16","ipv6":""}`)
	csr, forged := routerCSR(t)
	const one = aspas + "/as/AS65000"
	refused := func(path, body, label string) {
		t.Helper()
		w.post(path, body).fails(http.StatusBadRequest, label).record(label)
	}
	refused(aspas, `{"add_or_replace":[{"customer":65000,"providers":[]}],"remove":[]}`, "ca-aspa-provider-as-empty")
	refused(aspas, `{"add_or_replace":[{"customer":65000,"providers":[65000,65003,65005]}],"remove":[]}`, "ca-aspa-customer-as-provider")
	refused(aspas, `{"add_or_replace":[{"customer":65000,"providers":[65003,65003]}],"remove":[]}`, "ca-aspa-provider-duplicates")
	refused(aspas, `{"add_or_replace":[{"customer":64999,"providers":[65003]}],"remove":[]}`, "ca-aspa-not-entitled")
	refused(aspas, `{"add_or_replace":[{"customer":64999,"providers":[]}],"remove":[65000]}`, "ca-aspa-unknown-customer-as")
	w.ask(admin, "DELETE", one, "").fails(http.StatusBadRequest, "ca-aspa-unknown-customer-as")
	w.post(one, `{"added":[65000],"removed":[]}`).fails(http.StatusBadRequest, "ca-aspa-customer-as-provider")
	w.post(aspas+"/as/1", `{"added":[2],"removed":[]}`).fails(http.StatusBadRequest, "ca-aspa-not-entitled")
	w.post(aspas+"/as/1", `{"added":[],"removed":[2]}`).empty()

	refused(bgpsec, `{"add":[{"asn":65000,"csr":"`+csr+`"}],"remove":["ROUTER-0000FDE8-17316903F0671229E8808BA8E8AB0105FA915A07"]}`, "ca-bgpsec-unknown")
	refused(bgpsec, `{"add":[{"asn":65000,"csr":"`+csr+`"},{"asn":65001,"csr":"`+csr+`"}],"remove":[]}`, "ca-bgpsec-not-entitled")
	w.post(bgpsec, `{"add":[{"asn":65001,"csr":"`+forged+`"}],"remove":[]}`).fails(http.StatusBadRequest, "ca-bgpsec-invalidly-signed").record("ca-bgpsec-invalidly-signed")
	if got := w.get(bgpsec).ok().body; got != `[]` {
		t.Errorf("something was added: %s", got)
	}
	for path, bodies := range map[string][]string{
		aspas: {
			`{}`, `{"add_or_replace":[]}`, `{"add_or_replace":[],"remove":["AS1"]}`, `{"add_or_replace":[{"customer":"AS1","providers":[2]}],"remove":[]}`,
			`{"add_or_replace":[{"customer":1}],"remove":[]}`, `{"add_or_replace":[],"remove":[4294967296]}`, `{"add_or_replace":[],"remove":[-1]}`,
		},
		one: {`{"added":[]}`, `{"added":[1],"removed":null}`, `[]`},
		bgpsec: {
			`{"add":[]}`, `{"add":[],"remove":["ROUTER-1"]}`, `{"add":[],"remove":[7]}`, `{"add":[{"asn":65000,"csr":"AA"}],"remove":[]}`,
			`{"add":[{"asn":65000,"csr":"MAA="}],"remove":[]}`, `{"add":[{"asn":"65000","csr":"` + csr + `"}],"remove":[]}`,
		},
	} {
		for _, body := range bodies {
			w.post(path, body).fails(http.StatusBadRequest, "api-json")
		}
	}
	for _, path := range []string{"aspas", "bgpsec"} {
		w.get("/api/v1/cas/nope/"+path).fails(http.StatusNotFound, "ca-unknown")
		w.ask(anybody, "GET", "/api/v1/cas/ca1/"+path, "").fails(http.StatusForbidden, "api-insufficient-rights")
	}
	w.post("/api/v1/cas/nope/aspas", `{"add_or_replace":[],"remove":[]}`).fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/cas/nope/bgpsec", `{"add":[],"remove":[]}`).fails(http.StatusNotFound, "ca-unknown")
	w.ask(admin, "DELETE", one, "{}").fails(http.StatusBadRequest, "api-unexpected-body")
}

func TestPathsOfASObjects(t *testing.T) {
	w := newRules(t)
	for _, request := range []string{"POST /as/x", "POST /as/4294967296", "POST /as/-1", "POST /as/AS", "DELETE /as/1/", "POST /as", "POST /as/", "GET /"} {
		method, path, _ := strings.Cut(request, " ")
		body := ""
		if method == "POST" {
			body = `{"added":[],"removed":[]}`
		}
		w.ask(admin, method, aspas+path, body).nothing(http.StatusNotFound)
	}
	for _, request := range []string{"GET " + aspas + "/as/1", "PATCH " + aspas, "DELETE " + aspas, "DELETE " + bgpsec, "HEAD " + bgpsec} {
		method, path, _ := strings.Cut(request, " ")
		w.ask(admin, method, path, "").nothing(http.StatusMethodNotAllowed)
	}
}
