package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// Forms that answers have in common.
const (
	b64         = `"~[A-Za-z0-9+/]+=*"`
	hexHash     = `"~[0-9a-f]{64}"`
	keyID       = `"~[0-9A-F]{40}"`
	instantForm = `"~20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{9})?Z"`
	unixSeconds = `"#[0-9]{10}"`
	unixMillis  = `"#[0-9]{13}"`
	idCertForm  = `{"public_key":` + b64 + `,"base64":` + b64 + `,"hash":` + hexHash + `}`
	validForm   = `{"not_before":` + instantForm + `,"not_after":` + instantForm + `}`
	serialForm  = `"~[1-9][0-9]*"`
)

// An operator's first ten minutes, by the calls of the API's reference: a CA
// that publishes in this server, below the testbed, authorises its routes.
func TestFirstDay(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	mustStart(ctx, t, s)
	live(ctx, t, s)
}

// live plays that day on a server that was just started for the first time.
func live(ctx context.Context, t *testing.T, s *harness.Server) {
	t.Helper()
	seen, err := s.Published(ctx)
	if err != nil {
		t.Fatal(err)
	}
	day := firstDay{operator{Server: s, ctx: ctx, t: t}}
	relying := follower{seen: seen}
	for _, step := range []struct {
		name string
		do   func(firstDay)
	}{
		{"log in", firstDay.logIn},
		{"create a CA", firstDay.createCA},
		{"become a publisher", firstDay.publish},
		{"become a child", firstDay.joinParent},
		{"hold resources", firstDay.holdResources},
		{"authorise routes", firstDay.authorise},
		{"comment and withdraw", firstDay.withdraw},
		{"look at the repository", firstDay.repository},
		{"look at the history", firstDay.history},
		{"the same with XML", firstDay.viaXML},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.do(firstDay{day.at(t)}) }) {
			return
		}
		relying.look(ctx, t, s)
	}
	sameAsSnapshot(ctx, t, s, relying.seen)
	if relying.byDeltas == 0 {
		t.Error("relying parties had to load the snapshot all day long")
	}
}

type firstDay struct{ operator }

func (d firstDay) logIn() {
	d.done(http.MethodGet, "/api/v1/authorized", nil)
	d.shows("/api/v1/cas", `{"cas":[{"handle":"testbed"}]}`)
	d.shows("/stats/info", `{"version":"~[0-9]+\\..+","started":`+unixSeconds+`}`)
	d.done(http.MethodGet, "/health", nil)
	d.done(http.MethodGet, "/testbed/enabled", nil)
	d.shows("/api/v1/pubd/publishers", `{"publishers":[{"handle":"ta"},{"handle":"testbed"}]}`)
	if a := d.ask(http.MethodGet, "/auth/login", nil); string(a.Body) != "/login" || a.Header.Get("Content-Type") != "text/plain" {
		d.t.Errorf("GET /auth/login: got %s", show(a))
	}
	const rights = `"permissions":["aspas-read","aspas-update","bgpsec-read","bgpsec-update","ca-admin","ca-create","ca-delete","ca-list","ca-read","ca-update","login",
		"pub-admin","pub-create","pub-delete","pub-list","pub-read","routes-analysis","routes-read","routes-update","rta-list","rta-read","rta-update"],"cas":null`
	if err := match(d.json(http.MethodPost, "/auth/login", nil), `{"token":"`+harness.Token+`","id":"admin-token","attributes":{"role":"admin"},`+rights+`}`); err != nil {
		d.t.Errorf("POST /auth/login: %v", err)
	}
}

