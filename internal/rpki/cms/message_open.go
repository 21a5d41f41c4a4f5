package cms

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/der"
)

// Limits on parts of a message, in octets but for the key.
const (
	maxMessage = 128 << 20 // far above what any server of these protocols takes in
	maxCRLs    = 4 << 20   // all together
	maxModulus = 8192      // bits

	maxBinaryTime = 253_402_300_799 // seconds, at the end of the year 9999
)

// Message is a protocol message whose structure fits the profile. Until Verify has
// accepted it, everything in it is hearsay.
type Message struct {
	Content     []byte            // the XML
	SigningTime time.Time         // UTC, whole seconds
	EE          *cert.Certificate // the one certificate that is no CA's; its key is the signer's
	CRLs        []*crl.CRL        // as they stand; Verify looks for the identity's among them

	object Object
}

// DecodeMessage reads exactly one CMS message in BER or DER by the profile of RFC 6492
// section 3.1.1, which RFC 8181 section 2 shares. Only structure is judged. Depth, size
// and number of elements are bounded. Certificates and CRLs must be DER, as they are taken
// as they came. A refusal is a *MessageError of kind MessageUndecodable or MessageWrongType.
// The message points into raw.
func DecodeMessage(raw []byte) (*Message, error) {
	m := &Message{}
	if err := m.read(raw); err != nil {
		var known *MessageError
		if errors.As(err, &known) {
			return nil, err
		}
		return nil, &MessageError{Kind: MessageUndecodable, Code: CodeUndecodable, Msg: "is not a CMS message that this protocol allows", Err: err}
	}
	return m, nil
}

// SignatureDigest names what was signed and by which key: a message that was wrapped or
// encoded anew has the same, so that a replay can be told. Whoever signs the same content
// again with another EE key has another.
func (m *Message) SignatureDigest() [sha256.Size]byte {
	return sha256.Sum256(m.object.Signers[0].Signature)
}

func (m *Message) read(raw []byte) error {
	if len(raw) > maxMessage {
		return fmt.Errorf("it is larger than %d MiB", maxMessage>>20)
	}
	outer, ok := parseBER(raw)
	if !ok {
		return errors.New("it is not one element in BER, or nested too deep, or has too many elements")
	}
	m.object.Raw = raw
	data, err := signedDataIn(outer)
	if err != nil {
		return err
	}
	if err := m.readSignedData(data); err != nil {
		return err
	}
	return m.readAuthority()
}

// signedDataIn opens a ContentInfo.
func signedDataIn(outer berElement) (ber, error) {
	info := ber(outer.body)
	var contentType OID
	if outer.kind != tag.SEQUENCE || !info.readOID(&contentType) || !contentType.Equal(OIDSignedData) {
		return nil, Problem{"RFC 5652", "3", "it must be a ContentInfo of type id-signedData"}
	}
	explicit, ok := info.read(tag0)
	if !ok || len(info) > 0 {
		return nil, Problem{"RFC 5652", "3", "content must be one SignedData"}
	}
	data, ok := explicit.read(tag.SEQUENCE)
	if !ok || len(explicit) > 0 {
		return nil, Problem{"RFC 5652", "3", "content must be one SignedData"}
	}
	return data, nil
}

// ContentTypeOf gives the content type of a SignedData in BER or DER, and false if raw is
// none, whatever else may be wrong with it.
func ContentTypeOf(raw []byte) (OID, bool) {
	outer, ok := parseBER(raw)
	if !ok {
		return nil, false
	}
	data, err := signedDataIn(outer)
	if err != nil {
		return nil, false
	}
	for range 2 { // version, digestAlgorithms
		if _, ok := data.next(); !ok {
			return nil, false
		}
	}
	var contentType OID
	encap, ok := data.read(tag.SEQUENCE)
	ok = ok && encap.readOID(&contentType)
	return contentType, ok
}

