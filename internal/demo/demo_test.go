package demo

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestNetworks(t *testing.T) {
	const text = "# comment\n" +
		"42\t192.0.2.0/24\t11\n" +
		"42\t192.0.2.0/25\t110\n" +
		"42\t2001:db8::/32\t99\n" +
		"4200000000\t192.0.2.0/24\t10\n"
	got, err := Networks(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []Network{
		{42, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.2.0/25"), netip.MustParsePrefix("2001:db8::/32")}},
		{4200000000, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNetworksRefuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"nothing":          {"", "the file has no routes"},
		"only comments":    {"# x\n", "the file has no routes"},
		"blank line":       {"1\t192.0.2.0/24\t10\n\n", "line 2: want origin, prefix and peers"},
		"spaces":           {"1 192.0.2.0/24 10\n", "line 1: want origin, prefix and peers"},
		"four fields":      {"1\t192.0.2.0/24\t10\tx\n", "line 1: want origin, prefix and peers"},
		"AS set":           {"{1,2}\t192.0.2.0/24\t10\n", "line 1: origin: \"{1,2}\" is not a number"},
		"AS 0":             {"0\t192.0.2.0/24\t10\n", "line 1: origin:"},
		"AS too large":     {"4294967296\t192.0.2.0/24\t10\n", "line 1: origin:"},
		"sign":             {"+1\t192.0.2.0/24\t10\n", "line 1: origin:"},
		"leading zero":     {"01\t192.0.2.0/24\t10\n", "line 1: origin:"},
		"no prefix":        {"1\t192.0.2.0\t10\n", "line 1:"},
		"host bits":        {"1\t192.0.2.1/24\t10\n", "line 1: prefix \"192.0.2.1/24\" is not in canonical form"},
		"long spelling":    {"1\t2001:db8:0::/32\t10\n", "line 1: prefix \"2001:db8:0::/32\" is not in canonical form"},
		"mapped address":   {"1\t::ffff:192.0.2.0/120\t10\n", "line 1: prefix"},
		"default route":    {"1\t0.0.0.0/0\t10\n", "line 1: prefix \"0.0.0.0/0\" is a default route"},
		"no peers":         {"1\t192.0.2.0/24\t0\n", "line 1: peers:"},
		"carriage return":  {"1\t192.0.2.0/24\t10\r\r\n", "line 1: peers:"},
		"same route twice": {"# x\n1\t192.0.2.0/24\t10\n1\t192.0.2.0/24\t10\n", "line 3: 192.0.2.0/24 comes after 192.0.2.0/24"},
		"prefix order":     {"1\t198.51.100.0/24\t10\n1\t192.0.2.0/24\t10\n", "line 2: 192.0.2.0/24 comes after"},
		"family order":     {"1\t2001:db8::/32\t10\n1\t192.0.2.0/24\t10\n", "line 2: 192.0.2.0/24 comes after"},
		"origin order":     {"2\t192.0.2.0/24\t10\n1\t192.0.2.0/24\t10\n", "line 2: AS 1 comes after AS 2"},
		"endless line":     {"# x\n" + strings.Repeat("1", 1<<17), "line 2: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Networks(strings.NewReader(test.text))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, %v; want an error that begins %q", got, err, test.want)
			}
		})
	}
}

// TestExcerpt holds the excerpt in the tree to what its README says about it.
func TestExcerpt(t *testing.T) {
	file, err := os.ReadFile("../../test/data/routes-2012-09-07.tsv")
	if err != nil {
		t.Fatal(err)
	}
	networks, err := Networks(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}

	routes, both, large, small := 0, 0, 0, 0
	origins := make(map[netip.Prefix]int)
	for _, n := range networks {
		routes += len(n.Prefixes)
		if n.Prefixes[0].Addr().Is4() && n.Prefixes[len(n.Prefixes)-1].Addr().Is6() {
			both++
		}
		if len(n.Prefixes) > 100 {
			large++
		}
		if len(n.Prefixes) <= 10 {
			small++
		}
		for _, p := range n.Prefixes {
			origins[p]++
		}
	}
	shared := 0
	for _, n := range origins {
		if n > 1 {
			shared++
		}
	}
	got := fmt.Sprintf("%d networks, %d routes, %d with both families, %d above 100, %d of 5 to 10, %d shared prefixes",
		len(networks), routes, both, large, small, shared)
	const want = "50 networks, 2367 routes, 27 with both families, 10 above 100, 15 of 5 to 10, 7 shared prefixes"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// FuzzNetworks: what is accepted is written back the same, comments aside.
func FuzzNetworks(f *testing.F) {
	f.Add("1\t178.217.8.0/24\n")
	f.Add("42\t192.203.230.0/24\t108\n42\t2001:500:a4::/48\t95\n297\t192.203.230.0/24\t108\n")
	f.Add("# c\n2116\t109.239.224.0/20\t12\n")
	f.Fuzz(func(t *testing.T, text string) {
		networks, err := Networks(strings.NewReader(text))
		if err != nil {
			return
		}
		var b strings.Builder
		for _, n := range networks {
			for _, p := range n.Prefixes {
				fmt.Fprintf(&b, "%d\t%s\t1\n", n.ASID, p)
			}
		}
		again, err := Networks(strings.NewReader(b.String()))
		if err != nil || !reflect.DeepEqual(again, networks) {
			t.Errorf("accepted %q, but written back it is %v, %v", text, again, err)
		}
	})
}
