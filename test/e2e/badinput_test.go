package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"baleen/test/harness"
)

const (
	routesPath = "/api/v1/cas/ca1/routes"
	apiLimit   = 256 << 10 // octets of a request to the API
)

// badInput is a request that changes nothing and how it is refused.
type badInput struct {
	name   string
	method string // POST if empty
	path   string // the routes of ca1 if empty
	body   string
	status int    // 400 if 0
	form   string // of the answer; empty: no data
	logged bool   // the history of ca1 has it as refused
}

// badWorld is a server with CA ca1, which has some routes, and CA ca2, which
// holds IPv4 addresses only.
func badWorld(t *testing.T) operator {
	t.Helper()
	ctx := bounded(t)
	o := operator{Server: started(ctx, t), ctx: ctx, t: t}
	join(ctx, t, o.Server, "ca1", "--ipv4", "10.0.0.0/8", "--ipv6", "2001:db8::/32", "--asn", "AS64496-AS64511")
	join(ctx, t, o.Server, "ca2", "--ipv4", "42.0.0.0/8")
	o.done(http.MethodPost, routesPath, `{"added":[{"asn":64496,"prefix":"10.0.0.0/16","max_length":24,"comment":"mine"},{"asn":64496,"prefix":"10.5.0.0/16"}],"removed":[]}`)
	settle(ctx, t, o.Server)
	return o
}

// refuseAll sends each request and wants exactly the refusal it should get, the
// routes as they were, and the history longer by the refusals of the domain.
func (o operator) refuseAll(cases []badInput) {
	for _, c := range cases {
		o.t.Run(c.name, func(t *testing.T) {
			o := o.at(t)
			routes := o.get(routesPath)
			before, _ := o.lastCommand("ca1")
			o.refuse(c)
			after, effect := o.lastCommand("ca1")
			switch {
			case c.logged && after != before+1:
				t.Errorf("the history went from %d to %d commands, want one refusal more", before, after)
			case !c.logged && after != before:
				t.Errorf("the history went from %d to %d commands: %s", before, after, effect)
			case c.logged && !strings.HasPrefix(effect, `{"Error":`):
				t.Errorf("the history has %s as the effect of the refusal", effect)
			}
			if now := o.get(routesPath); string(now) != string(routes) {
				t.Errorf("the routes changed: %.1000s", now)
			}
		})
	}
}

func (o operator) refuse(c badInput) {
	o.t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = routesPath
	}
	if c.status == 0 {
		c.status = http.StatusBadRequest
	}
	var body any
	if c.body != "" || c.method == http.MethodPost && c.form != "" {
		body = c.body
	}
	if c.form != "" {
		o.refused(c.method, c.path, body, c.status, c.form)
		return
	}
	a := o.ask(c.method, c.path, body)
	if a.Status != c.status || len(a.Body) > 0 || a.Header.Get("Content-Type") != "text/plain" || a.Header.Get("Allow") != "" {
		o.t.Errorf("%s %s: got %s %v, want %d without data", c.method, c.path, show(a), a.Header, c.status)
	}
}

// lastCommand gives the number of commands in a CA's history and the effect of
// the newest.
func (o operator) lastCommand(ca string) (total int, effect string) {
	o.t.Helper()
	var h struct {
		Total    int `json:"total"`
		Commands []struct {
			Effect json.RawMessage `json:"effect"`
		} `json:"commands"`
	}
	if err := json.Unmarshal(o.get("/api/v1/cas/"+ca+"/history/commands/100000"), &h); err != nil {
		o.t.Fatal(err)
	}
	if len(h.Commands) > 0 {
		effect = string(h.Commands[len(h.Commands)-1].Effect)
	}
	return h.Total, effect
}

// jsonError is the form of a refusal of JSON; at is "line L column C".
func jsonError(at string) string {
	return `{"label":"api-json","msg":"~Invalid JSON: .+ at ` + at + `","args":{"cause":"~.+ at ` + at + `"}}`
}

const somewhere = "line [1-9][0-9]* column [0-9]+"

// add is a delta of one new line.
func add(roa string) string { return `{"added":[` + roa + `],"removed":[]}` }

