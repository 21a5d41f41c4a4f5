package service_test

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"path"
	"strings"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/roa"
)

// relying is a small relying party: it walks from the trust anchor down
// everything that is published and finds nothing to forgive.
type relying struct {
	now     time.Time
	objects map[string][]byte // by URI
	seen    map[string]bool
	vrps    map[string]bool // "10.0.0.0/16-24 => 64496"
}

// validate gives the VRPs of the whole repository, or says what is wrong.
func (w *world) validate() (map[string]bool, error) {
	w.t.Helper()
	r := relying{now: w.now(), objects: map[string][]byte{}, seen: map[string]bool{}, vrps: map[string]bool{}}
	publishers, err := w.Pubs.Publishers(w.t.Context())
	if err != nil {
		return nil, err
	}
	for _, p := range publishers {
		files, err := w.Pubs.Files(w.t.Context(), p)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			r.objects[f.URI] = f.DER
		}
	}
	root, err := w.TACertificate(w.t.Context())
	if err != nil {
		return nil, err
	}
	if err := profile.CheckTrustAnchor(root, r.now); err != nil {
		return nil, err
	}
	c, err := cert.Decode(root)
	if err != nil {
		return nil, err
	}
	if err := r.point(c); err != nil {
		return nil, err
	}
	for uri := range r.objects {
		if !r.seen[uri] {
			return nil, fmt.Errorf("%s is published, but no manifest lists it", uri)
		}
	}
	return r.vrps, nil
}

// get gives an object, which must be there.
func (r *relying) get(uri string) ([]byte, error) {
	der, ok := r.objects[uri]
	if !ok {
		return nil, fmt.Errorf("%s is missing", uri)
	}
	r.seen[uri] = true
	return der, nil
}

// point validates the publication point of a CA certificate.
func (r *relying) point(c *cert.Certificate) error {
	der, err := r.get(c.SIA.Manifest)
	if err != nil {
		return err
	}
	if err := profile.CheckManifest(der, c, r.now); err != nil {
		return fmt.Errorf("%s: %w", c.SIA.Manifest, err)
	}
	obj, err := cms.Decode(der)
	if err != nil {
		return err
	}
	m, err := manifest.Decode(obj.Content)
	if err != nil {
		return err
	}
	ee, err := cert.Decode(obj.EE)
	if err != nil {
		return err
	}
	list, err := r.crl(c, ee.CRLDP, m)
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := r.file(c, list, c.SIA.Repository+f.Name, f.Hash); err != nil {
			return err
		}
	}
	return nil
}

func (r *relying) crl(c *cert.Certificate, uri string, m manifest.Manifest) (*crl.CRL, error) {
	der, err := r.get(uri)
	if err != nil {
		return nil, err
	}
	if err := profile.CheckCRL(der, c, r.now); err != nil {
		return nil, fmt.Errorf("%s: %w", uri, err)
	}
	list, err := crl.Decode(der)
	if err != nil {
		return nil, err
	}
	if list.Number.Cmp(m.Number) != 0 {
		return nil, fmt.Errorf("%s has number %s, its manifest %s", uri, list.Number, m.Number)
	}
	return list, nil
}

func (r *relying) file(issuer *cert.Certificate, list *crl.CRL, uri string, hash [32]byte) error {
	der, err := r.get(uri)
	if err != nil {
		return err
	}
	if sha256.Sum256(der) != hash {
		return fmt.Errorf("%s is not what the manifest lists", uri)
	}
	switch path.Ext(uri) {
	case ".crl":
		return nil
	case ".cer":
		return r.child(issuer, list, uri, der)
	case ".roa":
		return r.roa(issuer, list, uri, der)
	default:
		return fmt.Errorf("%s is of an unknown type", uri)
	}
}

func (r *relying) child(issuer *cert.Certificate, list *crl.CRL, uri string, der []byte) error {
	if err := profile.CheckCACertificate(der, issuer, r.now); err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	c, err := cert.Decode(der)
	if err != nil {
		return err
	}
	if list.Revoked(c.Serial) {
		return fmt.Errorf("%s is revoked", uri)
	}
	if _, ok := r.objects[c.SIA.Manifest]; !ok {
		return fmt.Errorf("%s has no manifest at %s", uri, c.SIA.Manifest)
	}
	return r.point(c)
}

func (r *relying) roa(issuer *cert.Certificate, list *crl.CRL, uri string, der []byte) error {
	if err := profile.CheckROA(der, issuer, r.now); err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	obj, err := cms.Decode(der)
	if err != nil {
		return err
	}
	ee, err := cert.Decode(obj.EE)
	if err != nil {
		return err
	}
	if list.Revoked(ee.Serial) {
		return fmt.Errorf("%s is revoked", uri)
	}
	if !strings.EqualFold(ee.SIA.SignedObject, uri) {
		return fmt.Errorf("%s says that it is %s", uri, ee.SIA.SignedObject)
	}
	payload, err := roa.Decode(obj.Content)
	if err != nil {
		return err
	}
	for _, p := range payload.Prefixes {
		r.vrps[ca.ROA{ASID: payload.ASID, Prefix: p.Prefix, MaxLength: p.MaxLength}.String()] = true
	}
	return nil
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