func (d firstDay) createCA() {
	d.done(http.MethodPost, "/api/v1/cas", `{"handle":"ca1"}`)
	d.shows("/api/v1/cas", `{"cas":[{"handle":"ca1"},{"handle":"testbed"}]}`)
	d.shows("/api/v1/cas/ca1", `{"handle":"ca1","id_cert":`+idCertForm+`,"repo_info":null,"parents":[],
		"resources":{"asn":"","ipv4":"","ipv6":""},"resource_classes":{},"children":[],"suspended_children":[]}`)
	d.shows("/api/v1/cas/ca1/parents", `{}`)
	d.shows("/api/v1/cas/ca1/routes", `[]`)
	d.shows("/api/v1/cas/ca1/repo/status", `{"last_exchange":null,"last_success":null,"published":[]}`)
	d.shows("/api/v1/cas/ca1/issues", `{"repo_issue":null,"parent_issues":[]}`)
	d.shows("/api/v1/cas/ca1/history/commands", `{"offset":0,"total":0,"commands":[]}`)
	d.refused(http.MethodGet, "/api/v1/cas/ca1/repo", nil, 400, `{"label":"repo-not-set","msg":"No repository configured for CA","args":{}}`)
	d.refused(http.MethodPost, "/api/v1/cas", `{"handle":"ca1"}`, 400,
		`{"label":"ca-duplicate","msg":"CA 'ca1' was already initialized","args":{"ca":"ca1"}}`)
	for _, name := range []string{"ta", "version"} {
		d.refused(http.MethodPost, "/api/v1/cas", `{"handle":"`+name+`"}`, 400,
			`{"label":"ta-name-reserved","msg":"Name reserved for embedded Trust Anchor","args":{}}`)
	}
}

func (d firstDay) publish() {
	public := d.PublicURI()
	request := d.shows("/api/v1/cas/ca1/id/publisher_request.json", `{"id_cert":`+b64+`,"publisher_handle":"ca1","tag":null}`)
	d.xml("/api/v1/cas/ca1/id/publisher_request.xml", `<publisher_request xmlns="http://www.hactrn.net/uris/rpki/rpki-setup/" version="1" publisher_handle="ca1">
  <publisher_bpki_ta>
    [A-Za-z0-9+/]+=*
  </publisher_bpki_ta>
</publisher_request>\n?`)
	form := `{"id_cert":` + b64 + `,"publisher_handle":"ca1","service_uri":"` + public + `rfc8181/ca1/","repo_info":{"sia_base":"rsync://localhost/repo/ca1/",
		"rrdp_notification_uri":"` + public + `rrdp/notification.xml"},"tag":null}`
	response := d.json(http.MethodPost, "/api/v1/pubd/publishers", string(request))
	if err := match(response, form); err != nil {
		d.t.Errorf("repository response: %v\n%s", err, response)
	}
	d.refused(http.MethodPost, "/api/v1/pubd/publishers", string(request), 400,
		`{"label":"pub-duplicate","msg":"Duplicate publisher 'ca1'","args":{"publisher":"ca1"}}`)
	if again := d.shows("/api/v1/pubd/publishers/ca1/response.json", form); string(again) != string(response) {
		d.t.Errorf("the response is another one when asked again: %s, then %s", response, again)
	}
	d.shows("/api/v1/pubd/publishers/ca1", `{"handle":"ca1","id_cert":`+idCertForm+`,"base_uri":"rsync://localhost/repo/ca1/","current_files":[]}`)

	d.done(http.MethodPost, "/api/v1/cas/ca1/repo", `{"repository_response":`+string(response)+`}`)
	d.shows("/api/v1/cas/ca1/repo", `{"contact":{"repo_info":{"sia_base":"rsync://localhost/repo/ca1/","rrdp_notification_uri":"`+public+`rrdp/notification.xml"},
		"server_info":{"public_key":`+b64+`,"service_uri":"`+public+`rfc8181/ca1/"}}}`)
	d.refused(http.MethodPost, "/api/v1/cas/ca1/repo", `{"repository_response":`+string(response)+`}`, 400,
		`{"label":"ca-repo-same","msg":"CA 'ca1' already uses this repository","args":{"ca":"ca1"}}`)
}

