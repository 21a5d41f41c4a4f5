package service_test

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/relying"
)

// A check that finds nothing wrong is worth something only if it finds what is
// wrong.
func TestRelyingPartyForgivesNothing(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.ASPA("ca1", ca.UpdateASPA{Customer: 64496, Added: []uint32{65001}})
	w.Router("ca1", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: routerCSR(t)}}})
	w.Settle()
	good, err := w.Repository()
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := w.TA().Certificate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if all, err := relying.ValidateAll(w.Now(), anchor, good); err != nil || len(all.VRPs) != 1 || len(all.ASPAs) != 1 || len(all.RouterKeys) != 1 {
		t.Fatalf("the repository as it is: %v, %v", all, err)
	}
	for uri := range good {
		missing := maps.Clone(good)
		delete(missing, uri)
		if _, err := relying.Validate(w.Now(), anchor, missing); err == nil {
			t.Errorf("not noticed: %s is missing", uri)
		}
		damaged := maps.Clone(good)
		damaged[uri] = bytes.Clone(good[uri])
		damaged[uri][len(damaged[uri])-1] ^= 1
		if _, err := relying.Validate(w.Now(), anchor, damaged); err == nil {
			t.Errorf("not noticed: a bit of %s is wrong", uri)
		}
	}
	extra := maps.Clone(good)
	extra["rsync://localhost/repo/ca1/0/more.roa"] = []byte{0x30, 0}
	if _, err := relying.Validate(w.Now(), anchor, extra); err == nil {
		t.Error("not noticed: an object that no manifest lists")
	}
	if _, err := relying.Validate(w.Now().Add(48*time.Hour), anchor, good); err == nil {
		t.Error("not noticed: everything is stale")
	}
}
