package testworld

import (
	"math/big"
	"path"

	"baleen/internal/relying"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/manifest"
)

// Validate gives the VRPs of the whole repository, or says what is wrong.
func (w *World) Validate() (map[string]bool, error) {
	w.T.Helper()
	valid, err := w.ValidateAll()
	return valid.VRPs, err
}

// ValidateAll gives ASPAs and router keys too.
func (w *World) ValidateAll() (relying.Payloads, error) {
	w.T.Helper()
	objects, err := w.Repository()
	if err != nil {
		return relying.Payloads{}, err
	}
	anchor, err := w.TA().Certificate(w.T.Context())
	if err != nil {
		return relying.Payloads{}, err
	}
	return relying.ValidateAll(w.Now(), anchor, objects)
}

// Repository gives everything that is published, by URI.
func (w *World) Repository() (map[string][]byte, error) {
	w.T.Helper()
	publishers, err := w.Pubs.Publishers(w.T.Context())
	if err != nil {
		return nil, err
	}
	objects := map[string][]byte{}
	for _, p := range publishers {
		files, err := w.Pubs.Files(w.T.Context(), p)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			objects[f.URI] = f.DER
		}
	}
	return objects, nil
}

// ManifestNumber gives the number of the newest manifest of a CA's first class.
func (w *World) ManifestNumber(name string) int64 {
	w.T.Helper()
	files, err := w.Pubs.Files(w.T.Context(), name)
	if err != nil {
		w.T.Fatal(err)
	}
	newest := big.NewInt(-1)
	for _, f := range files {
		if path.Ext(f.URI) != ".mft" {
			continue
		}
		obj, err := cms.Decode(f.DER)
		if err != nil {
			w.T.Fatal(err)
		}
		m, err := manifest.Decode(obj.Content)
		if err != nil {
			w.T.Fatal(err)
		}
		newest = m.Number
	}
	return newest.Int64()
}
