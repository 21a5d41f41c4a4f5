package web_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/bgp/feed"
)

const analysisOfCA1 = "/api/v1/cas/ca1/routes/analysis"

// announced is what the collectors of the tests see, by IPv4 and IPv6.
var announced = [2]string{
	"64496\t10.0.0.0/22\t50\n64496\t10.0.2.0/23\t50\n64496\t10.0.0.0/24\t50\n64497\t10.0.0.0/22\t50\n64497\t10.0.0.0/21\t50\n" +
		"64496\t192.168.0.0/24\t50\n64497\t192.168.0.0/24\t50\n64497\t192.168.1.0/24\t50\n64500\t203.0.113.0/24\t50\n",
	"64498\t2001:db8::/32\t50\n",
}

// announce has the dumps fetched from a server of the test.
func (w *world) announce() {
	w.t.Helper()
	collector := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		text := announced[0]
		if r.URL.Path == "/6" {
			text = announced[1]
		}
		_, _ = rw.Write([]byte(text))
	}))
	w.t.Cleanup(collector.Close)
	w.service.Announcements = &feed.Feed{V4: collector.URL + "/4", V6: collector.URL + "/6", Every: time.Hour, Now: time.Now}
	if _, ok, err := w.service.Announcements.Refresh(w.t.Context()); err != nil || !ok {
		w.t.Fatalf("nothing was fetched: %v", err)
	}
}

// mistaken is a CA whose ROAs have several kinds of mistakes; it held more once.
func mistaken(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.testbed()
	w.join("ca1", `{"asn":"","ipv4":"10.0.0.0/15, 192.168.0.0/16","ipv6":"2001:db8::/32"}`)
	w.post("/api/v1/cas/ca1/routes", `{"added":[{"asn":64496,"prefix":"10.0.0.0/22","max_length":23,"comment":"<ours>"},{"asn":0,"prefix":"10.0.4.0/24"},`+
		`{"asn":64497,"prefix":"10.0.3.0/24"},{"asn":64497,"prefix":"10.1.0.0/24"},{"asn":64497,"prefix":"192.168.1.0/24"},`+
		`{"asn":64498,"prefix":"192.168.1.0/24"},{"asn":0,"prefix":"192.168.1.0/24"}],"removed":[]}`).empty()
	w.settle()
	w.post("/api/v1/cas/testbed/children/ca1", `{"resources":{"asn":"","ipv4":"10.0.0.0/16, 192.168.0.0/16","ipv6":"2001:db8::/32"}}`).empty()
	w.post("/api/v1/cas/ca1/sync/parents", "").empty()
	w.settle()
	return w
}

func TestAnalysisOverHTTP(t *testing.T) {
	w := mistaken(t)
	golden(t, "analysis_unknown", w.get(analysisOfCA1+"/full").ok().body)
	w.announce()
	golden(t, "analysis_full", w.get(analysisOfCA1+"/full").ok().body)
	golden(t, "analysis_suggest", w.get(analysisOfCA1+"/suggest").ok().body)
	golden(t, "analysis_suggest_some", w.post(analysisOfCA1+"/suggest", `{"asn":"","ipv4":"10.0.0.0/22","ipv6":""}`).ok().body)
	if got := w.post(analysisOfCA1+"/suggest", `{"asn":"","ipv4":"10.0.128.0/24, 203.0.113.0/24","ipv6":""}`).ok().body; got != `{}` {
		t.Errorf("where nothing is announced that the CA holds: %s", got)
	}
	golden(t, "stats_cas_announced", w.ask(anybody, "GET", "/stats/cas", "").ok().body)

	var everything api.BGPAnalysisReport
	w.get(analysisOfCA1 + "/full").json(&everything)
	for _, e := range everything {
		if e.ROA != nil && (e.State == "roa_not_held") != (len(e.ROA.ROAObjects) == 0) {
			t.Errorf("%s has %d objects", e.ROA, len(e.ROA.ROAObjects))
		}
	}
	w.checkWithoutObjects()
	w.checkDryRun()
	w.checkTry()
}

// checkWithoutObjects asks for the routes alone: all else is the same.
func (w *world) checkWithoutObjects() {
	w.t.Helper()
	delta := `{"added":[{"asn":64497,"prefix":"10.0.0.0/21"}],"removed":[{"asn":64496,"prefix":"10.0.0.0/22","max_length":23}]}`
	for _, request := range [][3]string{
		{"GET", routesOfCA1, ""},
		{"GET", analysisOfCA1 + "/full", ""},
		{"GET", analysisOfCA1 + "/suggest", ""},
		{"POST", analysisOfCA1 + "/suggest", `{"asn":"","ipv4":"10.0.0.0/22","ipv6":""}`},
		{"POST", analysisOfCA1 + "/dryrun", delta},
	} {
		all := w.ask(admin, request[0], request[1], request[2]).ok().body
		bare := w.ask(admin, request[0], request[1]+"?objects=false", request[2]).ok().body
		if strings.Contains(bare, "base64") || !strings.Contains(all, "base64") || signedParts.ReplaceAllString(all, `"roa_objects":[]`) != bare {
			w.t.Errorf("%s: got %s", request[1], bare)
		}
	}
	w.get(routesOfCA1+"?objects=no").fails(http.StatusBadRequest, "general-error")
}

