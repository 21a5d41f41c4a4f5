package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/api"
	"baleen/internal/testdb"
)

// fewROAs has an object for each AS where a CA has more than three routes.
var fewROAs = []string{"BALEEN_ROA_AGGREGATE_THRESHOLD=3", "BALEEN_ROA_DEAGGREGATE_THRESHOLD=2"}

// The life of CAs on one server, told as an operator sees it over HTTPS: after
// each step exactly the files that must be published are, and all of them are
// valid.
func TestScenarios(t *testing.T) {
	ctx := bounded(t)
	server := newServer(t, testdb.URL(t))
	server.TLS, server.Env = true, slices.Clone(fewROAs)
	mustStart(ctx, t, server)
	for _, scenario := range []struct {
		name string
		play func(stage)
	}{
		{"T13 testbed", everybodysTestbed}, // first: nobody else is there
		{"T1 parent and child", parentAndChild},
		{"T2 key roll", keyRoll},
		{"T3 ROAs", roas},
		{"T4 ASPAs", aspas},
		{"T5 BGPsec", routers},
		{"D25 history by time", historyByTime},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			s := stage{operator{Server: server, ctx: ctx, t: t}}
			scenario.play(s)
			s.valid()
		})
	}
	verifyLog(ctx, t, server)
}

// parentAndChild is a hierarchy of four levels, in which a CA has two parents
// and its child gets certificates in two classes.
func parentAndChild(s stage) {
	top := holds{ASN: "AS65000-AS65001", IPv4: "10.0.0.0/15"}
	first, second, part := holds{ASN: "AS65000", IPv4: "10.0.0.0/16"}, holds{ASN: "AS65001", IPv4: "10.1.0.0/16"}, holds{ASN: "AS65001", IPv4: "10.1.0.0/24"}
	s.cast("t1", "testbed", top)
	s.cast("t1-1", "t1", first)
	s.cast("t1-2", "t1", second)
	cert := func(ca, class string) []string { return []string{"0/" + s.active(ca, class).IncomingCert.Name} }
	s.publishes("t1", ownOf("0", s.active("t1", "0")), cert("t1-1", "0"), cert("t1-2", "0"))

	s.cast("t1-3", "t1-1", first)
	s.publishes("t1-1", ownOf("0", s.active("t1-1", "0")), cert("t1-3", "0"))
	s.under("t1-3", "t1-2", part, s)
	s.publishes("t1-2", ownOf("0", s.active("t1-2", "0")), cert("t1-3", "1"))

	s.cast("t1-4", "t1-3", holds{ASN: "AS65000", IPv4: "10.0.0.0-10.1.0.255"})
	of4 := func(class string) []string { return []string{class + "/" + s.active("t1-4", class).IncomingCert.Name} }
	s.publishes("t1-3", ownOf("0", s.active("t1-3", "0")), ownOf("1", s.active("t1-3", "1")), of4("0"), of4("1"))
	s.publishes("t1-4", ownOf("0", s.active("t1-4", "0")), ownOf("1", s.active("t1-4", "1")))

	s.roll("t1-1", "init")
	both := s.rolling("t1-1", "0")
	s.publishes("t1-1", ownOf("0", both.ActiveKey), cert("t1-3", "0"), ownOf("0", both.NewKey))
	s.valid()
	s.roll("t1-1", "activate")
	if now := s.active("t1-1", "0"); now.KeyID != both.NewKey.KeyID {
		s.t.Errorf("the active key is %s, want the new one, %s", now.KeyID, both.NewKey.KeyID)
	}
	s.publishes("t1-1", ownOf("0", both.NewKey), cert("t1-3", "0"))

	s.done(http.MethodDelete, "/api/v1/cas/t1-4/parents/t1-3", nil)
	s.done(http.MethodDelete, "/api/v1/cas/t1-3/children/t1-4", nil)
	s.settle()
	s.publishes("t1-4")
	s.publishes("t1-3", ownOf("0", s.active("t1-3", "0")), ownOf("1", s.active("t1-3", "1")))
	s.under("t1-4", "t1-3", holds{ASN: "AS65000", IPv4: "10.0.0.0-10.1.0.255"}, s)
	s.wants("classes of the CA that came back", s.classes("t1-4"), "2", "3")

	s.done(http.MethodDelete, "/api/v1/cas/t1-3", nil)
	s.settle()
	s.refused(http.MethodGet, "/api/v1/cas/t1-3", nil, http.StatusNotFound, `{"label":"ca-unknown","msg":"CA 't1-3' is unknown","args":{"ca":"t1-3"}}`)
	s.publishes("t1-3")
	s.publishes("t1-1", ownOf("0", s.active("t1-1", "0")))
	if rows := rowsOf(s, "t1-3"); rows != 0 {
		s.t.Errorf("%d objects of the CA that is gone are kept as its own", rows)
	}
	s.done(http.MethodDelete, "/api/v1/cas/t1-4", nil) // what it publishes is nobody's any more
	s.settle()
	s.publishes("t1-4")
}

