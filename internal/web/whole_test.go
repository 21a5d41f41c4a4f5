package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"baleen/api"
)

const (
	routesOfCA1 = "/api/v1/cas/ca1/routes"
	aspasOfCA1  = "/api/v1/cas/ca1/aspas"
)

// csv is a request whose body, or wanted answer, is CSV.
func csv(r *http.Request) {
	admin(r)
	r.Header.Set("Content-Type", "text/csv")
	r.Header.Set("Accept", "text/csv")
}

func (w *world) put(who as, path, body string) answer {
	w.t.Helper()
	return w.ask(who, http.MethodPut, path, body)
}

// commands counts the history of ca1, without what the server does by itself.
func (w *world) commands() int {
	w.t.Helper()
	var h api.CommandHistory
	w.get("/api/v1/cas/ca1/history/commands/1000?machine=false").json(&h)
	return h.Total
}

func TestWholeRoutes(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const first = "prefix,max_length,asn,comment\n10.0.0.0/16,24,64496,\"a, \"\"b\"\"\"\n10.1.0.0/16,16,64497,\n2001:db8::/32,48,64496,ärger\n"
	n := w.commands()
	var d api.ROADifference
	w.put(csv, routesOfCA1, first).json(&d)
	if len(d.Added) != 3 || len(d.Removed)+len(d.Commented)+int(d.Unchanged) != 0 || d.DryRun || w.commands() != n+1 {
		t.Fatalf("got %+v, %d commands", d, w.commands()-n)
	}
	w.settle()
	a := w.ask(csv, "GET", routesOfCA1, "").ok()
	if a.body != first || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasSuffix(a.header.Get("ETag"), `-csv"`) {
		t.Errorf("got %s %v", a.body, a.header)
	}
	etag, n := w.get(routesOfCA1).header.Get("ETag"), w.commands()
	for who, body := range map[string]string{"csv": first, "json": w.get(routesOfCA1).ok().body, "bom": "\uFEFF" + strings.ReplaceAll(first, "\n", "\r\n")} {
		as := csv
		if who == "json" {
			as = admin
		}
		w.put(as, routesOfCA1, body).json(&d)
		if len(d.Added)+len(d.Removed)+len(d.Commented) != 0 || d.Unchanged != 3 {
			t.Errorf("%s: the same again is %+v", who, d)
		}
	}
	if after := w.get(routesOfCA1).header.Get("ETag"); after != etag || w.commands() != n {
		t.Errorf("nothing to do led from %s to %s, with %d commands", etag, after, w.commands()-n)
	}
	w.wholeDifference(etag)
}

// wholeDifference changes some routes, first as a trial.
func (w *world) wholeDifference(etag string) {
	w.t.Helper()
	w.announce()
	const second = "prefix,max_length,asn,comment\n10.1.0.0/16,,AS64497,now with\n2001:db8::/32,48,64496,ärger\n10.0.0.0/22,,64498,new\n"
	n := w.commands()
	trial := w.put(csv, routesOfCA1+"?dry_run=true&effect=true", second).ok()
	golden(w.t, "routes_whole", strings.Replace(trial.body, `"version":`+versionOf(etag), `"version":0`, 1))
	if after := w.get(routesOfCA1).header.Get("ETag"); after != etag || trial.header.Get("ETag") != etag || w.commands() != n {
		w.t.Errorf("the trial led from %s to %s", etag, after)
	}
	w.put(with("If-Match", `"1"`), routesOfCA1+"?dry_run=true", `[]`).fails(http.StatusConflict, "version-mismatch")
	w.put(with("If-Match", `"1"`), routesOfCA1, `[]`).fails(http.StatusConflict, "version-mismatch")
	var d api.ROADifference
	made := w.put(func(r *http.Request) { csv(r); r.Header.Set("If-Match", strings.TrimSuffix(etag, `"`)+`-csv"`) }, routesOfCA1, second)
	made.json(&d)
	if len(d.Added) != 1 || len(d.Removed) != 1 || len(d.Commented) != 1 || d.Commented[0].Was != nil || *d.Commented[0].Comment != "now with" ||
		d.Unchanged != 1 || w.commands() != n+1 || made.header.Get("ETag") != w.get(routesOfCA1).header.Get("ETag") {
		w.t.Errorf("got %s", made.body)
	}
	var h api.CommandHistory
	w.get("/api/v1/cas/ca1/history/commands/1000?machine=false").json(&h)
	if last := h.Commands[len(h.Commands)-1].Summary; last.Label != "cmd-ca-roas-updated" || last.Args["added"] != "2" || last.Args["removed"] != "1" {
		w.t.Errorf("the history says %+v", last)
	}
	w.put(admin, routesOfCA1, `[]`).json(&d)
	if got := w.get(routesOfCA1).ok().body; got != `[]` || len(d.Removed) != 3 {
		w.t.Errorf("got %s, %+v", got, d)
	}
}

