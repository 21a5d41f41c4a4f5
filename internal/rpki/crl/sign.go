package crl

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
)

// Template is what a revocation list shall say. Times are cut to whole seconds.
type Template struct {
	Number                 *big.Int // from 0, at most 20 octets; must grow with each list of a key
	ThisUpdate, NextUpdate time.Time
	Entries                []Entry // written in this order
}

// Sign makes a revocation list (RFC 6487 section 5): version 2, with authority key
// identifier and CRL number, and without extensions or reasons in its entries.
func Sign(t Template, by cert.Issuer) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	if id, err := cert.KeyIDOf(by.Signer.Public()); err != nil || id != by.KeyID {
		return nil, fmt.Errorf("CRL: the signer's key is not that of issuer %v", by.KeyID)
	}

	b := cryptobyte.NewBuilder(make([]byte, 0, 512+40*len(t.Entries)))
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1) // version 2
		b.AddBytes(der.SHA256WithRSA())
		b.AddBytes(by.RawSubject)
		der.AddTime(b, t.ThisUpdate)
		der.AddTime(b, t.NextUpdate)
		if len(t.Entries) > 0 { // RFC 5280 section 5.1.2.6
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { addEntries(b, t.Entries) })
		}
		der.AddExplicit(b, 0, func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				der.AddExtension(b, cert.AuthorityKeyIDExtension(by.KeyID))
				der.AddExtension(b, number(t.Number))
			})
		})
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	out, err := der.Sign(tbs, by.Signer)
	if err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	return out, nil
}

func (t Template) check() error {
	if t.Number == nil || t.Number.Sign() < 0 || t.Number.BitLen() >= 8*20 {
		return errors.New("number must be from 0 and of at most 20 octets (RFC 5280 section 5.2.3)")
	}
	if t.NextUpdate.Before(t.ThisUpdate) {
		return errors.New("nextUpdate is before thisUpdate")
	}
	for _, e := range t.Entries {
		if e.Serial == nil || e.Serial.Sign() <= 0 || e.Serial.BitLen() >= 8*20 {
			return errors.New("revoked serial number must be positive and of at most 20 octets (RFC 5280 section 4.1.2.2)")
		}
	}
	return nil
}

func addEntries(b *cryptobyte.Builder, entries []Entry) {
	for _, e := range entries {
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(e.Serial)
			der.AddTime(b, e.RevokedAt)
		})
	}
}

func number(n *big.Int) cert.Extension {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1BigInt(n)
	return cert.Extension{ID: OIDNumber, Value: b.BytesOrPanic()} // an integer can always be written
}
