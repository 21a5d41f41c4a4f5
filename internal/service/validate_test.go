package service_test

import (
	"math/big"
	"path"

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
