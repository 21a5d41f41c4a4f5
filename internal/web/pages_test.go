package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"baleen/api"
)

// next gives where the next page is.
func (a answer) next() string {
	path, _, _ := strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	return path
}

// walk reads a list page by page, each with so many entries, and gives the
// entries in all and the number of pages.
func (w *world) walk(path string, limit int, entries func(body string) []string) (all []string, pages int) {
	w.t.Helper()
	joint := "?"
	if strings.Contains(path, "?") {
		joint = "&"
	}
	for path += joint + fmt.Sprintf("limit=%d", limit); path != ""; pages++ {
		a := w.get(path).ok()
		page := entries(a.body)
		if len(page) > limit {
			w.t.Fatalf("%s: a page of %d", path, len(page))
		}
		all, path = append(all, page...), a.next()
	}
	return all, pages
}

// list reads the entries of an array below the names, or the keys of an object.
func list(names ...string) func(body string) []string {
	return func(body string) []string {
		var raw json.RawMessage = []byte(body)
		for _, name := range names {
			var object map[string]json.RawMessage
			if json.Unmarshal(raw, &object) != nil {
				return nil
			}
			raw = object[name]
		}
		var array []json.RawMessage
		var object map[string]json.RawMessage
		var out []string
		if json.Unmarshal(raw, &array) == nil {
			for _, e := range array {
				out = append(out, string(e))
			}
		} else if json.Unmarshal(raw, &object) == nil {
			out = slices.Sorted(maps.Keys(object))
		}
		return out
	}
}

// TestEveryListHasPages walks every list: its pages are the whole of it, in
// order, and every bad argument is refused.
func TestEveryListHasPages(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", `{"asn":"AS64496-AS64511","ipv4":"10.0.0.0/8","ipv6":"2001:db8::/32"}`)
	for _, name := range []string{"ca2", "ca3", "other"} {
		w.post("/api/v1/cas", `{"handle":"`+name+`"}`).empty()
		w.post("/api/v1/pubd/publishers", w.get("/api/v1/cas/"+name+"/id/publisher_request.json").ok().body).ok()
		var child api.ChildRequest
		w.get("/api/v1/cas/" + name + "/id/child_request.json").json(&child)
		add, err := api.Marshal(map[string]any{"handle": name, "resources": json.RawMessage(`{"asn":"AS64496","ipv4":"","ipv6":""}`), "id_cert": child.IDCert})
		if err != nil {
			t.Fatal(err)
		}
		response := w.post("/api/v1/cas/ca1/children", string(add)).ok().body
		w.post("/api/v1/cas/"+name+"/parents", `{"handle":"up","response":`+response+`}`).empty()
	}
	w.put(csv, routesOfCA1, "prefix,max_length,asn,comment\n10.0.0.0/16,,1,first Web\n10.0.1.0/24,,2,\n10.1.0.0/16,20,1,web\n2001:db8::/32,,1,x\n2001:db8::/48,,3,\n").ok()
	w.put(csv, aspasOfCA1, "customer,providers\n64496,1 2\n64497,2 3\n64498,1\n64500,5\n").ok()
	w.settle()
	for path, entries := range map[string]func(string) []string{
		"/api/v1/cas":                                          list("cas"),
		"/api/v1/cas?handle_prefix=ca":                         list("cas"),
		"/api/v1/cas/ca1/children":                             list("children"),
		"/api/v1/cas/ca1/stats/children/connections":           list("children"),
		"/api/v1/cas/ca1/parents":                              list(),
		routesOfCA1:                                            list(),
		routesOfCA1 + "?asn=AS1":                               list(),
		aspasOfCA1:                                             list(),
		"/api/v1/cas/ca1/bgpsec":                               list(),
		"/api/v1/cas/ca1/routes/analysis/full":                 list(),
		"/api/v1/cas/ca1/routes/analysis/full?asn=1":           list(),
		"/api/v1/cas/ca1/issues":                               list("parent_issues"),
		"/api/v1/cas/ca1/history/commands":                     list("commands"),
		"/api/v1/cas/ca1/history/commands?machine=false":       list("commands"),
		"/api/v1/cas/ca1/history/commands?actor=task:ca_issue": list("commands"),
		"/api/v1/pubd/publishers":                              list("publishers"),
		"/api/v1/pubd/stale":                                   list("publishers"),
		"/api/v1/pubd/stale/0?handle_prefix=c":                 list("publishers"),
		"/api/v1/bulk/cas/issues":                              list("cas"),
		"/api/v1/tasks":                                        list("problems"),
	} {
		whole := w.get(path).ok()
		want := entries(whole.body)
		if whole.next() != "" {
			t.Errorf("%s: a page follows the whole: %s", path, whole.next())
		}
		for _, limit := range []int{1, 2, 3, 1000} {
			got, pages := w.walk(path, limit, entries)
			if fmt.Sprint(got) != fmt.Sprint(want) || pages != max(1, (len(want)+limit-1)/limit) {
				t.Errorf("%s by %d: got %d pages\n%s\nwant\n%s", path, limit, pages, got, want)
			}
		}
		if total := whole.header.Get("X-Total-Count"); total != fmt.Sprint(len(want)) && !strings.Contains(path, "/bulk/") {
			t.Errorf("%s: %s entries of %d", path, total, len(want))
		}
		joint := "?"
		if strings.Contains(path, "?") {
			joint = "&"
		}
		for _, bad := range []string{"limit=-1", "limit=x", "offset=-1", "limit=1e3", "offset=2147483648"} {
			a := w.get(path+joint+bad).fails(http.StatusBadRequest, "general-error")
			name, _, _ := strings.Cut(bad, "=")
			if !strings.Contains(a.body, "Invalid query: "+name) {
				t.Errorf("%s with %s: got %s", path, bad, a.body)
			}
		}
	}
	w.filters()
}