func TestBadJSON(t *testing.T) {
	cases := []badInput{
		{name: "nothing", body: "", form: jsonError("line 1 column 0")},
		{name: "text", body: "hello", form: jsonError("line 1 column 1")},
		{name: "half", body: `{"added":[`, form: jsonError("line 1 column 10")},
		{name: "garbage behind", body: "{\"added\":[],\n\"removed\":[]} x", form: jsonError("line 2 column 15")},
		{name: "two texts", body: `{"added":[],"removed":[]}{}`, form: jsonError("line 1 column 26")},
		{name: "a list", body: `[]`, form: jsonError(somewhere)},
		{name: "null", body: `null`, form: jsonError(somewhere)},
		{name: "no added", body: `{"removed":[]}`, form: jsonError(somewhere)},
		{name: "no removed", body: `{"added":[]}`, form: jsonError(somewhere)},
		{name: "added is null", body: `{"added":null,"removed":[]}`, form: jsonError(somewhere)},
		{name: "added is an object", body: `{"added":{},"removed":[]}`, form: jsonError(somewhere)},
		{name: "deep", body: strings.Repeat("[", 200_000), form: jsonError(somewhere)},
		{name: "not UTF-8", body: add(`{"asn":1,"prefix":"10.9.0.0/16","comment":"` + "\xff" + `"}`), form: jsonError(somewhere)},
		{name: "a lone surrogate", body: add(`{"asn":1,"prefix":"10.9.0.0/16","comment":"\ud800"}`), form: jsonError(somewhere)},
		{name: "no ASN", body: add(`{"prefix":"10.9.0.0/16"}`), form: jsonError(somewhere)},
		{name: "ASN is text", body: add("\n" + `{"asn":"64496","prefix":"10.9.0.0/16"}`), form: jsonError("line 2 column 14")},
		{name: "ASN with AS", body: add(`{"asn":"AS64496","prefix":"10.9.0.0/16"}`), form: jsonError(somewhere)},
		{name: "ASN below zero", body: add(`{"asn":-1,"prefix":"10.9.0.0/16"}`), form: jsonError(somewhere)},
		{name: "ASN too large", body: add(`{"asn":4294967296,"prefix":"10.9.0.0/16"}`), form: jsonError(somewhere)},
		{name: "ASN with a fraction", body: add(`{"asn":1.5,"prefix":"10.9.0.0/16"}`), form: jsonError(somewhere)},
		{name: "maximum length is text", body: add(`{"asn":1,"prefix":"10.9.0.0/16","max_length":"24"}`), form: jsonError(somewhere)},
		{name: "maximum length 256", body: add(`{"asn":1,"prefix":"10.9.0.0/16","max_length":256}`), form: jsonError(somewhere)},
		{name: "maximum length -1", body: add(`{"asn":1,"prefix":"10.9.0.0/16","max_length":-1}`), form: jsonError(somewhere)},
		{name: "comment is a number", body: add(`{"asn":1,"prefix":"10.9.0.0/16","comment":1}`), form: jsonError(somewhere)},
		{name: "removed without prefix", body: `{"added":[],"removed":[{"asn":1}]}`, form: jsonError(somewhere)},
	}
	for _, prefix := range []string{
		"10.9.0.1/16", "2001:db8::1/48", "10.9.0.0", "10.9.0.0/33", "2001:db8::/129", "10.9.0.0/-1", "10.9.0.0/016", "10.9/16", "010.9.0.0/16",
		"::ffff:10.9.0.0/112", "fe80::%eth0/64", "10.9.0.0/16 ", "10.9.0.0/16-24", "", "/", "everything",
	} {
		cases = append(cases, badInput{
			name: "prefix " + strings.ReplaceAll(prefix, "/", "|"), body: add(`{"asn":1,"prefix":"` + prefix + `"}`), form: jsonError(somewhere),
		})
	}
	badWorld(t).refuseAll(cases)
}

// delta is the form of a refused delta. The four lists hold text forms for the
// message and JSON for the details.
type delta struct{ duplicates, notHeld, unknowns, invalidLength []line }

// line is a ROA of a delta, in both forms.
type line struct{ text, json string }