func (d firstDay) joinParent() {
	request := d.shows("/api/v1/cas/ca1/id/child_request.json", `{"id_cert":`+b64+`,"child_handle":"ca1","tag":null}`)
	d.xml("/api/v1/cas/ca1/id/child_request.xml", `<child_request xmlns="http://www.hactrn.net/uris/rpki/rpki-setup/" version="1" child_handle="ca1">
  <child_bpki_ta>
    [A-Za-z0-9+/]+=*
  </child_bpki_ta>
</child_request>\n?`)
	var child struct {
		IDCert string `json:"id_cert"`
	}
	if err := json.Unmarshal(request, &child); err != nil {
		d.t.Fatal(err)
	}
	add := func(asn string) string {
		return `{"handle":"ca1","resources":{"asn":"` + asn + `","ipv4":"10.0.0.0/8, 192.0.2.0-192.0.2.130","ipv6":"2001:db8::/32"},"id_cert":"` + child.IDCert + `"}`
	}
	response := d.json(http.MethodPost, "/api/v1/cas/testbed/children", add("AS64496-AS64498, AS64500"))
	form := `{"id_cert":` + b64 + `,"parent_handle":"testbed","child_handle":"ca1","service_uri":"` + d.PublicURI() + `rfc6492/testbed","tag":null}`
	if err := match(response, form); err != nil {
		d.t.Errorf("parent response: %v\n%s", err, response)
	}
	d.refused(http.MethodPost, "/api/v1/cas/testbed/children", add("AS64496"), 400,
		`{"label":"ca-child-duplicate","msg":"CA 'testbed' already has a child named 'ca1'","args":{"ca":"testbed","child":"ca1"}}`)
	d.shows("/api/v1/cas/testbed/children/ca1", `{"state":"active","id_cert":`+idCertForm+`,"entitled_resources":
		{"asn":"AS64496-AS64498, AS64500","ipv4":"10.0.0.0/8, 192.0.2.0-192.0.2.130","ipv6":"2001:db8::/32"}}`)
	for _, path := range []string{"contact", "parent_response.json"} {
		if again := d.shows("/api/v1/cas/testbed/children/ca1/"+path, form); string(again) != string(response) {
			d.t.Errorf("%s: the response is another one when asked again: %s, then %s", path, response, again)
		}
	}

	d.done(http.MethodPost, "/api/v1/cas/ca1/parents", `{"handle":"testbed","response":`+string(response)+`}`)
	d.shows("/api/v1/cas/ca1/parents/testbed", `{"type":"rfc6492","service_uri":"`+d.PublicURI()+`rfc6492/testbed","parent_handle":"testbed","child_handle":"ca1","id_cert":`+idCertForm+`}`)
	d.refused(http.MethodGet, "/api/v1/cas/ca1/parents/nope", nil, 404,
		`{"label":"ca-parent-unknown","msg":"CA 'ca1' does not have a parent named 'nope'","args":{"ca":"ca1","parent":"nope"}}`)
	d.refused(http.MethodGet, "/api/v1/cas/testbed/children/nope", nil, 404,
		`{"label":"ca-child-unknown","msg":"CA 'testbed' does not have a child named 'nope'","args":{"ca":"testbed","child":"nope"}}`)
}

func (d firstDay) holdResources() {
	d.until("ca1 holds resources", "/api/v1/cas/ca1", func(body []byte) bool { return strings.Contains(string(body), `"active":`) })
	settle(d.ctx, d.t, d.Server)
	const held = `{"asn":"AS64496-AS64498, AS64500","ipv4":"10.0.0.0/8, 192.0.2.0-192.0.2.130","ipv6":"2001:db8::/32"}`
	notify := `"` + d.PublicURI() + `rrdp/notification.xml"`
	d.shows("/api/v1/cas/ca1", `{"handle":"ca1","id_cert":`+idCertForm+`,"repo_info":{"sia_base":"rsync://localhost/repo/ca1/","rrdp_notification_uri":`+notify+`},
		"parents":[{"handle":"testbed","kind":"rfc6492"}],"resources":`+held+`,"resource_classes":{"0":{"name_space":"0","parent_handle":"testbed","keys":{"active":{"active_key":{
		"key_id":`+keyID+`,"incoming_cert":{"uri":"~rsync://localhost/repo/testbed/0/[0-9A-F]{40}\\.cer","name":"~[0-9A-F]{40}\\.cer",
		"resources":`+held+`,"limit":{},"subject":`+b64+`,"validity":`+validForm+`,"serial":`+serialForm+`,
		"ca_repository":"rsync://localhost/repo/ca1/0/","rpki_manifest":"~rsync://localhost/repo/ca1/0/[0-9A-F]{40}\\.mft","rpki_notify":`+notify+`,
		"key":`+b64+`,"base64":`+b64+`,"hash":`+hexHash+`,"marker":null},"request":null}}}}},"children":[],"suspended_children":[]}`)
	d.shows("/api/v1/cas/ca1/parents", `{"testbed":{"last_exchange":{"timestamp":`+unixSeconds+`,"uri":"`+d.PublicURI()+`rfc6492/testbed","result":"Success"},
		"last_success":`+unixSeconds+`,"next_exchange":`+unixSeconds+`,"all_resources":`+held+`,"classes":[{"class_name":"0","resource_set":`+held+`,"not_after":`+instantForm+`,
		"issued_certs":[{"uri":"~rsync://localhost/repo/testbed/0/[0-9A-F]{40}\\.cer","req_limit":{},"cert":`+b64+`}],
		"signing_cert":{"url":"~rsync://localhost/repo/[0-9A-F]{40}\\.cer","cert":`+b64+`}}]}}`)
	d.shows("/api/v1/cas/ca1/issues", `{"repo_issue":null,"parent_issues":[]}`)
	d.shows("/api/v1/bulk/cas/issues", `{"cas":{}}`)
}

