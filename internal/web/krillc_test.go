package web_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"baleen/internal/web"
)

// call is a request as krillc sends it, and what it needs of the answer.
type call struct {
	method, path string
	body         string // JSON; what stands in {{ }} is the answer to an earlier call, or a field of it; "": no body at all
	want         string // the shape of the answer; "": the answer must be empty
	as           string // the name that later calls use for the answer
	settle       bool   // then all tasks that are due run
}

// krillcCalls are those of every command of krillc, in an order in which all of
// them succeed: method, path, header and form of the body are what was seen on
// the wire of version 0.17.0-dev. force_publish, suspend and id stand for the
// tests of that program, which call them too.
var krillcCalls = []call{
	{"GET", "/api/v1/authorized", "", "", "", false},
	{"GET", "/stats/info", "", "info", "", false},
	{"GET", "/api/v1/cas", "", "cas", "", false},
	{"POST", "/api/v1/cas", `{"handle":"parent"}`, "", "", false},
	{"POST", "/api/v1/cas", `{"handle":"child"}`, "", "", false},
	{"GET", "/api/v1/cas/child", "", "ca", "", false},

	// Both publish here and get resources.
	{"GET", "/api/v1/cas/parent/id/publisher_request.json", "", "publisherRequest", "pub", false},
	{"POST", "/api/v1/pubd/publishers", `{{pub}}`, "repositoryResponse", "", false},
	{"GET", "/api/v1/pubd/publishers/parent/response.json", "", "repositoryResponse", "repo", false},
	{"POST", "/api/v1/cas/parent/repo", `{"repository_response":{{repo}}}`, "", "", false},
	{"GET", "/api/v1/cas/parent/id/child_request.json", "", "childRequest", "request", false},
	{"POST", "/api/v1/cas/testbed/children", `{"handle":"parent","resources":{"asn":"AS65000","ipv4":"10.0.0.0/8","ipv6":"2001:db8::/32"},"id_cert":{{request.id_cert}}}`, "parentResponse", "", false},
	{"GET", "/api/v1/cas/testbed/children/parent/contact", "", "parentResponse", "response", false},
	{"POST", "/api/v1/cas/parent/parents", `{"handle":"testbed","response":{{response}}}`, "", "", true},
	{"GET", "/api/v1/cas/child/id/publisher_request.json", "", "publisherRequest", "pub", false},
	{"POST", "/api/v1/pubd/publishers", `{{pub}}`, "repositoryResponse", "repo", false},
	{"POST", "/api/v1/cas/child/repo", `{"repository_response":{{repo}}}`, "", "", false},
	{"GET", "/api/v1/cas/child/id/child_request.json", "", "childRequest", "request", false},
	{"POST", "/api/v1/cas/parent/children", `{"handle":"child","resources":{"asn":"AS65000","ipv4":"10.0.0.0/8","ipv6":""},"id_cert":{{request.id_cert}}}`, "parentResponse", "response", false},
	{"POST", "/api/v1/cas/child/parents", `{"handle":"parent","response":{{response}}}`, "", "", true},
	{"GET", "/api/v1/cas/child", "", "activeCA", "", false},

	// Parents and children.
	{"POST", "/api/v1/cas/child/sync/parents", "", "", "", true},
	{"GET", "/api/v1/cas/child/parents/parent", "", "parent", "", false},
	{"GET", "/api/v1/cas/child/parents", "", "parents", "", false},
	{"GET", "/api/v1/cas/parent/children/child", "", "child", "", false},
	{"GET", "/api/v1/cas/parent/stats/children/connections", "", "connections", "", false},
	{"POST", "/api/v1/cas/parent/children/child", `{"id_cert":{{request.id_cert}}}`, "", "", false},
	{"POST", "/api/v1/cas/parent/children/child", `{"resources":{"asn":"AS65000","ipv4":"10.0.0.0/8","ipv6":"2001:db8::/32"}}`, "", "", true},
	{"POST", "/api/v1/cas/parent/children/child", `{"suspend":true}`, "", "", false},
	{"GET", "/api/v1/cas/parent", "", "ca", "", false},
	{"POST", "/api/v1/cas/parent/children/child", `{"suspend":false}`, "", "", true},
	{"GET", "/api/v1/cas/child/repo", "", "repo", "", false},
	{"GET", "/api/v1/cas/child/repo/status", "", "repoStatus", "", false},

	// ROAs.
	{"GET", "/api/v1/cas/child/routes", "", "noROAs", "", false},
	{"POST", "/api/v1/cas/child/routes/analysis/dryrun", `{"added":[{"asn":65000,"prefix":"10.9.0.0/16","comment":null}],"removed":[]}`, "report", "", false},
	{"POST", "/api/v1/cas/child/routes/try", `{"added":[{"asn":65000,"prefix":"10.0.0.0/16","max_length":24,"comment":"first"},{"asn":65000,"prefix":"10.1.0.0/16","comment":null}],"removed":[]}`, "", "", false},
	{"POST", "/api/v1/cas/child/routes", `{"added":[{"asn":65001,"prefix":"10.2.0.0/16","comment":"from a file"}],"removed":[{"asn":65000,"prefix":"10.1.0.0/16","max_length":16}]}`, "", "", true},
	{"GET", "/api/v1/cas/child/routes", "", "roas", "", false},
	{"GET", "/api/v1/cas/child/routes/analysis/full", "", "report", "", false},
	{"GET", "/api/v1/cas/child/routes/analysis/suggest", "", "suggestion", "", false},
	{"POST", "/api/v1/cas/child/routes/analysis/suggest", `{"asn":"","ipv4":"10.0.0.0/8","ipv6":""}`, "suggestion", "", false},

	// Router keys and ASPAs.
	{"POST", "/api/v1/cas/child/bgpsec", `{"add":[{"asn":65000,"csr":{{csr}}}],"remove":[]}`, "", "", true},
	{"GET", "/api/v1/cas/child/bgpsec", "", "routerKeys", "router", false},
	{"POST", "/api/v1/cas/child/bgpsec", `{"add":[],"remove":["ROUTER-0000FDE8-{{router.key_identifier.text}}"]}`, "", "", true},
	{"POST", "/api/v1/cas/child/aspas", `{"add_or_replace":[{"customer":65000,"providers":[65001,65002]}],"remove":[]}`, "", "", true},
	{"GET", "/api/v1/cas/child/aspas", "", "aspas", "", false},
	{"POST", "/api/v1/cas/child/aspas/as/AS65000", `{"added":[65003],"removed":[65001]}`, "", "", true},
	{"POST", "/api/v1/cas/child/aspas", `{"add_or_replace":[],"remove":[65000]}`, "", "", true},

	// Keys, history, everything at once.
	{"POST", "/api/v1/cas/child/keys/roll_init", "", "", "", true},
	{"GET", "/api/v1/cas/child", "", "rollNew", "", false},
	{"POST", "/api/v1/cas/child/keys/roll_activate", "", "", "", true},
	{"GET", "/api/v1/cas/child", "", "activeCA", "", false},
	{"GET", "/api/v1/cas/child/history/commands/", "", "history", "", false},
	{"GET", "/api/v1/cas/child/history/commands/2/1", "", "history", "", false},
	{"GET", "/api/v1/cas/child/history/commands/100/0/1577836800", "", "history", "", false},
	{"GET", "/api/v1/cas/child/history/commands/100/0/0/1577836800", "", "history", "", false},
	{"GET", "/api/v1/cas/child/history/commands/100/0/1577836800/4070908800", "", "history", "", false},
	{"GET", "/api/v1/cas/child/history/details/0", "", "init", "", false},
	{"GET", "/api/v1/cas/child/history/details/1", "", "details", "first", false},
	{"GET", "/api/v1/cas/child/issues", "", "issues", "", false},
	{"GET", "/api/v1/bulk/cas/issues", "", "bulk", "", false},
	{"POST", "/api/v1/bulk/cas/sync/parent", "", "", "", true},
	{"POST", "/api/v1/bulk/cas/publish", "", "", "", true},
	{"POST", "/api/v1/bulk/cas/sync/repo", "", "", "", true},
	{"POST", "/api/v1/bulk/cas/force_publish", "", "", "", true},
	{"POST", "/api/v1/bulk/cas/suspend", "", "", "", true},
	{"POST", "/api/v1/cas/child/id", "", "", "", true},

	// The publication server, and the end of everything.
	{"GET", "/api/v1/pubd/publishers", "", "publishers", "all", false},
	{"GET", "/api/v1/pubd/stale/30", "", "publishers", "", false},
	{"GET", "/api/v1/pubd/publishers/child", "", "publisher", "", false},
	{"GET", "/stats/repo", "", "repository", "", false},
	{"POST", "/api/v1/pubd/delete", `{"base_uri":"rsync://localhost/repo/child/"}`, "", "", true},
	{"POST", "/api/v1/pubd/session_reset", "", "", "", true},
	{"DELETE", "/api/v1/cas/parent/children/child", "", "", "", true},
	{"POST", "/api/v1/cas/child/sync/parents", "", "", "", true},
	{"GET", "/api/v1/cas/child/parents", "", "refusedByParent", "", false},
	{"GET", "/api/v1/cas/child/issues", "", "parentIssue", "", false},
	{"GET", "/api/v1/bulk/cas/issues", "", "bulk", "", false},
	{"DELETE", "/api/v1/cas/child/parents/parent", "", "", "", true},
	{"DELETE", "/api/v1/cas/child", "", "", "", true},
	{"DELETE", "/api/v1/cas/parent", "", "", "", true},
	{"DELETE", "/api/v1/pubd/publishers/ta", "", "", "", true},
	{"DELETE", "/api/v1/pubd/publishers/testbed", "", "", "", true},
	{"DELETE", "/api/v1/pubd/publishers/parent", "", "", "", true},
	{"DELETE", "/api/v1/pubd/publishers/child", "", "", "", true},
	{"DELETE", "/api/v1/pubd/init", "", "", "", true},
	{"POST", "/api/v1/pubd/init", `{"rrdp_base_uri":"https://localhost:3000/rrdp/","rsync_jail":"rsync://localhost/repo/"}`, "", "", true},
	{"GET", "/stats/repo", "", "repository", "", false},
}