// filters checks what each filter chooses.
func (w *world) filters() {
	w.t.Helper()
	for path, want := range map[string]int{
		routesOfCA1 + "?prefix=10.0.0.0/15": 3, routesOfCA1 + "?prefix=10.0.0.0/16": 2, routesOfCA1 + "?prefix=10.0.0.0/17": 1,
		routesOfCA1 + "?prefix=::/0": 2, routesOfCA1 + "?comment=WEB": 2, routesOfCA1 + "?comment=web&asn=1&prefix=10.1.0.0/16": 1, routesOfCA1 + "?asn=9": 0,
		routesOfCA1 + "?limit=0": 0, routesOfCA1 + "?offset=4": 1, routesOfCA1 + "?offset=99": 0,
		routesOfCA1 + "?after=" + url.QueryEscape("10.1.0.0/16-20 => 1"): 2, routesOfCA1 + "?after=" + url.QueryEscape("10.0.255.0/24-24 => 7"): 3,
		aspasOfCA1 + "?asn=64497": 1, aspasOfCA1 + "?provider=AS1": 2, aspasOfCA1 + "?after=64497": 2, aspasOfCA1 + "?after=64499&limit=1": 1,
	} {
		if got := list()(w.get(path).ok().body); len(got) != want {
			w.t.Errorf("%s: got %v, want %d", path, got, want)
		}
	}
	const commands = "/api/v1/cas/ca1/history/commands"
	w.post(routesOfCA1, `{"added":[{"asn":1,"prefix":"11.0.0.0/8"}],"removed":[]}`).fails(http.StatusBadRequest, "ca-roa-delta-error")
	for query, want := range map[string]int{
		"?label=cmd-ca-child-add": 3, "?failed=true": 1, "?label=cmd-ca-roas-updated": 2, "?label=cmd-ca-roas-updated&failed=false": 1, "?actor=user:admin-token&failed=true": 1, "?actor=nobody": 0,
	} {
		a := w.get(commands + query).ok()
		if got := list("commands")(a.body); len(got) != want || a.header.Get("X-Total-Count") != fmt.Sprint(want) {
			w.t.Errorf("%s: got %v, want %d", query, got, want)
		}
	}
	if a := w.get(commands + "/2/1?machine=false").ok(); !strings.HasPrefix(a.next(), commands+"/2/3?") {
		w.t.Errorf("got %s", a.next())
	}
	for _, bad := range []string{
		routesOfCA1 + "?prefix=10.0.0.1/8", routesOfCA1 + "?prefix=x", routesOfCA1 + "?prefix=::ffff:10.0.0.0/104", routesOfCA1 + "?asn=x", routesOfCA1 + "?asn=4294967296", routesOfCA1 + "?after=x",
		routesOfCA1 + "?after=10.0.0.0/16-16+=>+1&offset=1", aspasOfCA1 + "?after=x", aspasOfCA1 + "?provider=-1", "/api/v1/cas/ca1/bgpsec?asn=AS", "/api/v1/cas?after=a&offset=1",
		commands + "?failed=maybe", commands + "?machine=no", analysisOfCA1 + "/full?asn=x",
	} {
		w.get(bad).fails(http.StatusBadRequest, "general-error")
	}
	w.get("/api/v1/cas/ta/children").fails(http.StatusNotFound, "ca-unknown")
	if got, want := w.get("/api/v1/cas/ca1/children?limit=1").ok().body,
		`{"children":[{"handle":"ca2","state":"active","entitled_resources":{"asn":"AS64496","ipv4":"","ipv6":""}}]}`; got != want {
		w.t.Errorf("got %s", got)
	}
}
