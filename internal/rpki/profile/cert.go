package profile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
)

// CertKind is the role a certificate is checked for.
type CertKind int

// The kinds of certificate in the RPKI.
const (
	TA     CertKind = iota // self-signed CA certificate of a trust anchor (RFC 8630)
	CA                     // CA certificate
	EE                     // EE certificate inside of a signed object (RFC 6488)
	Router                 // BGPsec router certificate (RFC 8209)

	// Unpublished is the EE certificate of a signed checklist, which no repository has (RFC 9323 section 2).
	Unpublished
)

// String gives the name used in messages.
func (k CertKind) String() string {
	return [...]string{"trust anchor certificate", "CA certificate", "EE certificate", "router certificate", "EE certificate of an object that is not published"}[k]
}

// isCA tells whether certificates of this kind sign other certificates.
func (k CertKind) isCA() bool { return k == TA || k == CA }

// Certificate gives every rule that c breaks as a certificate of this kind (RFC 6487 and
// what updates it: RFC 7318, 7935, 8182, 8209, 8630). Who issued it, its signature and the
// current time are not looked at.
func Certificate(c *cert.Certificate, kind CertKind) []Violation {
	violations := certificateFields(c, kind)
	violations = append(violations, publicKey(c, kind)...)
	violations = append(violations, extensionList(c, kind)...)
	violations = append(violations, keyExtensions(c, kind)...)
	violations = append(violations, publicationExtensions(c, kind)...)
	violations = append(violations, policies(c)...)
	return append(violations, resourceExtensions(c, kind)...)
}

// certificateFields holds RFC 6487 sections 4.1 to 4.6.
func certificateFields(c *cert.Certificate, kind CertKind) []Violation {
	var broken rules
	broken.unless(c.Version == 3, "RFC 6487", "4.1", fmt.Sprintf("version must be 3, not %d", c.Version))
	broken.unless(c.Serial.Sign() > 0, "RFC 6487", "4.2", "serial number must be positive")
	broken.unless(c.Serial.BitLen() < 8*20, "RFC 5280", "4.1.2.2", "serial number must not have more than 20 octets")
	broken.unless(der.IsSHA256WithRSA(c.SignatureAlgorithm),
		"RFC 6487", "4.3", "signature algorithm must be sha256WithRSAEncryption (RFC 7935 section 2)")
	broken.unless(bytes.Equal(c.SignatureAlgorithm, c.InnerAlgorithm),
		"RFC 5280", "4.1.1.2", "signature algorithm must be the same inside and outside of what is signed")
	broken = append(broken, distinguishedName(c.Issuer, "4.4", "issuer")...)
	subject := c.Subject
	if kind == Router {
		subject = asPrintable(subject)
	}
	broken = append(broken, distinguishedName(subject, "4.5", "subject")...)

	broken.unless(c.Validity[0].Conforms(), "RFC 6487", "4.6.1", "notBefore must be UTCTime until 2049 and GeneralizedTime from then on")
	broken.unless(c.Validity[1].Conforms(), "RFC 6487", "4.6.2", "notAfter must be UTCTime until 2049 and GeneralizedTime from then on")
	broken.unless(!c.NotAfter.Before(c.NotBefore), "RFC 6487", "4.6", "notAfter must not be before notBefore")
	broken.unless(!c.HasUniqueID, "RFC 6487", "4", "unique identifiers must not be present")
	return broken
}

// distinguishedName holds what RFC 6487 sections 4.4 and 4.5 say about names.
func distinguishedName(name der.Name, section, which string) []Violation {
	var broken rules
	var common, serial int
	for _, a := range name.Attributes {
		switch {
		case a.Type.Equal(der.OIDCommonName):
			common++
			broken.unless(a.Tag == asn1.PrintableString && der.IsPrintable(a.Value),
				"RFC 6487", section, which+": common name must be a PrintableString")
		case a.Type.Equal(der.OIDSerialNumber):
			serial++
			broken.unless(a.Tag == asn1.PrintableString && der.IsPrintable(a.Value),
				"RFC 5280", "4.1.2.4", which+": serialNumber must be a PrintableString")
		default:
			broken.unless(false, "RFC 6487", section, which+": attribute "+a.Type.String()+" must not be present")
		}
	}
	broken.unless(!name.Unsorted, "RFC 5280", "4.1", which+": attributes of a set must be in the order of DER")
	broken.unless(common == 1, "RFC 6487", section, fmt.Sprintf("%s: there must be one common name, not %d", which, common))
	broken.unless(serial <= 1, "RFC 6487", section, fmt.Sprintf("%s: there must be at most one serialNumber, not %d", which, serial))
	return broken
}

