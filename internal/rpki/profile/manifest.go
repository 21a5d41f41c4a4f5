package profile

import (
	"path"
	"strings"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/manifest"
)

// SignedManifest is a manifest with what carries it. What could not be decoded
// is nil or empty; the violations beside it say why.
type SignedManifest struct {
	Object   *cms.Object
	EE       *cert.Certificate
	Manifest manifest.Manifest
}

// Manifest decodes a manifest and gives every rule it breaks in itself:
// wrapper, EE certificate, payload, and that the EE certificate inherits its
// resources (RFC 6488, RFC 6487, RFC 9286). Who issued the EE certificate and
// whether the listed files exist is not asked.
func Manifest(der []byte) (*SignedManifest, []Violation) {
	s, broken := ManifestOfOthers(der)
	if s.EE != nil && s.Manifest.Files != nil {
		broken = append(broken, aligned(s.EE, s.Manifest)...)
	}
	return s, broken
}

// ManifestOfOthers is Manifest without what RFC 9286 section 5.1 demands of
// those who issue and wants relying parties to bear with: that the EE
// certificate is valid exactly as long as the manifest.
func ManifestOfOthers(der []byte) (*SignedManifest, []Violation) {
	s := &SignedManifest{}
	o, err := cms.Decode(der)
	if err != nil {
		return s, Violations(err, "RFC 6488", "2")
	}
	var broken rules
	s.Object = o
	s.EE, broken = object(o, EE)
	if !o.ContentType.Equal(manifest.ContentType) {
		broken.unless(false, "RFC 9286", "4.1", "eContentType must be id-ct-rpkiManifest")
		return s, broken
	}
	if o.Content != nil {
		s.Manifest, err = manifest.Decode(o.Content)
		broken = append(broken, Violations(err, "RFC 9286", "4.2")...)
	}
	if s.EE != nil {
		broken = append(broken, manifestEE(s.EE, s.Manifest)...)
	}
	return s, broken
}

// aligned holds RFC 9286 section 5.1 on the validity of the EE certificate.
func aligned(ee *cert.Certificate, m manifest.Manifest) []Violation {
	var broken rules
	broken.unless(ee.NotBefore.Equal(m.ThisUpdate) && ee.NotAfter.Equal(m.NextUpdate), "RFC 9286", "5.1",
		"the EE certificate must be valid exactly from thisUpdate to nextUpdate")
	return broken
}

// manifestEE holds what else RFC 9286 says about the EE certificate and what it
// has to do with the payload.
func manifestEE(ee *cert.Certificate, m manifest.Manifest) []Violation {
	var broken rules
	r := ee.Resources
	broken.unless(!r.V4.Present || r.V4.Inherit, "RFC 9286", "5.1", "the EE certificate's IPv4 resources must inherit")
	broken.unless(!r.V6.Present || r.V6.Inherit, "RFC 9286", "5.1", "the EE certificate's IPv6 resources must inherit")
	broken.unless(!r.AS.Present || r.AS.Inherit, "RFC 9286", "5.1", "the EE certificate's AS resources must inherit")
	if m.Files == nil {
		return broken // what could not be read is reported as such
	}
	crl := path.Base(ee.CRLDP)
	listed := 0
	for _, f := range m.Files {
		if strings.HasSuffix(f.Name, ".crl") {
			listed++
			broken.unless(f.Name == crl, "RFC 9286", "2", "the only CRL in fileList must be the one of the CRL distribution point, not "+f.Name)
		}
	}
	broken.unless(listed > 0 || ee.CRLDP == "", "RFC 9286", "2", "fileList must hold the CRL "+crl)
	return broken
}
