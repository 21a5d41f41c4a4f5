package bgp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func parse(text string, v6 bool) (Dump, error) {
	return Parse(strings.NewReader(text), v6, DefaultLimits())
}

func TestParse(t *testing.T) {
	d, err := parse("% a comment\n\n64496\t192.0.2.0/24\t13\r\n64497\t192.0.2.0/24\t12\n"+
		"64496:{64500}\t198.51.100.0/24\t99\n{64501,64502}\t198.51.100.0/24\t99\n4294967295\t203.0.113.0/24\t300\n", false)
	want := []Announcement{{netip.MustParsePrefix("192.0.2.0/24"), 64496}, {netip.MustParsePrefix("203.0.113.0/24"), 4294967295}}
	if err != nil || !slices.Equal(d.Announcements, want) || d.Skipped != 3 || d.Junk != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
	d, err = parse("64496\t2001:db8::/32\t50\n", true)
	if err != nil || len(d.Announcements) != 1 {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestJunkIsNoRoute(t *testing.T) {
	const good = "64496\t192.0.2.0/24\t13\n"
	for _, line := range []string{
		"[Querying 127.0.0.1]", "64496 192.0.2.0/24 13", "64496\t192.0.2.0/24", "64496\t192.0.2.0/24\t", "64496\t192.0.2.0/24\t-1", "64496\t192.0.2.0/24\t13\t1",
		"64496\t192.0.2.1/24\t13", "64496\t192.0.2.0/33\t13", "64496\t2001:db8::/32\t13", "64496\t::ffff:192.0.2.0/120\t13", "4294967296\t192.0.2.0/24\t13",
		"AS64496\t192.0.2.0/24\t13", "\t192.0.2.0/24\t13", "{64496}\tx\t13",
	} {
		if d, err := parse(good+line+"\n", false); err != nil || d.Junk != 1 || len(d.Announcements) != 1 {
			t.Errorf("%q: %+v, %v", line, d, err)
		}
	}
}

func TestWhatIsNoDumpIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "comments": "% nothing today\n", "a web page": "<html>\n<body>moved</body>\n</html>\n",
		"mostly junk": strings.Repeat("64496\t192.0.2.0/24\t13\n", 50) + strings.Repeat("junk\n", 20),
		"one line":    strings.Repeat("x", 5000),
		"few see it":  "64496\t192.0.2.0/24\t1\n",
	} {
		if d, err := parse(text, false); !errors.Is(err, ErrNoDump) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	two := "64496\t192.0.2.0/24\t13\n64496\t198.51.100.0/24\t13\n"
	for name, limits := range map[string]Limits{"octets": {Octets: int64(len(two)) - 1, Routes: 10}, "routes": {Octets: 1000, Routes: 1}} {
		if d, err := Parse(strings.NewReader(two), false, limits); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	if _, err := Parse(strings.NewReader(two), false, Limits{Octets: int64(len(two)), Routes: 2}); err != nil {
		t.Errorf("just within the limits: %v", err)
	}
}

// Excerpts of real dumps, banner and all.
func TestRealDumps(t *testing.T) {
	for name, v6 := range map[string]bool{"testdata/riswhoisdump.IPv4": false, "testdata/riswhoisdump.IPv6": true} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(f, v6, DefaultLimits())
		_ = f.Close()
		if err != nil || len(d.Announcements) < 20 || d.Junk > 2 || d.Skipped < 1 {
			t.Errorf("%s: %d routes, %d left out, %d junk, %v", name, len(d.Announcements), d.Skipped, d.Junk, err)
		}
	}
}

func TestSet(t *testing.T) {
	list := []Announcement{
		{netip.MustParsePrefix("10.0.0.0/8"), 1},
		{netip.MustParsePrefix("10.0.0.0/16"), 2},
		{netip.MustParsePrefix("10.0.0.0/16"), 1},
		{netip.MustParsePrefix("10.0.0.0/16"), 1},
		{netip.MustParsePrefix("10.0.255.0/24"), 3},
		{netip.MustParsePrefix("10.1.0.0/16"), 4},
		{netip.MustParsePrefix("255.255.255.255/32"), 5},
		{netip.MustParsePrefix("::/0"), 6},
		{netip.MustParsePrefix("2001:db8::/32"), 7},
	}
	s := NewSet(list)
	if v4, v6 := s.Len(); v4 != 6 || v6 != 2 {
		t.Errorf("%d, %d", v4, v6)
	}
	for p, want := range map[string]string{
		"10.0.0.0/16": "[{10.0.0.0/16 1} {10.0.0.0/16 2} {10.0.255.0/24 3}]", "10.0.0.0/17": "[]", "0.0.0.0/0": "6", "255.255.255.255/32": "[{255.255.255.255/32 5}]",
		"::/0": "[{::/0 6} {2001:db8::/32 7}]", "2001:db8::/48": "[]", "11.0.0.0/8": "[]",
	} {
		got := s.Within(netip.MustParsePrefix(p))
		if text := fmt.Sprint(got); text != want && fmt.Sprint(len(got)) != want {
			t.Errorf("%s: %s", p, text)
		}
	}
	if got := NewSet(nil).Within(netip.MustParsePrefix("10.0.0.0/8")); len(got) != 0 {
		t.Errorf("an empty set: %v", got)
	}
	if got := s.Within(netip.Prefix{}); len(got) != 0 {
		t.Errorf("no prefix: %v", got)
	}
}

// Within gives exactly what a look at every announcement gives.
func TestWithinIsWhatLiesWithin(t *testing.T) {
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		if rapid.Bool().Draw(t, "v6") {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, rapid.Byte().Draw(t, "a") & 3, 15: rapid.Byte().Draw(t, "z") & 3}), rapid.IntRange(0, 128).Draw(t, "bits")).Masked()
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{rapid.Byte().Draw(t, "a") & 3, 3: rapid.Byte().Draw(t, "z") & 3}), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
	})
	announcement := rapid.Custom(func(t *rapid.T) Announcement {
		return Announcement{Prefix: prefix.Draw(t, "prefix"), Origin: uint32(rapid.IntRange(1, 3).Draw(t, "origin"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(announcement, 0, 40).Draw(t, "list")
		p := prefix.Draw(t, "asked")
		var want []Announcement
		for _, a := range list {
			if p.Contains(a.Prefix.Addr()) && a.Prefix.Bits() >= p.Bits() {
				want = append(want, a)
			}
		}
		slices.SortFunc(want, Compare)
		want = slices.Compact(want)
		if got := NewSet(slices.Clone(list)).Within(p); !slices.Equal(got, want) {
			t.Fatalf("%s: got %v, want %v", p, got, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/riswhoisdump.IPv4", "testdata/riswhoisdump.IPv6"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw), strings.HasSuffix(name, "6"))
	}
	f.Fuzz(func(t *testing.T, text string, v6 bool) {
		d, err := Parse(strings.NewReader(text), v6, Limits{Octets: 1 << 20, Routes: 1000})
		if err != nil {
			return
		}
		for _, a := range d.Announcements {
			if a.Prefix != a.Prefix.Masked() || a.Prefix.Addr().Is4() == v6 {
				t.Errorf("accepted %v", a)
			}
		}
	})
}