// asPrintable gives a name as if its common names in UTF-8 were PrintableStrings: routers
// may have either (RFC 8209 section 3.1.1).
func asPrintable(name der.Name) der.Name {
	name.Attributes = slices.Clone(name.Attributes)
	for i, a := range name.Attributes {
		if a.Type.Equal(der.OIDCommonName) && a.Tag == asn1.UTF8String && utf8.Valid(a.Value) {
			name.Attributes[i].Tag, name.Attributes[i].Value = asn1.PrintableString, nil
		}
	}
	return name
}

// publicKey holds RFC 6487 section 4.7, RFC 7935 section 3 and, for routers, RFC 8608 section 3.1.
func publicKey(c *cert.Certificate, kind CertKind) []Violation {
	var broken rules
	if kind == Router {
		key, ok := c.PublicKey.(*ecdsa.PublicKey)
		broken.unless(ok && key.Curve == elliptic.P256(), "RFC 8209", "3.1.2", "key of a router must be ECDSA on P-256 (RFC 8608 section 3.1)")
		return broken
	}
	isRSA := der.IsRSA(c.KeyAlgorithm)
	broken.unless(isRSA, "RFC 6487", "4.7", "key algorithm must be rsaEncryption (RFC 7935 section 3.1)")
	broken.unless(!isRSA || cert.CheckRSAKey(c.PublicKey) == nil, "RFC 6487", "4.7", "key must be RSA with 2048 bits and exponent 65537 (RFC 7935 section 3)")
	return broken
}

// keyExtensions holds RFC 6487 sections 4.8.1 to 4.8.5: what the key is and may do.
func keyExtensions(c *cert.Certificate, kind CertKind) []Violation {
	var broken rules
	if kind.isCA() && readable(c, cert.OIDBasicConstraints) {
		broken.unless(c.CA, "RFC 6487", "4.8.1", "cA must be TRUE in the basic constraints of a CA certificate")
		broken.unless(!c.HasPathLen, "RFC 6487", "4.8.1", "path length constraint must not be present")
	}
	if readable(c, cert.OIDSubjectKeyID) {
		broken.unless(bytes.Equal(c.SubjectKeyID, c.KeyID[:]),
			"RFC 6487", "4.8.2", "subject key identifier must be the SHA-1 digest of the subject's public key")
	}
	if readable(c, cert.OIDAuthorityKeyID) {
		broken.unless(c.HasAKI, "RFC 6487", "4.8.3", "authority key identifier must have a key identifier of 20 octets")
		broken.unless(!c.AuthorityKey.HasIssuer && !c.AuthorityKey.HasSerial,
			"RFC 6487", "4.8.3", "authority key identifier must not have issuer or serial number")
		broken.unless(kind != TA || !c.HasAKI || c.AuthorityKeyID == c.KeyID,
			"RFC 6487", "4.8.3", "authority key identifier of a self-signed certificate must equal its subject key identifier")
	}
	if readable(c, cert.OIDKeyUsage) {
		want, text := x509.KeyUsageDigitalSignature, "key usage must be digitalSignature alone"
		if kind.isCA() {
			want, text = x509.KeyUsageCertSign|x509.KeyUsageCRLSign, "key usage must be keyCertSign and cRLSign alone"
		}
		broken.unless(c.KeyUsage == want, "RFC 6487", "4.8.4", text)
	}
	if kind == Router && readable(c, cert.OIDExtKeyUsage) {
		broken.unless(slices.ContainsFunc(c.ExtKeyUsage, cert.OIDRouterUsage.Equal),
			"RFC 8209", "3.1.3.2", "extended key usage must include id-kp-bgpsec-router")
	}
	return broken
}

