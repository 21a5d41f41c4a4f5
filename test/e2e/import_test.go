package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/relying"
	"baleen/internal/testdb"
	"baleen/test/harness"
)

// imports sends a set-up and waits until all of it is made.
func (s stage) imports(structure string) {
	s.t.Helper()
	s.done(http.MethodPost, "/api/v1/bulk/cas/import", structure)
	s.until("the import is complete", "/api/v1/bulk/cas/import", func(body []byte) bool { return string(body) == `{"imports":[]}` })
	s.settle()
}

// anchor is the part of an import that makes a trust anchor.
func (s stage) anchor() string {
	return `"ta":{"ta_aia":"rsync://localhost/ta/ta.cer","ta_uri":"` + s.PublicURI() + `ta/ta.cer"}`
}

// anchorHere lets a server hold the key of a trust anchor that an import makes.
func anchorHere(s *harness.Server) {
	s.Env = append(s.Env, "BALEEN_TA_SUPPORT_ENABLED=true", "BALEEN_TA_SIGNER_ENABLED=true")
}

// withoutTestbed lets a server come up with nothing.
func withoutTestbed(s *harness.Server) {
	s.Env = append(s.Env, "BALEEN_TESTBED_TA_AIA=", "BALEEN_TESTBED_TA_URI=", "BALEEN_TESTBED_RRDP_BASE_URI=", "BALEEN_TESTBED_RSYNC_JAIL=")
}

// launched starts a server without a testbed and waits until it takes writes.
func launched(s stage) {
	s.t.Helper()
	if err := s.Launch(); err != nil {
		s.t.Fatal(err)
	}
	s.until("the server is active", "/health/active", func([]byte) bool { return true })
}

// T6: a server that has nothing gets a whole hierarchy in one call: trust
// anchor, publication server and four CAs, one of which has two parents.
func TestHierarchyIsImported(t *testing.T) {
	ctx := bounded(t)
	server := newServer(t, testdb.URL(t))
	server.TLS, server.Env = true, slices.Clone(fewROAs)
	withoutTestbed(server)
	anchorHere(server)
	s := stage{operator{Server: server, ctx: ctx, t: t}}
	launched(s)
	s.imports(`{` + s.anchor() + `,"publication_server":{"rrdp_base_uri":"` + s.PublicURI() + `rrdp/","rsync_jail":"rsync://localhost/repo/"},"cas":[
		{"handle":"parent","parent":{"handle":"ta","resources":{"asn":"AS65000-AS65535","ipv4":"10.0.0.0/8, 192.168.0.0/16","ipv6":"fc00::/7"}}},
		{"handle":"child1","parent":{"handle":"parent","resources":{"asn":"AS65000","ipv4":"192.168.0.0/16","ipv6":"fc00::/56"}},"roas":[
			{"asn":65000,"prefix":"192.168.0.0/23","max_length":24,"comment":"my precious route"},
			{"asn":65001,"prefix":"192.168.2.0/23"},
			{"asn":65000,"prefix":"fc00::/56"}]},
		{"handle":"child2","parent":{"handle":"parent","resources":{"asn":"AS65001","ipv4":"10.0.0.0/16","ipv6":""}}},
		{"handle":"grandchild","parent":[
			{"handle":"child1","resources":{"asn":"","ipv4":"192.168.0.0/24","ipv6":""}},
			{"handle":"child2","resources":{"asn":"AS65001","ipv4":"10.0.0.0/24","ipv6":""}}],"roas":[
			{"asn":65000,"prefix":"192.168.0.0/24"},
			{"asn":65001,"prefix":"10.0.0.0/24"}]}]}`)

	s.holds("parent", holds{ASN: "AS65000-AS65535", IPv4: "10.0.0.0/8, 192.168.0.0/16", IPv6: "fc00::/7"})
	s.holds("child1", holds{ASN: "AS65000", IPv4: "192.168.0.0/16", IPv6: "fc00::/56"})
	s.holds("child2", holds{ASN: "AS65001", IPv4: "10.0.0.0/16"})
	s.holds("grandchild", holds{ASN: "AS65001", IPv4: "10.0.0.0/24, 192.168.0.0/24"})

	const precious, second, six = "192.168.0.0/23-24 => 65000", "192.168.2.0/23-23 => 65001", "fc00::/56-56 => 65000"
	const near, far = "192.168.0.0/24-24 => 65000", "10.0.0.0/24-24 => 65001"
	s.wants("ROAs of parent", s.configured("parent"))
	s.wants("ROAs of child1", s.configured("child1"), precious+" # my precious route", second, six)
	s.wants("ROAs of child2", s.configured("child2"))
	s.wants("ROAs of grandchild", s.configured("grandchild"), near, far)

	cert := func(ca, class string) string { return "0/" + s.active(ca, class).IncomingCert.Name }
	s.publishes("parent", ownOf("0", s.active("parent", "0")), []string{cert("child1", "0"), cert("child2", "0")})
	s.publishes("child1", ownOf("0", s.active("child1", "0")), []string{cert("grandchild", "0"), simple(precious), simple(second), simple(six)})
	s.publishes("child2", ownOf("0", s.active("child2", "0")), []string{cert("grandchild", "1")})
	s.publishes("grandchild", ownOf("0", s.active("grandchild", "0")), ownOf("1", s.active("grandchild", "1")),
		[]string{simple(near), "1" + strings.TrimPrefix(simple(far), "0")})

	vrps, err := s.VRPs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.wants("validated routes", slices.Sorted(maps.Keys(vrps)), precious, second, six, near, far)
	verifyLog(ctx, t, server)
}

