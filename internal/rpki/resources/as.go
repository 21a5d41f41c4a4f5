package resources

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ASRange is the AS numbers from Lo to Hi, both included.
type ASRange struct{ Lo, Hi uint32 }

// ASSet is a set of AS numbers: immutable, in canonical form, the zero value empty.
type ASSet struct{ spans []span[asn] }

type asn uint32

func (a asn) Compare(b asn) int { return cmp.Compare(a, b) }
func (a asn) Next() asn         { return a + 1 }
func (a asn) Prev() asn         { return a - 1 }

// NewASSet gives the set of all numbers in the ranges, which may overlap and come
// in any order. A range whose Lo is above its Hi holds no number.
func NewASSet(ranges ...ASRange) ASSet {
	spans := make([]span[asn], 0, len(ranges))
	for _, r := range ranges {
		if r.Lo <= r.Hi {
			spans = append(spans, span[asn]{lo: asn(r.Lo), hi: asn(r.Hi)})
		}
	}
	return ASSet{normalize(spans)}
}

// ParseASSet reads a comma-separated list of AS numbers and ranges, such as
// "AS1-AS5, 7". "AS" may be left out or be in lower case, items may overlap and
// come in any order, and empty items are skipped: "" is the empty set.
func ParseASSet(text string) (ASSet, error) {
	var spans []span[asn]
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		from, to, isRange := strings.Cut(item, "-")
		lo, err := parseASN(from)
		if err != nil {
			return ASSet{}, err
		}
		hi := lo
		if isRange {
			if hi, err = parseASN(to); err != nil {
				return ASSet{}, err
			}
		}
		if lo > hi {
			return ASSet{}, fmt.Errorf("AS range %q ends before it starts", item)
		}
		spans = append(spans, span[asn]{lo, hi})
	}
	return ASSet{normalize(spans)}, nil
}

func parseASN(text string) (asn, error) {
	digits := strings.TrimSpace(text)
	if len(digits) > 2 && strings.EqualFold(digits[:2], "AS") {
		digits = digits[2:]
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not an AS number", text)
	}
	return asn(n), nil
}

// Ranges gives the canonical ranges in ascending order. The slice is the caller's.
func (s ASSet) Ranges() []ASRange {
	out := make([]ASRange, len(s.spans))
	for i, sp := range s.spans {
		out[i] = ASRange{Lo: uint32(sp.lo), Hi: uint32(sp.hi)}
	}
	return out
}

// Blocks gives the number of canonical ranges.
func (s ASSet) Blocks() int { return len(s.spans) }

// Contains tells whether every number of o is in s. The empty set is in every set.
func (s ASSet) Contains(o ASSet) bool { return covers(s.spans, o.spans) }

// ContainsAS tells whether number n is in s.
func (s ASSet) ContainsAS(n uint32) bool {
	return covers(s.spans, []span[asn]{{lo: asn(n), hi: asn(n)}})
}

// Union gives what is in s, in o or in both.
func (s ASSet) Union(o ASSet) ASSet { return ASSet{union(s.spans, o.spans)} }

// Intersect gives what is in both s and o.
func (s ASSet) Intersect(o ASSet) ASSet { return ASSet{intersect(s.spans, o.spans)} }

// Difference gives what is in s but not in o.
func (s ASSet) Difference(o ASSet) ASSet { return ASSet{difference(s.spans, o.spans)} }

// Equal tells whether both sets hold the same numbers.
func (s ASSet) Equal(o ASSet) bool { return slices.Equal(s.spans, o.spans) }

// IsEmpty tells whether s holds no number.
func (s ASSet) IsEmpty() bool { return len(s.spans) == 0 }

// String gives the canonical text, such as "AS1-AS5, AS7"; "" for the empty set.
// ParseASSet reads it back.
func (s ASSet) String() string {
	var b strings.Builder
	for i, sp := range s.spans {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "AS%d", sp.lo)
		if sp.hi != sp.lo {
			fmt.Fprintf(&b, "-AS%d", sp.hi)
		}
	}
	return b.String()
}

// OneAS is the set of one AS number and no addresses.
func OneAS(as uint32) Set { return Set{AS: NewASSet(ASRange{Lo: as, Hi: as})} }

func allAS() ASSet { return NewASSet(ASRange{Lo: 0, Hi: math.MaxUint32}) }