// readSignedData takes in what the comment on Object.readSignedData shows.
func (m *Message) readSignedData(data ber) error {
	o := &m.object
	if !data.readInteger(&o.Version) || o.Version != 3 {
		return Problem{"RFC 6492", "3.1.1.1", "version must be 3"}
	}
	algorithms, ok := data.read(tag.SET)
	o.DigestAlgorithms = make([]Algorithm, 1)
	if !ok || !algorithms.readAlgorithm(&o.DigestAlgorithms[0]) || len(algorithms) > 0 || !o.DigestAlgorithms[0].Is(OIDSHA256) {
		return Problem{"RFC 6492", "3.1.1.2", "digestAlgorithms must be SHA-256 alone"}
	}
	if err := m.readContent(&data); err != nil {
		return err
	}
	if data.peek(tag0) {
		if o.Certificates, ok = data.readSet(tag0); !ok {
			return Problem{"RFC 6492", "3.1.1.4", "certificates must be a SET of few elements"}
		}
	}
	if data.peek(tag1) {
		if o.CRLs, ok = data.readSet(tag1); !ok {
			return Problem{"RFC 6492", "3.1.1.5", "crls must be a SET of few elements"}
		}
	}
	infos, ok := data.read(tag.SET)
	if !ok || len(data) > 0 {
		return Problem{"RFC 5652", "5.1", "signerInfos must be the last part of SignedData"}
	}
	info, ok := infos.read(tag.SEQUENCE)
	if !ok || len(infos) > 0 {
		return Problem{"RFC 6492", "3.1.1.6", "there must be exactly one SignerInfo"}
	}
	o.Signers = make([]Signer, 1)
	return m.readSigner(&o.Signers[0], info)
}

// readContent takes in SEQUENCE { eContentType OBJECT IDENTIFIER, eContent [0] EXPLICIT OCTET STRING }.
func (m *Message) readContent(data *ber) error {
	o := &m.object
	encap, ok := data.read(tag.SEQUENCE)
	if !ok || !encap.readOID(&o.ContentType) {
		return Problem{"RFC 6492", "3.1.1.3", "encapContentInfo must be an OBJECT IDENTIFIER and an OCTET STRING"}
	}
	if !o.ContentType.Equal(OIDXML) {
		return &MessageError{
			Kind: MessageWrongType, Code: CodeContentType,
			Msg: fmt.Sprintf("is CMS of content type %v, not a protocol message of type id-ct-xml (%v)", o.ContentType, OIDXML),
		}
	}
	explicit, ok := encap.read(tag0)
	if !ok || len(encap) > 0 {
		return Problem{"RFC 6492", "3.1.1.3.2", "eContent must be there"}
	}
	content, ok := explicit.next()
	if !ok || len(explicit) > 0 || content.kind&^constructed != tag.OCTET_STRING {
		return Problem{"RFC 6492", "3.1.1.3.2", "eContent must be an OCTET STRING"}
	}
	if o.Content, ok = content.octets(); !ok {
		return Problem{"RFC 6492", "3.1.1.3.2", "the pieces of eContent must be OCTET STRINGs"}
	}
	m.Content = o.Content
	return nil
}

// readSigner takes in what the comment on Signer.read shows.
func (m *Message) readSigner(s *Signer, body ber) error {
	if !body.readInteger(&s.Version) || s.Version != 3 {
		return Problem{"RFC 6492", "3.1.1.6.1", "version of the SignerInfo must be 3"}
	}
	sid, ok := body.next()
	if ok = ok && sid.kind&^constructed == tag0Primitive; ok {
		s.KeyID, ok = sid.octets()
	}
	if !ok {
		return Problem{"RFC 6492", "3.1.1.6.2", "sid must be a subjectKeyIdentifier"}
	}
	if !body.readAlgorithm(&s.DigestAlgorithm) || !s.DigestAlgorithm.Is(OIDSHA256) {
		return Problem{"RFC 6492", "3.1.1.6.3", "digestAlgorithm must be SHA-256"}
	}
	if err := s.readSignedAttributes(&body); err != nil {
		return err
	}
	if !body.readAlgorithm(&s.SignatureAlgorithm) || !s.SignatureAlgorithm.Is(OIDRSA) && !s.SignatureAlgorithm.Is(OIDSHA256WithRSA) {
		return Problem{"RFC 6492", "3.1.1.6.5", "signatureAlgorithm must be RSA (RFC 7935 section 2)"}
	}
	signature, ok := body.next()
	if ok = ok && signature.kind&^constructed == tag.OCTET_STRING; ok {
		s.Signature, ok = signature.octets()
	}
	if !ok {
		return Problem{"RFC 6492", "3.1.1.6.6", "signature must be an OCTET STRING"}
	}
	if len(body) > 0 {
		return Problem{"RFC 6492", "3.1.1.6.7", "unsignedAttrs must be left out"}
	}
	if m.SigningTime, ok = s.signingTime(); !ok {
		return Problem{"RFC 6492", "3.1.1.6.4", "there must be one signing-time or binary-signing-time attribute, or both with the same readable time"}
	}
	return nil
}

