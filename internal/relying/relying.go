// Package relying is a small relying party: it walks from the trust anchor down
// everything that is published, and forgives nothing. Tests and checks use it
// where independent validators would be too slow or are not there.
package relying

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path"
	"strings"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/aspa"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/roa"
	"baleen/internal/rpki/tak"
)

// party is one walk.
type party struct {
	now     time.Time
	objects map[string][]byte // by URI
	seen    map[string]bool
	valid   Payloads
}

// Payloads is what is validated, in the text forms of package ca.
type Payloads struct {
	VRPs       map[string]bool // "10.0.0.0/16-24 => 64496"
	ASPAs      map[string]bool // "AS65000 => AS65002, AS65003"
	RouterKeys map[string]bool // "ROUTER-0000FDE8-" and the key identifier
	Contacts   map[string]bool // "FN:" and the name that a Ghostbusters record has
	Keys       map[string]bool // identifier of a trust anchor's key and, where it says so, " => " and that of its successor
}

// Validate gives the validated routes of a repository at a time, in the form
// "10.0.0.0/16-24 => 64496". An object (by URI) that is missing, listed by no
// manifest, revoked or against its RFC is an error.
func Validate(now time.Time, anchor []byte, objects map[string][]byte) (map[string]bool, error) {
	valid, err := ValidateAll(now, anchor, objects)
	return valid.VRPs, err
}

// ValidateAll is Validate and gives what else is validated too.
func ValidateAll(now time.Time, anchor []byte, objects map[string][]byte) (Payloads, error) {
	if err := profile.CheckTrustAnchor(anchor, now); err != nil {
		return Payloads{}, fmt.Errorf("trust anchor: %w", err)
	}
	c, err := cert.Decode(anchor)
	if err != nil {
		return Payloads{}, err
	}
	p := party{now: now, objects: objects, seen: map[string]bool{}, valid: Payloads{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}}
	if err := p.point(c); err != nil {
		return Payloads{}, err
	}
	for uri := range objects {
		if !p.seen[uri] {
			return Payloads{}, fmt.Errorf("%s is published, but no manifest lists it", uri)
		}
	}
	return p.valid, nil
}

// get gives an object, which must be there.
func (p *party) get(uri string) ([]byte, error) {
	der, ok := p.objects[uri]
	if !ok {
		return nil, fmt.Errorf("%s is missing", uri)
	}
	p.seen[uri] = true
	return der, nil
}

// point validates the publication point of a CA certificate.
func (p *party) point(c *cert.Certificate) error {
	der, err := p.get(c.SIA.Manifest)
	if err != nil {
		return err
	}
	if err := profile.CheckManifest(der, c, p.now); err != nil {
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
	list, err := p.crl(c, ee.CRLDP, m)
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := p.file(c, list, c.SIA.Repository+f.Name, f.Hash); err != nil {
			return err
		}
	}
	return nil
}

