package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"baleen/api"
)

// A child goes from one parent to another through the API.
func TestChildExportAndImportOverTheAPI(t *testing.T) {
	w := newWorld(t)
	w.service.Config.AnyHost = true
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const here = "/api/v1/cas/testbed/children/ca1"
	body := w.get(here + "/export").ok().body
	var exported api.ImportChild
	w.get(here + "/export").json(&exported)
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil || !strings.HasPrefix(body, `{"name":"ca1","id_cert":"MII`) || len(fields) != 4 ||
		!strings.Contains(body, `"issued_cert":{"ca_repository":"rsync://localhost/repo/ca1/0/","rpki_manifest":"rsync://localhost/repo/ca1/0/`) ||
		!strings.Contains(body, `.mft","rpki_notify":"https://localhost:3000/rrdp/notification.xml","key":"MII`) || strings.Contains(body, "class_name") {
		t.Errorf("exported %s (%v)", body, err)
	}
	w.get("/api/v1/cas/testbed/children/nobody/export").fails(http.StatusNotFound, "ca-child-unknown")
	w.get("/api/v1/cas/nobody/children/ca1/export").fails(http.StatusNotFound, "ca-unknown")
	w.ask(anybody, "POST", here+"/import", body).fails(http.StatusForbidden, "api-insufficient-rights")

	mismatch := w.post("/api/v1/cas/testbed/children/other/import", body)
	mismatch.fails(http.StatusBadRequest, "ca-child-import-handle-mismatch").record("ca-child-import-handle-mismatch")
	if want := `"msg":"mismatch between child handles: 'other' in path, 'ca1' in body","args":{"body":"ca1","path":"other"}`; !strings.Contains(mismatch.body, want) {
		t.Errorf("a mismatch is %s, want %s", mismatch.body, want)
	}
	w.post(here+"/import", body).fails(http.StatusBadRequest, "ca-child-duplicate")
	w.post(here+"/import", `{"name":"ca1"}`).fails(http.StatusBadRequest, "api-json")
	w.ask(admin, "DELETE", here, "").empty()
	w.settle()
	renamed := strings.Replace(body, `"name":"ca1"`, `"name":"moved"`, 1)
	w.post("/api/v1/cas/testbed/children/moved/import", strings.Replace(renamed, `.mft"`, `.mft?"`, 1)).fails(http.StatusBadRequest, "rfc6492-invalid-csr")
	w.join("ca2", resourcesOfCA1)
	withName := strings.Replace(strings.Replace(body, `"name":"ca1"`, `"name":"kid"`, 1), `"key":`, `"class_name":"custom","key":`, 1)
	w.post("/api/v1/cas/ca2/children/kid/import", withName).empty()
	w.settle()
	var again api.ImportChild
	w.get("/api/v1/cas/ca2/children/kid/export").json(&again)
	if again.IssuedCert.ClassName == nil || *again.IssuedCert.ClassName != "custom" || string(again.IssuedCert.Key) != string(exported.IssuedCert.Key) {
		t.Errorf("exported again: %+v", again)
	}
	var history api.CommandHistory
	w.get("/api/v1/cas/ca2/history/commands").json(&history)
	last := history.Commands[len(history.Commands)-1]
	if last.Summary.Label != "cmd-ca-child-import" || last.Summary.Args["child"] != "kid" {
		t.Errorf("the history says %+v", last)
	}
}