// publicationExtensions holds RFC 6487 sections 4.8.6 to 4.8.8: where things are published.
func publicationExtensions(c *cert.Certificate, kind CertKind) []Violation {
	var broken rules
	if readable(c, cert.OIDCRLDP) && kind != TA {
		broken.unless(len(c.DistributionPoints) == 1, "RFC 6487", "4.8.6", "there must be exactly one CRL distribution point")
		for _, p := range c.DistributionPoints {
			broken.unless(!p.HasReasons, "RFC 6487", "4.8.6", "CRL distribution point must not have reasons")
			broken.unless(!p.HasIssuer, "RFC 6487", "4.8.6", "CRL distribution point must not have a CRL issuer")
			broken.unless(!p.Relative, "RFC 6487", "4.8.6", "CRL distribution point must be a full name")
		}
		broken.unless(c.CRLDP != "", "RFC 6487", "4.8.6", "CRL distribution point must have an rsync URI")
	}
	if readable(c, cert.OIDAIA) && kind != TA {
		for _, a := range c.AIAAccess {
			broken.unless(a.Method.Equal(cert.OIDCAIssuers), "RFC 6487", "4.8.7", "AIA must have id-ad-caIssuers alone, not "+a.Method.String())
		}
		broken.unless(c.AIA != "", "RFC 6487", "4.8.7", "AIA must have an rsync URI of the issuer's certificate")
	}
	if readable(c, cert.OIDSIA) && kind != Router && kind != Unpublished {
		broken = append(broken, subjectInformation(c, kind)...)
	}
	return broken
}

// subjectInformation holds RFC 6487 section 4.8.8 and RFC 8182 section 3.2.
func subjectInformation(c *cert.Certificate, kind CertKind) []Violation {
	var broken rules
	if kind == EE {
		for _, a := range c.SIAAccess {
			broken.unless(a.Method.Equal(cert.OIDSignedObject), "RFC 6487", "4.8.8.2", "SIA of an EE must have id-ad-signedObject alone, not "+a.Method.String())
		}
		broken.unless(c.SIA.SignedObject != "", "RFC 6487", "4.8.8.2", "SIA of an EE must have an rsync URI of its signed object")
		return broken
	}
	broken.unless(c.SIA.Repository != "", "RFC 6487", "4.8.8.1", "SIA of a CA must have an rsync URI of its repository")
	broken.unless(c.SIA.Manifest != "", "RFC 6487", "4.8.8.1", "SIA of a CA must have an rsync URI of its manifest")
	for _, a := range c.SIAAccess {
		broken.unless(!a.Method.Equal(cert.OIDNotify) || cert.IsHTTPSURI(a.URI), "RFC 8182", "3.2", "location of the RRDP notification file must be an https URI")
		broken.unless(!a.Method.Equal(cert.OIDSignedObject), "RFC 6487", "4.8.8.1", "SIA of a CA must not have id-ad-signedObject")
	}
	return broken
}

// policies holds RFC 6487 section 4.8.9 as RFC 7318 section 2 updates it.
func policies(c *cert.Certificate) []Violation {
	var broken rules
	if !readable(c, cert.OIDPolicies) {
		return nil
	}
	broken.unless(len(c.Policies) == 1 && c.Policies[0].ID.Equal(cert.OIDPolicyRPKI),
		"RFC 6487", "4.8.9", "there must be exactly one policy, id-cp-ipAddr-asNumber")
	for _, p := range c.Policies {
		for _, q := range p.Qualifiers {
			broken.unless(q.Equal(cert.OIDQualifierCPS), "RFC 7318", "2", "policy qualifier must be a CPS URI, not "+q.String())
		}
		broken.unless(len(p.Qualifiers) <= 1, "RFC 7318", "2", "there must be at most one policy qualifier")
	}
	return broken
}

// resourceExtensions holds RFC 6487 sections 4.8.10 and 4.8.11, RFC 8630 section 2.3 and
// RFC 8209 section 3.1.3.5. The encoding itself was judged when it was read.
func resourceExtensions(c *cert.Certificate, kind CertKind) []Violation {
	var broken rules
	broken.unless(c.Extension(cert.OIDIPResources) != nil || c.Extension(cert.OIDASResources) != nil,
		"RFC 6487", "4.8.10", "there must be IP resources, AS resources or both")
	broken.unless(kind != TA || !c.Resources.Inherits(), "RFC 8630", "2.3", "trust anchor must not inherit resources")
	broken.unless(kind != Router || !c.Resources.AS.Inherit, "RFC 8209", "3.1.3.5", "router must not inherit AS resources")
	return broken
}
