// Package bgp holds the routes that are seen announced on the internet, and
// reads the dumps in which RIPE NCC's route collectors publish them
// (riswhoisdump). It is pure: package feed fetches the dumps.
package bgp

import (
	"cmp"
	"net/netip"
	"slices"

	"go4.org/netipx"
)

// Announcement is a route as it is seen: a prefix and the AS that originates it.
type Announcement struct {
	Prefix netip.Prefix // without bits behind its length
	Origin uint32
}

// Compare orders announcements by address, the shorter prefix first, and then
// by origin: what lies in a prefix stands together.
func Compare(a, b Announcement) int {
	return cmp.Or(comparePrefix(a.Prefix, b.Prefix), cmp.Compare(a.Origin, b.Origin))
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// Set is a set of announcements. It never changes, so that many may read it.
type Set struct {
	sorted []Announcement
	v4     int
}

// NewSet makes a set. It takes the list over.
func NewSet(list []Announcement) *Set {
	slices.SortFunc(list, Compare)
	list = slices.Compact(list)
	s := &Set{sorted: slices.Clip(list)}
	s.v4, _ = slices.BinarySearchFunc(list, netip.IPv6Unspecified(), func(a Announcement, v6 netip.Addr) int { return a.Prefix.Addr().Compare(v6) })
	return s
}

// Len counts the announcements of each family.
func (s *Set) Len() (v4, v6 int) { return s.v4, len(s.sorted) - s.v4 }

// Within gives the announcements of a prefix and of all that lies in it, in
// order. The caller must not change them.
func (s *Set) Within(p netip.Prefix) []Announcement {
	p = p.Masked()
	if !p.IsValid() {
		return nil
	}
	begin, _ := slices.BinarySearchFunc(s.sorted, p, func(a Announcement, p netip.Prefix) int { return comparePrefix(a.Prefix, p) })
	last := netipx.PrefixLastIP(p)
	n, _ := slices.BinarySearchFunc(s.sorted[begin:], last, func(a Announcement, last netip.Addr) int {
		if a.Prefix.Addr().Compare(last) <= 0 {
			return -1
		}
		return 1
	})
	return s.sorted[begin : begin+n : begin+n]
}
