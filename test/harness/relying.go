package harness

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/roa"
)

// VRPs is what a relying party makes of the repository at this moment: the
// validated routes, in the form "10.0.0.0/16-24 => 64496".
func (s *Server) VRPs(ctx context.Context) (map[string]bool, error) {
	p, err := s.Published(ctx)
	if err != nil {
		return nil, err
	}
	return s.Validate(ctx, p)
}

// Validate gives the validated routes of what was published at some moment. It
// walks from the trust anchor down and forgives nothing: an object that is
// missing, not listed, revoked or against its RFC is an error.
func (s *Server) Validate(ctx context.Context, p Published) (map[string]bool, error) {
	anchor, err := s.fetch(ctx, "https://localhost/ta/ta.cer")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if err := profile.CheckTrustAnchor(anchor, now); err != nil {
		return nil, fmt.Errorf("trust anchor: %w", err)
	}
	c, err := cert.Decode(anchor)
	if err != nil {
		return nil, err
	}
	r := relying{now: now, objects: p.Objects, seen: map[string]bool{}, vrps: map[string]bool{}}
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

type relying struct {
	now     time.Time
	objects map[string][]byte
	seen    map[string]bool
	vrps    map[string]bool
}

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
	list, err := r.crl(c, ee, m)
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := r.file(c, list, f); err != nil {
			return err
		}
	}
	return nil
}

// crl gives the CRL of a publication point, which belongs to its manifest.
func (r *relying) crl(c, ee *cert.Certificate, m manifest.Manifest) (*crl.CRL, error) {
	der, err := r.get(ee.CRLDP)
	if err != nil {
		return nil, err
	}
	if err := profile.CheckCRL(der, c, r.now); err != nil {
		return nil, fmt.Errorf("%s: %w", ee.CRLDP, err)
	}
	list, err := crl.Decode(der)
	if err != nil {
		return nil, err
	}
	if list.Number.Cmp(m.Number) != 0 {
		return nil, fmt.Errorf("%s has number %s, its manifest %s", ee.CRLDP, list.Number, m.Number)
	}
	if list.Revoked(ee.Serial) {
		return nil, fmt.Errorf("%s revokes its own manifest", ee.CRLDP)
	}
	return list, nil
}

func (r *relying) file(issuer *cert.Certificate, list *crl.CRL, f manifest.File) error {
	uri := issuer.SIA.Repository + f.Name
	der, err := r.get(uri)
	if err != nil {
		return err
	}
	if sha256.Sum256(der) != f.Hash {
		return fmt.Errorf("%s is not what the manifest lists", uri)
	}
	switch path.Ext(uri) {
	case ".crl":
		return nil
	case ".cer":
		err = r.child(issuer, list, der)
	case ".roa":
		err = r.roa(issuer, list, der)
	default:
		err = fmt.Errorf("an object of an unknown type")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	return nil
}

func (r *relying) child(issuer *cert.Certificate, list *crl.CRL, der []byte) error {
	if err := profile.CheckCACertificate(der, issuer, r.now); err != nil {
		return err
	}
	c, err := cert.Decode(der)
	if err != nil {
		return err
	}
	if list.Revoked(c.Serial) {
		return fmt.Errorf("serial %s is revoked", c.Serial)
	}
	return r.point(c)
}

func (r *relying) roa(issuer *cert.Certificate, list *crl.CRL, der []byte) error {
	if err := profile.CheckROA(der, issuer, r.now); err != nil {
		return err
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
		return fmt.Errorf("serial %s is revoked", ee.Serial)
	}
	payload, err := roa.Decode(obj.Content)
	if err != nil {
		return err
	}
	for _, x := range payload.Prefixes {
		r.vrps[fmt.Sprintf("%s-%d => %d", x.Prefix, x.MaxLength, payload.ASID)] = true
	}
	return nil
}