// krillc sends requests octet for octet as that program does.
type krillc struct {
	*world

	dial   func() (net.Conn, error)
	host   string
	token  string            // "": none is sent
	before map[string]string // answers, by their names
}

// do makes one call on a connection of its own and checks the answer.
func (k *krillc) do(c call) {
	k.t.Helper()
	a := k.send(c.method, c.path, k.fill(c.body))
	switch {
	case a.status != http.StatusOK:
		k.t.Fatalf("%s: %d %s", a.what, a.status, a.body)
	case c.want == "":
		a.empty()
	case a.header.Get("Content-Type") != "application/json":
		k.t.Errorf("%s: type %q", a.what, a.header.Get("Content-Type"))
	default:
		if err := fits(c.want, a.body); err != nil {
			k.t.Errorf("%s: %v", a.what, err)
		}
	}
	if c.as != "" {
		k.before[c.as] = a.body
	}
	if c.settle {
		k.settle()
	}
}

// fill puts earlier answers into a body and lays it out as the client does.
func (k *krillc) fill(body string) string {
	k.t.Helper()
	for {
		head, rest, ok := strings.Cut(body, "{{")
		if !ok {
			break
		}
		name, tail, _ := strings.Cut(rest, "}}")
		body = head + k.answered(name) + tail
	}
	if body == "" {
		return ""
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(body), "", "  "); err != nil {
		k.t.Fatalf("%v in %s", err, body)
	}
	return b.String()
}