// roa gives the line of a ROA to be added.
func roa(asn int, prefix string, length int) line {
	return line{
		fmt.Sprintf("%s-%d => %d", prefix, length, asn),
		fmt.Sprintf(`{"asn":%d,"prefix":"%s","max_length":%d,"comment":null}`, asn, prefix, length),
	}
}

// gone gives the line of a ROA to be removed.
func gone(asn int, prefix string, length int) line {
	l := roa(asn, prefix, length)
	return line{l.text, strings.Replace(l.json, `,"comment":null`, "", 1)}
}

// form is what the reference makes of it.
func (d delta) form(ca string) string {
	var msg, details strings.Builder
	for _, part := range []struct {
		title, key string
		lines      []line
	}{
		{"Cannot add the following duplicate ROAs:", "duplicates", d.duplicates},
		{"Cannot add the following ROAs with prefixes not on any of your certificates:", "notheld", d.notHeld},
		{"Cannot remove the following unknown ROAs:", "unknowns", d.unknowns},
		{"The following ROAs have a max length which is invalid for the prefix:", "invalid_length", d.invalidLength},
	} {
		var list []string
		for i, l := range part.lines {
			if i == 0 {
				msg.WriteString(part.title + `\n`)
			}
			msg.WriteString("  " + l.text + `\n`)
			list = append(list, l.json)
		}
		fmt.Fprintf(&details, `,"%s":[%s]`, part.key, strings.Join(list, ","))
	}
	return `{"label":"ca-roa-delta-error","msg":"ROA delta rejected:\n\n'` + msg.String() + `' ","args":{"ca":"` + ca + `"},"delta_error":{` + details.String()[1:] + `}}`
}

