package service_test

import (
	"bytes"
	"maps"
	"math/big"
	"path"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/relying"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/manifest"
)

// validate gives the VRPs of the whole repository, or says what is wrong.
func (w *world) validate() (map[string]bool, error) {
	w.t.Helper()
	valid, err := w.validateAll()
	return valid.VRPs, err
}

// validateAll gives ASPAs and router keys too.
func (w *world) validateAll() (relying.Payloads, error) {
	w.t.Helper()
	objects, err := w.objects()
	if err != nil {
		return relying.Payloads{}, err
	}
	anchor, err := w.TACertificate(w.t.Context())
	if err != nil {
		return relying.Payloads{}, err
	}
	return relying.ValidateAll(w.now(), anchor, objects)
}

// objects gives everything that is published, by URI.
func (w *world) objects() (map[string][]byte, error) {
	w.t.Helper()
	publishers, err := w.Pubs.Publishers(w.t.Context())
	if err != nil {
		return nil, err
	}
	objects := map[string][]byte{}
	for _, p := range publishers {
		files, err := w.Pubs.Files(w.t.Context(), p)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			objects[f.URI] = f.DER
		}
	}
	return objects, nil
}

// A check that finds nothing wrong is worth something only if it finds what is
// wrong.
func TestRelyingPartyForgivesNothing(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	if err := w.configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.aspa("ca1", ca.UpdateASPA{Customer: 64496, Added: []uint32{65001}})
	w.router("ca1", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: routerCSR(t)}}})
	w.settle()
	good, err := w.objects()
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := w.TACertificate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if all, err := relying.ValidateAll(w.now(), anchor, good); err != nil || len(all.VRPs) != 1 || len(all.ASPAs) != 1 || len(all.RouterKeys) != 1 {
		t.Fatalf("the repository as it is: %v, %v", all, err)
	}
	for uri := range good {
		missing := maps.Clone(good)
		delete(missing, uri)
		if _, err := relying.Validate(w.now(), anchor, missing); err == nil {
			t.Errorf("not noticed: %s is missing", uri)
		}
		damaged := maps.Clone(good)
		damaged[uri] = bytes.Clone(good[uri])
		damaged[uri][len(damaged[uri])-1] ^= 1
		if _, err := relying.Validate(w.now(), anchor, damaged); err == nil {
			t.Errorf("not noticed: a bit of %s is wrong", uri)
		}
	}
	extra := maps.Clone(good)
	extra["rsync://localhost/repo/ca1/0/more.roa"] = []byte{0x30, 0}
	if _, err := relying.Validate(w.now(), anchor, extra); err == nil {
		t.Error("not noticed: an object that no manifest lists")
	}
	if _, err := relying.Validate(w.now().Add(48*time.Hour), anchor, good); err == nil {
		t.Error("not noticed: everything is stale")
	}
}

// manifestNumber gives the number of the newest manifest of a CA's first class.
func (w *world) manifestNumber(name string) int64 {
	w.t.Helper()
	files, err := w.Pubs.Files(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	newest := big.NewInt(-1)
	for _, f := range files {
		if path.Ext(f.URI) != ".mft" {
			continue
		}
		obj, err := cms.Decode(f.DER)
		if err != nil {
			w.t.Fatal(err)
		}
		m, err := manifest.Decode(obj.Content)
		if err != nil {
			w.t.Fatal(err)
		}
		newest = m.Number
	}
	return newest.Int64()
}
