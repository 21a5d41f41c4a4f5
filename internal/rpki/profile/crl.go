package profile

import (
	"bytes"
	"fmt"
	"math/big"

	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/der"
)

// CRL gives every rule of RFC 6487 section 5 that l breaks. Who issued it, its signature
// and the current time are not looked at.
func CRL(l *crl.CRL) []Violation {
	var broken rules
	broken.unless(l.Version == 2, "RFC 6487", "5", fmt.Sprintf("version must be 2, not %d", l.Version))
	broken.unless(der.IsSHA256WithRSA(l.SignatureAlgorithm),
		"RFC 6487", "5", "signature algorithm must be sha256WithRSAEncryption (RFC 7935 section 2)")
	broken.unless(bytes.Equal(l.SignatureAlgorithm, l.InnerAlgorithm),
		"RFC 5280", "5.1.1.2", "signature algorithm must be the same inside and outside of what is signed")
	broken = append(broken, distinguishedName(l.Issuer, "4.4", "issuer")...)

	broken.unless(l.Times[0].Conforms(), "RFC 5280", "5.1.2.4", "thisUpdate must be UTCTime until 2049 and GeneralizedTime from then on")
	broken.unless(l.HasNextUpdate, "RFC 6487", "5", "nextUpdate must be present")
	broken.unless(!l.HasNextUpdate || l.Times[1].Conforms(),
		"RFC 5280", "5.1.2.5", "nextUpdate must be UTCTime until 2049 and GeneralizedTime from then on")
	broken.unless(!l.HasNextUpdate || !l.NextUpdate.Before(l.ThisUpdate), "RFC 6487", "5", "nextUpdate must not be before thisUpdate")
	broken = append(broken, crlEntries(l)...)
	return append(broken, crlExtensions(l)...)
}

// crlEntries holds RFC 5280 section 5.1.2.6 and RFC 6487 section 5.
func crlEntries(l *crl.CRL) []Violation {
	var broken rules
	broken.unless(!l.HasEmptyList, "RFC 5280", "5.1.2.6", "the list of revoked certificates must be absent if it is empty")
	wrong := 0
	for _, e := range l.Entries {
		if e.Serial.Sign() <= 0 || e.Serial.BitLen() >= 8*20 {
			wrong++
		}
	}
	broken.unless(wrong == 0, "RFC 5280", "4.1.2.2", fmt.Sprintf("serial numbers must be positive and of at most 20 octets, but in %d entries are not", wrong))
	broken.unless(l.WrongTimes == 0,
		"RFC 5280", "5.1.2.6", fmt.Sprintf("revocationDate must be UTCTime until 2049 and GeneralizedTime from then on, but in %d entries is not", l.WrongTimes))
	broken.unless(l.EntryExtensions == 0, "RFC 6487", "5", fmt.Sprintf("entries must not have extensions, but %d have", l.EntryExtensions))
	return broken
}

// crlExtensions holds RFC 6487 section 5: there are exactly two extensions.
func crlExtensions(l *crl.CRL) []Violation {
	var broken rules
	var authority, number int
	for _, e := range l.Extensions {
		switch {
		case e.ID.Equal(crl.OIDAuthorityKeyID):
			authority++
		case e.ID.Equal(crl.OIDNumber):
			number++
		default:
			broken.unless(false, "RFC 6487", "5", "extension "+e.ID.String()+" must not be present")
			continue
		}
		broken.unless(!e.Critical, "RFC 5280", "5.2", "extension "+e.ID.String()+" must not be critical")
	}
	broken.unless(authority == 1, "RFC 6487", "5", fmt.Sprintf("there must be one authority key identifier, not %d", authority))
	broken.unless(number == 1, "RFC 6487", "5", fmt.Sprintf("there must be one CRL number, not %d", number))
	broken.unless(authority == 0 || l.HasAKI && !l.AuthorityKey.HasIssuer && !l.AuthorityKey.HasSerial,
		"RFC 6487", "4.8.3", "authority key identifier must be a key identifier of 20 octets alone")
	broken.unless(number == 0 || l.Number != nil && l.Number.Sign() >= 0 && l.Number.Cmp(maxNumber()) < 0,
		"RFC 5280", "5.2.3", "CRL number must be an integer from 0 and of at most 20 octets")
	return broken
}

// maxNumber is the first number that takes more than 20 octets.
func maxNumber() *big.Int { return new(big.Int).Lsh(big.NewInt(1), 8*20-1) }