// configured is an item of GET routes, with the objects in the given form.
func configured(roa string, objects string) string {
	return strings.TrimSuffix(roa, "}") + `,"roa_objects":[` + objects + `]}`
}

func (d firstDay) authorise() {
	d.done(http.MethodPost, "/api/v1/cas/ca1/routes", `{"added":[
		{"asn":64496,"prefix":"10.1.0.0/16","max_length":24,"comment":"my roa"},{"asn":64496,"prefix":"10.2.0.0/16"},{"asn":64497,"prefix":"2001:db8:1::/48","comment":null}],"removed":[]}`)
	settle(d.ctx, d.t, d.Server)
	object := func(text, file string) string {
		return `{"authorizations":["` + text + `"],"validity":` + validForm + `,"serial":` + serialForm + `,"uri":"rsync://localhost/repo/ca1/0/` + file +
			`.roa","base64":` + b64 + `,"hash":` + hexHash + `}`
	}
	d.shows("/api/v1/cas/ca1/routes", `[`+
		configured(`{"asn":64496,"prefix":"10.1.0.0/16","max_length":24,"comment":"my roa"}`, object("10.1.0.0/16-24 => 64496", "31302e312e302e302f31362d3234203d3e203634343936"))+`,`+
		configured(`{"asn":64496,"prefix":"10.2.0.0/16","max_length":16,"comment":null}`, object("10.2.0.0/16-16 => 64496", "31302e322e302e302f31362d3136203d3e203634343936"))+`,`+
		configured(`{"asn":64497,"prefix":"2001:db8:1::/48","max_length":48,"comment":null}`, object("2001:db8:1::/48-48 => 64497", "323030313a6462383a313a3a2f34382d3438203d3e203634343937"))+`]`)
	d.seesExactly("10.1.0.0/16-24 => 64496", "10.2.0.0/16-16 => 64496", "2001:db8:1::/48-48 => 64497")
}

// seesExactly wants relying parties to find these routes valid and no others.
func (d firstDay) seesExactly(routes ...string) {
	d.t.Helper()
	vrps, err := d.VRPs(d.ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(vrps)); !slices.Equal(got, routes) {
		d.t.Errorf("relying parties see %q, want %q", got, routes)
	}
}

func (d firstDay) withdraw() {
	const path = "/api/v1/cas/ca1/routes"
	d.done(http.MethodPost, path, `{"added":[{"asn":64496,"prefix":"10.1.0.0/16","max_length":24,"comment":"another comment"}],"removed":[]}`)
	settle(d.ctx, d.t, d.Server)
	d.shows(path, `[`+configured(`{"asn":64496,"prefix":"10.1.0.0/16","max_length":24,"comment":"another comment"}`, anyObject)+`,`+
		configured(`{"asn":64496,"prefix":"10.2.0.0/16","max_length":16,"comment":null}`, anyObject)+`,`+
		configured(`{"asn":64497,"prefix":"2001:db8:1::/48","max_length":48,"comment":null}`, anyObject)+`]`)
	d.seesExactly("10.1.0.0/16-24 => 64496", "10.2.0.0/16-16 => 64496", "2001:db8:1::/48-48 => 64497")

	d.done(http.MethodPost, path, `{"added":[],"removed":[{"asn":64496,"prefix":"10.2.0.0/16"},{"asn":64497,"prefix":"2001:db8:1::/48","max_length":48}]}`)
	settle(d.ctx, d.t, d.Server)
	d.shows(path, `[`+configured(`{"asn":64496,"prefix":"10.1.0.0/16","max_length":24,"comment":"another comment"}`, anyObject)+`]`)
	d.seesExactly("10.1.0.0/16-24 => 64496")
	if body := d.get(path); strings.Contains(string(body), "10.2.0.0") {
		d.t.Errorf("a route that was removed is still there: %s", body)
	}
	d.done(http.MethodPost, path, `{"added":[],"removed":[]}`)
}