func TestBadRoutes(t *testing.T) {
	const good = `{"asn":64496,"prefix":"10.77.0.0/16"}`
	cases := []badInput{
		{name: "maximum length below the prefix's", body: add(`{"asn":1,"prefix":"10.9.0.0/16","max_length":15}`), form: delta{invalidLength: []line{roa(1, "10.9.0.0/16", 15)}}.form("ca1")},
		{name: "maximum length 0", body: add(`{"asn":1,"prefix":"10.9.0.0/16","max_length":0}`), form: delta{invalidLength: []line{roa(1, "10.9.0.0/16", 0)}}.form("ca1")},
		{name: "maximum length of IPv6 for IPv4", body: add(`{"asn":1,"prefix":"10.9.0.0/16","max_length":48}`), form: delta{invalidLength: []line{roa(1, "10.9.0.0/16", 48)}}.form("ca1")},
		{name: "maximum length 33", body: add(`{"asn":1,"prefix":"10.9.0.0/16","max_length":33}`), form: delta{invalidLength: []line{roa(1, "10.9.0.0/16", 33)}}.form("ca1")},
		{name: "maximum length 129", body: add(`{"asn":1,"prefix":"2001:db8::/32","max_length":129}`), form: delta{invalidLength: []line{roa(1, "2001:db8::/32", 129)}}.form("ca1")},
		{name: "not held", body: add(`{"asn":1,"prefix":"192.0.2.0/24"}`), form: delta{notHeld: []line{roa(1, "192.0.2.0/24", 24)}}.form("ca1")},
		{name: "more than held", body: add(`{"asn":1,"prefix":"10.0.0.0/7"}`), form: delta{notHeld: []line{roa(1, "10.0.0.0/7", 7)}}.form("ca1")},
		{name: "everything", body: add(`{"asn":1,"prefix":"0.0.0.0/0"}`), form: delta{notHeld: []line{roa(1, "0.0.0.0/0", 0)}}.form("ca1")},
		{name: "the octets of another family", body: add(`{"asn":1,"prefix":"a00::/16"}`), form: delta{notHeld: []line{roa(1, "a00::/16", 16)}}.form("ca1")},
		{name: "there already", body: add(`{"asn":64496,"prefix":"10.0.0.0/16","max_length":24,"comment":"mine"}`), form: delta{duplicates: []line{mine}}.form("ca1")},
		{name: "there already, length spelt out", body: add(`{"asn":64496,"prefix":"10.5.0.0/16","max_length":16}`), form: delta{duplicates: []line{roa(64496, "10.5.0.0/16", 16)}}.form("ca1")},
		{name: "twice", body: add(good + "," + good), form: delta{duplicates: []line{roa(64496, "10.77.0.0/16", 16)}}.form("ca1")},
		{name: "unknown", body: `{"added":[],"removed":[` + good + `]}`, form: delta{unknowns: []line{gone(64496, "10.77.0.0/16", 16)}}.form("ca1")},
		{name: "another length", body: `{"added":[],"removed":[{"asn":64496,"prefix":"10.0.0.0/16"}]}`, form: delta{unknowns: []line{gone(64496, "10.0.0.0/16", 16)}}.form("ca1")},
		{name: "another AS", body: `{"added":[],"removed":[{"asn":64497,"prefix":"10.5.0.0/16"}]}`, form: delta{unknowns: []line{gone(64497, "10.5.0.0/16", 16)}}.form("ca1")},
		{name: "removed twice", body: `{"added":[],"removed":[{"asn":64496,"prefix":"10.5.0.0/16"},{"asn":64496,"prefix":"10.5.0.0/16"}]}`, form: delta{unknowns: []line{gone(64496, "10.5.0.0/16", 16)}}.form("ca1")},
		{
			name: "one wrong line among good ones", body: `{"added":[` + good + `,{"asn":1,"prefix":"192.0.2.0/24"},{"asn":64496,"prefix":"10.78.0.0/16"}],"removed":[{"asn":64496,"prefix":"10.5.0.0/16"}]}`,
			form: delta{notHeld: []line{roa(1, "192.0.2.0/24", 24)}}.form("ca1"),
		},
		{
			name: "everything wrong at once",
			body: `{"added":[{"asn":64496,"prefix":"10.0.0.0/16","max_length":24,"comment":"mine"},{"asn":1,"prefix":"192.0.2.0/24"},` + good +
				`,{"asn":1,"prefix":"2a00::/16"},{"asn":2,"prefix":"10.9.0.0/16","max_length":8}],"removed":[{"asn":3,"prefix":"10.0.0.0/16"},{"asn":4,"prefix":"2001:db8::/32"}]}`,
			form: delta{
				duplicates: []line{mine}, notHeld: []line{roa(1, "192.0.2.0/24", 24), roa(1, "2a00::/16", 16)},
				unknowns: []line{gone(3, "10.0.0.0/16", 16), gone(4, "2001:db8::/32", 32)}, invalidLength: []line{roa(2, "10.9.0.0/16", 8)},
			}.form("ca1"),
		},
	}
	for i := range cases {
		cases[i].logged = true
	}
	o := badWorld(t)
	o.refuseAll(cases)
	// 42.0.0.0/8 and 2a00::/8 begin with the same octet.
	for _, prefix := range []string{"2a00::/16", "2a00::/8"} {
		length := strings.Split(prefix, "/")[1]
		o.refused(http.MethodPost, "/api/v1/cas/ca2/routes", add(`{"asn":1,"prefix":"`+prefix+`"}`), 400,
			`{"label":"ca-roa-delta-error","msg":"~(?s).*`+prefix+`-`+length+` => 1.*","args":{"ca":"ca2"},"delta_error":{"duplicates":[],
			"notheld":[{"asn":1,"prefix":"`+prefix+`","max_length":`+length+`,"comment":null}],"unknowns":[],"invalid_length":[]}}`)
	}
}

// mine is the ROA of badWorld that has a comment.
var mine = line{"10.0.0.0/16-24 => 64496 # mine", `{"asn":64496,"prefix":"10.0.0.0/16","max_length":24,"comment":"mine"}`}

const (
	denied   = `{"label":"api-insufficient-rights","msg":"Insufficient rights: User 'anonymous' does not have permission 'login'","args":{"cause":"User 'anonymous' does not have permission 'login'"}}`
	noBody   = `{"label":"api-unexpected-body","msg":"Unexpected body in request","args":{}}`
	tooLarge = `{"label":"api-post-body-exceeds-limit","msg":"POST body exceeds configured limit","args":{}}`
	unread   = `{"label":"api-post-body-cannot-read","msg":"POST body cannot be read","args":{}}`
)