// What was given as a comment can be had as CSV and put again.
func TestCommentsOfSeveralLines(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	w.post(routesOfCA1, `{"added": [{"asn": 1, "prefix": "10.0.0.0/16", "comment": "one, \"two\"\nand\tthree"}], "removed": []}`).ok()
	for who, kind := range map[string]as{"CSV": csv, "JSON": admin} {
		was := w.ask(kind, "GET", routesOfCA1+"?objects=false", "").ok()
		var d api.ROADifference
		w.put(kind, routesOfCA1, was.body).json(&d)
		if d.Unchanged != 1 || len(d.Added)+len(d.Removed)+len(d.Commented) != 0 {
			t.Errorf("%s: %q became %+v", who, was.body, d)
		}
	}
}

func TestWholeRoutesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	before := w.get("/api/v1/cas/ca1").header.Get("ETag")
	const header = "prefix,max_length,asn,comment\n"
	for body, cause := range map[string]string{
		"":                                   "the header prefix,max_length,asn,comment is missing at line 1 column 1",
		"prefix,asn\n":                       `the header is "prefix,asn", not "prefix,max_length,asn,comment" at line 1 column 1`,
		"prefix, max_length, asn, comment\n": `the header is "prefix, max_length, asn, comment", not "prefix,max_length,asn,comment" at line 1 column 1`,
		header + "10.0.0.0/16,,1\n":          "wrong number of fields at line 2 column 1",
		header + "10.0.0.0/16,,1,\n10.0.0.0/16,16,1,x\n": "ROA 10.0.0.0/16-16 => 1 is there twice: see line 2 at line 3 column 1",
		header + "10.0.0.0/16,15,1,\n":                   "max_length 15 is not from 16 to 32 at line 2 column 13",
		header + "\n10.0.0.0/16,x,1,\n":                  `"x" is no maximum length at line 3 column 13`,
		header + "10.0.0.0/16,,ASX,\n":                   `"ASX" is no AS number at line 2 column 14`,
		header + "10.0.0.0/16,,4294967296,\n":            `"4294967296" is no AS number at line 2 column 14`,
		header + "10.0.0.0/16,,1,a\x00b\n":               "the comment holds a control character at line 2 column 16",
		header + "10.0.0.0/16,,1,\"a\n\x01\"\n":          "the comment holds a control character at line 2 column 16",
		header + "10.0.0.0/16,,1,a\"b\n":                 `bare " in non-quoted-field at line 2 column 17`,
		header + "10.0.0.0/16,,1,\xff\n":                 "the text is not UTF-8 at line 2 column 1",
	} {
		a := w.put(csv, routesOfCA1, body).fails(http.StatusBadRequest, "api-csv")
		var e api.ErrorResponse
		unmarshal(t, a.body, &e)
		if e.Args["cause"] != cause || e.Msg != "Invalid CSV: "+cause {
			t.Errorf("%q: got  %s\nwant %s", body, e.Args["cause"], cause)
		}
	}
	for body, cause := range map[string]string{
		`{}`: "invalid type: map, expected a sequence at line 1 column 2",
		"[{\"asn\":1,\"prefix\":\"10.0.0.0/16\"},\n{\"asn\":1,\"prefix\":\"10.0.0.0/16\",\"max_length\":16}]": "ROA 10.0.0.0/16-16 => 1 is there twice: see entry 1 at line 2 column 48",
		`[{"asn":1,"prefix":"::/0","max_length":129}]`:                                                        "max_length 129 is not from 0 to 128 at line 1 column 43",
	} {
		a := w.put(admin, routesOfCA1, body).fails(http.StatusBadRequest, "api-json")
		if !strings.Contains(a.body, strings.ReplaceAll(cause, `"`, `\"`)) {
			t.Errorf("%s: got %s", body, a.body)
		}
	}
	w.put(with("Content-Type", "text/plain"), routesOfCA1, "[]").fails(http.StatusBadRequest, "api-content-type").record("api-content-type")
	w.put(with("Content-Type", "text/csv; charset=iso-8859-1"), routesOfCA1, header).fails(http.StatusBadRequest, "api-content-type")
	w.put(csv, routesOfCA1+"?dry_run=1", header).fails(http.StatusBadRequest, "general-error")
	w.put(csv, "/api/v1/cas/nope/routes", header).fails(http.StatusNotFound, "ca-unknown")
	w.put(csv, routesOfCA1, header+strings.Repeat("x", 4<<20)).fails(http.StatusBadRequest, "api-post-body-exceeds-limit")
	if after := w.get("/api/v1/cas/ca1").header.Get("ETag"); after != before {
		t.Errorf("bad input led from %s to %s", before, after)
	}
	for _, query := range []string{"?dry_run=true", ""} {
		a := w.put(csv, routesOfCA1+query, header+"10.0.0.0/16,,1,\n192.0.2.0/24,,1,\n10.1.0.0/16,,1,\n198.51.100.0/24,,1,\n").fails(http.StatusBadRequest, "ca-roa-delta-error")
		if !strings.Contains(a.body, `"at":"line 3, line 5"`) || !strings.Contains(a.body, `"notheld":[{"asn":1,"prefix":"192.0.2.0/24"`) {
			t.Errorf("got %s", a.body)
		}
	}
	if got := w.get(routesOfCA1).ok().body; got != "[]" {
		t.Errorf("something was done: %s", got)
	}
}

