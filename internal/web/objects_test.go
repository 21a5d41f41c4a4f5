package web_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/rpki/profile"
)

const (
	ghostbusters = "/api/v1/cas/ca1/ghostbusters"
	rscs         = "/api/v1/cas/ca1/rscs"
)

func TestGhostbustersOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", `{"asn":"AS65000","ipv4":"10.0.0.0/16","ipv6":""}`)
	list := func(want string) {
		t.Helper()
		if got := w.get(ghostbusters).ok().body; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	list(`[]`)
	etag := w.get(ghostbusters).header.Get("ETag")
	const (
		noc = `{"name":"noc","contact":{"fn":"NOC","org":"Example","adr":{"street":"1 Main St","country":"US"},"tel":["tel:+1-666-555-1212"],"email":["noc@example.net"]}}`
		ops = `{"name":"ops","contact":{"fn":"Ops","fax":["1"]}}`
		add = `{"add":[` + ops + `,` + noc + `],"remove":[]}`
	)
	w.ask(with("If-Match", `"999"`), "POST", ghostbusters, add).fails(http.StatusConflict, "version-mismatch")
	w.ask(with("If-Match", etag), "POST", ghostbusters, add).empty()
	w.settle()
	list(`[` + noc + `,` + ops + `]`)
	if got := w.ofCA1(".gbr"); !slices.Equal(got, []string{"noc.gbr", "ops.gbr"}) {
		t.Errorf("published: %v", got)
	}
	if a := w.get(ghostbusters + "?limit=1&offset=1").ok(); a.body != `[`+ops+`]` || a.header.Get("X-Total-Count") != "2" {
		t.Errorf("got %s %v", a.body, a.header)
	}
	w.post(ghostbusters, `{"add":[{"name":"ops","contact":{"fn":"Night","tel":["2"]}}],"remove":["noc"]}`).empty()
	w.settle()
	list(`[{"name":"ops","contact":{"fn":"Night","tel":["2"]}}]`)
	if got := w.ofCA1(".gbr"); !slices.Equal(got, []string{"ops.gbr"}) {
		t.Errorf("published: %v", got)
	}
	w.labels("cmd-ca-ghostbusters-update", "cmd-ca-ghostbusters-update")

	for body, label := range map[string]string{
		`{"add":[],"remove":["noc"]}`:                                                    "ca-ghostbusters-unknown",
		`{"add":[{"name":"x","contact":{"fn":"x"}}],"remove":[]}`:                        "ca-ghostbusters-invalid",
		`{"add":[{"name":"a/b","contact":{"fn":"x","tel":["1"]}}],"remove":[]}`:          "ca-ghostbusters-invalid",
		`{"add":[` + noc + `,{"name":"x","contact":{"fn":"","tel":["1"]}}],"remove":[]}`: "ca-ghostbusters-invalid",
		`{"add":[{"name":"x","contact":{"fn":"x","tel":"1"}}],"remove":[]}`:              "api-json",
		`{"add":[{"name":"x","contact":{"tel":["1"]}}],"remove":[]}`:                     "api-json",
		`{"add":[]}`: "api-json",
		`[]`:         "api-json",
	} {
		w.post(ghostbusters, body).fails(http.StatusBadRequest, label)
	}
	list(`[{"name":"ops","contact":{"fn":"Night","tel":["2"]}}]`)
	w.get("/api/v1/cas/nope/ghostbusters").fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/cas/nope/ghostbusters", `{"add":[],"remove":[]}`).fails(http.StatusNotFound, "ca-unknown")
	w.ask(anybody, "GET", ghostbusters, "").fails(http.StatusForbidden, "api-insufficient-rights")
	w.ask(anybody, "POST", ghostbusters, add).fails(http.StatusForbidden, "api-insufficient-rights")
}

func TestChecklistsOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", `{"asn":"AS65000","ipv4":"10.0.0.0/16","ipv6":""}`)
	if got := w.get(rscs).ok().body; got != `[]` {
		t.Errorf("got %s", got)
	}
	hash := strings.Repeat("0a", 32)
	until := time.Now().AddDate(0, 0, 7).UTC().Format(time.RFC3339)
	body := func(held, files, until string) string {
		return `{"resources":` + held + `,"files":` + files + `,"not_after":"` + until + `"}`
	}
	const held = `{"asn":"AS65000","ipv4":"10.0.0.0/24","ipv6":""}`
	files := `[{"name":"letter.pdf","hash":"` + hash + `"},{"hash":"` + strings.ToUpper(hash) + `"}]`
	var made api.SignedChecklist
	w.post(rscs, body(held, files, until)).json(&made)
	s, broken := profile.Checklist(made.Base64)
	if len(broken) > 0 || len(s.Checklist.Files) != 2 || s.EE.Serial.String() != made.Serial || s.EE.NotAfter.Format(time.RFC3339) != until || made.Files[1].Hash != hash {
		t.Errorf("got %+v, %v", made, broken)
	}
	one := rscs + "/" + made.Serial
	a := w.get(one).ok()
	if a.header.Get("Content-Type") != "application/rpki-checklist" || a.body != string(made.Base64) {
		t.Errorf("got %v, %s", a.header, base64.StdEncoding.EncodeToString([]byte(a.body)))
	}
	var list []api.Checklist
	w.get(rscs).json(&list)
	if len(list) != 1 || list[0].Serial != made.Serial || list[0].Hash != made.Hash || list[0].ClassName != "0" {
		t.Errorf("got %+v", list)
	}
	w.ask(admin, "DELETE", one, "").empty()
	w.ask(admin, "DELETE", one, "").fails(http.StatusNotFound, "ca-rsc-unknown")
	w.get(one).fails(http.StatusNotFound, "ca-rsc-unknown")
	w.get(rscs+"/x").fails(http.StatusNotFound, "ca-rsc-unknown")
	w.labels("cmd-ca-rsc-sign", "cmd-ca-rsc-revoke", "cmd-ca-rsc-revoke")
	if got := w.ofCA1(".sig"); len(got) != 0 {
		t.Errorf("published: %v", got)
	}

	for text, label := range map[string]string{
		body(`{"asn":"AS65001","ipv4":"","ipv6":""}`, files, until):         "ca-rsc-not-entitled",
		body(`{"asn":"","ipv4":"","ipv6":""}`, files, until):                "ca-rsc-invalid",
		body(held, `[]`, until):                                             "ca-rsc-invalid",
		body(held, `[{"name":"a/b","hash":"`+hash+`"}]`, until):             "ca-rsc-invalid",
		body(held, files, time.Now().AddDate(2, 0, 0).Format(time.RFC3339)): "ca-rsc-validity",
		body(held, files, "2020-01-01T00:00:00Z"):                           "ca-rsc-validity",
		body(held, `[{"hash":"0a"}]`, until):                                "api-json",
		body(held, `[{"name":"a"}]`, until):                                 "api-json",
		body(held, files, "tomorrow"):                                       "api-json",
		`{"resources":` + held + `,"files":` + files + `}`:                  "api-json",
	} {
		w.post(rscs, text).fails(http.StatusBadRequest, label)
	}
	w.post("/api/v1/cas/nope/rscs", body(held, files, until)).fails(http.StatusNotFound, "ca-unknown")
	for _, path := range []string{rscs, one} {
		w.ask(anybody, "GET", path, "").fails(http.StatusForbidden, "api-insufficient-rights")
	}
	w.ask(anybody, "DELETE", one, "").fails(http.StatusForbidden, "api-insufficient-rights")
}