// signingTime gives the time of signing-time or binary-signing-time; if both are there they
// must agree (RFC 6019 section 4).
func (s *Signer) signingTime() (time.Time, bool) {
	var times []time.Time
	for _, id := range []OID{OIDSigningTime, OIDBinarySigningTime} {
		if !slices.ContainsFunc(s.Attributes, func(a Attribute) bool { return a.Type.Equal(id) }) {
			continue
		}
		value, ok := s.Attribute(id)
		in := cryptobyte.String(value)
		t := der.Time{}
		var seconds int64
		switch {
		case !ok:
		case id.Equal(OIDSigningTime):
			t, ok = der.ReadTime(&in)
		default: // BinaryTime ::= INTEGER (0..MAX), seconds since 1970 (RFC 6019 section 2)
			ok = in.ReadASN1Integer(&seconds) && seconds >= 0 && seconds <= maxBinaryTime
			t.Time = time.Unix(seconds, 0).UTC()
		}
		if !ok || !in.Empty() {
			return time.Time{}, false
		}
		times = append(times, t.Time)
	}
	if len(times) == 0 || !times[0].Equal(times[len(times)-1]) {
		return time.Time{}, false
	}
	return times[0], true
}

// readSignedAttributes takes in signedAttrs. What is signed is their encoding in DER, also
// in a message in BER (RFC 5652 section 5.4): lengths and order are made so, while the
// values must be DER as they stand.
func (s *Signer) readSignedAttributes(body *ber) error {
	broken := Problem{"RFC 6492", "3.1.1.6.4", "signedAttrs must be a SET of few Attributes whose values are DER"}
	set, ok := body.readSet(tag0)
	if !ok || len(set) == 0 {
		return broken
	}
	for _, whole := range set {
		a, ok := readAttribute(whole)
		if !ok {
			return broken
		}
		s.Attributes = append(s.Attributes, a)
	}
	sorted := slices.Clone(s.Attributes)
	slices.SortFunc(sorted, func(a, b Attribute) int { return bytes.Compare(a.Raw, b.Raw) })
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tag0, func(b *cryptobyte.Builder) {
		for _, a := range sorted {
			b.AddBytes(a.Raw)
		}
	})
	var err error
	s.signed, err = b.Bytes()
	return err
}

// readAttribute gives an attribute of a message, with Raw in DER.
func readAttribute(whole []byte) (Attribute, bool) {
	in := ber(whole)
	body, ok := in.read(tag.SEQUENCE)
	if !ok {
		return Attribute{}, false
	}
	var a Attribute
	if !body.readOID(&a.Type) {
		return Attribute{}, false
	}
	if a.Values, ok = body.readSet(tag.SET); !ok || len(body) > 0 || len(a.Values) == 0 {
		return Attribute{}, false
	}
	for _, value := range a.Values {
		if !der.WellFormed(value) {
			return Attribute{}, false
		}
	}
	sorted := Attribute{Type: a.Type, Values: slices.Clone(a.Values)}
	slices.SortFunc(sorted.Values, bytes.Compare)
	b := cryptobyte.NewBuilder(nil)
	addAttribute(b, sorted)
	raw, err := b.Bytes()
	a.Raw = raw
	return a, err == nil
}

// readAuthority finds the EE certificate and reads the CRLs. CA certificates may stand
// beside the EE certificate, but are of no use: identities issue EE certificates themselves.
func (m *Message) readAuthority() error {
	for _, raw := range m.object.Certificates {
		c, err := cert.Decode(raw)
		switch {
		case err != nil:
			return err
		case c.CA:
			continue
		case m.EE != nil:
			return Problem{"RFC 6492", "3.1.1.4", "there must not be several EE certificates"}
		}
		m.EE, m.object.EE = c, raw
	}
	if m.EE == nil {
		return Problem{"RFC 6492", "3.1.1.4", "the signer's EE certificate must be there"}
	}
	size := 0
	for _, raw := range m.object.CRLs {
		if size += len(raw); size > maxCRLs {
			return fmt.Errorf("its CRLs are larger than %d MiB", maxCRLs>>20)
		}
		l, err := crl.Decode(raw)
		if err != nil {
			return err
		}
		m.CRLs = append(m.CRLs, l)
	}
	return nil
}
