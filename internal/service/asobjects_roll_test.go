package service_test

import (
	"slices"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/service"
)

// A roll takes ASPAs and router certificates along (RFC 6489 section 2): at
// every step all is valid, names stay, and what the old key signed is revoked.
func TestKeyRollTakesASObjectsAlong(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000-AS65001", "10.0.0.0/16", ""))
	w.ASPA("ca1", ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{{Customer: 65000, Providers: []uint32{65002, 65003, 65005}}}})
	w.Router("ca1", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 65000, CSR: routerCSR(t)}}})
	w.Settle()
	want := func(when, aspas string, routers int) {
		t.Helper()
		if got, n := w.validated(); got != aspas || n != routers {
			t.Errorf("%s: valid are %q and %d router keys", when, got, n)
		}
		if findings, infos := w.Verify(); len(findings)+len(infos) > 0 {
			t.Errorf("%s: findings %q, infos %q", when, findings, infos)
		}
	}
	const first = "AS65000 => AS65002, AS65003, AS65005"
	want("before", first, 1)
	before, old := w.FilesOf("ca1"), w.State("ca1").Classes["0"].Current.KeyID

	if err := w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	want("staged", first, 1)
	w.ASPA("ca1", ca.UpdateASPA{Customer: 65001, Added: []uint32{65000}})
	w.Settle()
	want("changed while staged", first+"; AS65001 => AS65000", 1)

	if err := w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	w.ASPA("ca1", ca.UpdateASPA{Customer: 65001, Removed: []uint32{65000}})
	w.Settle()
	want("activated", first, 1)
	class := w.State("ca1").Classes["0"]
	if class.Current.KeyID == old || class.New != nil || class.Old != nil || len(class.ASPAs) != 1 || len(class.RouterCerts) != 1 {
		t.Errorf("got key %s, %v, %v", class.Current.KeyID, class.ASPAs, class.RouterCerts)
	}
	after := w.FilesOf("ca1")
	for _, ext := range []string{".asa", ".cer"} {
		if !slices.Equal(before[ext], after[ext]) {
			t.Errorf("names changed from %v to %v", before, after)
		}
	}
}