func TestWhoAreYou(t *testing.T) {
	o := badWorld(t)
	routes := o.get(routesPath)
	for name, header := range map[string]map[string]string{
		"no token":        nil,
		"wrong token":     {"Authorization": "Bearer " + harness.Token + "x"},
		"half a token":    {"Authorization": "Bearer " + harness.Token[:8]},
		"empty token":     {"Authorization": "Bearer "},
		"lower case":      {"Authorization": "bearer " + harness.Token},
		"another scheme":  {"Authorization": "Basic " + harness.Token},
		"token elsewhere": {"Cookie": "token=" + harness.Token},
	} {
		for _, r := range []harness.Request{
			{Method: http.MethodGet, Path: "/api/v1/authorized"},
			{Method: http.MethodGet, Path: "/api/v1/cas"},
			{Method: http.MethodGet, Path: "/api/v1/cas/ca1"},
			{Method: http.MethodGet, Path: "/api/v1/cas/unknown"},
			{Method: http.MethodGet, Path: "/api/v1/nothing"},
			{Method: http.MethodGet, Path: "/api/v1/pubd/publishers"},
			{Method: http.MethodPost, Path: routesPath, Body: strings.NewReader(add(`{"asn":1,"prefix":"10.9.0.0/16"}`))},
			{Method: http.MethodPost, Path: routesPath, Body: strings.NewReader("{")},
			{Method: http.MethodPost, Path: "/api/v1/bulk/cas/sync/repo"},
		} {
			r.Header = header
			a, err := o.Ask(o.ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			if a.Status != http.StatusForbidden || match(a.Body, denied) != nil {
				t.Errorf("%s: %s %s: got %s, want 403", name, r.Method, r.Path, show(a))
			}
		}
	}
	for header, cause := range map[string]string{"": "Missing bearer token", "Bearer wrong": "Invalid bearer token", "Basic YTpi": "Missing bearer token"} {
		a, err := o.Ask(o.ctx, harness.Request{Method: http.MethodPost, Path: "/auth/login", Header: map[string]string{"Authorization": header}})
		if err != nil {
			t.Fatal(err)
		}
		form := `{"label":"api-invalid-credentials","msg":"Invalid credentials: ` + cause + `","args":{"cause":"` + cause + `"}}`
		if a.Status != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") != "Bearer" || match(a.Body, form) != nil {
			t.Errorf("log in with %q: got %s, want 401", header, show(a))
		}
	}
	if now := o.get(routesPath); string(now) != string(routes) {
		t.Errorf("the routes changed: %s", now)
	}
}

