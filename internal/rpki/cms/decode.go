package cms

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/der"
)

// maxElements bounds each SET, so that a small message cannot make a large
// structure. The profile wants one element, or three attributes.
const maxElements = 32

var (
	tag0          = tag.Tag(0).ContextSpecific().Constructed()
	tag1          = tag.Tag(1).ContextSpecific().Constructed()
	tag0Primitive = tag.Tag(0).ContextSpecific()
	null          = []byte{5, 0}
)

// Decode reads one DER-encoded SignedData and nothing after it. It judges
// structure only: an Object may break every rule of RFC 6488.
func Decode(input []byte) (*Object, error) {
	o := &Object{Raw: input}
	outer := cryptobyte.String(input)
	var info, explicit, data cryptobyte.String
	var contentType OID
	if !outer.ReadASN1(&info, tag.SEQUENCE) || !outer.Empty() {
		return nil, Problem{"RFC 6488", "2", "object must be one DER-encoded ContentInfo"}
	}
	if !info.ReadASN1ObjectIdentifier(&contentType) || !contentType.Equal(OIDSignedData) {
		return nil, Problem{"RFC 6488", "2.1", "contentType must be id-signedData"}
	}
	if !info.ReadASN1(&explicit, tag0) || !info.Empty() || !explicit.ReadASN1(&data, tag.SEQUENCE) || !explicit.Empty() {
		return nil, Problem{"RFC 5652", "3", "content must be one DER-encoded SignedData"}
	}
	return o, o.readSignedData(data)
}

// readSignedData takes in (RFC 5652 section 5.1)
//
//	SignedData ::= SEQUENCE {
//	  version          CMSVersion,
//	  digestAlgorithms SET OF DigestAlgorithmIdentifier,
//	  encapContentInfo EncapsulatedContentInfo,
//	  certificates [0] IMPLICIT CertificateSet OPTIONAL,
//	  crls         [1] IMPLICIT RevocationInfoChoices OPTIONAL,
//	  signerInfos      SET OF SignerInfo }
func (o *Object) readSignedData(data cryptobyte.String) error {
	if !data.ReadASN1Integer(&o.Version) {
		return Problem{"RFC 5652", "5.1", "version must be a small INTEGER"}
	}
	algorithms, ok := readSet(&data, tag.SET)
	if !ok {
		return Problem{"RFC 5652", "5.1", "digestAlgorithms must be a SET of few elements"}
	}
	o.DigestAlgorithms = make([]Algorithm, len(algorithms))
	for i, element := range algorithms {
		in := cryptobyte.String(element)
		if !readAlgorithm(&in, &o.DigestAlgorithms[i]) {
			return Problem{"RFC 5652", "5.1", "digestAlgorithms must hold AlgorithmIdentifiers"}
		}
	}
	if !o.readContent(&data) {
		return Problem{"RFC 5652", "5.2", "encapContentInfo must be an OBJECT IDENTIFIER and an OCTET STRING, in DER"}
	}
	if o.Certificates, ok = readOptionalSet(&data, tag0); !ok {
		return Problem{"RFC 5652", "5.1", "certificates must be a SET of few elements"}
	}
	if o.CRLs, ok = readOptionalSet(&data, tag1); !ok {
		return Problem{"RFC 5652", "5.1", "crls must be a SET of few elements"}
	}
	if len(o.Certificates) > 0 {
		o.EE = o.Certificates[0]
	}
	signers, ok := readSet(&data, tag.SET)
	if !ok || !data.Empty() {
		return Problem{"RFC 5652", "5.1", "signerInfos must be a SET of few elements, the last of SignedData"}
	}
	return o.readSigners(signers)
}

// readContent takes in SEQUENCE { eContentType OBJECT IDENTIFIER, eContent [0] EXPLICIT OCTET STRING OPTIONAL }.
func (o *Object) readContent(data *cryptobyte.String) bool {
	var encap, explicit, content cryptobyte.String
	var present bool
	if !data.ReadASN1(&encap, tag.SEQUENCE) || !encap.ReadASN1ObjectIdentifier(&o.ContentType) ||
		!encap.ReadOptionalASN1(&explicit, &present, tag0) || !encap.Empty() {
		return false
	}
	if !present {
		return true
	}
	o.Content = []byte{}
	if !explicit.ReadASN1(&content, tag.OCTET_STRING) || !explicit.Empty() {
		return false
	}
	if len(content) > 0 {
		o.Content = content
	}
	return true
}

func (o *Object) readSigners(elements [][]byte) error {
	o.Signers = make([]Signer, len(elements))
	for i, element := range elements {
		var body cryptobyte.String
		in := cryptobyte.String(element)
		if !in.ReadASN1(&body, tag.SEQUENCE) {
			return Problem{"RFC 5652", "5.3", "signerInfos must hold SignerInfos"}
		}
		if err := o.Signers[i].read(body); err != nil {
			return err
		}
	}
	if len(o.Signers) > 0 {
		if value, ok := o.Signers[0].Attribute(OIDSigningTime); ok {
			o.SigningTime, _ = ParseTime(value)
		}
	}
	return nil
}

