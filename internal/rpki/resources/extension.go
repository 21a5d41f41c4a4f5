package resources

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"

	"go4.org/netipx"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Choice is what an extension says about one family. Not present means none of that
// family, inherit means what the issuer has, otherwise the blocks are listed.
type Choice struct{ Present, Inherit bool }

// Extension is what the two RFC 3779 extensions of a certificate say together. Set
// holds the blocks of the families that are present and not inherited, and only those.
type Extension struct {
	Set        Set
	V4, V6, AS Choice
}

// Explicit gives the extension that lists s. Families without resources are left out:
// RFC 6487 sections 4.8.10 and 4.8.11 allow no empty list.
func Explicit(s Set) Extension {
	return Extension{
		Set: s,
		V4:  Choice{Present: !s.V4.IsEmpty()},
		V6:  Choice{Present: !s.V6.IsEmpty()},
		AS:  Choice{Present: !s.AS.IsEmpty()},
	}
}

// InheritAll gives the extension that inherits all three families.
func InheritAll() Extension {
	inherit := Choice{Present: true, Inherit: true}
	return Extension{V4: inherit, V6: inherit, AS: inherit}
}

// Inherits tells whether any family is inherited.
func (e Extension) Inherits() bool { return e.V4.Inherit || e.V6.Inherit || e.AS.Inherit }

// Resolve gives the resources that e stands for under an issuer that holds the given set.
// Listed blocks are given as listed, also where the issuer does not hold them.
func (e Extension) Resolve(issuer Set) Set {
	out := e.Set
	if e.V4.Inherit {
		out.V4 = issuer.V4
	}
	if e.V6.Inherit {
		out.V6 = issuer.V6
	}
	if e.AS.Inherit {
		out.AS = issuer.AS
	}
	return out
}

// MarshalIP gives the value of the IP address delegation extension (RFC 3779 section
// 2.2.3) in canonical DER, or nil if neither family is present.
func (e Extension) MarshalIP() []byte {
	v4, v6 := part{IPv4, e.V4, e.Set.V4}, part{IPv6, e.V6, e.Set.V6}
	if !writes(v4.choice, v4.set) && !writes(v6.choice, v6.set) {
		return nil
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		v4.add(b)
		v6.add(b)
	})
	return b.BytesOrPanic() // nothing in here can fail
}

// writes tells whether there is anything to write about a family.
func writes(c Choice, s interface{ IsEmpty() bool }) bool {
	return c.Present && (c.Inherit || !s.IsEmpty())
}

// part is one family of an IP address delegation extension.
type part struct {
	family Family
	choice Choice
	set    IPSet
}

// add writes the family, unless there is nothing to say about it.
func (p part) add(b *cryptobyte.Builder) {
	if !writes(p.choice, p.set) {
		return
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1OctetString([]byte{0, byte(p.family)})
		if p.choice.Inherit {
			b.AddASN1NULL()
			return
		}
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, r := range p.set.Ranges() {
				addBlock(b, r)
			}
		})
	})
}

// addBlock writes a block as a prefix if it is one (RFC 3779 section 2.2.3.7), else as
// a range whose minimum lost its trailing zeros and whose maximum its trailing ones
// (section 2.2.3.9).
func addBlock(b *cryptobyte.Builder, r netipx.IPRange) {
	if p, ok := r.Prefix(); ok {
		addBits(b, r.From(), p.Bits())
		return
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addBits(b, r.From(), significant(r.From(), 0x00))
		addBits(b, r.To(), significant(r.To(), 0xff))
	})
}

// significant gives the length of a without the trailing bits that equal those of fill.
func significant(a netip.Addr, fill byte) int {
	raw := a.AsSlice()
	n := len(raw) * 8
	for n > 0 && (raw[(n-1)/8]^fill)>>(7-(n-1)%8)&1 == 0 {
		n--
	}
	return n
}

// addBits writes the first n bits of a as a BIT STRING.
func addBits(b *cryptobyte.Builder, a netip.Addr, n int) {
	raw := a.AsSlice()[:(n+7)/8]
	unused := len(raw)*8 - n
	if unused > 0 {
		raw[len(raw)-1] &= 0xff << unused
	}
	b.AddASN1(asn1.BIT_STRING, func(b *cryptobyte.Builder) {
		b.AddUint8(uint8(unused))
		b.AddBytes(raw)
	})
}

