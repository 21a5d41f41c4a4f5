package resources_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"baleen/internal/rpki/resources"
)

// The laws are checked against a plain list of bits: 24 numbers at each end of the
// number space, so that neighbours, overlaps and both edges are common.
const width = 24

type bits [2 * width]bool

func (a bits) each(b bits, f func(a, b bool) bool) bits {
	var out bits
	for i := range a {
		out[i] = f(a[i], b[i])
	}
	return out
}

func drawBits(t *rapid.T, name string) bits {
	var out bits
	for _, i := range rapid.SliceOfDistinct(rapid.IntRange(0, 2*width-1), rapid.ID[int]).Draw(t, name) {
		out[i] = true
	}
	return out
}

// number gives the i-th of the numbers as an AS number.
func number(i int) uint32 {
	if i < width {
		return uint32(i)
	}
	return math.MaxUint32 - uint32(2*width-1-i)
}

func (a bits) as() resources.ASSet {
	var out []resources.ASRange
	for i, in := range a {
		if in {
			out = append(out, resources.ASRange{Lo: number(i), Hi: number(i)})
		}
	}
	return resources.NewASSet(out...)
}

func addr(i int, f resources.Family) netip.Addr {
	fill := byte(0)
	if i >= width {
		fill = 0xff
	}
	var raw [16]byte
	for j := range raw {
		raw[j] = fill
	}
	binary.BigEndian.PutUint32(raw[12:], number(i))
	if f == resources.IPv4 {
		return netip.AddrFrom4([4]byte(raw[12:]))
	}
	return netip.AddrFrom16(raw)
}

func (a bits) ip(f resources.Family) resources.IPSet {
	var out []netip.Prefix
	for i, in := range a {
		if in {
			out = append(out, netip.PrefixFrom(addr(i, f), f.Bits()))
		}
	}
	return resources.IPSetOf(f, out...)
}

// algebra is what the three kinds of set have in common.
type algebra[S any] interface {
	Contains(S) bool
	Union(S) S
	Intersect(S) S
	Difference(S) S
	Equal(S) bool
	IsEmpty() bool
	fmt.Stringer
}

func checkLaws[S algebra[S]](t *rapid.T, of func(bits) S) {
	a, b := drawBits(t, "a"), drawBits(t, "b")
	x, y := of(a), of(b)

	same := func(law string, got, want S) {
		if !got.Equal(want) || got.String() != want.String() {
			t.Fatalf("%s: x = %v, y = %v: got %v, want %v", law, x, y, got, want)
		}
	}
	same("union", x.Union(y), of(a.each(b, func(a, b bool) bool { return a || b })))
	same("intersection", x.Intersect(y), of(a.each(b, func(a, b bool) bool { return a && b })))
	same("difference", x.Difference(y), of(a.each(b, func(a, b bool) bool { return a && !b })))
	same("union commutes", x.Union(y), y.Union(x))
	same("intersection commutes", x.Intersect(y), y.Intersect(x))
	same("parts make the whole", x.Difference(y).Union(x.Intersect(y)), x)
	same("absorption", x.Union(x.Intersect(y)), x)

	missing := a.each(b, func(a, b bool) bool { return b && !a })
	if got, want := x.Contains(y), missing == (bits{}); got != want || got != y.Difference(x).IsEmpty() {
		t.Fatalf("%v contains %v: got %v, want %v", x, y, got, want)
	}
	if x.Equal(y) != (a == b) || x.IsEmpty() != (a == bits{}) {
		t.Fatalf("equal or empty: %v, %v", x, y)
	}
}

func TestASSetLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkLaws(t, bits.as) })
}

func TestIPSetLaws(t *testing.T) {
	for _, f := range []resources.Family{resources.IPv4, resources.IPv6} {
		t.Run(f.String(), rapid.MakeCheck(func(t *rapid.T) {
			checkLaws(t, func(a bits) resources.IPSet { return a.ip(f) })
		}))
	}
}

func drawSet(t *rapid.T) resources.Set {
	return resources.Set{
		AS: drawBits(t, "as").as(),
		V4: drawBits(t, "v4").ip(resources.IPv4),
		V6: drawBits(t, "v6").ip(resources.IPv6),
	}
}

func TestSetLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawSet(t), drawSet(t)
		if !x.Union(y).Contains(x) || !x.Contains(x.Intersect(y)) || !x.Difference(y).Intersect(y).IsEmpty() ||
			!x.Difference(y).Union(x.Intersect(y)).Equal(x) {
			t.Fatalf("x = %v, y = %v", x, y)
		}
		for _, p := range x.V4.Prefixes() {
			if !x.ContainsPrefix(p) {
				t.Fatalf("%v lacks its own %v", x, p)
			}
		}
		if got := resources.IPSetOf(resources.IPv6, x.V6.Prefixes()...); !got.Equal(x.V6) {
			t.Fatalf("prefixes of %v make %v", x.V6, got)
		}
	})
}

func TestEveryFormReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t)
		var fromJSON resources.Set
		text, err := s.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := fromJSON.UnmarshalJSON(text); err != nil || !fromJSON.Equal(s) {
			t.Fatalf("JSON: %s gives %v, %v", text, fromJSON, err)
		}

		e := resources.Explicit(s)
		var back resources.Extension
		if der := e.MarshalIP(); der != nil {
			if err := resources.ParseIP(der, &back); err != nil {
				t.Fatalf("%v: %x: %v", s, der, err)
			}
		}
		if der := e.MarshalAS(); der != nil {
			if err := resources.ParseAS(der, &back); err != nil {
				t.Fatalf("%v: %x: %v", s, der, err)
			}
		}
		if !back.Set.Equal(s) || back.V4 != e.V4 || back.V6 != e.V6 || back.AS != e.AS {
			t.Fatalf("DER: got %v, want %v", back, e)
		}
	})
}