// D24: what is not there is answered with 404, whether one asks for it or sends it
// a command.
func TestNoSuchThing(t *testing.T) {
	const unknown = `{"label":"ca-unknown","msg":"CA 'nope' is unknown","args":{"ca":"nope"}}`
	var cases []badInput
	for _, path := range []string{
		"", "/routes", "/parents", "/parents/testbed", "/repo", "/repo/status", "/issues", "/id/child_request.json", "/id/child_request.xml", "/id/publisher_request.json",
		"/children/ca1", "/children/ca1/contact", "/history/commands", "/history/details/1",
	} {
		cases = append(cases, badInput{name: "get" + path, method: http.MethodGet, path: "/api/v1/cas/nope" + path, status: 404, form: unknown})
	}
	for _, path := range []string{
		"/", "/nothing", "/api", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/cas/", "/api/v1/cas/ca1/", routesPath + "/", "/api/v1/cas/ca1/nothing", "/api/v1/cas/ca1/history",
		"/api/v1/cas/ca1/history/commands/x", "/api/v1/cas/ca1/history/commands/-1", "/api/v1/cas/ca1/history/details/x", "/api/v1/cas/a%20b", "/api/v1/cas/a%2Fb", "/stats", "/ta", "/health/",
	} {
		if path != "/" { // the web interface's
			cases = append(cases, badInput{name: "no route " + strings.ReplaceAll(path, "/", "|"), method: http.MethodGet, path: path, status: 404})
		}
	}
	for _, c := range [][2]string{
		{"PUT", "/api/v1/cas"},
		{"DELETE", "/api/v1/cas"},
		{"PATCH", routesPath},
		{"HEAD", "/api/v1/cas"},
		{"OPTIONS", routesPath},
		{"POST", "/health"},
		{"HEAD", "/health"},
		{"PUT", "/api/v1/cas/ca1/children"},
		{"GET", "/api/v1/cas/ca1/sync/parents"},
		{"POST", "/stats/info"},
		{"DELETE", "/api/v1/cas/ca1/history/commands"},
		{"GET", "/api/v1/pubd/init"},
	} {
		cases = append(cases, badInput{name: c[0] + strings.ReplaceAll(c[1], "/", "|"), method: c[0], path: c[1], status: 405})
	}
	delta := add(`{"asn":1,"prefix":"10.9.0.0/16"}`)
	for _, c := range [][3]string{ // commands for a CA that is not there
		{"POST", "/aspas", `{"add_or_replace":[],"remove":[65000]}`},
		{"POST", "/aspas/as/AS65000", `{"added":[65001],"removed":[]}`},
		{"DELETE", "/aspas/as/AS65000", ""},
		{"POST", "/bgpsec", `{"add":[],"remove":["ROUTER-0000FDE8-17316903F0671229E8808BA8E8AB0105FA915A07"]}`},
		{"POST", "/children/ca1", `{"suspend":true}`},
		{"DELETE", "/children/ca1", ""},
		{"POST", "/id", ""},
		{"POST", "/keys/roll_init", ""},
		{"POST", "/keys/roll_activate", ""},
		{"DELETE", "/parents/testbed", ""},
		{"DELETE", "", ""},
	} {
		cases = append(cases, badInput{name: c[0] + strings.ReplaceAll(c[1], "/", "|") + " of nobody", method: c[0], path: "/api/v1/cas/nope" + c[1], body: c[2], status: 404, form: unknown})
	}
	cases = append(cases,
		badInput{name: "version of the history that is not there", method: http.MethodGet, path: "/api/v1/cas/ca1/history/details/999999", status: 404, form: `{"label":"~.+","msg":"~.+","args":{"ca":"ca1","version":"999999"}}`},
		badInput{name: "routes of nobody", path: "/api/v1/cas/nope/routes", body: delta, status: 404, form: unknown},
		badInput{name: "sync for nobody", path: "/api/v1/cas/nope/sync/parents", status: 404, form: unknown},
		badInput{name: "unknown publisher", method: http.MethodGet, path: "/api/v1/pubd/publishers/nope", status: 404, form: `{"label":"pub-unknown","msg":"Unknown publisher 'nope'","args":{"publisher":"nope"}}`},
		badInput{name: "remove an unknown publisher", method: http.MethodDelete, path: "/api/v1/pubd/publishers/nope", status: 404, form: `{"label":"pub-unknown","msg":"Unknown publisher 'nope'","args":{"publisher":"nope"}}`},
		badInput{name: "path that is no text", method: http.MethodGet, path: "/api/v1/cas/%ff", form: `{"label":"invalid-path","msg":"The request path was invalid.","args":{}}`},
		badInput{name: "body with GET", method: http.MethodGet, path: "/api/v1/cas", body: "{}", form: noBody},
		badInput{name: "body with DELETE", method: http.MethodDelete, path: "/api/v1/pubd/publishers/nope", body: "{}", form: noBody},
		badInput{name: "body with a command without one", path: "/api/v1/cas/ca1/sync/repo", body: "{}", form: noBody},
	)
	badWorld(t).refuseAll(cases)
}