var signedParts = regexp.MustCompile(`"roa_objects":\[\{[^}]*\}[^}]*\}\]`)

// checkDryRun shows what would be, and that nothing is.
func (w *world) checkDryRun() {
	w.t.Helper()
	before := w.get("/api/v1/cas/ca1/routes").header.Get("ETag")
	golden(w.t, "analysis_dryrun", w.post(analysisOfCA1+"/dryrun",
		`{"added":[{"asn":64497,"prefix":"10.0.0.0/21","comment":"new"}],"removed":[{"asn":64496,"prefix":"10.0.0.0/22","max_length":23}]}`).ok().body)
	if got := w.post(analysisOfCA1+"/dryrun", `{"added":[],"removed":[]}`).ok().body; got != `[]` {
		w.t.Errorf("nothing leads to %s", got)
	}
	for _, path := range []string{"/analysis/dryrun", "/try"} {
		w.post("/api/v1/cas/ca1/routes"+path, `{"added":[{"asn":1,"prefix":"11.0.0.0/8"}],"removed":[{"asn":1,"prefix":"10.0.0.0/24"}]}`).
			fails(http.StatusBadRequest, "ca-roa-delta-error")
	}
	if after := w.get("/api/v1/cas/ca1/routes").header.Get("ETag"); after != before {
		w.t.Errorf("the CA went from version %s to %s", before, after)
	}
}

// checkTry makes updates only where nothing would be invalid.
func (w *world) checkTry() {
	w.t.Helper()
	const routes, try = "/api/v1/cas/ca1/routes", "/api/v1/cas/ca1/routes/try"
	before := w.get(routes)
	bad := w.post(try, `{"added":[{"asn":64497,"prefix":"10.0.0.0/21"}],"removed":[]}`).ok()
	golden(w.t, "analysis_advice", bad.body)
	if after := w.get(routes); after.body != before.body || bad.header.Get("ETag") != before.header.Get("ETag") {
		w.t.Errorf("it was made all the same: %s", after.body)
	}
	good := `{"added":[{"asn":64498,"prefix":"2001:db8::/32"}],"removed":[]}`
	w.ask(with("If-Match", `"999"`), "POST", try, good).fails(http.StatusConflict, "version-mismatch")
	made := w.ask(with("If-Match", before.header.Get("ETag")), "POST", try, good)
	made.empty()
	after := w.get(routes)
	if !strings.Contains(after.body, `"2001:db8::/32"`) || made.header.Get("ETag") != after.header.Get("ETag") {
		w.t.Errorf("it was not made: %s", after.body)
	}
	w.labels("cmd-ca-roas-updated")
	w.service.Announcements = nil // then nothing is known to be invalid
	w.post(try, `{"added":[{"asn":64497,"prefix":"10.0.0.0/21"}],"removed":[]}`).empty()
}

func TestRulesOfAnalysis(t *testing.T) {
	w := newWorld(t)
	w.post("/api/v1/cas", `{"handle":"ca1"}`).empty()
	const nothing = `{"added":[],"removed":[]}`
	for path, body := range map[string]string{"/routes/try": nothing, "/routes/analysis/full": "", "/routes/analysis/dryrun": nothing, "/routes/analysis/suggest": `{"asn":"","ipv4":"","ipv6":""}`} {
		method := "POST"
		if body == "" {
			method = "GET"
		}
		w.ask(admin, method, "/api/v1/cas/nope"+path, body).fails(http.StatusNotFound, "ca-unknown")
		w.ask(anybody, method, "/api/v1/cas/ca1"+path, body).fails(http.StatusForbidden, "api-insufficient-rights")
		w.ask(admin, "DELETE", "/api/v1/cas/ca1"+path, "").nothing(http.StatusMethodNotAllowed)
		w.ask(admin, method, "/api/v1/cas/ca1"+path+"/", body).nothing(http.StatusNotFound)
		if body != "" {
			w.ask(admin, method, "/api/v1/cas/ca1"+path, `[]`).fails(http.StatusBadRequest, "api-json")
		}
	}
	w.get("/api/v1/cas/nope/routes/analysis/suggest").fails(http.StatusNotFound, "ca-unknown")
	w.get("/api/v1/cas/ca1/routes/analysis/dryrun").nothing(http.StatusMethodNotAllowed)
	w.get("/api/v1/cas/ca1/routes/analysis").nothing(http.StatusNotFound)

	// A standby answers what changes nothing, and refuses the rest.
	w.role.active = false
	if got := w.post(analysisOfCA1+"/dryrun", nothing).ok().body; got != `[]` {
		t.Errorf("got %s", got)
	}
	if got := w.post(analysisOfCA1+"/suggest", `{"asn":"","ipv4":"","ipv6":""}`).ok().body; got != `{}` {
		t.Errorf("got %s", got)
	}
	w.get(analysisOfCA1 + "/full").ok()
	if a := w.post("/api/v1/cas/ca1/routes/try", nothing); a.status != http.StatusServiceUnavailable {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
