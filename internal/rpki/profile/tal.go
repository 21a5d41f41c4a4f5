package profile

import (
	"bytes"
	"crypto/x509"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/tal"
)

// TAL decodes a trust anchor locator and gives every rule it breaks in itself:
// those of RFC 8630 section 2.2, and of RFC 7935 section 3 on its key.
func TAL(file []byte) (tal.TAL, []Violation) {
	t, err := tal.Decode(file)
	var broken rules = Violations(err, "RFC 8630", "2.2")
	if t.SPKI != nil {
		key, err := x509.ParsePKIXPublicKey(t.SPKI)
		broken.unless(err == nil && cert.CheckRSAKey(key) == nil, "RFC 7935", "3",
			"subjectPublicKeyInfo must be an RSA key with 2048 bits and exponent 65537")
	}
	return t, broken
}

// TALNames tells whether the certificate is the one that the locator is for
// (RFC 8630 section 3). Its profile is CheckTrustAnchor's.
func TALNames(t tal.TAL, ta *cert.Certificate) []Violation {
	var broken rules
	broken.unless(bytes.Equal(t.SPKI, ta.SPKI), "RFC 8630", "3", "subjectPublicKeyInfo must be that of the trust anchor's certificate")
	return broken
}
