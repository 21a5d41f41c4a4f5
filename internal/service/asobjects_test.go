package service_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/fault"
)

// resize changes what a child of testbed holds.
func (w *world) resize(name, as, v4 string) {
	w.T.Helper()
	if err := w.UpdateChildResources(w.T.Context(), operator, "testbed", name, set(as, v4, "")); err != nil {
		w.T.Fatal(err)
	}
	w.Settle()
}

// validated gives the ASPAs and the number of router keys of the world, all of
// which must be valid.
func (w *world) validated() (aspas string, routers int) {
	w.T.Helper()
	valid, err := w.ValidateAll()
	if err != nil {
		w.T.Fatal(err)
	}
	if n := w.Waiting(); n > 0 {
		w.T.Errorf("%d tasks failed", n)
	}
	return strings.Join(slices.Sorted(maps.Keys(valid.ASPAs)), "; "), len(valid.RouterKeys)
}

func TestASPAsFollowConfigurationAndResources(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	want := func(aspas string, files ...string) {
		t.Helper()
		w.Settle()
		if got, _ := w.validated(); got != aspas {
			t.Errorf("valid: %q, want %q", got, aspas)
		}
		if got := w.FilesOf("ca1")[".asa"]; !slices.Equal(got, files) {
			t.Errorf("published: %v, want %v", got, files)
		}
	}
	w.ASPA("ca1", ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{{Customer: 65000, Providers: []uint32{65002, 65003, 65005}}}})
	want("AS65000 => AS65002, AS65003, AS65005", "AS65000.asa")
	w.ASPA("ca1", ca.ConfigureASPAs{Remove: []uint32{65000}, AddOrReplace: []ca.ASPA{{Customer: 65000, Providers: []uint32{65002, 65009}}}})
	want("AS65000 => AS65002, AS65009", "AS65000.asa")
	w.ASPA("ca1", ca.UpdateASPA{Customer: 65000, Added: []uint32{65006}, Removed: []uint32{65002}})
	want("AS65000 => AS65006, AS65009", "AS65000.asa")

	// The parent takes the AS back: the object goes, the configuration stays.
	w.resize("ca1", "", "10.0.0.0/16")
	want("")
	if st := w.State("ca1"); len(st.ASPAs) != 1 {
		t.Errorf("configured: %v", st.ASPAs)
	}
	w.resize("ca1", "AS65000", "10.0.0.0/16")
	want("AS65000 => AS65006, AS65009", "AS65000.asa")

	w.ASPA("ca1", ca.UpdateASPA{Customer: 65000, Removed: []uint32{65006, 65009}})
	want("")
	if _, err := w.ConfigureASPAs(t.Context(), operator, "nobody", ca.ConfigureASPAs{}, nil); fault.Code(err) != "ca-unknown" {
		t.Errorf("an unknown CA: %v", err)
	}
}

func TestRouterCertificatesFollowConfigurationAndResources(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	csr := routerCSR(t)
	if _, err := w.ConfigureRouterKeys(t.Context(), operator, "ca1", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 65001, CSR: csr}}}, nil); fault.Code(err) != "ca-bgpsec-not-entitled" {
		t.Errorf("for an AS that is not held: %v", err)
	}
	want := func(n int) {
		t.Helper()
		w.Settle()
		if _, got := w.validated(); got != n {
			t.Errorf("%d router keys are valid, want %d", got, n)
		}
	}
	w.Router("ca1", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 65000, CSR: csr}, {ASID: 65000, CSR: routerCSR(t)}}})
	want(2)
	w.resize("ca1", "AS65001", "10.0.0.0/16")
	want(0)
	if st := w.State("ca1"); len(st.RouterKeys) != 2 {
		t.Errorf("configured: %v", st.RouterKeys)
	}
	w.resize("ca1", "AS65000-AS65001", "10.0.0.0/16")
	want(2)
	var all []ca.RouterKey
	for _, r := range w.keysOf("ca1") {
		all = append(all, r.Router)
	}
	w.Router("ca1", ca.ConfigureRouterKeys{Remove: all})
	want(0)
}