func TestWholeASPAs(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", `{"asn":"AS64496-AS64511","ipv4":"","ipv6":""}`)
	const first = "customer,providers\n64496,64497 64498\n64499,1\n64500,2 3\n"
	var d api.ASPADifference
	n := w.commands()
	w.put(csv, aspasOfCA1, first).json(&d)
	if len(d.Added) != 3 || w.commands() != n+1 {
		t.Fatalf("got %+v", d)
	}
	w.settle()
	if got := w.ask(csv, "GET", aspasOfCA1, "").ok().body; got != first {
		t.Errorf("got %s", got)
	}
	n = w.commands()
	w.put(csv, aspasOfCA1, "customer,providers\nAS64500,AS3 AS2\n64499,1\n64496,64498 64497\n").json(&d)
	w.put(admin, aspasOfCA1, w.get(aspasOfCA1).ok().body).json(&d)
	if len(d.Added)+len(d.Removed)+len(d.Updated) != 0 || d.Unchanged != 3 || w.commands() != n {
		t.Errorf("the same again is %+v", d)
	}
	const second = `[{"customer":64499,"providers":[1,7]},{"customer":64501,"providers":[5]},{"customer":64500,"providers":[2,3]}]`
	for _, query := range []string{"?dry_run=true", ""} {
		w.put(admin, aspasOfCA1+query, second).json(&d)
		if len(d.Added) != 1 || len(d.Removed) != 1 || d.Removed[0].String() != "AS64496 => AS64497, AS64498" || len(d.Updated) != 1 ||
			len(d.Updated[0].AddedProviders) != 1 || d.Updated[0].AddedProviders[0] != 7 || d.Unchanged != 1 || d.DryRun != (query != "") {
			t.Errorf("got %+v", d)
		}
	}
	if w.commands() != n+1 {
		t.Errorf("%d commands", w.commands()-n)
	}
	w.put(csv, aspasOfCA1, "customer,providers\n64496,\n").fails(http.StatusBadRequest, "api-csv")
	w.put(csv, aspasOfCA1, "customer,providers\n64496,1\n64496,2\n").fails(http.StatusBadRequest, "api-csv").record("api-csv")
	w.put(csv, aspasOfCA1, "customer,providers\n64496,1;2\n").fails(http.StatusBadRequest, "api-csv")
	for body, label := range map[string]string{
		`[{"customer":64496,"providers":[]}]`:                                   "ca-aspa-provider-as-empty",
		`[{"customer":64500,"providers":[2,3,3]}]`:                              "ca-aspa-provider-duplicates",
		`[{"customer":64496,"providers":[64496]}]`:                              "ca-aspa-customer-as-provider",
		`[{"customer":5,"providers":[1]}]`:                                      "ca-aspa-not-entitled",
		`[{"customer":64500,"providers":[2,3]},{"customer":6,"providers":[1]}]`: "ca-aspa-not-entitled",
	} {
		a := w.put(admin, aspasOfCA1, body).fails(http.StatusBadRequest, label)
		if !strings.Contains(a.body, `"at":"entry `) {
			t.Errorf("%s: got %s", body, a.body)
		}
	}
	w.put(with("If-Match", `"1"`), aspasOfCA1, second).fails(http.StatusConflict, "version-mismatch")
}

