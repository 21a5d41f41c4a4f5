// Package cert makes and reads the certificates of the RPKI: resource and router
// certificates (RFC 6487, RFC 8209), requests for them, and the identity certificates of
// RFC 8183. Decode takes in whatever has the structure of a certificate, so that package
// profile can name every rule that one breaks; what it could not make sense of grants nothing.
package cert

import (
	"bytes"
	"crypto"
	"crypto/sha1" // see KeyID
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/der"
	"baleen/internal/rpki/resources"
)

// Certificate is a certificate as it stands. The first part is what it says, the second
// how it says it, for package profile. All slices point into Raw and must not be changed.
// What comes from an extension is the zero value if the extension is absent or malformed;
// of an extension that is there twice, the first counts.
type Certificate struct {
	Raw                   []byte
	Serial                *big.Int
	RawIssuer, RawSubject []byte
	NotBefore, NotAfter   time.Time        // UTC, whole seconds; both belong to the validity
	PublicKey             crypto.PublicKey // nil if the key is of no kind that is known here
	SPKI                  []byte           // DER of the SubjectPublicKeyInfo
	KeyID                 KeyID            // computed from SPKI, not taken from the extension
	AuthorityKeyID        KeyID            // valid if HasAKI
	HasAKI                bool             // there is a key identifier of 20 octets
	CA                    bool
	CRLDP, AIA            string // first rsync URI
	SIA                   SIA
	Resources             resources.Extension

	Version            int // 1, 2, 3 …
	SignatureAlgorithm []byte
	InnerAlgorithm     []byte // the signature algorithm inside of what is signed
	Issuer, Subject    der.Name
	Validity           [2]der.Time // as NotBefore and NotAfter are written
	HasUniqueID        bool        // issuer or subject unique identifier
	KeyAlgorithm       []byte
	Extensions         []Extension
	Malformed          []Malformed

	HasPathLen         bool
	SubjectKeyID       []byte // nil if absent
	AuthorityKey       AuthorityKey
	KeyUsage           x509.KeyUsage
	ExtKeyUsage        []der.OID
	DistributionPoints []DistributionPoint
	AIAAccess          []Access
	SIAAccess          []Access
	Policies           []Policy

	signed der.Signed
}

// Extension is one extension as it stands.
type Extension = der.Extension

// Malformed is an extension whose value is not what its identifier promises.
type Malformed struct {
	ID  der.OID
	Err error
}

// SIA holds the URIs of a subject information access extension (RFC 6487 section 4.8.8,
// RFC 8182 section 3.2), the first of each kind; empty means absent.
type SIA struct {
	Repository   string // rsync URI of the folder in which the CA publishes
	Manifest     string // rsync URI of its manifest
	SignedObject string // rsync URI of the object that an EE certificate is for
	Notify       string // https URI of the RRDP notification file
}

// Decode reads exactly one certificate in DER. Its own copy of der is kept.
func Decode(raw []byte) (*Certificate, error) {
	c, err := decode(bytes.Clone(raw))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

func decode(raw []byte) (*Certificate, error) {
	signed, err := der.ReadSigned(raw)
	if err != nil {
		return nil, err
	}
	c := &Certificate{Raw: raw, SignatureAlgorithm: signed.Algorithm, signed: signed}

	in := cryptobyte.String(signed.TBS)
	var tbs cryptobyte.String
	if !in.ReadASN1(&tbs, tag.SEQUENCE) {
		return nil, errors.New("malformed")
	}
	if err := c.readHead(&tbs); err != nil {
		return nil, err
	}
	if err := c.readKey(&tbs); err != nil {
		return nil, err
	}
	if err := c.readTail(&tbs); err != nil {
		return nil, err
	}
	c.readExtensions()
	return c, nil
}

// readHead reads everything before the key.
func (c *Certificate) readHead(tbs *cryptobyte.String) error {
	c.Version = 1
	if field := tag.Tag(0).ContextSpecific().Constructed(); tbs.PeekASN1Tag(field) {
		var version cryptobyte.String
		if !tbs.ReadASN1(&version, field) || !version.ReadASN1Integer(&c.Version) || !version.Empty() {
			return errors.New("malformed version")
		}
		if c.Version == 0 {
			return errors.New("version 1 is written out, which DER forbids")
		}
		c.Version++
	}

	c.Serial = new(big.Int)
	var ok bool
	if !tbs.ReadASN1Integer(c.Serial) {
		return errors.New("malformed serial number")
	}
	if c.InnerAlgorithm, ok = der.ReadSequence(tbs); !ok {
		return errors.New("malformed signature algorithm")
	}
	var err error
	if c.Issuer, err = der.ReadName(tbs); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if err := c.readValidity(tbs); err != nil {
		return err
	}
	if c.Subject, err = der.ReadName(tbs); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	c.RawIssuer, c.RawSubject = c.Issuer.Raw, c.Subject.Raw
	return nil
}

func (c *Certificate) readValidity(tbs *cryptobyte.String) error {
	var seq cryptobyte.String
	if !tbs.ReadASN1(&seq, tag.SEQUENCE) {
		return errors.New("malformed validity")
	}
	for i := range c.Validity {
		var ok bool
		if c.Validity[i], ok = der.ReadTime(&seq); !ok {
			return errors.New("malformed time in validity")
		}
	}
	if !seq.Empty() {
		return errors.New("malformed validity")
	}
	c.NotBefore, c.NotAfter = c.Validity[0].Time, c.Validity[1].Time
	return nil
}

func (c *Certificate) readKey(tbs *cryptobyte.String) error {
	spki, ok := der.ReadSequence(tbs)
	if !ok {
		return errors.New("malformed subject public key")
	}
	algorithm, bits, ok := readSPKI(spki)
	if !ok {
		return errors.New("malformed subject public key")
	}
	c.SPKI, c.KeyAlgorithm, c.KeyID = spki, algorithm, sha1.Sum(bits)
	if key, err := x509.ParsePKIXPublicKey(spki); err == nil {
		c.PublicKey = key
	}
	return nil
}

// readTail reads everything after the key.
func (c *Certificate) readTail(tbs *cryptobyte.String) error {
	for n := range 2 {
		var present bool
		if !tbs.ReadOptionalASN1(new(cryptobyte.String), &present, tag.Tag(n+1).ContextSpecific()) {
			return errors.New("malformed unique identifier")
		}
		c.HasUniqueID = c.HasUniqueID || present
	}

	var extensions cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&extensions, &present, tag.Tag(3).ContextSpecific().Constructed()) || !tbs.Empty() {
		return errors.New("malformed end")
	}
	if !present {
		return nil
	}
	var err error
	c.Extensions, err = der.ReadExtensions(&extensions, false)
	return err
}

// CheckSignatureFrom tells whether c was signed with the key of issuer. Nothing else
// about the two is compared.
func (c *Certificate) CheckSignatureFrom(issuer *Certificate) error {
	if err := c.signed.Check(c.InnerAlgorithm, issuer.PublicKey); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	return nil
}

// Extension gives the first extension with this identifier, or nil.
func (c *Certificate) Extension(id der.OID) *Extension {
	for i := range c.Extensions {
		if c.Extensions[i].ID.Equal(id) {
			return &c.Extensions[i]
		}
	}
	return nil
}
