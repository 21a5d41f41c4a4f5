package profile

import (
	"errors"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/rsc"
)

// Object gives every rule that a signed object breaks whatever its content:
// those on the wrapper (RFC 6488, RFC 9589), on the EE certificate (RFC 6487)
// and on the CMS signature. Who issued the EE certificate is not asked.
func Object(o *cms.Object) []Violation {
	_, violations := object(o, kindOf(o))
	return violations
}

// kindOf gives what kind of EE certificate is inside of an object.
func kindOf(o *cms.Object) CertKind {
	if o.ContentType.Equal(rsc.ContentType) {
		return Unpublished
	}
	return EE
}

// object is Object and gives the EE certificate, which is judged as of this
// kind, too; nil if it is unreadable.
func object(o *cms.Object, kind CertKind) (*cert.Certificate, []Violation) {
	violations := signedData(o)
	for i := range o.Signers {
		violations = append(violations, signerInfo(&o.Signers[i])...)
	}
	if o.EE == nil {
		return nil, violations
	}
	ee, err := cert.Decode(o.EE)
	if err != nil {
		return nil, append(violations, Violations(err, "RFC 6488", "2.1.4")...)
	}
	violations = append(violations, Certificate(ee, kind)...)
	if len(o.Signers) == 1 {
		if err := o.CheckSignature(ee); err != nil {
			violations = addNew(violations, Violations(err, "RFC 6488", "3"))
		}
	}
	return ee, violations
}

// signedData holds the rules of RFC 6488 section 2.1 above the SignerInfo.
func signedData(o *cms.Object) []Violation {
	var broken rules
	broken.unless(o.Version == 3, "RFC 6488", "2.1.1", "version must be 3")
	broken.unless(len(o.DigestAlgorithms) == 1 && o.DigestAlgorithms[0].Is(cms.OIDSHA256),
		"RFC 6488", "2.1.2", "digestAlgorithms must be SHA-256 alone (RFC 7935 section 2)")
	broken.unless(o.Content != nil, "RFC 6488", "2.1.3.2", "eContent must be present")
	broken.unless(len(o.Certificates) == 1, "RFC 6488", "2.1.4", "certificates must hold exactly one certificate")
	broken.unless(o.CRLs == nil, "RFC 6488", "2.1.5", "crls must be omitted")
	broken.unless(len(o.Signers) == 1, "RFC 6488", "2.1.6", "signerInfos must hold exactly one SignerInfo")
	return broken
}

// signerInfo holds the rules of RFC 6488 section 2.1.6 that the content and
// the EE certificate have no part in; the others are cms.Object.CheckSignature's.
func signerInfo(s *cms.Signer) []Violation {
	var broken rules
	broken.unless(s.Version == 3, "RFC 6488", "2.1.6.1", "version of the SignerInfo must be 3")
	broken.unless(s.KeyID != nil, "RFC 6488", "2.1.6.2", "sid must be a subjectKeyIdentifier")
	broken.unless(s.DigestAlgorithm.Is(cms.OIDSHA256),
		"RFC 6488", "2.1.6.3", "digestAlgorithm must be SHA-256 (RFC 7935 section 2)")
	broken.unless(s.Attributes != nil, "RFC 6488", "2.1.6.4", "signedAttrs must be present")
	if s.Attributes != nil {
		broken = append(broken, signedAttributes(s)...)
	}
	// RFC 7935 section 2 has writers use rsaEncryption and readers take either.
	broken.unless(s.SignatureAlgorithm.Is(cms.OIDRSA) || s.SignatureAlgorithm.Is(cms.OIDSHA256WithRSA),
		"RFC 6488", "2.1.6.5", "signatureAlgorithm must be rsaEncryption or sha256WithRSAEncryption (RFC 7935 section 2)")
	broken.unless(s.UnsignedAttributes == nil, "RFC 6488", "2.1.6.7", "unsignedAttrs must be omitted")
	return broken
}

// signedAttributes holds RFC 6488 section 2.1.6.4 as RFC 9589 section 4 leaves it.
func signedAttributes(s *cms.Signer) []Violation {
	var broken rules
	known := map[string]string{
		cms.OIDContentType.String():   "content-type",
		cms.OIDMessageDigest.String(): "message-digest",
		cms.OIDSigningTime.String():   "signing-time",
	}
	count := make(map[string]int)
	for _, a := range s.Attributes {
		id := a.Type.String()
		switch {
		case a.Type.Equal(cms.OIDBinarySigningTime):
			broken.unless(count[id] > 0, "RFC 9589", "4", "binary-signing-time must not be present")
		case known[id] == "":
			broken.unless(count[id] > 0, "RFC 9589", "4", "signed attribute "+id+" must not be present")
		default:
			broken.unless(len(a.Values) == 1, "RFC 6488", "2.1.6.4", "attribute "+known[id]+" must have exactly one value")
		}
		count[id]++
	}
	broken.unless(count[cms.OIDContentType.String()] == 1,
		"RFC 6488", "2.1.6.4.1", "content-type must be present exactly once")
	broken.unless(count[cms.OIDMessageDigest.String()] == 1,
		"RFC 6488", "2.1.6.4.2", "message-digest must be present exactly once")
	switch count[cms.OIDSigningTime.String()] {
	case 0:
		broken.unless(false, "RFC 9589", "4", "signing-time must be present")
	case 1:
		value, one := s.Attribute(cms.OIDSigningTime)
		_, readable := cms.ParseTime(value)
		broken.unless(!one || readable, "RFC 6488", "2.1.6.4.3",
			"signing-time must be UTCTime until 2049 and GeneralizedTime from then on (RFC 5652 section 11.3)")
	default:
		broken.unless(false, "RFC 6488", "2.1.6.4.3", "signing-time must be present exactly once")
	}
	broken.unless(s.AttributesSorted(), "RFC 6488", "2", "signedAttrs must be in the order of DER")
	return broken
}

// rules gathers violations.
type rules []Violation

func (r *rules) unless(holds bool, rfc, section, rule string) {
	if !holds {
		*r = append(*r, Violation{rfc, section, rule})
	}
}

// clause is what the decoders' errors say about themselves.
type clause interface {
	Clause() (rfc, section, rule string)
}

// Violations takes an error of this package or of a decoder apart. What does
// not say itself which rule is broken is reported under the section given.
func Violations(err error, rfc, section string) []Violation {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var violations []Violation
		for _, e := range joined.Unwrap() {
			violations = append(violations, Violations(e, rfc, section)...)
		}
		return violations
	}
	var v Violation
	var c clause
	switch {
	case errors.As(err, &v):
		return []Violation{v}
	case errors.As(err, &c):
		rfc, section, rule := c.Clause()
		return []Violation{{rfc, section, rule}}
	}
	return []Violation{{rfc, section, err.Error()}}
}

// addNew adds what is not yet reported under the same section.
func addNew(violations, more []Violation) []Violation {
	for _, m := range more {
		known := false
		for _, v := range violations {
			known = known || v.RFC == m.RFC && v.Section == m.Section
		}
		if !known {
			violations = append(violations, m)
		}
	}
	return violations
}
