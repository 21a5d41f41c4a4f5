package cert

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/der"
)

// The attribute of a certification request that holds the extensions asked for (RFC 2985
// section 5.4.2).
var oidExtensionRequest = der.OID{1, 2, 840, 113549, 1, 9, 14}

// Request is a request for a CA certificate (RFC 6487 section 6). What it says about its
// subject's name is ignored: the name follows from the key.
type Request struct {
	Raw       []byte
	PublicKey crypto.PublicKey
	SPKI      []byte // DER of the SubjectPublicKeyInfo
	KeyID     KeyID
	SIA       SIA // Repository, which ends in a slash, Manifest, and perhaps Notify
}

// DecodeRequest reads exactly one PKCS #10 request in DER that asks for a CA certificate,
// and checks that whoever made it holds the key. It must ask for basic constraints, key
// usage and SIA, and for no other extension; its key must be one that RFC 7935 allows.
// Its own copy of der is kept.
func DecodeRequest(raw []byte) (*Request, error) {
	r, err := decodeRequest(bytes.Clone(raw))
	if err != nil {
		return nil, fmt.Errorf("certification request: %w", err)
	}
	return r, nil
}

func decodeRequest(raw []byte) (*Request, error) {
	signed, err := der.ReadSigned(raw)
	if err != nil {
		return nil, err
	}
	c, attributes, err := readRequest(signed.TBS)
	if err != nil {
		return nil, err
	}
	if c.Extensions, err = readExtensionRequest(attributes); err != nil {
		return nil, err
	}
	if c.Extensions == nil {
		return nil, errors.New("no extensions are asked for")
	}
	if err := CheckRSAKey(c.PublicKey); err != nil {
		return nil, err
	}
	if err := signed.Check(signed.Algorithm, c.PublicKey); err != nil {
		return nil, err
	}
	if err := c.checkRequested(); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(c.SIA.Repository, "/") {
		c.SIA.Repository += "/"
	}
	return &Request{Raw: raw, PublicKey: c.PublicKey, SPKI: c.SPKI, KeyID: c.KeyID, SIA: c.SIA}, nil
}

// readRequest reads what is signed of a request (RFC 2986 section 4.1), up to its
// attributes. The certificate is a place for key and extensions.
func readRequest(tbs []byte) (c Certificate, attributes cryptobyte.String, err error) {
	in := cryptobyte.String(tbs)
	var info cryptobyte.String
	var version int
	if !in.ReadASN1(&info, tag.SEQUENCE) || !info.ReadASN1Integer(&version) || version != 0 {
		return c, nil, errors.New("version is not 1")
	}
	if _, err := der.ReadName(&info); err != nil {
		return c, nil, fmt.Errorf("subject: %w", err)
	}
	if err := c.readKey(&info); err != nil {
		return c, nil, err
	}
	if !info.ReadASN1(&attributes, tag.Tag(0).ContextSpecific().Constructed()) || !info.Empty() {
		return c, nil, errors.New("malformed attributes")
	}
	return c, attributes, nil
}

// readExtensionRequest gives the extensions of the one extensionRequest attribute, nil if
// there is none. Other attributes say nothing about the certificate and are passed over.
func readExtensionRequest(attributes cryptobyte.String) ([]Extension, error) {
	var out []Extension
	for !attributes.Empty() {
		var seq, values cryptobyte.String
		var id der.OID
		if !attributes.ReadASN1(&seq, tag.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&id) ||
			!seq.ReadASN1(&values, tag.SET) || !seq.Empty() {
			return nil, errors.New("malformed attribute")
		}
		if !id.Equal(oidExtensionRequest) {
			continue
		}
		if out != nil {
			return nil, errors.New("two extension requests")
		}
		var err error
		if out, err = der.ReadExtensions(&values, true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkRequested reads the extensions that were asked for (RFC 6487 section 6.3).
func (c *Certificate) checkRequested() error {
	seen := make(map[string]bool)
	for _, e := range c.Extensions {
		id := e.ID.String()
		if seen[id] {
			return fmt.Errorf("extension %s is asked for twice", id)
		}
		seen[id] = true
		switch {
		case e.ID.Equal(OIDBasicConstraints), e.ID.Equal(OIDKeyUsage), e.ID.Equal(OIDSIA):
			if err := c.readExtension(e); err != nil {
				return fmt.Errorf("extension %s: %w", id, err)
			}
		default:
			return fmt.Errorf("extension %s must not be asked for", id)
		}
	}
	switch {
	case !c.CA || c.HasPathLen:
		return errors.New("basic constraints must ask for a CA without path length")
	case c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign:
		return errors.New("key usage must ask for keyCertSign and cRLSign alone")
	case c.SIA.Repository == "" || c.SIA.Manifest == "":
		return errors.New("SIA must have rsync URIs of repository and manifest")
	case c.SIA.SignedObject != "":
		return errors.New("SIA must not name a signed object")
	}
	return nil
}

// CheckRSAKey tells whether a key is one that RFC 7935 section 3 allows in RPKI
// certificates: RSA with 2048 bits and public exponent 65537.
func CheckRSAKey(pub crypto.PublicKey) error {
	key, ok := pub.(*rsa.PublicKey)
	if !ok || key.N.BitLen() != 2048 || key.E != 65537 {
		return errors.New("key is not RSA with 2048 bits and exponent 65537 (RFC 7935 section 3)")
	}
	return nil
}

// SignRequest makes a request for a CA certificate for key, which publishes as sia says.
func SignRequest(sia SIA, key crypto.Signer) ([]byte, error) {
	if err := (Template{CA: true, SIA: sia, Inherit: true}).check(); err != nil {
		return nil, fmt.Errorf("certification request: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("certification request: %w", err)
	}
	id, err := KeyIDOfSPKI(spki)
	if err != nil {
		return nil, err
	}

	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0) // version 1
		b.AddBytes(der.CommonName(id.String()))
		b.AddBytes(spki)
		der.AddExplicit(b, 0, func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidExtensionRequest)
				b.AddASN1(tag.SET, func(b *cryptobyte.Builder) {
					b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
						der.AddExtension(b, basicConstraintsCA())
						der.AddExtension(b, keyUsage(x509.KeyUsageCertSign|x509.KeyUsageCRLSign))
						der.AddExtension(b, sia.extension())
					})
				})
			})
		})
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("certification request: %w", err)
	}
	out, err := der.Sign(tbs, key)
	if err != nil {
		return nil, fmt.Errorf("certification request: %w", err)
	}
	return out, nil
}