// keyRoll counts the manifests of a CA with one object of each kind.
func keyRoll(s stage) {
	res := holds{ASN: "AS65000", IPv4: "10.0.0.0/16"}
	s.cast("t2", "testbed", res)
	key := s.active("t2", "0")
	s.lists("t2", "0", key, "1")
	s.cast("t2-1", "t2", res)
	files := []string{s.active("t2-1", "0").IncomingCert.Name}
	s.lists("t2", "0", key, "2", files...)
	const route = "10.0.0.0/16-16 => 64496"
	s.routes("t2", []string{route}, nil)
	files = append(files, simple(route)[2:])
	s.lists("t2", "0", key, "3", files...)
	s.done(http.MethodPost, "/api/v1/cas/t2/aspas", `{"add_or_replace":[{"customer":65000,"providers":[65002,65003,65005]}],"remove":[]}`)
	s.settle()
	files = append(files, "AS65000.asa")
	s.lists("t2", "0", key, "4", files...)
	files = append(files, strings.TrimPrefix(s.addRouter("t2", 65000), "0/"))
	s.lists("t2", "0", key, "5", files...)

	s.roll("t2", "init")
	both := s.rolling("t2", "0")
	s.lists("t2", "0", both.NewKey, "1")
	s.lists("t2", "0", both.ActiveKey, "5", files...)
	s.done(http.MethodPost, "/api/v1/bulk/cas/force_publish", nil)
	s.settle()
	s.lists("t2", "0", both.ActiveKey, "6", files...)
	s.lists("t2", "0", both.NewKey, "2")
	s.roll("t2", "activate")
	now := s.active("t2", "0")
	if now.KeyID != both.NewKey.KeyID {
		s.t.Errorf("the active key is %s, want the new one, %s", now.KeyID, both.NewKey.KeyID)
	}
	s.lists("t2", "0", now, "3", files...)
	s.publishes("t2", ownOf("0", now), below("0/", files))
}

// rowsOf counts what the database keeps as a CA's own to publish.
func rowsOf(s stage, ca string) (n int) {
	s.t.Helper()
	db, err := pgx.Connect(s.ctx, s.Database)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close(s.ctx) }()
	const query = `SELECT (SELECT count(*) FROM ca_object o JOIN es_stream s ON s.id = o.stream_id WHERE s.handle = $1)
		+ (SELECT count(*) FROM ca_manifest m JOIN es_stream s ON s.id = m.stream_id WHERE s.handle = $1)`
	if err := db.QueryRow(s.ctx, query, ca).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func below(dir string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = dir + n
	}
	return out
}

// roas goes from one object for each route to one for each AS and back, and
// loses a route with the resources.
func roas(s stage) {
	const a, b, c, d, e = "10.0.0.0/16-16 => 64496", "10.0.0.0/16-16 => 64497", "10.1.0.0/24-24 => 64496", "10.0.0.0/24-24 => 64496", "10.0.0.0/24-24 => 64497"
	whole, less := holds{ASN: "AS65000", IPv4: "10.0.0.0/8"}, holds{ASN: "AS65000", IPv4: "10.0.0.0/16"}
	s.cast("t3", "testbed", whole)
	mine := ownOf("0", s.active("t3", "0"))
	three := []string{a, b, c + " # will be shrunk"}
	s.routes("t3", three, nil)
	s.wants("configured", s.configured("t3"), three...)
	s.publishes("t3", mine, []string{simple(a), simple(b), simple(c)})
	s.resize("testbed", "t3", less)
	s.wants("configured, though not held", s.configured("t3"), three...)
	s.publishes("t3", mine, []string{simple(a), simple(b)})
	s.resize("testbed", "t3", whole)
	s.publishes("t3", mine, []string{simple(a), simple(b), simple(c)})
	s.routes("t3", []string{d, e}, nil)
	s.publishes("t3", mine, []string{"0/AS64496.roa", "0/AS64497.roa"})
	s.routes("t3", nil, []string{b, c, d, e})
	s.publishes("t3", mine, []string{simple(a)})
	if answer := s.ask(http.MethodGet, "/rrdp/", nil); answer.Status != http.StatusNotFound {
		s.t.Errorf("GET rrdp/: got %s", show(answer))
	}
}