func TestBadSetUp(t *testing.T) {
	o := badWorld(t)
	var id struct {
		IDCert string `json:"id_cert"`
	}
	if err := json.Unmarshal(o.get("/api/v1/cas/ca2/id/child_request.json"), &id); err != nil {
		t.Fatal(err)
	}
	child := func(resources, cert string) string {
		return `{"handle":"kid","resources":` + resources + `,"id_cert":"` + cert + `"}`
	}
	const held = `{"asn":"","ipv4":"10.0.0.0/24","ipv6":""}`
	const children, parents, repo, cas = "/api/v1/cas/ca1/children", "/api/v1/cas/ca1/parents", "/api/v1/cas/ca1/repo", "/api/v1/cas"
	var cases []badInput
	for _, handle := range []string{"", "a b", "a/b", "ü", "a.b", strings.Repeat("x", 256)} {
		name := strings.ReplaceAll(handle[:min(8, len(handle))], "/", "|")
		cases = append(cases,
			badInput{name: "CA " + name, path: cas, body: `{"handle":"` + handle + `"}`, form: jsonError(somewhere)},
			badInput{name: "child " + name, path: children, body: strings.Replace(child(held, id.IDCert), "kid", handle, 1), form: jsonError(somewhere)},
		)
	}
	for name, set := range map[string]string{
		"IPv6 as IPv4": `{"asn":"","ipv4":"2001:db8::/32","ipv6":""}`, "IPv4 as IPv6": `{"asn":"","ipv4":"","ipv6":"10.0.0.0/8"}`, "no prefix": `{"asn":"","ipv4":"10.0.0.0/99","ipv6":""}`,
		"backwards": `{"asn":"AS5-AS1","ipv4":"","ipv6":""}`, "a family missing": `{"asn":"","ipv4":""}`, "a number": `{"asn":1,"ipv4":"","ipv6":""}`,
	} {
		cases = append(cases, badInput{name: "resources: " + name, path: children, body: child(set, id.IDCert), form: jsonError(somewhere)})
	}
	cases = append(cases,
		badInput{name: "no resources", path: children, body: child(`{"asn":"","ipv4":"","ipv6":""}`, id.IDCert), logged: true, form: `{"label":"ca-child-resources-required","msg":"Child 'kid' for CA 'ca1' MUST have resources specified","args":{"ca":"ca1","child":"kid"}}`},
		badInput{name: "resources not held", path: children, body: child(`{"asn":"","ipv4":"192.0.2.0/24","ipv6":""}`, id.IDCert), logged: true, form: `{"label":"ca-child-resources-extra","msg":"Child 'kid' cannot have resources not held by CA 'ca1'","args":{"ca":"ca1","child":"kid"}}`},
		badInput{name: "certificate is no base64", path: children, body: child(held, "%%%"), form: jsonError(somewhere)},
		badInput{name: "certificate with blanks", path: children, body: child(held, id.IDCert[:8]+" "+id.IDCert[8:]), form: jsonError(somewhere)},
		badInput{name: "certificate is none", path: children, body: child(held, "AAAA"), form: jsonError(somewhere)},
		badInput{name: "half a certificate", path: children, body: child(held, id.IDCert[:400]), form: jsonError(somewhere)},
		badInput{name: "unknown child", path: children + "/nope", body: `{"resources":` + held + `}`, status: 404, logged: true, form: `{"label":"ca-child-unknown","msg":"CA 'ca1' does not have a child named 'nope'","args":{"ca":"ca1","child":"nope"}}`},
		badInput{name: "parent is no XML", path: parents, body: "<parent_response", form: `{"label":"ca-parent-response-invalid-xml","msg":"~CA 'ca1' got invalid parent response: .+","args":{"ca":"ca1","cause":"~.+"}}`},
		badInput{name: "parent is a repository", path: parents, body: string(o.ask(http.MethodGet, "/api/v1/pubd/publishers/ca1/response.xml", nil).Body), form: `{"label":"ca-parent-response-invalid-xml","msg":"~CA 'ca1' got invalid parent response: .+","args":{"ca":"ca1","cause":"~.+"}}`},
		badInput{name: "parent with another name on the path", path: parents + "/a", body: `{"handle":"b","response":` + string(o.get("/api/v1/cas/testbed/children/ca1/contact")) + `}`, form: `{"label":"general-error","msg":"Used different parent names on path (a) and submitted JSON (b) for adding/updating a parent","args":{}}`},
		badInput{name: "parent JSON", path: parents, body: `{"handle":"b"}`, form: jsonError(somewhere)},
		badInput{name: "repository is no XML", path: repo, body: "<", form: `{"label":"ca-repo-response-invalid-xml","msg":"~CA 'ca1' got invalid repository response: .+","args":{"ca":"ca1","cause":"~.+"}}`},
		badInput{name: "repository is a parent", path: repo, body: string(o.ask(http.MethodGet, "/api/v1/cas/testbed/children/ca1/parent_response.xml", nil).Body), form: `{"label":"ca-repo-response-invalid-xml","msg":"~CA 'ca1' got invalid repository response: .+","args":{"ca":"ca1","cause":"~.+"}}`},
		badInput{name: "repository JSON", path: repo, body: `{}`, form: jsonError(somewhere)},
		badInput{name: "publisher certificate is none", path: "/api/v1/pubd/publishers", body: `{"id_cert":"AAAA","publisher_handle":"kid","tag":null}`, form: `{"label":"~api-json|rfc-8183-xml","msg":"~.+","args":{"cause":"~.+"}}`},
		badInput{name: "publication server twice", path: "/api/v1/pubd/init", body: `{"rrdp_base_uri":"https://localhost/rrdp/","rsync_jail":"rsync://localhost/repo/"}`, form: `{"label":"pub-repo-initialized","msg":"Publication Server already initialized","args":{}}`},
	)
	lists := []string{o.names("/api/v1/cas"), o.names("/api/v1/pubd/publishers")}
	o.refuseAll(cases)
	if now := []string{o.names("/api/v1/cas"), o.names("/api/v1/pubd/publishers")}; strings.Join(now, " ") != strings.Join(lists, " ") {
		t.Errorf("CAs and publishers were %v and are %v", lists, now)
	}
	o.shows("/api/v1/cas/ca1/issues", `{"repo_issue":null,"parent_issues":[]}`)
}