func (w *world) keysOf(name string) []ca.ConfiguredRouterKey {
	st := w.State(name)
	return st.SortedRouterKeys()
}

// What comes close to its expiry is issued again, and what it replaces revoked.
func TestASObjectsAreRenewed(t *testing.T) {
	w := newWorld(t)
	w.Config.Policy.ASPAValid, w.Config.Policy.ASPARenewBefore = 3*week, week
	w.Config.Policy.RouterValid, w.Config.Policy.RouterRenewBefore = 5*week, week
	w.Start()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.ASPA("ca1", ca.UpdateASPA{Customer: 65000, Added: []uint32{65001}})
	w.Router("ca1", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 65000, CSR: routerCSR(t)}}})
	w.Settle()
	first := w.issued("ca1")
	for range 4 { // in less than two weeks nothing is due
		w.Pass(3 * 24 * time.Hour)
		w.Settle()
	}
	if again := w.issued("ca1"); again != first {
		t.Errorf("renewed too early: %v, then %v", first, again)
	}
	w.Pass(3 * 24 * time.Hour)
	w.Settle()
	second := w.issued("ca1")
	if second[0] == first[0] || second[1] != first[1] {
		t.Errorf("after 15 days: %v, then %v", first, second)
	}
	for range 5 {
		w.Pass(3 * 24 * time.Hour)
		w.Settle()
	}
	if third := w.issued("ca1"); third[1] == first[1] {
		t.Errorf("after 30 days: %v, then %v", first, third)
	}
	if aspas, routers := w.validated(); aspas == "" || routers != 1 {
		t.Errorf("valid: %q, %d router keys", aspas, routers)
	}
	w.lastRevoked("ca1", second[0], first[1])
}

// issued gives the serial numbers of the ASPA and the router certificate.
func (w *world) issued(name string) (serials [2]string) {
	class := w.State(name).Classes["0"]
	for _, a := range class.ASPAs {
		serials[0] = a.Serial
	}
	for _, r := range class.RouterCerts {
		serials[1] = r.Serial
	}
	return serials
}

// lastRevoked wants these serial numbers on the CRL of a CA; the relying party
// of the tests has checked that the CRL is the one of the manifest.
func (w *world) lastRevoked(name string, serials ...string) {
	w.T.Helper()
	st := w.State(name)
	var revoked []string
	for _, p := range st.Points(w.Now()) {
		for _, r := range p.Revoked {
			revoked = append(revoked, r.Serial)
		}
	}
	for _, s := range serials {
		if !slices.Contains(revoked, s) {
			w.T.Errorf("%s is not revoked: %v", s, revoked)
		}
	}
}

// A large job is recorded in parts, and what is withdrawn goes with the first.
func TestManyASPAs(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS65000-AS65104", "", ""))
	var cmd ca.ConfigureASPAs
	for i := range uint32(105) {
		cmd.AddOrReplace = append(cmd.AddOrReplace, ca.ASPA{Customer: 65000 + i, Providers: []uint32{1, 2}})
	}
	w.ASPA("ca1", cmd)
	w.Settle()
	if got := w.FilesOf("ca1")[".asa"]; len(got) != 105 {
		t.Fatalf("%d are published", len(got))
	}
	var parts []int
	rows, err := w.DB.Query(t.Context(), "SELECT jsonb_array_length(payload -> 'issued') FROM es_event WHERE name = 'aspas_issued/1' ORDER BY version")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, n)
	}
	if rows.Err() != nil || !slices.Equal(parts, []int{100, 5}) {
		t.Errorf("parts %v, %v", parts, rows.Err())
	}
	if aspas, _ := w.validated(); strings.Count(aspas, "=>") != 105 {
		t.Errorf("valid: %s", aspas)
	}
}
