package checklist

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
)

// maxPath is how many CA certificates a path may have below its trust anchor.
// It is ours: the RFCs have no such number, and paths have some five.
const maxPath = 64

// refusal is that an object breaks rules, so that what is below it counts for
// nothing.
type refusal struct {
	object string // URI or file
	broken []profile.Violation
}

// Error gives the object with every rule it breaks.
func (r *refusal) Error() string { return r.object + ": " + profile.Join(r.broken).Error() }

// refuse gives a refusal with these violations; nil if there are none.
func refuse(object string, broken ...profile.Violation) error {
	if len(broken) == 0 {
		return nil
	}
	return &refusal{object, broken}
}

func violation(rfc, section, rule string) profile.Violation {
	return profile.Violation{RFC: rfc, Section: section, Rule: rule}
}

// link is one CA certificate of a path.
type link struct {
	uri  string // where it is published; of the trust anchor, how the operator named it
	cert *cert.Certificate
}

// point is the publication point of a CA, when it is found to be whole: its
// certificate with the resources that it holds in fact, and its CRL.
type point struct {
	ca     *cert.Certificate
	listed map[string]bool // URIs on its manifest
	crl    *crl.CRL
	crlURI string
}

// walk validates paths from one trust anchor (RFC 6487 section 7.2) with what
// is in local folders.
type walk struct {
	ctx    context.Context
	anchor link
	repo   folders
	at     time.Time
}

// issuer validates everything from the trust anchor down to the CA that issued
// this certificate, and the certificate under it. It gives the path: the trust
// anchor first, the issuer last.
func (w walk) issuer(object string, ee *cert.Certificate) ([]link, error) {
	links, err := w.up(object, ee)
	if err != nil {
		return nil, err
	}
	held := resources.Set{} // of the trust anchor, which does not inherit
	for i, l := range links {
		p, err := w.point(l, held)
		if err != nil {
			return nil, err
		}
		held = p.ca.Resources.Set
		if i == len(links)-1 {
			return links, refuse(object, p.issued(ee, w.at)...)
		}
		if err := p.child(links[i+1], w.at); err != nil {
			return nil, err
		}
	}
	return links, nil
}

// up follows the authority information access extensions to the trust anchor
// (RFC 6487 section 4.8.7), and believes nothing of what it finds.
func (w walk) up(object string, c *cert.Certificate) ([]link, error) {
	var links []link
	for !c.HasAKI || c.AuthorityKeyID != w.anchor.cert.KeyID {
		if c.AIA == "" || len(links) == maxPath {
			return nil, refuse(object, violation("RFC 6487", "7.2", "the path does not lead to the trust anchor"))
		}
		der, err := w.repo.read(w.ctx, c.AIA)
		if err != nil {
			return nil, w.absent(err, object, "RFC 6487", "7.2", "the issuer's certificate "+c.AIA)
		}
		next, err := cert.Decode(der)
		if err != nil {
			return nil, refuse(c.AIA, profile.Violations(err, "RFC 6487", "4")...)
		}
		object = c.AIA
		links = append(links, link{object, next})
		c = next
	}
	slices.Reverse(links)
	return append([]link{w.anchor}, links...), nil
}

// absent is what an object that could not be read means: the end of the run if
// ctx ended, else that a rule is broken.
func (w walk) absent(err error, object, rfc, section, what string) error {
	switch {
	case w.ctx.Err() != nil:
		return w.ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return refuse(object, violation(rfc, section, what+" is not in the repository folders"))
	default:
		return refuse(object, violation(rfc, section, what+" cannot be read: "+err.Error()))
	}
}

