package cert

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"baleen/internal/rpki/der"
)

// Identity is the BPKI trust anchor certificate with which a party of RFC 8183 identifies
// itself. Messages of that party verify under PublicKey.
type Identity struct {
	Raw                 []byte
	PublicKey           crypto.PublicKey
	SPKI                []byte // DER of the SubjectPublicKeyInfo
	KeyID               KeyID
	RawSubject          []byte // its name
	NotBefore, NotAfter time.Time
}

// Issuer gives what the identity's own key needs to issue EE certificates (SignIdentityEE)
// and the CRL that protocol messages carry.
func (i *Identity) Issuer(key crypto.Signer) Issuer {
	return Issuer{RawSubject: i.RawSubject, KeyID: i.KeyID, Signer: key}
}

// SelfSignIdentity makes an identity certificate with serial number 1.
func SelfSignIdentity(key crypto.Signer, notBefore, notAfter time.Time) ([]byte, error) {
	id, err := KeyIDOf(key.Public())
	if err != nil {
		return nil, err
	}
	t := Template{Serial: big.NewInt(1), NotBefore: notBefore, NotAfter: notAfter, PublicKey: key.Public()}
	by := Issuer{RawSubject: der.CommonName(id.String()), KeyID: id, Signer: key}
	return sign(t, by, func(b *cryptobyte.Builder, id KeyID) {
		der.AddExtension(b, basicConstraintsCA())
		der.AddExtension(b, subjectKeyID(id))
	})
}

// SignIdentityEE makes the certificate of a key that signs protocol messages for the party
// whose identity key is by's. Of t only serial, validity and key count.
func SignIdentityEE(t Template, by Issuer) ([]byte, error) {
	return sign(t, by, func(b *cryptobyte.Builder, id KeyID) {
		der.AddExtension(b, subjectKeyID(id))
		der.AddExtension(b, AuthorityKeyIDExtension(by.KeyID))
	})
}

// DecodeIdentity reads exactly one identity certificate in DER and checks what RFC 8183
// needs of it: a CA certificate, valid at now, whose subject key identifier is that of its
// RSA key. Its signature is checked if it names itself or nobody as its issuer; one issued
// by another CA of the party is taken as it is, since only the key matters here.
// Names may be of any kind. Its own copy of der is kept.
func DecodeIdentity(raw []byte, now time.Time) (*Identity, error) {
	c, err := Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("identity %w", err)
	}
	if err := c.checkIdentity(now); err != nil {
		return nil, fmt.Errorf("identity certificate: %w", err)
	}
	return &Identity{
		Raw: c.Raw, PublicKey: c.PublicKey, SPKI: c.SPKI, KeyID: c.KeyID,
		RawSubject: c.RawSubject, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
	}, nil
}

func (c *Certificate) checkIdentity(now time.Time) error {
	seen := make(map[string]bool)
	for _, e := range c.Extensions {
		id := e.ID.String()
		if seen[id] {
			return fmt.Errorf("extension %s is there twice", id)
		}
		seen[id] = true
		if e.Critical && !ofIdentity(e.ID) {
			return fmt.Errorf("critical extension %s is not known", id)
		}
	}
	for _, bad := range c.Malformed {
		if ofIdentity(bad.ID) {
			return fmt.Errorf("extension %v: %w", bad.ID, bad.Err)
		}
	}

	key, ok := c.PublicKey.(*rsa.PublicKey)
	switch {
	case c.Version != 3:
		return errors.New("version is not 3")
	case !c.CA:
		return errors.New("not a CA certificate")
	case !bytes.Equal(c.SubjectKeyID, c.KeyID[:]):
		return errors.New("subject key identifier is missing or not that of the key")
	case !ok || key.N.BitLen() < 2048:
		return errors.New("key is not RSA with at least 2048 bits")
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return fmt.Errorf("valid only from %s to %s", c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))
	}
	if c.namesItself() {
		return c.signed.Check(c.InnerAlgorithm, c.PublicKey)
	}
	return nil
}

// ofIdentity tells whether an extension is one that identity certificates are judged by.
func ofIdentity(id der.OID) bool {
	return id.Equal(OIDBasicConstraints) || id.Equal(OIDSubjectKeyID) || id.Equal(OIDAuthorityKeyID) || id.Equal(OIDKeyUsage)
}

// namesItself tells whether the certificate says to be its own issuer, or leaves it open. Its
// authority key may be given by identifier, or by the issuer's name and serial number alone.
func (c *Certificate) namesItself() bool {
	if key := c.AuthorityKey; key.KeyID != nil || !key.HasIssuer {
		return key.KeyID == nil || bytes.Equal(key.KeyID, c.SubjectKeyID)
	}
	return bytes.Equal(c.RawIssuer, c.RawSubject)
}
