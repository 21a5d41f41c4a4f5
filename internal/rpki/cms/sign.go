package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
)

// Template is what Sign puts together.
type Template struct {
	ContentType OID
	Content     []byte        // eContent
	EE          []byte        // DER of the EE certificate that was issued for Key
	Key         crypto.Signer // RSA; a crypto.MessageSigner gets the message instead of its digest
	SigningTime time.Time     // cut to the second
}

// Sign makes a signed object by RFC 6488 and RFC 9589: version 3, one
// certificate, no CRL, one signer named by its key identifier, and the signed
// attributes content-type, signing-time and message-digest. That EE holds
// Key's public half is for package profile to find out, not for Sign.
func Sign(t Template) ([]byte, error) {
	signer, err := newSigner(t)
	if err != nil {
		return nil, err
	}
	o := objectOf(t, signer)
	o.Certificates = [][]byte{t.EE}
	return o.encode()
}

// newSigner signs the content of t.
func newSigner(t Template) (Signer, error) {
	if _, ok := t.Key.Public().(*rsa.PublicKey); !ok {
		return Signer{}, errors.New("signed objects need an RSA key (RFC 7935)")
	}
	id, err := cert.KeyIDOf(t.Key.Public())
	if err != nil {
		return Signer{}, fmt.Errorf("signer: %w", err)
	}
	attributes, err := signedAttributes(t)
	if err != nil {
		return Signer{}, fmt.Errorf("signed attributes: %w", err)
	}
	signer := Signer{
		Version:            3,
		KeyID:              id[:],
		DigestAlgorithm:    Algorithm{OID: OIDSHA256},
		Attributes:         attributes,
		SignatureAlgorithm: Algorithm{OID: OIDRSA, Parameters: null},
	}
	if signer.signed, err = attributesElement(attributes); err != nil {
		return Signer{}, fmt.Errorf("signed attributes: %w", err)
	}
	signer.Signature, err = crypto.SignMessage(t.Key, rand.Reader, signedForm(signer.signed), crypto.SHA256)
	if err != nil {
		return Signer{}, fmt.Errorf("sign: %w", err)
	}
	return signer, nil
}

// objectOf wraps content and signer; certificates and CRLs are still to be added.
func objectOf(t Template, signer Signer) Object {
	o := Object{
		ContentType:      t.ContentType,
		Content:          t.Content,
		Version:          3,
		DigestAlgorithms: []Algorithm{{OID: OIDSHA256}},
		Signers:          []Signer{signer},
	}
	if o.Content == nil {
		o.Content = []byte{}
	}
	return o
}

func attributesElement(attributes []Attribute) ([]byte, error) {
	b := cryptobyte.NewBuilder(nil)
	addAttributes(b, tag0, attributes)
	return b.Bytes()
}

// signedForm gives the octets that are signed: signedAttrs as a SET OF,
// although it stands under [0] in the message (RFC 5652 section 5.4).
func signedForm(element []byte) []byte {
	form := bytes.Clone(element)
	if len(form) > 0 {
		form[0] = byte(tag.SET)
	}
	return form
}

// signedAttributes gives the three attributes of RFC 9589 section 4 in DER order.
func signedAttributes(t Template) ([]Attribute, error) {
	digest := sha256.Sum256(t.Content)
	attributes := []Attribute{
		{Type: OIDContentType, Values: [][]byte{nil}},
		{Type: OIDSigningTime, Values: [][]byte{nil}},
		{Type: OIDMessageDigest, Values: [][]byte{nil}},
	}
	values := []func(b *cryptobyte.Builder){
		func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(t.ContentType) },
		func(b *cryptobyte.Builder) { der.AddTime(b, t.SigningTime) },
		func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest[:]) },
	}
	for i, add := range values {
		value := cryptobyte.NewBuilder(nil)
		add(value)
		var err error
		if attributes[i].Values[0], err = value.Bytes(); err != nil {
			return nil, err
		}
		whole := cryptobyte.NewBuilder(nil)
		addAttribute(whole, attributes[i])
		if attributes[i].Raw, err = whole.Bytes(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(attributes, func(a, b Attribute) int { return bytes.Compare(a.Raw, b.Raw) })
	return attributes, nil
}