// aspas has a definition refused, made, changed and removed.
func aspas(s stage) {
	s.cast("t4", "testbed", holds{ASN: "AS65000", IPv4: "10.0.0.0/16"})
	mine, object := ownOf("0", s.active("t4", "0")), []string{"0/AS65000.asa"}
	const path, one = "/api/v1/cas/t4/aspas", "/api/v1/cas/t4/aspas/as/AS65000"
	has := func(providers string) {
		s.t.Helper()
		s.settle()
		if providers == "" {
			s.shows(path, `[]`)
			s.publishes("t4", mine)
			return
		}
		s.shows(path, `[{"customer":65000,"providers":[`+providers+`]}]`)
		s.publishes("t4", mine, object)
	}
	define := func(providers string) string {
		return `{"add_or_replace":[{"customer":65000,"providers":[` + providers + `]}],"remove":[]}`
	}
	s.refused(http.MethodPost, path, define(""), http.StatusBadRequest, `{"label":"ca-aspa-provider-as-empty","msg":"~.+","args":{"asn":"AS65000","ca":"t4"}}`)
	s.refused(http.MethodPost, path, define("65000,65003,65005"), http.StatusBadRequest, `{"label":"ca-aspa-customer-as-provider","msg":"~.+","args":{"asn":"AS65000","ca":"t4"}}`)
	has("")
	s.done(http.MethodPost, path, define("65002,65003,65005"))
	has("65002,65003,65005")
	s.done(http.MethodPost, one, `{"added":[65006],"removed":[65002]}`)
	has("65003,65005,65006")
	s.refused(http.MethodPost, one, `{"added":[65000],"removed":[]}`, http.StatusBadRequest, `{"label":"ca-aspa-customer-as-provider","msg":"~.+","args":{"asn":"AS65000","ca":"t4"}}`)
	has("65003,65005,65006")
	s.done(http.MethodPost, one, `{"added":[],"removed":[65003,65005,65006]}`)
	has("")
	s.done(http.MethodPost, one, `{"added":[65003,65005,65006],"removed":[]}`)
	has("65003,65005,65006")
	s.done(http.MethodPost, one, `{"added":[65002,65005],"removed":[65006,65007]}`)
	has("65002,65003,65005")
	s.done(http.MethodDelete, one, nil)
	has("")
}

// routers has a router's key refused, certified, lost with its AS, and back.
func routers(s stage) {
	whole, less := holds{ASN: "AS65000", IPv4: "10.0.0.0/16"}, holds{IPv4: "10.0.0.0/16"}
	s.cast("t5", "testbed", whole)
	mine := ownOf("0", s.active("t5", "0"))
	const path = "/api/v1/cas/t5/bgpsec"
	s.refused(http.MethodPost, path, api.RouterKeyUpdates{Add: []api.RouterCSR{{ASN: 65001, CSR: routerRequest(s.t)}}, Remove: []string{}},
		http.StatusBadRequest, `{"label":"ca-bgpsec-not-entitled","msg":"~.+","args":{"asn":"AS65001","ca":"t5"}}`)
	name := s.addRouter("t5", 65000)
	s.publishes("t5", mine, []string{name})
	definition := string(s.get(path))
	s.resize("testbed", "t5", less)
	s.publishes("t5", mine)
	s.shows(path, definition)
	s.resize("testbed", "t5", whole)
	s.publishes("t5", mine, []string{name})
	s.done(http.MethodPost, path, api.RouterKeyUpdates{Add: []api.RouterCSR{}, Remove: []string{strings.TrimSuffix(strings.TrimPrefix(name, "0/"), ".cer")}})
	s.settle()
	s.shows(path, `[]`)
	s.publishes("t5", mine)
}

// historyByTime narrows the history by times in seconds, as people and scripts
// write them, and in milliseconds.
func historyByTime(s stage) {
	s.cast("d25", "testbed", holds{ASN: "AS65000"})
	total := func(limits string) (n int) {
		s.t.Helper()
		var page struct {
			Total int `json:"total"`
		}
		s.read("/api/v1/cas/d25/history/commands/100/0/"+limits, &page)
		return page.Total
	}
	all := total("0")
	if all < 4 {
		s.t.Fatalf("the history has %d commands", all)
	}
	before, after := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for limits, want := range map[string]int{
		fmt.Sprint(before.Unix()):                                   all,
		fmt.Sprint(before.UnixMilli()):                              all,
		fmt.Sprint(after.Unix()):                                    0,
		fmt.Sprint(after.UnixMilli()):                               0,
		fmt.Sprintf("0/%d", before.Unix()):                          0,
		fmt.Sprintf("0/%d", before.UnixMilli()):                     0,
		fmt.Sprintf("%d/%d", before.Unix(), after.Unix()):           all,
		fmt.Sprintf("%d/%d", before.UnixMilli(), after.UnixMilli()): all,
	} {
		if got := total(limits); got != want {
			s.t.Errorf("after and before %s: %d commands, want %d", limits, got, want)
		}
	}
}

// addRouter makes a router's key known and gives the file of its certificate.
func (s stage) addRouter(ca string, asn uint32) string {
	s.t.Helper()
	s.done(http.MethodPost, "/api/v1/cas/"+ca+"/bgpsec", api.RouterKeyUpdates{Add: []api.RouterCSR{{ASN: asn, CSR: routerRequest(s.t)}}, Remove: []string{}})
	s.settle()
	var keys []api.RouterKey
	s.read("/api/v1/cas/"+ca+"/bgpsec", &keys)
	if len(keys) != 1 || keys[0].ASN != asn {
		s.t.Fatalf("the routers' keys are %+v", keys)
	}
	return fmt.Sprintf("0/ROUTER-%08X-%s.cer", asn, keys[0].KeyIdentifier)
}

// routerRequest makes a router's certificate request (RFC 8209 section 3.2).
func routerRequest(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "router"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
