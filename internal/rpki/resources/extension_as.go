package resources

import (
	"bytes"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	tagASNum = asn1.Tag(0).ContextSpecific().Constructed()
	tagRDI   = asn1.Tag(1).ContextSpecific().Constructed()
)

// MarshalAS gives the value of the AS identifier delegation extension (RFC 3779 section
// 3.2.3) in canonical DER, or nil if AS numbers are not present.
func (e Extension) MarshalAS() []byte {
	if !writes(e.AS, e.Set.AS) {
		return nil
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tagASNum, func(b *cryptobyte.Builder) {
			if e.AS.Inherit {
				b.AddASN1NULL()
				return
			}
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, r := range e.Set.AS.spans {
					addASBlock(b, r)
				}
			})
		})
	})
	return b.BytesOrPanic() // nothing in here can fail
}

func addASBlock(b *cryptobyte.Builder, r span[asn]) {
	if r.lo == r.hi {
		b.AddASN1Uint64(uint64(r.lo))
		return
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Uint64(uint64(r.lo))
		b.AddASN1Uint64(uint64(r.hi))
	})
}

// ParseAS reads the value of an AS identifier delegation extension into e. Only what
// MarshalAS writes is accepted: canonical DER (RFC 3779 section 3.2.3), without routing
// domain identifiers and without empty lists (RFC 6487 section 4.8.11). After an error e
// is as it was.
func ParseAS(der []byte, e *Extension) error {
	in := cryptobyte.String(der)
	var seq, asnum cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() {
		return errors.New("not one DER SEQUENCE")
	}
	if seq.PeekASN1Tag(tagRDI) {
		return errors.New("routing domain identifiers (RFC 6487 section 4.8.11)")
	}
	if !seq.ReadASN1(&asnum, tagASNum) {
		return errors.New("no AS numbers (RFC 6487 section 4.8.11)")
	}
	if !seq.Empty() {
		return errors.New("more than AS numbers (RFC 6487 section 4.8.11)")
	}
	choice, blocks, err := parseChoice(&asnum)
	if err != nil || !asnum.Empty() {
		return errors.New("neither NULL nor a list of numbers (RFC 6487 section 4.8.11)")
	}

	out := *e
	var spans []span[asn]
	for !blocks.Empty() {
		s, err := parseASBlock(&blocks)
		if err != nil {
			return err
		}
		if n := len(spans); n > 0 && !apart(spans[n-1], s) {
			return errors.New("numbers overlap, touch or are out of order (RFC 3779 section 3.2.3.4)")
		}
		spans = append(spans, s)
	}
	out.AS, out.Set.AS = choice, ASSet{spans}
	if !bytes.Equal(out.MarshalAS(), der) {
		return errors.New("not the canonical encoding (RFC 3779 section 3.2.3)")
	}
	*e = out
	return nil
}

func parseASBlock(in *cryptobyte.String) (span[asn], error) {
	if in.PeekASN1Tag(asn1.INTEGER) {
		n, ok := readASN(in)
		if !ok {
			return span[asn]{}, errors.New("AS number is not between 0 and 4294967295")
		}
		return span[asn]{lo: n, hi: n}, nil
	}

	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) {
		return span[asn]{}, errors.New("neither AS number nor range")
	}
	lo, ok1 := readASN(&seq)
	hi, ok2 := readASN(&seq)
	if !ok1 || !ok2 || !seq.Empty() {
		return span[asn]{}, errors.New("malformed AS range")
	}
	if lo > hi {
		return span[asn]{}, errors.New("AS range ends before it starts")
	}
	return span[asn]{lo: lo, hi: hi}, nil
}

func readASN(in *cryptobyte.String) (asn, bool) {
	var n uint64
	if !in.ReadASN1Integer(&n) || n > 1<<32-1 {
		return 0, false
	}
	return asn(n), true
}
