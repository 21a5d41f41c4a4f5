// Package roa is the payload of Route Origin Authorizations (RFC 9582): which
// AS may originate which prefixes. The signed object around it is package cms.
package roa

import (
	"cmp"
	"encoding/asn1"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// ContentType is id-ct-routeOriginAuthz (RFC 9582 section 3).
var ContentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 24}

// Address family identifiers of RFC 9582 section 4.3.1, as a number.
const (
	afiIPv4 = 1
	afiIPv6 = 2
)

// Prefix is one ROAIPAddress. MaxLength is always explicit here: where the
// encoding omits it, it is the prefix's own length (RFC 9582 section 4.3.2.2).
type Prefix struct {
	Prefix    netip.Prefix
	MaxLength int
}

// String gives the prefix and its maximum length, such as "10.0.0.0/16-24".
func (p Prefix) String() string { return fmt.Sprintf("%s-%d", p.Prefix, p.MaxLength) }

// ROA is a RouteOriginAttestation.
type ROA struct {
	ASID     uint32   // the origin AS; 0 says that nobody may originate (RFC 6483 section 4)
	Prefixes []Prefix // as they stand in the object; Encode sorts
}

// Problem is a rule of RFC 9582 that a payload breaks.
type Problem struct{ Section, Rule string }

// Error gives the rule with its place in the RFC.
func (p Problem) Error() string { return "RFC 9582 section " + p.Section + ": " + p.Rule }

// Clause gives the RFC, the section and the rule.
func (p Problem) Clause() (rfc, section, rule string) { return "RFC 9582", p.Section, p.Rule }

// Compare orders prefixes as RFC 9582 section 4.3.3.1 does: IPv4 before IPv6,
// then by address, length and maximum length.
func Compare(a, b Prefix) int {
	return cmp.Or(
		cmp.Compare(afi(a.Prefix), afi(b.Prefix)),
		a.Prefix.Addr().Compare(b.Prefix.Addr()),
		cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		cmp.Compare(a.MaxLength, b.MaxLength),
	)
}

// Canonical gives the same ROA with its prefixes sorted and without
// duplicates, which is the form of RFC 9582 section 4.3.3.
func (r ROA) Canonical() ROA {
	prefixes := slices.Clone(r.Prefixes)
	slices.SortFunc(prefixes, Compare)
	return ROA{ASID: r.ASID, Prefixes: slices.Compact(prefixes)}
}

// Encode gives the eContent in the canonical form of RFC 9582 section 4.3.3,
// whatever the order of r.Prefixes. It refuses an empty list, host bits,
// IPv4-mapped addresses and maximum lengths out of range.
func (r ROA) Encode() ([]byte, error) {
	if len(r.Prefixes) == 0 {
		return nil, Problem{"4.3", "ipAddrBlocks must not be empty"}
	}
	for _, p := range r.Prefixes {
		if problem, bad := checkPrefix(p); bad {
			return nil, problem
		}
	}
	prefixes := r.Canonical().Prefixes
	v4 := slices.IndexFunc(prefixes, func(p Prefix) bool { return p.Prefix.Addr().Is6() })
	if v4 < 0 {
		v4 = len(prefixes)
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, 32+24*len(prefixes)))
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Uint64(uint64(r.ASID))
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			addFamily(b, afiIPv4, prefixes[:v4])
			addFamily(b, afiIPv6, prefixes[v4:])
		})
	})
	return b.Bytes()
}

func addFamily(b *cryptobyte.Builder, afi uint16, prefixes []Prefix) {
	if len(prefixes) == 0 {
		return
	}
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddUint16(afi) })
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, p := range prefixes {
				addPrefix(b, p)
			}
		})
	})
}

func addPrefix(b *cryptobyte.Builder, p Prefix) {
	bits := p.Prefix.Bits()
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.BIT_STRING, func(b *cryptobyte.Builder) {
			octets := (bits + 7) / 8
			b.AddUint8(uint8(octets*8 - bits))
			b.AddBytes(p.Prefix.Addr().AsSlice()[:octets])
		})
		// RFC 9582 section 4.3.2.2: not encoded when it says nothing.
		if p.MaxLength != bits {
			b.AddASN1Uint64(uint64(p.MaxLength))
		}
	})
}

// checkPrefix gives the rule that one element of the list breaks, if any.
func checkPrefix(p Prefix) (problem Problem, bad bool) {
	addr, bits := p.Prefix.Addr(), p.Prefix.Bits()
	switch {
	case !p.Prefix.IsValid():
		return Problem{"4.3.2.1", "address must be a prefix of its family"}, true
	case addr.Is4In6():
		return Problem{"4.3.1", fmt.Sprintf("prefix %s must not be an IPv4-mapped IPv6 address", p.Prefix)}, true
	case p.Prefix.Masked() != p.Prefix:
		return Problem{"4.3.2.1", fmt.Sprintf("address %s must have no bits beyond the prefix length", p.Prefix)}, true
	case p.MaxLength < bits || p.MaxLength > addr.BitLen():
		rule := fmt.Sprintf("maxLength %d of %s must be from %d to %d", p.MaxLength, p.Prefix, bits, addr.BitLen())
		return Problem{"4.3.2.2", rule}, true
	}
	return Problem{}, false
}

func afi(p netip.Prefix) int {
	if p.Addr().Is4() {
		return afiIPv4
	}
	return afiIPv6
}