func (p *party) crl(c *cert.Certificate, uri string, m manifest.Manifest) (*crl.CRL, error) {
	der, err := p.get(uri)
	if err != nil {
		return nil, err
	}
	if err := profile.CheckCRL(der, c, p.now); err != nil {
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

func (p *party) file(issuer *cert.Certificate, list *crl.CRL, uri string, hash [32]byte) error {
	der, err := p.get(uri)
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
		if strings.HasPrefix(path.Base(uri), "ROUTER-") {
			return p.router(issuer, list, uri, der)
		}
		return p.child(issuer, list, uri, der)
	case ".asa":
		return p.aspa(issuer, list, uri, der)
	case ".roa":
		return p.roa(issuer, list, uri, der)
	case ".gbr":
		return p.ghostbusters(issuer, list, uri, der)
	case ".tak":
		return p.keys(issuer, list, uri, der)
	default:
		return fmt.Errorf("%s is of an unknown type", uri)
	}
}

func (p *party) child(issuer *cert.Certificate, list *crl.CRL, uri string, der []byte) error {
	if err := profile.CheckCACertificate(der, issuer, p.now); err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	c, err := cert.Decode(der)
	if err != nil {
		return err
	}
	if list.Revoked(c.Serial) {
		return fmt.Errorf("%s is revoked", uri)
	}
	if _, ok := p.objects[c.SIA.Manifest]; !ok {
		return fmt.Errorf("%s has no manifest at %s", uri, c.SIA.Manifest)
	}
	return p.point(c)
}

func (p *party) roa(issuer *cert.Certificate, list *crl.CRL, uri string, der []byte) error {
	if err := profile.CheckROA(der, issuer, p.now); err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	content, err := contentOf(list, uri, der)
	if err != nil {
		return err
	}
	payload, err := roa.Decode(content)
	if err != nil {
		return err
	}
	for _, x := range payload.Prefixes {
		p.valid.VRPs[ca.ROA{ASID: payload.ASID, Prefix: x.Prefix, MaxLength: x.MaxLength}.String()] = true
	}
	return nil
}

func (p *party) aspa(issuer *cert.Certificate, list *crl.CRL, uri string, der []byte) error {
	if err := profile.CheckASPA(der, issuer, p.now); err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	content, err := contentOf(list, uri, der)
	if err != nil {
		return err
	}
	payload, err := aspa.Decode(content)
	if err != nil {
		return err
	}
	p.valid.ASPAs[ca.ASPA(payload).String()] = true
	return nil
}

func (p *party) ghostbusters(issuer *cert.Certificate, list *crl.CRL, uri string, der []byte) error {
	if err := profile.CheckGhostbusters(der, issuer, p.now); err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	content, err := contentOf(list, uri, der)
	if err != nil {
		return err
	}
	card, err := gbr.Decode(content)
	if err != nil {
		return err
	}
	for _, line := range card {
		if line.Name == "FN" {
			p.valid.Contacts[line.String()] = true
		}
	}
	return nil
}

// keys takes in what a trust anchor says of its keys: only it can, in its own
// publication point (RFC 9691 section 2.3).
func (p *party) keys(issuer *cert.Certificate, list *crl.CRL, uri string, der []byte) error {
	if !bytes.Equal(issuer.RawIssuer, issuer.RawSubject) {
		return fmt.Errorf("%s: its issuer is no trust anchor", uri)
	}
	if err := profile.CheckTAK(der, issuer, p.now); err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	content, err := contentOf(list, uri, der)
	if err != nil {
		return err
	}
	said, err := tak.Decode(content)
	if err != nil {
		return err
	}
	line := said.Current.ID().String()
	if said.Successor != nil {
		line += " => " + said.Successor.ID().String()
	}
	p.valid.Keys[line] = true
	return nil
}

func (p *party) router(issuer *cert.Certificate, list *crl.CRL, uri string, der []byte) error {
	if err := profile.CheckRouterCertificate(der, issuer, p.now); err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	c, err := cert.Decode(der)
	if err != nil {
		return err
	}
	if list.Revoked(c.Serial) {
		return fmt.Errorf("%s is revoked", uri)
	}
	for _, as := range c.Resources.Set.AS.Ranges() {
		p.valid.RouterKeys[ca.RouterKey{ASID: as.Lo, KeyID: c.KeyID}.String()] = true
	}
	return nil
}

// contentOf gives the content of a signed object, whose EE certificate must not
// be revoked and must be for this URI.
func contentOf(list *crl.CRL, uri string, der []byte) ([]byte, error) {
	obj, err := cms.Decode(der)
	if err != nil {
		return nil, err
	}
	ee, err := cert.Decode(obj.EE)
	if err != nil {
		return nil, err
	}
	if list.Revoked(ee.Serial) {
		return nil, fmt.Errorf("%s is revoked", uri)
	}
	if !strings.EqualFold(ee.SIA.SignedObject, uri) {
		return nil, fmt.Errorf("%s says that it is %s", uri, ee.SIA.SignedObject)
	}
	return obj.Content, nil
}
