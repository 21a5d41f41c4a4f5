package profile

import (
	"bytes"
	"fmt"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/crl"
)

// CheckCACertificate is what a CA certificate must pass before it is recorded: the profile
// (RFC 6487 section 4), and that it is valid at now under issuer (section 7.2). The error
// joins every violation. Whether it is revoked is another question.
func CheckCACertificate(der []byte, issuer *cert.Certificate, now time.Time) error {
	c, err := cert.Decode(der)
	if err != nil {
		return err
	}
	return Join(append(Certificate(c, CA), issued(c, issuer, now)...))
}

// CheckRouterCertificate is CheckCACertificate for a router certificate (RFC 8209).
func CheckRouterCertificate(der []byte, issuer *cert.Certificate, now time.Time) error {
	c, err := cert.Decode(der)
	if err != nil {
		return err
	}
	return Join(append(Certificate(c, Router), issued(c, issuer, now)...))
}

// CheckTrustAnchor is what a trust anchor certificate must pass before it is recorded: the
// profile, that it is valid at now, and that its own key signed it (RFC 8630 section 3).
func CheckTrustAnchor(der []byte, now time.Time) error {
	c, err := cert.Decode(der)
	if err != nil {
		return err
	}
	var broken rules
	broken.unless(bytes.Equal(c.RawIssuer, c.RawSubject), "RFC 8630", "3", "trust anchor certificate must be self-signed: issuer and subject differ")
	violations := append(Certificate(c, TA), broken...)
	violations = append(violations, signedBy(c.CheckSignatureFrom(c))...)
	return Join(append(violations, validAt(c, now)...))
}

// CheckCRL is what a revocation list must pass before it is recorded: the profile (RFC 6487
// section 5), and that it is current at now and that of issuer.
func CheckCRL(der []byte, issuer *cert.Certificate, now time.Time) error {
	l, err := crl.Decode(der)
	if err != nil {
		return err
	}
	violations := append(CRL(l), signedBy(l.CheckSignatureFrom(issuer))...)
	var broken rules
	broken.unless(bytes.Equal(l.RawIssuer, issuer.RawSubject), "RFC 6487", "5", "issuer of the CRL must be the subject of the CA's certificate")
	broken.unless(!l.HasAKI || l.AuthorityKeyID == issuer.KeyID, "RFC 6487", "5", "authority key identifier of the CRL must be that of the CA's key")
	broken.unless(!now.Before(l.ThisUpdate), "RFC 6487", "5", "thisUpdate is in the future: "+l.ThisUpdate.Format(time.RFC3339))
	broken.unless(!l.HasNextUpdate || !now.After(l.NextUpdate), "RFC 6487", "5", "nextUpdate has passed: "+l.NextUpdate.Format(time.RFC3339))
	return Join(append(violations, broken...))
}

// issued gives every rule of RFC 6487 section 7.2 that c breaks as a certificate issued by
// issuer. An issuer that inherits resources itself grants none here: resolve it first.
func issued(c, issuer *cert.Certificate, now time.Time) []Violation {
	var broken rules
	broken.unless(issuer.CA, "RFC 6487", "7.2", "the issuer's certificate must be a CA certificate")
	broken.unless(bytes.Equal(c.RawIssuer, issuer.RawSubject), "RFC 6487", "7.2", "issuer must be the subject of the issuer's certificate")
	broken.unless(!c.HasAKI || c.AuthorityKeyID == issuer.KeyID,
		"RFC 6487", "4.8.3", "authority key identifier must be the subject key identifier of the issuer")
	if over := c.Resources.Set.Difference(issuer.Resources.Set); !over.IsEmpty() {
		broken.unless(false, "RFC 6487", "7.2", fmt.Sprintf("resources must be held by the issuer, but it lacks %v", over))
	}
	violations := append([]Violation(broken), signedBy(c.CheckSignatureFrom(issuer))...)
	return append(violations, validAt(c, now)...)
}

// signedBy makes a violation of a signature check's error.
func signedBy(err error) []Violation {
	if err == nil {
		return nil
	}
	return []Violation{{"RFC 6487", "7.2", err.Error()}}
}

func validAt(c *cert.Certificate, now time.Time) []Violation {
	var broken rules
	broken.unless(!now.Before(c.NotBefore), "RFC 6487", "7.2", "not valid before "+c.NotBefore.Format(time.RFC3339))
	broken.unless(!now.After(c.NotAfter), "RFC 6487", "7.2", "not valid after "+c.NotAfter.Format(time.RFC3339))
	return broken
}