// read takes in (RFC 5652 section 5.3)
//
//	SignerInfo ::= SEQUENCE {
//	  version            CMSVersion,
//	  sid                SignerIdentifier,
//	  digestAlgorithm    DigestAlgorithmIdentifier,
//	  signedAttrs   [0]  IMPLICIT SignedAttributes OPTIONAL,
//	  signatureAlgorithm SignatureAlgorithmIdentifier,
//	  signature          OCTET STRING,
//	  unsignedAttrs [1]  IMPLICIT UnsignedAttributes OPTIONAL }
func (s *Signer) read(body cryptobyte.String) error {
	if !body.ReadASN1Integer(&s.Version) {
		return Problem{"RFC 5652", "5.3", "version of a SignerInfo must be a small INTEGER"}
	}
	if !s.readSID(&body) {
		return Problem{"RFC 5652", "5.3", "sid must be there, as a subjectKeyIdentifier or an IssuerAndSerialNumber"}
	}
	if !readAlgorithm(&body, &s.DigestAlgorithm) {
		return Problem{"RFC 5652", "5.3", "digestAlgorithm must be an AlgorithmIdentifier"}
	}
	var ok bool
	rest := body
	if s.Attributes, ok = readAttributes(&body, tag0); !ok {
		return Problem{"RFC 5652", "5.3", "signedAttrs must be a SET of few Attributes"}
	}
	if s.Attributes != nil {
		var signed cryptobyte.String
		rest.ReadASN1Element(&signed, tag0)
		s.signed = signed
	}
	var signature cryptobyte.String
	if !readAlgorithm(&body, &s.SignatureAlgorithm) {
		return Problem{"RFC 5652", "5.3", "signatureAlgorithm must be an AlgorithmIdentifier"}
	}
	if !body.ReadASN1(&signature, tag.OCTET_STRING) {
		return Problem{"RFC 5652", "5.3", "signature must be an OCTET STRING"}
	}
	s.Signature = signature
	if s.UnsignedAttributes, ok = readAttributes(&body, tag1); !ok || !body.Empty() {
		return Problem{"RFC 5652", "5.3", "unsignedAttrs must be a SET of few Attributes, the last of a SignerInfo"}
	}
	return nil
}

func (s *Signer) readSID(body *cryptobyte.String) bool {
	var element cryptobyte.String
	switch {
	case body.PeekASN1Tag(tag0Primitive):
		if !body.ReadASN1(&element, tag0Primitive) {
			return false
		}
		s.KeyID = append([]byte{}, element...)
	case body.PeekASN1Tag(tag.SEQUENCE):
		if !body.ReadASN1Element(&element, tag.SEQUENCE) {
			return false
		}
		// digestAlgorithm is a SEQUENCE too: a sid left out shows here.
		s.IssuerAndSerial = element
		inner := element
		return inner.ReadASN1(&inner, tag.SEQUENCE) && inner.SkipASN1(tag.SEQUENCE) && inner.SkipASN1(tag.INTEGER) && inner.Empty()
	default:
		return false
	}
	return true
}

// readAttributes takes in a SET OF SEQUENCE { attrType OBJECT IDENTIFIER, attrValues SET OF ANY }.
func readAttributes(body *cryptobyte.String, kind tag.Tag) ([]Attribute, bool) {
	elements, ok := readOptionalSet(body, kind)
	if !ok || elements == nil {
		return nil, ok
	}
	attributes := make([]Attribute, len(elements))
	for i, element := range elements {
		var body cryptobyte.String
		in := cryptobyte.String(element)
		a := Attribute{Raw: element}
		if !in.ReadASN1(&body, tag.SEQUENCE) || !body.ReadASN1ObjectIdentifier(&a.Type) {
			return nil, false
		}
		if a.Values, ok = readSet(&body, tag.SET); !ok || !body.Empty() {
			return nil, false
		}
		attributes[i] = a
	}
	return attributes, true
}

func readAlgorithm(in *cryptobyte.String, out *Algorithm) bool {
	var body cryptobyte.String
	if !in.ReadASN1(&body, tag.SEQUENCE) || !body.ReadASN1ObjectIdentifier(&out.OID) {
		return false
	}
	if !body.Empty() {
		parameters, ok := der.ReadElement(&body)
		if !ok || !body.Empty() {
			return false
		}
		out.Parameters = parameters
	}
	return true
}

func readOptionalSet(in *cryptobyte.String, kind tag.Tag) ([][]byte, bool) {
	if !in.PeekASN1Tag(kind) {
		return nil, true
	}
	return readSet(in, kind)
}

// readSet gives the whole elements of a SET OF, never nil.
func readSet(in *cryptobyte.String, kind tag.Tag) ([][]byte, bool) {
	var set cryptobyte.String
	if !in.ReadASN1(&set, kind) {
		return nil, false
	}
	elements := [][]byte{}
	for !set.Empty() {
		element, ok := der.ReadElement(&set)
		if !ok || len(elements) == maxElements {
			return nil, false
		}
		elements = append(elements, element)
	}
	return elements, true
}

// ParseTime reads a whole Time element as RFC 5652 section 11.3 wants it in
// signing-time: UTCTime until 2049, GeneralizedTime from then on.
func ParseTime(value []byte) (time.Time, bool) {
	in := cryptobyte.String(value)
	t, ok := der.ReadTime(&in)
	if !ok || !in.Empty() || !t.Conforms() {
		return time.Time{}, false
	}
	return t.Time, true
}
