package roa

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// maxProblems bounds what one payload can make us report.
const maxProblems = 20

// Decode reads an eContent, strictly as DER and strictly by RFC 9582. The
// order of the prefixes, duplicates among them and a maxLength equal to the
// prefix length are accepted, as the RFC does. The error joins a Problem for
// each broken rule; beside it stands what could be read, for display only.
func Decode(content []byte) (ROA, error) {
	d := decoder{families: make(map[uint16]bool)}
	if err := d.attestation(cryptobyte.String(content)); err != nil {
		d.problems = append(d.problems, err)
	}
	return d.roa, errors.Join(d.problems...)
}

type decoder struct {
	roa      ROA
	families map[uint16]bool
	problems []error
}

// note keeps a broken rule; reading goes on.
func (d *decoder) note(p Problem) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, p)
	}
}

// attestation reads (RFC 9582 section 4)
//
//	RouteOriginAttestation ::= SEQUENCE {
//	  version [0]   INTEGER DEFAULT 0,
//	  asID          ASID,
//	  ipAddrBlocks  SEQUENCE (SIZE(1..2)) OF ROAIPAddressFamily }
func (d *decoder) attestation(input cryptobyte.String) error {
	var body, asid, blocks cryptobyte.String
	if !input.ReadASN1(&body, tag.SEQUENCE) || !input.Empty() {
		return Problem{"4", "eContent must be one DER-encoded RouteOriginAttestation"}
	}
	if version := tag.Tag(0).ContextSpecific(); body.PeekASN1Tag(version.Constructed()) || body.PeekASN1Tag(version) {
		return Problem{"4.1", "version must be 0, which DER leaves out"}
	}
	if !body.ReadASN1Element(&asid, tag.INTEGER) {
		return Problem{"4.2", "asID must be an INTEGER"}
	}
	if !asid.ReadASN1Integer(&d.roa.ASID) {
		d.note(Problem{"4.2", "asID must be from 0 to 4294967295"})
	}
	if !body.ReadASN1(&blocks, tag.SEQUENCE) || !body.Empty() {
		return Problem{"4.3", "ipAddrBlocks must be a SEQUENCE and the last element"}
	}
	if blocks.Empty() {
		return Problem{"4.3", "ipAddrBlocks must not be empty"}
	}
	for !blocks.Empty() {
		if err := d.family(&blocks); err != nil {
			return err
		}
	}
	return nil
}

// family reads (RFC 9582 section 4.3.1)
//
//	ROAIPAddressFamily ::= SEQUENCE {
//	  addressFamily OCTET STRING (SIZE(2)),
//	  addresses     SEQUENCE (SIZE(1..MAX)) OF ROAIPAddress }
func (d *decoder) family(input *cryptobyte.String) error {
	var family, octets, addresses cryptobyte.String
	var afi uint16
	if !input.ReadASN1(&family, tag.SEQUENCE) || !family.ReadASN1(&octets, tag.OCTET_STRING) {
		return Problem{"4.3.1", "ipAddrBlocks must hold ROAIPAddressFamily elements"}
	}
	if !octets.ReadUint16(&afi) || !octets.Empty() || (afi != afiIPv4 && afi != afiIPv6) {
		return Problem{"4.3.1", "addressFamily must be 0001 or 0002, without a SAFI"}
	}
	if d.families[afi] {
		d.note(Problem{"4.3.1", fmt.Sprintf("addressFamily %04x must appear only once", afi)})
	}
	d.families[afi] = true
	if !family.ReadASN1(&addresses, tag.SEQUENCE) || !family.Empty() {
		return Problem{"4.3.1", "addresses must be a SEQUENCE and the last element of its family"}
	}
	if addresses.Empty() {
		d.note(Problem{"4.3.1", "addresses must not be empty"})
	}
	for !addresses.Empty() {
		if err := d.address(&addresses, afi); err != nil {
			return err
		}
	}
	return nil
}

// address reads (RFC 9582 section 4.3.2)
//
//	ROAIPAddress ::= SEQUENCE { address BIT STRING, maxLength INTEGER OPTIONAL }
func (d *decoder) address(input *cryptobyte.String, afi uint16) error {
	var element, bits cryptobyte.String
	if !input.ReadASN1(&element, tag.SEQUENCE) || !element.ReadASN1(&bits, tag.BIT_STRING) {
		return Problem{"4.3.2", "addresses must hold ROAIPAddress elements"}
	}
	prefix, ok := readPrefix(bits, afi)
	if !ok {
		d.note(Problem{"4.3.2.1", fmt.Sprintf("address %s must be the bits of a prefix of its family", brief(bits))})
		return nil
	}
	p := Prefix{Prefix: prefix, MaxLength: prefix.Bits()}
	if !element.Empty() {
		if !element.ReadASN1Integer(&p.MaxLength) || !element.Empty() {
			return Problem{"4.3.2.2", "maxLength must be a small INTEGER and the last element"}
		}
	}
	if problem, bad := checkPrefix(p); bad {
		d.note(problem)
		return nil
	}
	d.roa.Prefixes = append(d.roa.Prefixes, p)
	return nil
}

// readPrefix turns a BIT STRING's contents into a prefix. The first octet
// counts unused bits, which DER wants to be zero: those are the host bits.
func readPrefix(bits cryptobyte.String, afi uint16) (netip.Prefix, bool) {
	var unused uint8
	if !bits.ReadUint8(&unused) || unused > 7 || (unused > 0 && bits.Empty()) {
		return netip.Prefix{}, false
	}
	length := len(bits)*8 - int(unused)
	var addr netip.Addr
	switch {
	case afi == afiIPv4 && len(bits) <= 4:
		var a [4]byte
		copy(a[:], bits)
		addr = netip.AddrFrom4(a)
	case afi == afiIPv6 && len(bits) <= 16:
		var a [16]byte
		copy(a[:], bits)
		addr = netip.AddrFrom16(a)
	default:
		return netip.Prefix{}, false
	}
	prefix := netip.PrefixFrom(addr, length)
	return prefix, prefix.Masked() == prefix
}

// brief shows octets in hex, cut to what an address can have.
func brief(octets []byte) string {
	if len(octets) > 17 {
		return fmt.Sprintf("%x...", octets[:17])
	}
	return fmt.Sprintf("%x", octets)
}