const anyObject = `{"authorizations":["~.+"],"validity":` + validForm + `,"serial":` + serialForm + `,"uri":"~rsync://localhost/repo/ca1/0/[0-9a-f]+\\.roa","base64":` + b64 + `,"hash":` + hexHash + `}`

// repository compares what the CA's status, the publisher's details and RRDP
// say of the same objects.
func (d firstDay) repository() {
	file := `{"uri":"~rsync://localhost/repo/ca1/0/[0-9A-Fa-f]+\\.(crl|mft|roa)","base64":` + b64 + `}`
	files := `[` + file + `,` + file + `,` + file + `]`
	status := d.shows("/api/v1/cas/ca1/repo/status", `{"last_exchange":{"timestamp":`+unixSeconds+`,"uri":"`+d.PublicURI()+`rfc8181/ca1/","result":"Success"},
		"last_success":`+unixSeconds+`,"published":`+files+`}`)
	metrics := d.ask(http.MethodGet, "/metrics", nil)
	for _, want := range []string{`krill_ca_ps_success{ca="ca1"} 1`, `krill_ca_parent_success{ca="ca1",parent="`, `krill_ca_parent_last_success_time{ca="ca1",parent="`} {
		if !strings.Contains(string(metrics.Body), want) {
			d.t.Errorf("the metrics lack %s", want)
		}
	}
	d.shows("/api/v1/pubd/publishers/ca1", `{"handle":"ca1","id_cert":`+idCertForm+`,"base_uri":"rsync://localhost/repo/ca1/","current_files":`+files+`}`)
	var s struct {
		Published []struct {
			URI    string `json:"uri"`
			Base64 string `json:"base64"`
		} `json:"published"`
	}
	if err := json.Unmarshal(status, &s); err != nil {
		d.t.Fatal(err)
	}
	p, err := d.Server.Published(d.ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range s.Published {
		if base64.StdEncoding.EncodeToString(p.Objects[f.URI]) != f.Base64 {
			d.t.Errorf("%s is not the same in RRDP", f.URI)
		}
	}
	manifest := `{"uri":"~rsync://localhost/repo/.*\\.mft","this_update":` + instantForm + `,"next_update":` + instantForm + `}`
	publisher := `{"objects":"#[1-9][0-9]*","size":"#[1-9][0-9]*","manifests":[` + manifest + `]}`
	d.shows("/stats/repo", fmt.Sprintf(`{"publishers":{"ca1":%s,"ta":%s,"testbed":%s},"session":"%s","serial":%d,"last_update":%s,"rsync_base":"rsync://localhost/repo/","rrdp_base":"%srrdp/"}`,
		publisher, publisher, publisher, p.Session, p.Serial, instantForm, d.PublicURI()))
	tal := d.ask(http.MethodGet, "/ta/ta.tal", nil)
	if tal.Header.Get("Content-Type") != "text/plain" || !strings.HasPrefix(string(tal.Body), d.PublicURI()+"ta/ta.cer\nrsync://localhost/ta/ta.cer\n\nMII") {
		d.t.Errorf("TAL: got %s", show(tal))
	}
	if a := d.ask(http.MethodGet, "/testbed.tal", nil); string(a.Body) != string(tal.Body) {
		d.t.Errorf("testbed.tal is not ta.tal: %s", show(a))
	}
}

func (d firstDay) history() {
	var h struct {
		Total    int `json:"total"`
		Commands []struct {
			Actor   string          `json:"actor"`
			Version int             `json:"version"`
			Summary json.RawMessage `json:"summary"`
			Effect  json.RawMessage `json:"effect"`
		} `json:"commands"`
	}
	if err := json.Unmarshal(d.get("/api/v1/cas/ca1/history/commands"), &h); err != nil {
		d.t.Fatal(err)
	}
	var mine []string // what the operator did, by what it looks like
	versions := map[string]int{}
	for i, c := range h.Commands {
		if c.Version != i+1 {
			d.t.Errorf("version %d stands at place %d", c.Version, i+1)
		}
		if c.Actor == "user:admin-token" {
			mine = append(mine, string(c.Summary)+string(c.Effect))
			versions[string(c.Summary)] = c.Version
		}
	}
	if h.Total != len(h.Commands) {
		d.t.Errorf("total is %d for %d commands", h.Total, len(h.Commands))
	}
	want := []string{
		`{"msg":"Update repo to server at: ` + d.PublicURI() + `rfc8181/ca1/","label":"cmd-ca-repo-update","args":{"service_uri":"` + d.PublicURI() + `rfc8181/ca1/"}}{"Ok":[]}`,
		`{"msg":"Update repo to server at: ` + d.PublicURI() + `rfc8181/ca1/","label":"cmd-ca-repo-update","args":{"service_uri":"` + d.PublicURI() + `rfc8181/ca1/"}}{"Error":"CA 'ca1' already uses this repository"}`,
		`{"msg":"Add parent 'testbed' as 'RFC 6492 Parent'","label":"cmd-ca-parent-add","args":{"parent":"testbed","parent_contact":"RFC 6492 Parent"}}{"Ok":[]}`,
		`{"msg":"~Update ROAs  ADD: 10.1.0.0/16-24 => 64496 # my roa 10.2.0.0/16(-16)? => 64496 2001:db8:1::/48(-48)? => 64497","label":"cmd-ca-roas-updated","args":{"added":"3","removed":"0"}}{"Ok":[]}`,
		`{"msg":"Update ROAs  ADD: 10.1.0.0/16-24 => 64496 # another comment","label":"cmd-ca-roas-updated","args":{"added":"1","removed":"0"}}{"Ok":[]}`,
		`{"msg":"~Update ROAs  REMOVE: 10.2.0.0/16(-16)? => 64496 2001:db8:1::/48-48 => 64497","label":"cmd-ca-roas-updated","args":{"added":"0","removed":"2"}}{"Ok":[]}`,
	}
	if len(mine) != len(want) {
		d.t.Fatalf("the history has %d commands of the operator, want %d:\n%s", len(mine), len(want), strings.Join(mine, "\n"))
	}
	for i := range want {
		if err := match([]byte(mine[i]), want[i]); err != nil {
			d.t.Errorf("command %d of the operator: %v\n%s", i, err, mine[i])
		}
	}
	d.historyDetails(len(h.Commands))
}

func (d firstDay) historyDetails(last int) {
	const path = "/api/v1/cas/ca1/history/"
	d.shows(path+"details/0", `{"actor":"user:admin-token","time":`+instantForm+`,"handle":"ca1","version":0,"msg":"Create CA","details":{"type":"init"},
		"effect":{"result":"init","init":{"msg":"~Initialized with ID key hash: [0-9A-F]{40}","details":{"id":{"cert":{"base64":`+b64+`,"hash":`+hexHash+`,"public_key":`+b64+`}}}}}}`)
	d.shows(path+"details/2", `{"actor":"user:admin-token","time":`+instantForm+`,"handle":"ca1","version":2,"msg":"~Update repo to server at: .*",
		"details":{"service_uri":"`+d.PublicURI()+`rfc8181/ca1/","type":"repo_update"},"effect":{"result":"error","msg":"CA 'ca1' already uses this repository"}}`)
	one := `{"actor":"~.+","timestamp":` + unixMillis + `,"handle":"ca1","version":%d,"summary":{"msg":"~.*","label":"~cmd-ca-.*","args":{%s}},"effect":{%s}}`
	d.shows(path+"commands/1/0", fmt.Sprintf(`{"offset":0,"total":%d,"commands":[`+one+`]}`, last, 1, `"service_uri":"~.*"`, `"Ok":[]`))
	d.shows(path+"commands/1/1", fmt.Sprintf(`{"offset":1,"total":%d,"commands":[`+one+`]}`, last, 2, `"service_uri":"~.*"`, `"Error":"~.*"`))
	d.shows(path+"commands/0", fmt.Sprintf(`{"offset":0,"total":%d,"commands":[]}`, last))
	d.shows(path+"commands/100/0/4102444800000", `{"offset":0,"total":0,"commands":[]}`)
	d.shows(path+"commands/100/0/0/1", `{"offset":0,"total":0,"commands":[]}`)
	if a, b := d.get(path+"commands/"), d.get(path+"commands"); string(a) != string(b) {
		d.t.Error("the slash at the end makes a difference")
	}
	if a := d.ask(http.MethodGet, path+"details/100000", nil); a.Status != http.StatusNotFound || len(a.Body) == 0 {
		d.t.Errorf("a version that never was: got %s", show(a))
	}
	events := 0
	for v := 1; v <= last; v++ {
		if strings.Contains(string(d.get(fmt.Sprintf("%sdetails/%d", path, v))), `"type":"route_authorization_`) {
			events++
		}
	}
	if events != 3 {
		d.t.Errorf("%d commands changed routes, want 3", events)
	}
}

// viaXML sets a CA up by the XML documents of RFC 8183, as the web interface
// and people with files do.
func (d firstDay) viaXML() {
	d.done(http.MethodPost, "/api/v1/cas", `{"handle":"ca2"}`)
	request := d.get("/api/v1/cas/ca2/id/publisher_request.json")
	d.json(http.MethodPost, "/api/v1/pubd/publishers", string(request))
	response := d.ask(http.MethodGet, "/api/v1/pubd/publishers/ca2/response.xml", nil)
	d.xml("/api/v1/pubd/publishers/ca2/response.xml", `<repository_response xmlns="http://www.hactrn.net/uris/rpki/rpki-setup/" version="1" publisher_handle="ca2" service_uri="`+
		d.PublicURI()+`rfc8181/ca2/" sia_base="rsync://localhost/repo/ca2/" rrdp_notification_uri="`+d.PublicURI()+`rrdp/notification.xml">
  <repository_bpki_ta>
    [A-Za-z0-9+/]+=*
  </repository_bpki_ta>
</repository_response>\n?`)
	d.done(http.MethodPost, "/api/v1/cas/ca2/repo", string(response.Body))

	var id struct {
		IDCert string `json:"id_cert"`
	}
	if err := json.Unmarshal(request, &id); err != nil {
		d.t.Fatal(err)
	}
	d.json(http.MethodPost, "/api/v1/cas/ca1/children", `{"handle":"kid","resources":{"asn":"AS64498","v4":"10.99.0.0/16","v6":""},"id_cert":"`+id.IDCert+`"}`)
	d.xml("/api/v1/cas/ca1/children/kid/parent_response.xml", `<parent_response xmlns="http://www.hactrn.net/uris/rpki/rpki-setup/" version="1" parent_handle="ca1" child_handle="kid" service_uri="`+
		d.PublicURI()+`rfc6492/ca1">
  <parent_bpki_ta>
    [A-Za-z0-9+/]+=*
  </parent_bpki_ta>
</parent_response>\n?`)
	parent := d.ask(http.MethodGet, "/api/v1/cas/ca1/children/kid/parent_response.xml", nil)
	d.done(http.MethodPost, "/api/v1/cas/ca2/parents/up", "\n  "+string(parent.Body))
	d.until("ca2 holds resources", "/api/v1/cas/ca2", func(body []byte) bool {
		return strings.Contains(string(body), `"resources":{"asn":"AS64498","ipv4":"10.99.0.0/16","ipv6":""},"resource_classes":{"0":{"name_space":"0","parent_handle":"up"`)
	})
	d.done(http.MethodPost, "/api/v1/cas/ca2/routes", `{"added":[{"asn":64498,"prefix":"10.99.1.0/24"}],"removed":[]}`)
	settle(d.ctx, d.t, d.Server)
	d.seesExactly("10.1.0.0/16-24 => 64496", "10.99.1.0/24-24 => 64498")
	d.shows("/stats/cas", `{"ca1":`+stats(1, 1)+`,"ca2":`+stats(1, 0)+`,"testbed":{"roa_count":0,"child_count":1,"bgp_stats":`+noBGP+`}}`)
}

const noBGP = `{"announcements_valid":0,"announcements_invalid_asn":0,"announcements_invalid_length":0,"announcements_disallowed":0,"announcements_not_found":0,
	"roas_too_permissive":0,"roas_redundant":0,"roas_stale":0,"roas_disallowing":0,"roas_not_held":0,"roas_total":0}`

func stats(roas, children int) string {
	return fmt.Sprintf(`{"roa_count":%d,"child_count":%d,"bgp_stats":%s}`, roas, children, strings.Replace(noBGP, `"roas_total":0`, fmt.Sprintf(`"roas_total":%d`, roas), 1))
}
