// Package cms reads and makes the CMS SignedData around RPKI signed objects
// (RFC 6488, RFC 9589) and protocol messages (RFC 6492, RFC 8181). Decode takes
// in the structure of an object as it stands, strictly as DER, so that package
// profile can say which of the RFCs' rules it breaks. DecodeMessage takes BER
// too and judges a message by itself, as nobody else has to.
package cms

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
)

// OID is an object identifier, as in encoding/asn1.
type OID = der.OID

// The object identifiers of RFC 5652 and RFC 7935 that signed objects use.
var (
	OIDSignedData        = OID{1, 2, 840, 113549, 1, 7, 2}
	OIDContentType       = OID{1, 2, 840, 113549, 1, 9, 3}
	OIDMessageDigest     = OID{1, 2, 840, 113549, 1, 9, 4}
	OIDSigningTime       = OID{1, 2, 840, 113549, 1, 9, 5}
	OIDBinarySigningTime = OID{1, 2, 840, 113549, 1, 9, 16, 2, 46}
	OIDSHA256            = OID{2, 16, 840, 1, 101, 3, 4, 2, 1}
	OIDRSA               = OID{1, 2, 840, 113549, 1, 1, 1}
	OIDSHA256WithRSA     = OID{1, 2, 840, 113549, 1, 1, 11}
)

// Object is a SignedData in its ContentInfo. The first part is what the object
// says, the second what its wrapper looks like; a slice that is nil stands for
// an element that is absent, an empty one for an element that is there but
// empty. Everything points into Raw.
type Object struct {
	Raw         []byte
	ContentType OID       // eContentType
	Content     []byte    // eContent
	EE          []byte    // DER of the first certificate; nil if there is none
	SigningTime time.Time // UTC; zero if the attribute is absent or unreadable

	Version          int
	DigestAlgorithms []Algorithm
	Certificates     [][]byte // whole elements
	CRLs             [][]byte // whole elements
	Signers          []Signer
}

// Signer is a SignerInfo.
type Signer struct {
	Version            int
	KeyID              []byte // sid as subjectKeyIdentifier; nil if it is an IssuerAndSerialNumber
	IssuerAndSerial    []byte // the whole element; nil if sid is a subjectKeyIdentifier
	DigestAlgorithm    Algorithm
	Attributes         []Attribute // signedAttrs in the order they stand in
	SignatureAlgorithm Algorithm
	Signature          []byte
	UnsignedAttributes []Attribute

	signed []byte // signedAttrs, the whole element
}

// Algorithm is an AlgorithmIdentifier. Parameters is the whole element, nil if absent.
type Algorithm struct {
	OID        OID
	Parameters []byte
}

// Attribute is an attribute with its values as whole elements.
type Attribute struct {
	Raw    []byte
	Type   OID
	Values [][]byte
}

// Problem is a rule that an object breaks.
type Problem struct{ RFC, Section, Rule string }

// Error gives the rule with its place in the RFC.
func (p Problem) Error() string { return p.RFC + " section " + p.Section + ": " + p.Rule }

// Clause gives the RFC, the section and the rule.
func (p Problem) Clause() (rfc, section, rule string) { return p.RFC, p.Section, p.Rule }

// Is tells whether the algorithm is id with parameters absent or NULL.
func (a Algorithm) Is(id OID) bool {
	return a.OID.Equal(id) && (a.Parameters == nil || bytes.Equal(a.Parameters, null))
}

// Attribute gives the value of the one signed attribute of this type; ok is
// false unless there is exactly one, with exactly one value.
func (s *Signer) Attribute(id OID) (value []byte, ok bool) {
	for _, a := range s.Attributes {
		if !a.Type.Equal(id) {
			continue
		}
		if value != nil || len(a.Values) != 1 {
			return nil, false
		}
		value = a.Values[0]
	}
	return value, value != nil
}

// AttributesSorted tells whether signedAttrs is in the order that DER wants.
func (s *Signer) AttributesSorted() bool {
	for i := 1; i < len(s.Attributes); i++ {
		if bytes.Compare(s.Attributes[i-1].Raw, s.Attributes[i].Raw) > 0 {
			return false
		}
	}
	return true
}

// CheckSignature tells whether the object is what the holder of ee's key
// signed: one signer, named by ee's key identifier, whose signed attributes
// fit content type and content, and whose signature verifies (RFC 6488
// section 3). Whether ee itself is to be trusted is another question.
func (o *Object) CheckSignature(ee *cert.Certificate) error {
	if len(o.Signers) != 1 || o.Content == nil {
		return Problem{"RFC 6488", "2.1.6", "there must be eContent and exactly one SignerInfo"}
	}
	s := &o.Signers[0]
	if !bytes.Equal(s.KeyID, ee.KeyID[:]) {
		return Problem{"RFC 6488", "2.1.6.2", "sid must be the EE certificate's subject key identifier"}
	}
	if err := s.checkAttributes(o); err != nil {
		return err
	}
	if !s.DigestAlgorithm.Is(OIDSHA256) {
		return Problem{"RFC 6488", "2.1.6.3", "digestAlgorithm must be SHA-256 (RFC 7935 section 2)"}
	}
	if !s.SignatureAlgorithm.Is(OIDRSA) && !s.SignatureAlgorithm.Is(OIDSHA256WithRSA) {
		return Problem{"RFC 6488", "2.1.6.5", "signatureAlgorithm must be RSA (RFC 7935 section 2)"}
	}
	key, ok := ee.PublicKey.(*rsa.PublicKey)
	if !ok {
		return Problem{"RFC 6488", "2.1.6.5", "the EE certificate's key must be an RSA key (RFC 7935 section 3)"}
	}
	digest := sha256.Sum256(signedForm(s.signed))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], s.Signature); err != nil {
		return Problem{"RFC 6488", "3", "the signature must verify with the EE certificate's key"}
	}
	return nil
}

// checkAttributes compares content-type and message-digest with the content.
func (s *Signer) checkAttributes(o *Object) error {
	var id OID
	value, ok := s.Attribute(OIDContentType)
	in := cryptobyte.String(value)
	if !ok || !in.ReadASN1ObjectIdentifier(&id) || !in.Empty() || !id.Equal(o.ContentType) {
		return Problem{"RFC 6488", "2.1.6.4.1", "one content-type attribute with one value must equal eContentType"}
	}
	var digest cryptobyte.String
	value, ok = s.Attribute(OIDMessageDigest)
	in = cryptobyte.String(value)
	want := sha256.Sum256(o.Content)
	if !ok || !in.ReadASN1(&digest, tag.OCTET_STRING) || !in.Empty() || !bytes.Equal(digest, want[:]) {
		return Problem{"RFC 6488", "2.1.6.4.2", "one message-digest attribute with one value must equal the SHA-256 digest of eContent"}
	}
	return nil
}

// String names the algorithm by its identifier.
func (a Algorithm) String() string {
	switch {
	case a.OID.Equal(OIDSHA256):
		return "sha256"
	case a.OID.Equal(OIDRSA):
		return "rsaEncryption"
	case a.OID.Equal(OIDSHA256WithRSA):
		return "sha256WithRSAEncryption"
	}
	return fmt.Sprint(a.OID)
}
