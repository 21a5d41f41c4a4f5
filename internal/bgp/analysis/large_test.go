package analysis_test

import (
	"net/netip"
	"slices"
	"testing"

	"baleen/internal/bgp"
	"baleen/internal/bgp/analysis"
	"baleen/internal/ca"
)

// large gives 10,000 ROAs and what is announced in a /8: every /24 and much
// that covers it. The ROAs have prefixes of their own, or all of them the /8.
func large(together bool) analysis.Input {
	var list []bgp.Announcement
	for i := range 1 << 16 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i)}), 24)
		list = append(list, bgp.Announcement{Prefix: p, Origin: uint32(64496 + i%7)})
		for _, bits := range []int{9, 12, 16, 20, 22} {
			if up, _ := p.Addr().Prefix(bits); up.Addr() == p.Addr() {
				list = append(list, bgp.Announcement{Prefix: up, Origin: uint32(64496 + i%5)})
			}
		}
	}
	roas := make([]ca.ConfiguredROA, 10000)
	for i := range roas {
		p, _ := netip.AddrFrom4([4]byte{10, byte(i >> 6), byte(i << 2)}).Prefix(22 + i%3)
		roas[i].ROA = ca.ROA{Prefix: p, MaxLength: 24, ASID: uint32(64496 + i%7)}
		if together {
			roas[i].ROA = ca.ROA{Prefix: netip.MustParsePrefix("10.0.0.0/8"), MaxLength: 24, ASID: uint32(64499 + i)}
		}
	}
	return analysis.Input{ROAs: roas, Held: set("10.0.0.0/8", ""), Seen: bgp.NewSet(list)}
}

func TestLargeInput(t *testing.T) {
	for name, together := range map[string]bool{"apart": false, "one prefix": true} {
		t.Run(name, func(t *testing.T) {
			in := large(together)
			c := analysis.Compare(in)
			v4, _ := in.Seen.Len()
			report, st := c.Report(), c.Stats()
			if n := st.Valid + st.InvalidASN + st.InvalidLength + st.Disallowed + st.NotFound; n != v4 || st.ROAs != 10000 || len(report) != v4+10000 {
				t.Errorf("of %d announcements and 10000 ROAs: %+v, a report of %d", v4, st, len(report))
			}
			if !slices.IsSortedFunc(report, func(a, b analysis.Entry) int { return int(a.State) - int(b.State) }) {
				t.Error("the report is not sorted")
			}
		})
	}
}

func BenchmarkCompare10000(b *testing.B) {
	for name, together := range map[string]bool{"apart": false, "one prefix": true} {
		in := large(together)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				analysis.Compare(in).Report()
			}
		})
	}
}