// delegatedChildMoves hands a child that is certified by a CA of one server to
// a CA of another one, which certifies it before it has spoken to it.
func delegatedChildMoves(here, there stage) {
	all, few := holds{ASN: "AS0-AS4294967295", IPv4: "0.0.0.0/0", IPv6: "::/0"}, holds{ASN: "AS65000", IPv4: "10.0.0.0/16"}
	here.cast("parent_1", "testbed", all)
	resources, err := json.Marshal(all)
	if err != nil {
		here.t.Fatal(err)
	}
	there.imports(`{` + there.anchor() + `,"cas":[{"handle":"parent_2","parent":{"handle":"ta","resources":` + string(resources) + `}}]}`)
	there.holds("parent_2", all)

	here.create("child", here)
	response := here.admit("child", "parent_1", few, here)
	const old, young = "/api/v1/cas/parent_1/children/child", "/api/v1/cas/parent_2/children/child"
	here.done(http.MethodPost, old, `{"resource_class_name_mapping":{"name_in_parent":"0","name_for_child":"custom"}}`)
	here.done(http.MethodPost, "/api/v1/cas/child/parents", `{"handle":"parent_1","response":`+response+`}`)
	here.settle()
	here.holds("child", few)
	key := here.active("child", "0")

	exported := here.shows(old+"/export", fmt.Sprintf(`{"name":"child","id_cert":"~.+","resources":{"asn":%q,"ipv4":%q,"ipv6":""},"issued_cert":{"ca_repository":"rsync://localhost/repo/child/0/",`+
		`"rpki_manifest":"rsync://localhost/repo/child/0/%s.mft","rpki_notify":"%srrdp/notification.xml","key":"~.+","class_name":"custom"}}`, few.ASN, few.IPv4, key.KeyID, here.PublicURI()))
	there.done(http.MethodPost, young+"/import", string(exported))
	there.settle()
	there.publishes("parent_2", ownOf("0", there.active("parent_2", "0")), []string{"0/" + key.KeyID + ".cer"})

	answer := there.get(young + "/contact")
	if !strings.Contains(string(answer), `"service_uri":"`+there.PublicURI()+`rfc6492/parent_2`) {
		here.t.Errorf("the new parent is not reached at its server: %s", answer)
	}
	here.done(http.MethodPost, "/api/v1/cas/child/parents", `{"handle":"parent_2","response":`+string(answer)+`}`)
	both(here, there)
	here.done(http.MethodDelete, old, nil)
	want := holds{ASN: "AS65000-AS65010", IPv4: "10.0.0.0/8", IPv6: "2001:db8::/32"}
	there.resize("parent_2", "child", want)
	here.done(http.MethodPost, "/api/v1/cas/child/sync/parents", nil)
	here.until("the child has what its new parent gives", "/api/v1/cas/child", func(body []byte) bool {
		var child struct {
			Resources holds `json:"resources"`
		}
		return json.Unmarshal(body, &child) == nil && child.Resources == want
	})
	here.done(http.MethodDelete, "/api/v1/cas/child/parents/parent_1", nil) // it refuses whatever the child asks
	both(here, there)

	here.holds("child", want)
	class := here.info("child").ResourceClasses["1"]
	here.wants("classes of the child", here.classes("child"), "1")
	if class.ParentHandle != "parent_2" {
		here.t.Errorf("the child's class is one of %s", class.ParentHandle)
	}
	now := here.active("child", "1")
	here.publishes("child", ownOf("1", now))
	here.publishes("parent_1", ownOf("0", here.active("parent_1", "0")))
	there.publishes("parent_2", ownOf("0", there.active("parent_2", "0")), []string{"0/" + now.IncomingCert.Name})
	belowItsAnchor(here, there, "rsync://localhost/repo/child/")
}

// belowItsAnchor wants what a CA publishes in one repository to be valid below
// the trust anchor of the other one, and all else below its own.
func belowItsAnchor(here, there stage, ca string) {
	here.t.Helper()
	one, err := here.Published(here.ctx)
	if err != nil {
		here.t.Fatal(err)
	}
	other, err := there.Published(here.ctx)
	if err != nil {
		here.t.Fatal(err)
	}
	for uri, content := range one.Objects {
		if strings.HasPrefix(uri, ca) {
			other.Objects[uri] = content
			delete(one.Objects, uri)
		}
	}
	for s, objects := range map[stage]map[string][]byte{here: one.Objects, there: other.Objects} {
		if _, err := relying.Validate(time.Now(), s.ask(http.MethodGet, "/ta/ta.cer", nil).Body, objects); err != nil {
			here.t.Error(err)
		}
	}
}