// A set-up is imported, seen to come, and refused the second time.
func TestBulkImportOverTheAPI(t *testing.T) {
	w := newWorld(t)
	const path = "/api/v1/bulk/cas/import"
	structure := `{"ta":{"ta_aia":"rsync://localhost/ta/ta.cer","ta_uri":"https://localhost:3000/ta/ta.cer"},
	 "publication_server":{"rrdp_base_uri":"https://localhost:3000/rrdp/","rsync_jail":"rsync://localhost/repo/"},
	 "cas":[{"handle":"parent","parent":{"handle":"ta","resources":{"asn":"AS1","ipv4":"10.0.0.0/8","ipv6":""}},
	         "roas":[{"asn":1,"prefix":"10.0.0.0/16","max_length":16}]},
	        {"handle":"child","parent":[{"handle":"parent","resources":{"asn":"","ipv4":"10.1.0.0/16","ipv6":""}}]}]}`
	off := w.post(path, structure)
	off.fails(http.StatusBadRequest, "general-error")
	if want := `"msg":"Import TA requires ta_support_enabled = true and ta_signer_enabled = true"`; !strings.Contains(off.body, want) {
		t.Errorf("without a signer: %s", off.body)
	}
	w.ask(anybody, "POST", path, structure).fails(http.StatusForbidden, "api-insufficient-rights")
	w.service.Config.EmbeddedTA = true
	w.post(path, structure).empty()
	var progress api.ImportProgress
	w.get(path).json(&progress)
	if len(progress.Imports) != 1 || progress.Imports[0].CAs != 2 || progress.Imports[0].Made != 0 || !progress.Imports[0].Prepared {
		t.Errorf("progress %+v", progress)
	}
	w.post(path, structure).empty() // it is not complete: it goes on
	w.remove(path+"/nonsense").fails(http.StatusNotFound, "import-unknown")
	w.remove(path + "/" + progress.Imports[0].ID).empty()
	w.get(path).json(&progress)
	if len(progress.Imports) != 1 || !progress.Imports[0].Abandoned {
		t.Errorf("abandoned: %+v", progress)
	}
	w.post(path, structure).fails(http.StatusConflict, "import-abandoned")
	w.settle()
	if a := w.get(path).ok(); a.body != `{"imports":[]}` {
		t.Errorf("taken back: %s", a.body)
	}
	whole := structure
	structure = `{"cas":` + structure[strings.Index(structure, `"cas":`)+len(`"cas":`):]
	w.post(path, structure).empty()
	w.get(path).json(&progress)
	w.post("/api/v1/tasks/cas_import/retry?key="+progress.Imports[0].ID, "").empty() // also where no CA waits for another
	for range 300 {
		w.settle()
		if w.get(path).ok().body == `{"imports":[]}` {
			break
		}
		w.post("/api/v1/tasks/cas_import/retry?key="+progress.Imports[0].ID, "")
		for _, handle := range []string{"parent", "child"} {
			w.post("/api/v1/tasks/ca_import/retry?key="+handle, "")
		}
	}
	w.settle()
	var roas []api.ConfiguredROA
	w.get("/api/v1/cas/parent/routes").json(&roas)
	var child api.CAInfo
	w.get("/api/v1/cas/child").json(&child)
	if len(roas) != 1 || child.Resources.String() != "asn: '', ipv4: '10.1.0.0/16', ipv6: ''" {
		t.Errorf("routes %+v, child holds %s", roas, child.Resources)
	}
	again := w.post(path, whole)
	again.fails(http.StatusBadRequest, "general-error")
	if want := `"msg":"CA with name parent already exists. Check import and server state!"`; !strings.Contains(again.body, want) {
		t.Errorf("the second time: %s", again.body)
	}
	w.post(path, `{"cas":[{"handle":"x"}]}`).fails(http.StatusBadRequest, "api-json")
	w.post(path, `{"publication_server":{"rrdp_base_uri":"https://localhost:3000/rrdp/","rsync_jail":"rsync://localhost/repo/"}}`).fails(http.StatusBadRequest, "pub-repo-initialized")

	w.post("/api/v1/cas/parent/force_reissue", "").empty()
	w.post("/api/v1/cas/nobody/force_reissue", "").fails(http.StatusNotFound, "ca-unknown")
	w.post("/api/v1/bulk/cas/force_reissue", "").empty()
	w.ask(anybody, "POST", "/api/v1/bulk/cas/force_reissue", "").fails(http.StatusForbidden, "api-insufficient-rights")
}

// The publication server is emptied and closed through the API.
func TestPublicationServerDeletionOverTheAPI(t *testing.T) {
	w := newWorld(t)
	const server, remove = "/api/v1/pubd/init", "/api/v1/pubd/delete"
	w.ask(admin, "DELETE", server, "").fails(http.StatusBadRequest, "pub-repo-not-initialized")
	absent := w.post(remove, `{"base_uri":"rsync://localhost/repo/ca1/"}`)
	absent.fails(http.StatusInternalServerError, "sys-wal-store")
	if !strings.Contains(absent.body, `"cause":"Unknown entity: 0"`) {
		t.Errorf("without a repository: %s", absent.body)
	}
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	full := w.ask(admin, "DELETE", server, "")
	full.fails(http.StatusBadRequest, "pub-repo-has-publishers").record("pub-repo-has-publishers")
	if !strings.Contains(full.body, `"msg":"Publication Server cannot be removed, still has publishers"`) {
		t.Errorf("with publishers: %s", full.body)
	}
	w.post(remove, `{"base_uri":"https://localhost/repo/ca1/"}`).fails(http.StatusBadRequest, "pub-uri-invalid")
	w.post(remove, `{}`).fails(http.StatusBadRequest, "api-json")
	w.ask(anybody, "POST", remove, `{"base_uri":"rsync://localhost/repo/ca1/"}`).fails(http.StatusForbidden, "api-insufficient-rights")
	w.post(remove, `{"base_uri":"rsync://localhost/repo/ca1/"}`).empty()
	var details api.PublisherDetails
	w.get("/api/v1/pubd/publishers/ca1").json(&details)
	if len(details.CurrentFiles) != 0 {
		t.Errorf("%d files are left", len(details.CurrentFiles))
	}
	for _, p := range []string{"ta", "testbed", "ca1"} {
		w.ask(admin, "DELETE", "/api/v1/pubd/publishers/"+p, "").empty()
	}
	w.settle()
	w.get("/rrdp/notification.xml").ok()
	w.ask(admin, "DELETE", server, "").empty()
	if got := w.get("/rrdp/notification.xml"); got.status == http.StatusOK {
		t.Error("the notification is still served")
	}
	w.ask(admin, "DELETE", server, "").fails(http.StatusBadRequest, "pub-repo-not-initialized")
	w.post(server, `{"rrdp_base_uri":"https://localhost:3000/rrdp/","rsync_jail":"rsync://localhost/repo/"}`).empty()
}