// TestTenThousandRoutes checks that so many fit into one request, and that they
// come page by page.
func TestTenThousandRoutes(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	var text strings.Builder
	text.WriteString("prefix,max_length,asn,comment\n")
	const all = 10_000
	for i := range all {
		fmt.Fprintf(&text, "10.%d.%d.0/24,24,%d,%s\n", i>>8, i&255, 64496+i%2, strings.Repeat("c", 200))
	}
	var d api.ROADifference
	w.put(csv, routesOfCA1, text.String()).json(&d)
	if len(d.Added) != all {
		t.Fatalf("added %d", len(d.Added))
	}
	seen, pages, path := 0, 0, routesOfCA1+"?limit=999&asn=64497&prefix=10.0.0.0/11"
	for path != "" {
		a := w.get(path)
		var page []api.ConfiguredROA
		a.json(&page)
		if a.header.Get("X-Total-Count") != "4096" {
			t.Fatalf("got %v", a.header)
		}
		for i, r := range page {
			if want := fmt.Sprintf("10.%d.%d.0/24", (2*(seen+i)+1)>>8, (2*(seen+i)+1)&255); r.Prefix.String() != want {
				t.Fatalf("entry %d is %s, not %s", seen+i, r.Prefix, want)
			}
		}
		seen, pages = seen+len(page), pages+1
		path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	}
	if seen != 4096 || pages != 5 {
		t.Errorf("got %d routes on %d pages", seen, pages)
	}
}

// TestNothingIsLost has several clients each add a route to the whole
// configuration as they read it. A client that was overtaken is told so.
func TestNothingIsLost(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const clients, each = 4, 5
	var g sync.WaitGroup
	for client := range clients {
		g.Go(func() {
			for i := range each {
				for {
					a := w.ask(csv, "GET", routesOfCA1, "")
					body := a.body + fmt.Sprintf("10.%d.%d.0/24,,64496,\n", client, i)
					put := w.put(func(r *http.Request) { csv(r); r.Header.Set("If-Match", a.header.Get("ETag")) }, routesOfCA1, body)
					if put.status == http.StatusOK {
						break
					}
					if put.status != http.StatusConflict {
						t.Errorf("got %d %s", put.status, put.body)
						return
					}
				}
			}
		})
	}
	g.Wait()
	var routes []api.ConfiguredROA
	w.get(routesOfCA1).json(&routes)
	if len(routes) != clients*each {
		t.Errorf("%d routes are there, %d were added", len(routes), clients*each)
	}
}

func unmarshal(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// TestOverlappingWholes has clients replace the whole configuration at the same
// time, without a version: what is there at the end is what one of them wanted,
// and at no time anything else.
func TestOverlappingWholes(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	const clients, routes = 4, 20
	wholes := map[string]bool{"prefix,max_length,asn,comment\n": true}
	bodies := make([]string, clients)
	for c := range clients {
		text := "prefix,max_length,asn,comment\n"
		for i := range routes {
			text += fmt.Sprintf("10.%d.0.0/16,16,%d,by %d\n", i, 64496+i*c, c)
		}
		wholes[text], bodies[c] = true, text
	}
	var g sync.WaitGroup
	for _, body := range bodies {
		g.Go(func() {
			for range 5 {
				if a := w.put(csv, routesOfCA1, body); a.status != http.StatusOK && a.status != http.StatusConflict {
					t.Errorf("got %d %s", a.status, a.body)
				}
				if got := w.ask(csv, "GET", routesOfCA1, "").ok().body; !wholes[got] {
					t.Errorf("nobody wanted\n%s", got)
				}
			}
		})
	}
	g.Wait()
}

// TestPutBesideDelete replaces the configuration of a CA that is deleted.
func TestPutBesideDelete(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	var g sync.WaitGroup
	for i := range 4 {
		g.Go(func() {
			for n := range 5 {
				a := w.put(csv, routesOfCA1, fmt.Sprintf("prefix,max_length,asn,comment\n10.0.%d.0/24,,%d,\n", i, n))
				if a.status != http.StatusOK && a.status != http.StatusConflict {
					a.fails(http.StatusNotFound, "ca-unknown")
				}
			}
		})
	}
	g.Go(func() { w.ask(admin, "DELETE", "/api/v1/cas/ca1", "") })
	g.Wait()
	w.settle()
	if a := w.get("/api/v1/cas/ca1"); a.status != http.StatusNotFound {
		t.Errorf("the CA is still there: %d", a.status)
	}
}
