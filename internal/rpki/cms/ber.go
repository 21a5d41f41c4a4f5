package cms

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits on what is taken in as BER, so that a small message cannot cost much.
const (
	maxBERDepth    = 32      // certificates, the deepest part, need about ten below the frame's six
	maxBERElements = 1 << 18 // a writer that streams cuts contents into pieces of about 1,000 octets
)

const constructed = tag.Tag(0x20)

// ber is a series of elements in BER (X.690 section 8) that have not been read yet.
type ber []byte

// berElement is one element. Of an indefinite length, whole has the
// end-of-contents octets and body has not.
type berElement struct {
	kind        tag.Tag
	whole, body []byte
}

// berHeader reads identifier and length octets; length is -1 if it is
// indefinite. Tags of more than one octet do not occur in CMS.
func berHeader(in []byte) (kind tag.Tag, length int, rest []byte, ok bool) {
	if len(in) < 2 || in[0] == 0 || in[0]&0x1f == 0x1f {
		return 0, 0, nil, false
	}
	kind, rest = tag.Tag(in[0]), in[2:]
	switch first := in[1]; {
	case first < 0x80:
		length = int(first)
	case first == 0x80:
		return kind, -1, rest, kind&constructed != 0
	default:
		n := int(first & 0x7f)
		if n > 4 || n > len(rest) {
			return 0, 0, nil, false
		}
		var long uint64
		for _, octet := range rest[:n] {
			long = long<<8 | uint64(octet)
		}
		if rest = rest[n:]; long > uint64(len(rest)) {
			return 0, 0, nil, false
		}
		length = int(long)
	}
	return kind, length, rest, length <= len(rest)
}

// berScan finds out how long elements are while it counts them.
type berScan struct{ left int }

// element gives the length of the first element, with everything inside of it
// looked at: it is well-formed, not nested deeper than depth, and not more than
// the scan has left.
func (s *berScan) element(in []byte, depth int) (n int, ok bool) {
	_, length, rest, ok := berHeader(in)
	if s.left--; !ok || depth == 0 || s.left < 0 {
		return 0, false
	}
	at := len(in) - len(rest)
	if length < 0 {
		return s.toEnd(in, at, depth-1)
	}
	end := at + length
	if tag.Tag(in[0])&constructed == 0 {
		return end, true
	}
	for at < end {
		if n, ok = s.element(in[at:end], depth-1); !ok {
			return 0, false
		}
		at += n
	}
	return end, true
}

// toEnd gives the length of what starts in in and ends with the first
// end-of-contents octets from at on.
func (s *berScan) toEnd(in []byte, at, depth int) (int, bool) {
	for !bytes.HasPrefix(in[at:], []byte{0, 0}) {
		n, ok := s.element(in[at:], depth)
		if !ok {
			return 0, false
		}
		at += n
	}
	return at + 2, true
}

// parseBER gives the one element that in is, after bounding all inside of it.
func parseBER(in []byte) (berElement, bool) {
	scan := berScan{left: maxBERElements}
	if n, ok := scan.element(in, maxBERDepth); !ok || n != len(in) {
		return berElement{}, false
	}
	all := ber(in)
	return all.next()
}

// next takes the next element of a series that parseBER went through.
func (b *ber) next() (berElement, bool) {
	in := []byte(*b)
	kind, length, rest, ok := berHeader(in)
	if !ok {
		return berElement{}, false
	}
	at := len(in) - len(rest)
	end, cut := at+length, 0
	if length < 0 {
		scan := berScan{left: maxBERElements}
		if end, ok = scan.toEnd(in, at, maxBERDepth); !ok {
			return berElement{}, false
		}
		cut = 2
	}
	*b = in[end:]
	return berElement{kind: kind, whole: in[:end:end], body: in[at : end-cut : end-cut]}, true
}

// read takes the next element if it is of this kind, and gives its contents.
func (b *ber) read(kind tag.Tag) (ber, bool) {
	if !b.peek(kind) {
		return nil, false
	}
	e, ok := b.next()
	return e.body, ok
}

// peek tells whether the next element is of this kind.
func (b *ber) peek(kind tag.Tag) bool { return len(*b) > 0 && tag.Tag((*b)[0]) == kind }

// octets gives what a string type holds, put together if it is in pieces
// (X.690 section 8.7.3).
func (e berElement) octets() ([]byte, bool) {
	if e.kind&constructed == 0 {
		return e.body, true
	}
	out := []byte{}
	for pieces := ber(e.body); len(pieces) > 0; {
		piece, ok := pieces.next()
		if !ok || piece.kind&^constructed != tag.OCTET_STRING {
			return nil, false
		}
		part, ok := piece.octets()
		if !ok {
			return nil, false
		}
		out = append(out, part...)
	}
	return out, true
}

// primitive takes the next element, which must not have others inside of it,
// and gives it with the shortest length octets, as DER has them.
func (b *ber) primitive(kind tag.Tag) (cryptobyte.String, bool) {
	body, ok := b.read(kind)
	if !ok {
		return nil, false
	}
	out := cryptobyte.NewBuilder(nil)
	out.AddASN1(kind, func(out *cryptobyte.Builder) { out.AddBytes(body) })
	der, err := out.Bytes()
	return der, err == nil
}

func (b *ber) readInteger(out *int) bool {
	in, ok := b.primitive(tag.INTEGER)
	return ok && in.ReadASN1Integer(out)
}

func (b *ber) readOID(out *OID) bool {
	in, ok := b.primitive(tag.OBJECT_IDENTIFIER)
	return ok && in.ReadASN1ObjectIdentifier(out)
}

// readAlgorithm takes in an AlgorithmIdentifier.
func (b *ber) readAlgorithm(out *Algorithm) bool {
	body, ok := b.read(tag.SEQUENCE)
	if !ok || !body.readOID(&out.OID) {
		return false
	}
	switch {
	case len(body) == 0:
		return true
	case body.peek(tag.NULL):
		out.Parameters, ok = body.primitive(tag.NULL)
	default:
		var parameters berElement
		parameters, ok = body.next()
		out.Parameters = parameters.whole
	}
	return ok && len(body) == 0
}

// readSet takes in a SET OF under this tag as whole elements, never nil.
func (b *ber) readSet(kind tag.Tag) ([][]byte, bool) {
	set, ok := b.read(kind)
	if !ok {
		return nil, false
	}
	elements := [][]byte{}
	for len(set) > 0 {
		e, ok := set.next()
		if !ok || len(elements) == maxElements {
			return nil, false
		}
		elements = append(elements, e.whole)
	}
	return elements, true
}