// answered gives an answer or, behind a dot, a field of it or of its first
// element; .text leaves the quotation marks out.
func (k *krillc) answered(name string) string {
	k.t.Helper()
	name, bare := strings.CutSuffix(name, ".text")
	name, field, inside := strings.Cut(name, ".")
	text := k.before[name]
	if inside {
		text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			k.t.Fatalf("%s: %v in %s", name, err, text)
		}
		text = string(object[field])
	}
	if bare {
		text = strings.Trim(text, `"`)
	}
	return text
}

// send writes the request and reads the answer. The client names a content type
// wherever it does not DELETE, and a length only where there is a body.
func (k *krillc) send(method, path, body string) answer {
	k.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nuser-agent: krill\r\n", method, path)
	if method != http.MethodDelete {
		b.WriteString("content-type: application/json\r\n")
	}
	b.WriteString("accept: */*\r\n")
	if k.token != "" {
		fmt.Fprintf(&b, "authorization: Bearer %s\r\n", k.token)
	}
	fmt.Fprintf(&b, "host: %s\r\n", k.host)
	if body != "" {
		fmt.Fprintf(&b, "content-length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	conn, err := k.dial()
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, b.String()); err != nil {
		k.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	exercised(k.t, k.server, method, path, res.StatusCode)
	return answer{t: k.t, what: method + " " + path, status: res.StatusCode, header: res.Header, body: string(text)}
}

// newKrillc gives the client of a server with a testbed; on the socket, whoever
// runs the tests has the role.
func newKrillc(t *testing.T, transport, role string) *krillc {
	t.Helper()
	w := newWorld(t)
	w.access.UnixUsers = map[string]string{me(t): role}
	w.testbed()
	csr, _ := routerCSR(t)
	k := &krillc{world: w, before: map[string]string{"csr": `"` + csr + `"`}}
	if transport == "unix" {
		path := filepath.Join(t.TempDir(), "s")
		l, err := web.ListenUnix(t.Context(), path, false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(background(t, w.server, nil, l))
		k.host, k.dial = "localhost", func() (net.Conn, error) { return (&net.Dialer{}).DialContext(t.Context(), "unix", path) }
		return k
	}
	self := httptest.NewUnstartedServer(nil) // for its certificate
	self.StartTLS()
	secure := &tls.Config{Certificates: self.TLS.Certificates}
	self.Close()
	l, err := web.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(background(t, w.server, secure, l...))
	k.token, k.host = token, "localhost"
	k.dial = func() (net.Conn, error) {
		return (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", l[0].Addr().String()) // as krillc does for localhost
	}
	return k
}

// TestKrillcIsServed plays every call of krillc, with the administrator's token
// over HTTPS and without one over the Unix socket. test/interop/krillc runs the
// program itself, where there is one.
func TestKrillcIsServed(t *testing.T) {
	for transport, actor := range map[string]string{"https": "user:admin-token", "unix": "user:" + me(t)} {
		t.Run(transport, func(t *testing.T) {
			k := newKrillc(t, transport, "admin")
			for _, c := range krillcCalls {
				if why, ok := whyMissing(c.method + " " + c.path); ok {
					t.Logf("%s %s: %s", c.method, c.path, why)
					if strings.HasSuffix(c.path, "/pubd/init") {
						return // what follows needs it
					}
					continue
				}
				k.do(c)
			}
			if got := k.answered("first.actor"); got != `"`+actor+`"` {
				t.Errorf("the history names %s, want %s", got, actor)
			}
		})
	}
}

// TestKrillcIsRefused: a wrong token, and a user of the system whose role does
// not allow it. The client reads no more than the status.
func TestKrillcIsRefused(t *testing.T) {
	k := newKrillc(t, "https", "admin")
	k.token = "wrong"
	if a := k.send("POST", "/api/v1/cas", "{\n  \"handle\": \"ca\"\n}"); a.status != http.StatusForbidden {
		t.Errorf("%s: %d %s", a.what, a.status, a.body)
	}
	k = newKrillc(t, "unix", "readonly")
	if a := k.send("POST", "/api/v1/cas", "{\n  \"handle\": \"ca\"\n}"); a.status != http.StatusForbidden {
		t.Errorf("%s: %d %s", a.what, a.status, a.body)
	}
	if a := k.send("GET", "/api/v1/cas", "").ok(); a.body != `{"cas":[{"handle":"testbed"}]}` {
		t.Errorf("got %s", a.body)
	}
}
