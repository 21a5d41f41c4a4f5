package resources

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"
)

// Family is an address family, by its IANA address family number.
type Family uint8

// The two families of RFC 3779 section 2.2.3.3.
const (
	IPv4 Family = 1
	IPv6 Family = 2
)

// String gives "IPv4" or "IPv6".
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	default:
		return fmt.Sprintf("address family %d", uint8(f))
	}
}

// FamilyOf gives the family of a. An IPv4 address mapped into IPv6 is IPv6.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// Bits gives the length of an address: 32 or 128.
func (f Family) Bits() int {
	if f == IPv4 {
		return 32
	}
	return 128
}

// IPSet is a set of addresses of one family: immutable, in canonical form, the zero
// value empty (of either family).
type IPSet struct{ spans []span[netip.Addr] }

// IPSetOf gives the set of all addresses in the prefixes, which may overlap and come
// in any order; host bits are ignored. A prefix that is not valid or not of the family
// has no address in that family and adds nothing.
func IPSetOf(family Family, prefixes ...netip.Prefix) IPSet {
	spans := make([]span[netip.Addr], 0, len(prefixes))
	for _, p := range prefixes {
		if p.IsValid() && FamilyOf(p.Addr()) == family {
			spans = append(spans, spanOf(p))
		}
	}
	return IPSet{normalize(spans)}
}

func spanOf(p netip.Prefix) span[netip.Addr] {
	r := netipx.RangeOfPrefix(p)
	return span[netip.Addr]{lo: r.From(), hi: r.To()}
}

// ParseIPSet reads a comma-separated list of prefixes, addresses and ranges, such as
// "10.0.0.0/8, 192.0.2.0-192.0.2.130, 192.168.1.1". Host bits are cleared, items may
// overlap and come in any order, and empty items are skipped: "" is the empty set.
// An item of the other family is an error.
func ParseIPSet(text string, family Family) (IPSet, error) {
	var spans []span[netip.Addr]
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		s, err := parseBlock(item)
		if err != nil {
			return IPSet{}, err
		}
		if FamilyOf(s.lo) != family || FamilyOf(s.hi) != family {
			return IPSet{}, fmt.Errorf("%q is not %v", item, family)
		}
		spans = append(spans, s)
	}
	return IPSet{normalize(spans)}, nil
}

func parseBlock(item string) (span[netip.Addr], error) {
	var none span[netip.Addr]
	if strings.Contains(item, "/") {
		p, err := netip.ParsePrefix(item)
		if err != nil {
			return none, fmt.Errorf("%q is not a prefix", item)
		}
		return spanOf(p), nil
	}

	from, to, isRange := strings.Cut(item, "-")
	if !isRange {
		to = from
	}
	lo, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil || lo.Zone() != "" {
		return none, fmt.Errorf("%q is not an address", from)
	}
	hi, err := netip.ParseAddr(strings.TrimSpace(to))
	if err != nil || hi.Zone() != "" {
		return none, fmt.Errorf("%q is not an address", to)
	}
	if hi.Less(lo) {
		return none, fmt.Errorf("range %q ends before it starts", item)
	}
	return span[netip.Addr]{lo, hi}, nil
}

// Ranges gives the canonical ranges in ascending order. The slice is the caller's.
func (s IPSet) Ranges() []netipx.IPRange {
	out := make([]netipx.IPRange, len(s.spans))
	for i, sp := range s.spans {
		out[i] = netipx.IPRangeFrom(sp.lo, sp.hi)
	}
	return out
}

// Prefixes gives the fewest prefixes that make up s, in ascending order.
func (s IPSet) Prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, r := range s.Ranges() {
		out = r.AppendPrefixes(out)
	}
	return out
}

// Blocks gives the number of canonical ranges.
func (s IPSet) Blocks() int { return len(s.spans) }

// Contains tells whether every address of o is in s. The empty set is in every set.
func (s IPSet) Contains(o IPSet) bool { return covers(s.spans, o.spans) }

// ContainsPrefix tells whether every address of p is in s. No set contains an invalid prefix.
func (s IPSet) ContainsPrefix(p netip.Prefix) bool {
	return p.IsValid() && covers(s.spans, []span[netip.Addr]{spanOf(p)})
}

// Union gives what is in s, in o or in both.
func (s IPSet) Union(o IPSet) IPSet { return IPSet{union(s.spans, o.spans)} }

// Intersect gives what is in both s and o.
func (s IPSet) Intersect(o IPSet) IPSet { return IPSet{intersect(s.spans, o.spans)} }

// Difference gives what is in s but not in o.
func (s IPSet) Difference(o IPSet) IPSet { return IPSet{difference(s.spans, o.spans)} }

// Equal tells whether both sets hold the same addresses.
func (s IPSet) Equal(o IPSet) bool { return slices.Equal(s.spans, o.spans) }

// IsEmpty tells whether s holds no address.
func (s IPSet) IsEmpty() bool { return len(s.spans) == 0 }

// String gives the canonical text, such as "10.0.0.0/8, 192.0.2.0-192.0.2.130": a
// block that is one prefix as such, a single address without its length, else first and
// last address; "" for the empty set. ParseIPSet reads it back.
func (s IPSet) String() string {
	var b strings.Builder
	for i, r := range s.Ranges() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(blockText(r))
	}
	return b.String()
}

func blockText(r netipx.IPRange) string {
	if r.From() == r.To() {
		return r.From().String()
	}
	if p, ok := r.Prefix(); ok {
		return p.String()
	}
	return r.From().String() + "-" + r.To().String()
}
