package ca

import (
	"fmt"
	"net/netip"
	"testing"
)

// A maximum length lies between the prefix's own and that of an address of its
// family (RFC 9582 section 4.3.2.2).
func TestMaximumLengths(t *testing.T) {
	s := given(t, certified(t, set(t, "", "10.0.0.0/8", "2001:db8::/32"))...)
	for text, last := range map[string]int{"10.0.0.0/16": 32, "2001:db8::/32": 128} {
		prefix := netip.MustParsePrefix(text)
		for length := -1; length <= 130; length++ {
			r := ROA{ASID: 64496, Prefix: prefix, MaxLength: length}
			events, err := ConfigureROAs{Added: []ConfiguredROA{{ROA: r}}}.Process(s, noon)
			if want := length >= prefix.Bits() && length <= last; (err == nil) != want || (len(events) == 1) != want {
				t.Errorf("%v: %d events, %v", fmt.Sprint(r), len(events), err)
			}
		}
	}
}
