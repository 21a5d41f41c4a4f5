// Package crl makes and reads the certificate revocation lists of the RPKI (RFC 6487
// section 5, RFC 5280 section 5). Decode takes in whatever has the structure of a
// revocation list, so that package profile can name every rule that one breaks.
package crl

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
)

// The two extensions that RFC 6487 section 5 allows.
var (
	OIDAuthorityKeyID = der.OID{2, 5, 29, 35}
	OIDNumber         = der.OID{2, 5, 29, 20}
)

// Entry is one revoked certificate.
type Entry struct {
	Serial    *big.Int
	RevokedAt time.Time // UTC, whole seconds
}

// CRL is a revocation list as it stands. The first part is what it says, the second how it
// says it, for package profile. All slices point into Raw and must not be changed.
type CRL struct {
	Raw                    []byte
	RawIssuer              []byte
	AuthorityKeyID         cert.KeyID // valid if HasAKI
	HasAKI                 bool       // there is a key identifier of 20 octets
	Number                 *big.Int   // nil if absent or malformed
	ThisUpdate, NextUpdate time.Time  // UTC, whole seconds; NextUpdate is zero if absent
	Entries                []Entry    // in the order in which they stand

	Version            int // 1, 2 …
	SignatureAlgorithm []byte
	InnerAlgorithm     []byte // the signature algorithm inside of what is signed
	Issuer             der.Name
	Times              [2]der.Time // as ThisUpdate and NextUpdate are written
	HasNextUpdate      bool
	HasEmptyList       bool // the list of entries is there but empty
	Extensions         []cert.Extension
	AuthorityKey       cert.AuthorityKey
	EntryExtensions    int // how many entries have extensions
	WrongTimes         int // how many entries are dated in the wrong type of time

	signed  der.Signed
	revoked map[string]struct{} // serials, as big-endian octets
}

// Decode reads exactly one revocation list in DER. Its own copy of der is kept.
func Decode(raw []byte) (*CRL, error) {
	l, err := decode(bytes.Clone(raw))
	if err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	return l, nil
}

func decode(raw []byte) (*CRL, error) {
	signed, err := der.ReadSigned(raw)
	if err != nil {
		return nil, err
	}
	l := &CRL{Raw: raw, SignatureAlgorithm: signed.Algorithm, signed: signed}

	in := cryptobyte.String(signed.TBS)
	var tbs cryptobyte.String
	if !in.ReadASN1(&tbs, tag.SEQUENCE) {
		return nil, errors.New("malformed")
	}
	if err := l.readHead(&tbs); err != nil {
		return nil, err
	}
	if err := l.readEntries(&tbs); err != nil {
		return nil, err
	}

	var extensions cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&extensions, &present, tag.Tag(0).ContextSpecific().Constructed()) || !tbs.Empty() {
		return nil, errors.New("malformed end")
	}
	if present {
		if l.Extensions, err = der.ReadExtensions(&extensions, false); err != nil {
			return nil, err
		}
	}
	l.readExtensions()
	return l, nil
}

// readHead reads everything before the entries.
func (l *CRL) readHead(tbs *cryptobyte.String) error {
	l.Version = 1
	if tbs.PeekASN1Tag(tag.INTEGER) {
		if !tbs.ReadASN1Integer(&l.Version) {
			return errors.New("malformed version")
		}
		l.Version++
	}
	var ok bool
	if l.InnerAlgorithm, ok = der.ReadSequence(tbs); !ok {
		return errors.New("malformed signature algorithm")
	}
	var err error
	if l.Issuer, err = der.ReadName(tbs); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	l.RawIssuer = l.Issuer.Raw
	if l.Times[0], ok = der.ReadTime(tbs); !ok {
		return errors.New("malformed thisUpdate")
	}
	if tbs.PeekASN1Tag(tag.UTCTime) || tbs.PeekASN1Tag(tag.GeneralizedTime) {
		if l.Times[1], ok = der.ReadTime(tbs); !ok {
			return errors.New("malformed nextUpdate")
		}
		l.HasNextUpdate = true
	}
	l.ThisUpdate, l.NextUpdate = l.Times[0].Time, l.Times[1].Time
	return nil
}

func (l *CRL) readEntries(tbs *cryptobyte.String) error {
	l.revoked = make(map[string]struct{})
	if !tbs.PeekASN1Tag(tag.SEQUENCE) {
		return nil
	}
	var list cryptobyte.String
	if !tbs.ReadASN1(&list, tag.SEQUENCE) {
		return errors.New("malformed list of entries")
	}
	l.HasEmptyList = list.Empty()
	for i := 0; !list.Empty(); i++ {
		var seq cryptobyte.String
		e := Entry{Serial: new(big.Int)}
		if !list.ReadASN1(&seq, tag.SEQUENCE) || !seq.ReadASN1Integer(e.Serial) {
			return fmt.Errorf("malformed entry %d", i)
		}
		at, ok := der.ReadTime(&seq)
		if !ok {
			return fmt.Errorf("malformed revocationDate in entry %d", i)
		}
		if !at.Conforms() {
			l.WrongTimes++
		}
		if !seq.Empty() {
			if _, err := der.ReadExtensions(&seq, false); err != nil {
				return fmt.Errorf("entry %d: %w", i, err)
			}
			l.EntryExtensions++
		}
		e.RevokedAt = at.Time
		l.Entries = append(l.Entries, e)
		if e.Serial.Sign() > 0 {
			l.revoked[string(e.Serial.Bytes())] = struct{}{}
		}
	}
	return nil
}

// readExtensions takes in the two known extensions; of one that is there twice, the first.
func (l *CRL) readExtensions() {
	var hasKey, hasNumber bool
	for _, e := range l.Extensions {
		switch {
		case e.ID.Equal(OIDAuthorityKeyID) && !hasKey:
			hasKey = true
			l.AuthorityKey, _ = cert.ReadAuthorityKey(e.Value)
			if len(l.AuthorityKey.KeyID) == len(l.AuthorityKeyID) {
				l.AuthorityKeyID, l.HasAKI = cert.KeyID(l.AuthorityKey.KeyID), true
			}
		case e.ID.Equal(OIDNumber) && !hasNumber:
			hasNumber = true
			in, number := cryptobyte.String(e.Value), new(big.Int)
			if in.ReadASN1Integer(number) && in.Empty() {
				l.Number = number
			}
		}
	}
}

// CheckSignatureFrom tells whether l was signed with the key of issuer. Nothing else about
// the two is compared.
func (l *CRL) CheckSignatureFrom(issuer *cert.Certificate) error {
	if err := l.signed.Check(l.InnerAlgorithm, issuer.PublicKey); err != nil {
		return fmt.Errorf("CRL: %w", err)
	}
	return nil
}

// Revoked tells whether l lists a serial number.
func (l *CRL) Revoked(serial *big.Int) bool {
	if serial.Sign() <= 0 {
		return false
	}
	_, listed := l.revoked[string(serial.Bytes())]
	return listed
}