// ParseIP reads the value of an IP address delegation extension into e. Only what
// MarshalIP writes is accepted: canonical DER (RFC 3779 section 2.2.3), without a
// subsequent address family identifier and without empty lists (RFC 6487 section 4.8.10).
// After an error e is as it was.
func ParseIP(der []byte, e *Extension) error {
	in := cryptobyte.String(der)
	var families cryptobyte.String
	if !in.ReadASN1(&families, asn1.SEQUENCE) || !in.Empty() {
		return errors.New("not one DER SEQUENCE")
	}
	if families.Empty() {
		return errors.New("no address family (RFC 6487 section 4.8.10)")
	}

	out := Extension{AS: e.AS, Set: Set{AS: e.Set.AS}}
	last := Family(0)
	for !families.Empty() {
		family, err := parseFamily(&families, &out)
		if err != nil {
			return err
		}
		if family <= last {
			return errors.New("families are repeated or out of order (RFC 3779 section 2.2.3.3)")
		}
		last = family
	}
	if !bytes.Equal(out.MarshalIP(), der) {
		return errors.New("not the canonical encoding (RFC 3779 section 2.2.3)")
	}
	*e = out
	return nil
}

func parseFamily(in *cryptobyte.String, e *Extension) (Family, error) {
	var seq, afi cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&afi, asn1.OCTET_STRING) {
		return 0, errors.New("malformed address family")
	}
	var family Family
	choice, set := &e.V4, &e.Set.V4
	switch {
	case len(afi) == 3:
		return 0, errors.New("subsequent address family identifier (RFC 6487 section 4.8.10)")
	case bytes.Equal(afi, []byte{0, byte(IPv4)}):
		family = IPv4
	case bytes.Equal(afi, []byte{0, byte(IPv6)}):
		family, choice, set = IPv6, &e.V6, &e.Set.V6
	default:
		return 0, fmt.Errorf("unknown address family %x (RFC 3779 section 2.2.3.3)", []byte(afi))
	}

	c, blocks, err := parseChoice(&seq)
	if err != nil || !seq.Empty() {
		return 0, fmt.Errorf("%v: neither NULL nor a list of blocks (RFC 6487 section 4.8.10)", family)
	}
	var spans []span[netip.Addr]
	for !blocks.Empty() {
		s, err := parseIPBlock(&blocks, family)
		if err != nil {
			return 0, fmt.Errorf("%v: %w", family, err)
		}
		if n := len(spans); n > 0 && !apart(spans[n-1], s) {
			return 0, fmt.Errorf("%v: blocks overlap, touch or are out of order (RFC 3779 section 2.2.3.6)", family)
		}
		spans = append(spans, s)
	}
	*choice, *set = c, IPSet{spans}
	return family, nil
}

// parseChoice reads the NULL of inherit or the contents of a list that is not empty.
func parseChoice(in *cryptobyte.String) (Choice, cryptobyte.String, error) {
	var body cryptobyte.String
	var tag asn1.Tag
	switch {
	case !in.ReadAnyASN1(&body, &tag):
	case tag == asn1.NULL && body.Empty():
		return Choice{Present: true, Inherit: true}, nil, nil
	case tag == asn1.SEQUENCE && !body.Empty():
		return Choice{Present: true}, body, nil
	}
	return Choice{}, nil, errors.New("neither NULL nor a list")
}

// apart tells whether b comes after a with at least one point between them.
func apart[T point[T]](a, b span[T]) bool {
	return b.lo.Compare(a.hi) > 0 && a.hi.Next() != b.lo
}

func parseIPBlock(in *cryptobyte.String, family Family) (span[netip.Addr], error) {
	var none, s span[netip.Addr]
	var ok bool
	if in.PeekASN1Tag(asn1.BIT_STRING) {
		s, ok = readBits(in, family)
		if !ok {
			return none, errors.New("malformed address prefix (RFC 3779 section 2.2.3.8)")
		}
		return s, nil
	}

	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) {
		return none, errors.New("neither prefix nor range (RFC 3779 section 2.2.3.7)")
	}
	first, ok1 := readBits(&seq, family)
	last, ok2 := readBits(&seq, family)
	if !ok1 || !ok2 || !seq.Empty() {
		return none, errors.New("malformed address range (RFC 3779 section 2.2.3.9)")
	}
	if last.hi.Less(first.lo) {
		return none, errors.New("address range ends before it starts (RFC 3779 section 2.2.3.9)")
	}
	return span[netip.Addr]{lo: first.lo, hi: last.hi}, nil
}

// readBits reads a BIT STRING as the addresses that start with these bits.
func readBits(in *cryptobyte.String, family Family) (span[netip.Addr], bool) {
	var none span[netip.Addr]
	var body cryptobyte.String
	var unused uint8
	size := family.Bits() / 8
	if !in.ReadASN1(&body, asn1.BIT_STRING) || !body.ReadUint8(&unused) || unused > 7 || len(body) > size ||
		len(body) == 0 && unused != 0 {
		return none, false
	}
	lo, hi := make([]byte, size), bytes.Repeat([]byte{0xff}, size)
	n := copy(lo, body)
	copy(hi, body)
	if unused > 0 {
		mask := byte(1)<<unused - 1
		if body[n-1]&mask != 0 {
			return none, false
		}
		hi[n-1] |= mask
	}
	first, _ := netip.AddrFromSlice(lo)
	last, _ := netip.AddrFromSlice(hi)
	return span[netip.Addr]{lo: first, hi: last}, true
}