func (o operator) names(path string) string { return string(o.get(path)) }

// unsized hides how long a body is, so that it is sent in chunks.
type unsized struct{ io.Reader }

func TestLargeBody(t *testing.T) {
	o := badWorld(t)
	const empty = `{"added":[],"removed":[]}`
	padded := func(octets int) string { return empty + strings.Repeat(" ", octets-len(empty)) }
	routes := o.get(routesPath)
	for _, c := range []struct {
		name string
		body io.Reader
		form string // empty: accepted
	}{
		{"just fits", strings.NewReader(padded(apiLimit)), ""},
		{"one octet too many", strings.NewReader(padded(apiLimit + 1)), tooLarge},
		{"far too many", strings.NewReader(padded(8 << 20)), tooLarge},
		{"in chunks", unsized{strings.NewReader(empty)}, ""},
		{"in chunks, just fits", unsized{strings.NewReader(padded(apiLimit))}, ""},
		{"in chunks, one octet too many", unsized{strings.NewReader(padded(apiLimit + 1))}, unread},
		{"in chunks, far too many", unsized{strings.NewReader(padded(8 << 20))}, unread},
	} {
		a, err := o.post(o.ctx, c.body)
		switch {
		case err != nil: // the server may close before all is sent, but must say why to those who read
			t.Errorf("%s: %v", c.name, err)
		case c.form == "" && (a.Status != http.StatusOK || len(a.Body) > 0):
			t.Errorf("%s: got %s, want 200 without data", c.name, show(a))
		case c.form != "" && (a.Status != http.StatusBadRequest || match(a.Body, c.form) != nil):
			t.Errorf("%s: got %s, want 400 %s", c.name, show(a), c.form)
		}
	}
	a, err := o.Ask(o.ctx, harness.Request{
		Method: http.MethodGet, Path: "/api/v1/cas", Body: unsized{strings.NewReader("x")}, Header: map[string]string{"Authorization": "Bearer " + harness.Token},
	})
	if err != nil || a.Status != http.StatusBadRequest || match(a.Body, noBody) != nil {
		t.Errorf("GET with a body in chunks: got %s, %v", show(a), err)
	}
	if now := o.get(routesPath); string(now) != string(routes) {
		t.Errorf("the routes changed: %s", now)
	}
}

// post sends a body of any kind to the routes of ca1.
func (o operator) post(ctx context.Context, body io.Reader) (harness.Answer, error) {
	return o.Ask(ctx, harness.Request{Method: http.MethodPost, Path: routesPath, Body: body, Header: map[string]string{"Authorization": "Bearer " + harness.Token}})
}
