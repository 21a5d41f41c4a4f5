package analysis_test

import (
	"fmt"
	"net/netip"
	"testing"

	"baleen/internal/bgp"
	"baleen/internal/bgp/analysis"
)

// stateOf gives the state of the first ROA.
func stateOf(seen *bgp.Set, texts ...string) string {
	in := analysis.Input{ROAs: roas(texts...), Held: set("10.0.0.0/8", "2001:db8::/32"), Seen: seen}
	for _, e := range analysis.Compare(in).Report() {
		if e.ROA == in.ROAs[0] && !e.State.OfAnnouncement() {
			return e.State.String()
		}
	}
	return ""
}

// One ROA includes another of the same AS if it allows all that the other does.
func TestWhichROAIncludesWhich(t *testing.T) {
	const wide = "10.0.0.0/16-20 => 64496"
	for text, want := range map[string]bool{
		"10.0.0.0/16 => 64496":      true,
		"10.0.0.0/16-19 => 64496":   true,
		"10.0.0.0/20 => 64496":      true,
		"10.0.240.0/20 => 64496":    true,
		"10.0.0.0/18-20 => 64496":   true,
		"10.0.0.0/24 => 64496":      false,
		"10.0.0.0/16-24 => 64496":   false,
		"10.0.0.0/20-21 => 64496":   false,
		"10.0.0.0/15-20 => 64496":   false,
		"10.1.0.0/20 => 64496":      false,
		"10.0.0.0/20 => 64497":      false,
		"2001:db8::/32-48 => 64496": false,
	} {
		if got := stateOf(seen(), text, wide) == "roa_redundant"; got != want {
			t.Errorf("%s includes %s: %t, want %t", wide, text, got, want)
		}
	}
}

// A ROA allows 1, 2, 4, 8… of its longest prefixes: it is too permissive unless
// all of them are seen.
func TestHowManyPrefixesAROAAllows(t *testing.T) {
	for maxLength, count := range map[int]int{15: 1, 16: 2, 17: 4, 18: 8} {
		text := fmt.Sprintf("10.0.0.0/15-%d => 64496", maxLength)
		var all []bgp.Announcement
		for i := range count {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i << (24 - maxLength) >> 8), byte(i << (24 - maxLength)), 0}), maxLength)
			all = append(all, bgp.Announcement{Prefix: p, Origin: 64496})
		}
		if got := stateOf(bgp.NewSet(all), text); got != "roa_seen" {
			t.Errorf("%s with all %d seen: %s", text, count, got)
		}
		if got := stateOf(bgp.NewSet(all[1:]), text); count > 1 && got != "roa_too_permissive" {
			t.Errorf("%s with one of %d not seen: %s", text, count, got)
		}
	}
}