// point validates a publication point (RFC 9286 section 6). The certificate
// itself was validated before; held is what its issuer holds.
func (w walk) point(l link, held resources.Set) (*point, error) {
	ca := *l.cert
	ca.Resources = resources.Explicit(l.cert.Resources.Resolve(held))
	p := &point{ca: &ca, listed: map[string]bool{}}
	uri := ca.SIA.Manifest
	der, err := w.repo.read(w.ctx, uri)
	if err != nil {
		return nil, w.absent(err, l.uri, "RFC 9286", "6.2", "the manifest "+uri)
	}
	m, broken := profile.ManifestOfOthers(der)
	if m.EE != nil {
		broken = append(broken, profile.Issued(m.EE, p.ca, w.at)...)
		broken = append(broken, profile.Current(m, w.at)...)
		if sameCase(m.EE.SIA.SignedObject) != sameCase(uri) {
			broken = append(broken, violation("RFC 9286", "5.1", "id-ad-signedObject must be the URI of the manifest, not "+m.EE.SIA.SignedObject))
		}
	}
	base := strings.TrimSuffix(ca.SIA.Repository, "/") + "/"
	if sameCase(strings.TrimSuffix(uri, path.Base(uri))) != sameCase(base) {
		broken = append(broken, violation("RFC 9286", "6.1", "the manifest must be at the publication point "+base))
	}
	if len(broken) > 0 {
		return nil, refuse(uri, broken...)
	}
	for _, f := range m.Manifest.Files {
		if err := w.listed(uri, base+f.Name, f.Hash); err != nil {
			return nil, err
		}
		p.listed[sameCase(base+f.Name)] = true
		if strings.HasSuffix(f.Name, ".crl") {
			p.crlURI = base + f.Name
		}
	}
	if err := w.crl(p); err != nil {
		return nil, err
	}
	return p, refuse(uri, p.current(m.EE)...)
}

// listed compares a file with what the manifest says of it (RFC 9286 sections
// 6.4 and 6.5).
func (w walk) listed(manifest, uri string, want [32]byte) error {
	got, err := w.repo.digest(w.ctx, uri)
	switch {
	case err != nil:
		return w.absent(err, manifest, "RFC 9286", "6.4", uri)
	case got != want:
		return refuse(manifest, violation("RFC 9286", "6.5", uri+" is not the file that is listed"))
	}
	return nil
}

// crl reads the CRL of a publication point, which is on its manifest.
func (w walk) crl(p *point) error {
	der, err := w.repo.read(w.ctx, p.crlURI)
	if err != nil {
		return w.absent(err, p.crlURI, "RFC 9286", "6.4", "the CRL")
	}
	if err := profile.CheckCRL(der, p.ca, w.at); err != nil {
		return refuse(p.crlURI, profile.Violations(err, "RFC 6487", "5")...)
	}
	p.crl, err = crl.Decode(der)
	return err
}

// child validates a CA certificate that this one issued.
func (p *point) child(l link, at time.Time) error {
	broken := append(profile.Certificate(l.cert, profile.CA), p.issued(l.cert, at)...)
	if !p.listed[sameCase(l.uri)] {
		broken = append(broken, violation("RFC 9286", "6", "no file may be used that the issuer's manifest does not list"))
	}
	return refuse(l.uri, broken...)
}

// issued gives every rule of RFC 6487 section 7.2 that a certificate breaks
// under this CA.
func (p *point) issued(c *cert.Certificate, at time.Time) []profile.Violation {
	return append(profile.Issued(c, p.ca, at), p.current(c)...)
}

// current tells whether the CA still stands by a certificate: the CRL that it
// names is this one, and has it not.
func (p *point) current(c *cert.Certificate) (broken []profile.Violation) {
	if sameCase(c.CRLDP) != sameCase(p.crlURI) {
		broken = append(broken, violation("RFC 6487", "4.8.6", "CRL distribution point must be the issuer's CRL "+p.crlURI+", not "+c.CRLDP))
	}
	if p.crl.Revoked(c.Serial) {
		broken = append(broken, violation("RFC 6487", "7.2", "certificate "+c.Serial.String()+" is revoked"))
	}
	return broken
}
