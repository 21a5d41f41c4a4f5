package resources_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/resources"
)

func asSet(t testing.TB, text string) resources.ASSet {
	t.Helper()
	s, err := resources.ParseASSet(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ipSet(t testing.TB, text string, f resources.Family) resources.IPSet {
	t.Helper()
	s, err := resources.ParseIPSet(text, f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func set(t testing.TB, as, v4, v6 string) resources.Set {
	t.Helper()
	return resources.Set{AS: asSet(t, as), V4: ipSet(t, v4, resources.IPv4), V6: ipSet(t, v6, resources.IPv6)}
}

func TestParseASSet(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		" , ,":                         "",
		"1":                            "AS1",
		"AS1":                          "AS1",
		"as1-as5":                      "AS1-AS5",
		"1 - AS5":                      "AS1-AS5",
		"AS65000, AS64512-AS64520":     "AS64512-AS64520, AS65000",
		"AS1,AS2,AS3":                  "AS1-AS3",
		"AS1-AS5,AS3-AS9,AS11":         "AS1-AS9, AS11",
		"AS7-AS7":                      "AS7",
		"AS0":                          "AS0",
		"AS4294967295,AS4294967294":    "AS4294967294-AS4294967295",
		"AS4294967295":                 "AS4294967295",
		"AS0-AS4294967295,AS5":         "AS0-AS4294967295",
		"AS4294967290-AS4294967295,1,": "AS1, AS4294967290-AS4294967295",
	} {
		got, err := resources.ParseASSet(in)
		if err != nil || got.String() != want {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"AS", "ASx", "-1", "AS-1", "1-", "-", "AS5-AS1", "AS4294967296", "99999999999999999999", "1.10", "+1", "AS 1", "ASAS1", "1-2-3", "inherit", "AS1;AS2"} {
		if got, err := resources.ParseASSet(in); err == nil {
			t.Errorf("%q: accepted as %q", in, got)
		}
	}
}

func TestParseIPSet(t *testing.T) {
	for _, c := range []struct {
		in     string
		family resources.Family
		want   string
	}{
		{"", resources.IPv4, ""},
		{"10.0.0.0/8, 192.0.2.0-192.0.2.130, 192.168.1.1", resources.IPv4, "10.0.0.0/8, 192.0.2.0-192.0.2.130, 192.168.1.1"},
		{"10.1.2.3/8", resources.IPv4, "10.0.0.0/8"},
		{"192.168.1.1/32", resources.IPv4, "192.168.1.1"},
		{"10.0.1.0/24,10.0.0.0/24", resources.IPv4, "10.0.0.0/23"},
		{"10.0.1.0/24,10.0.2.0/24", resources.IPv4, "10.0.1.0-10.0.2.255"},
		{"10.0.0.0 - 10.255.255.255", resources.IPv4, "10.0.0.0/8"},
		{"0.0.0.0/0,255.255.255.255", resources.IPv4, "0.0.0.0/0"},
		{"255.255.255.255,255.255.255.254", resources.IPv4, "255.255.255.254/31"},
		{"0.0.0.0/1,128.0.0.0/1", resources.IPv4, "0.0.0.0/0"},
		{"2001:db8::/32", resources.IPv6, "2001:db8::/32"},
		{"2001:DB8:0::1/32", resources.IPv6, "2001:db8::/32"},
		{"::1", resources.IPv6, "::1"},
		{"::/0", resources.IPv6, "::/0"},
		{"::ffff:0:0/96", resources.IPv6, "::ffff:0.0.0.0/96"},
		{"2001:db8::-2001:db8::5", resources.IPv6, "2001:db8::-2001:db8::5"},
	} {
		got, err := resources.ParseIPSet(c.in, c.family)
		if err != nil || got.String() != c.want {
			t.Errorf("%q: got %q, %v, want %q", c.in, got, err, c.want)
		}
		again, err := resources.ParseIPSet(got.String(), c.family)
		if err != nil || !again.Equal(got) {
			t.Errorf("%q does not read back: %q, %v", got, again, err)
		}
	}
	for _, c := range []struct {
		in     string
		family resources.Family
	}{
		{"2001:db8::/32", resources.IPv4},
		{"10.0.0.0/8", resources.IPv6},
		{"10.0.0.0/8, ::1", resources.IPv4},
		{"10.0.0.0-::1", resources.IPv4},
		{"::ffff:10.0.0.1", resources.IPv4},
		{"10/8", resources.IPv4},
		{"10.0.0.0/33", resources.IPv4},
		{"10.0.0.0/-1", resources.IPv4},
		{"10.0.0.0/8-11.0.0.0/8", resources.IPv4},
		{"10.0.0.2-10.0.0.1", resources.IPv4},
		{"10.0.0.256", resources.IPv4},
		{"fe80::1%eth0", resources.IPv6},
		{"fe80::1%a-fe80::2%a", resources.IPv6},
		{"inherit", resources.IPv4},
		{"10.0.0.0/8 11.0.0.0/8", resources.IPv4},
	} {
		if got, err := resources.ParseIPSet(c.in, c.family); err == nil {
			t.Errorf("%q: accepted as %q", c.in, got)
		}
	}
}

func TestASSetAlgebra(t *testing.T) {
	a, b := asSet(t, "AS1-AS10, AS20"), asSet(t, "AS5-AS20")
	if got := a.Union(b).String(); got != "AS1-AS20" {
		t.Errorf("union: %s", got)
	}
	if got := a.Intersect(b).String(); got != "AS5-AS10, AS20" {
		t.Errorf("intersection: %s", got)
	}
	if got := a.Difference(b).String(); got != "AS1-AS4" {
		t.Errorf("difference: %s", got)
	}
	if got := asSet(t, "AS0-AS4294967295").Difference(asSet(t, "AS4294967295")).String(); got != "AS0-AS4294967294" {
		t.Errorf("all but the last: %s", got)
	}
	if got := asSet(t, "AS0-AS4294967295").Difference(asSet(t, "AS0")).String(); got != "AS1-AS4294967295" {
		t.Errorf("all but the first: %s", got)
	}
	if got := resources.NewASSet(resources.ASRange{Lo: 5, Hi: 1}); !got.IsEmpty() {
		t.Errorf("inverted range: %s", got)
	}
	if got := a.Ranges(); len(got) != 2 || got[0] != (resources.ASRange{Lo: 1, Hi: 10}) {
		t.Errorf("ranges: %v", got)
	}
}

func TestSetsAreImmutable(t *testing.T) {
	s := set(t, "AS1-AS5, AS9", "10.0.0.0/8, 12.0.0.0/8", "::1")
	before := s.String()
	s.AS.Ranges()[0].Hi = 77
	s.V4.Ranges()[0] = s.V6.Ranges()[0]
	_ = s.Union(resources.AllResources())
	_ = s.Difference(set(t, "AS2", "10.1.0.0/16", "::1"))
	if s.String() != before {
		t.Errorf("got %v, want %v", s, before)
	}
}

func TestFamiliesAreKeptApart(t *testing.T) {
	// 42.0.0.0/8 and 2a00::/8 have the same first bits.
	v4, v6 := set(t, "", "42.0.0.0/8", ""), set(t, "", "", "2a00::/16")
	for _, c := range []struct {
		s    resources.Set
		p    string
		want bool
	}{
		{v4, "42.0.1.0/24", true},
		{v4, "42.0.0.0/8", true},
		{v4, "42.0.0.0/7", false},
		{v4, "2a00::/16", false},
		{v4, "2a01:db8::/32", false},
		{v6, "42.0.1.0/24", false},
		{v6, "2a00:1::/32", true},
		{v6, "::ffff:42.0.0.0/104", false},
		{resources.AllResources(), "0.0.0.0/0", true},
		{resources.AllResources(), "::/0", true},
		{resources.Set{}, "::/0", false},
	} {
		if got := c.s.ContainsPrefix(netip.MustParsePrefix(c.p)); got != c.want {
			t.Errorf("%v contains %s: got %v", c.s, c.p, got)
		}
	}
	if resources.AllResources().ContainsPrefix(netip.Prefix{}) {
		t.Error("contains an invalid prefix")
	}
	if got := resources.IPSetOf(resources.IPv4, netip.MustParsePrefix("2a00::/16"), netip.Prefix{}, netip.MustParsePrefix("10.9.9.9/8")); got.String() != "10.0.0.0/8" {
		t.Errorf("prefixes of another family: got %v", got)
	}
}

func TestSetContains(t *testing.T) {
	s := set(t, "AS1-AS5", "10.0.0.0/8, 192.0.2.0/24", "2001:db8::/32")
	for want, others := range map[bool][]resources.Set{
		true:  {{}, s, set(t, "AS2", "", ""), set(t, "", "10.1.0.0/16, 192.0.2.128/25", "2001:db8:1::/48")},
		false: {set(t, "AS6", "", ""), set(t, "AS5-AS6", "", ""), set(t, "", "10.0.0.0/7", ""), set(t, "", "", "::/0"), resources.AllResources()},
	} {
		for _, o := range others {
			if got := s.Contains(o); got != want {
				t.Errorf("%v: got %v", o, got)
			}
		}
	}
	if !s.ContainsAS(5) || s.ContainsAS(6) || s.ContainsAS(0) || !resources.AllResources().ContainsAS(4294967295) {
		t.Error("single AS numbers")
	}
	if (resources.Set{}).Contains(s) || !(resources.Set{}).Contains(resources.Set{}) {
		t.Error("the empty set")
	}
}

func TestSetText(t *testing.T) {
	s := set(t, "AS1", "10.0.0.0/8", "")
	if got := s.String(); got != "asn: 'AS1', ipv4: '10.0.0.0/8', ipv6: ''" {
		t.Error(got)
	}
	if got := s.Summary(); got != "asn: 1 blocks, v4: 1 blocks, v6: 0 blocks" {
		t.Error(got)
	}
	if got := resources.AllResources().String(); got != "asn: 'AS0-AS4294967295', ipv4: '0.0.0.0/0', ipv6: '::/0'" {
		t.Error(got)
	}
}

func TestSetJSON(t *testing.T) {
	s := set(t, "AS64512-AS64520, AS65000", "10.0.0.0/8, 192.0.2.0-192.0.2.130, 192.168.1.1", "2001:db8::/32")
	want := `{"asn":"AS64512-AS64520, AS65000","ipv4":"10.0.0.0/8, 192.0.2.0-192.0.2.130, 192.168.1.1","ipv6":"2001:db8::/32"}`
	got, err := json.Marshal(s)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	for _, in := range []string{
		want,
		strings.NewReplacer("ipv4", "v4", "ipv6", "v6").Replace(want),
		`{"ipv6":"2001:db8::1/32","ipv4":"192.168.1.1,192.0.2.0-192.0.2.130,10.0.0.0/8","asn":"65000,as64512-64520"}`,
	} {
		var back resources.Set
		if err := json.Unmarshal([]byte(in), &back); err != nil || !back.Equal(s) {
			t.Errorf("%s: got %v, %v", in, back, err)
		}
	}
	for name, in := range map[string]string{
		"no asn":         `{"ipv4":"","ipv6":""}`,
		"no ipv4":        `{"asn":"","ipv6":""}`,
		"no ipv6":        `{"asn":"","ipv4":""}`,
		"twice":          `{"asn":"","ipv4":"","ipv6":"","v4":"10.0.0.0/8"}`,
		"wrong family":   `{"asn":"","ipv4":"::/0","ipv6":""}`,
		"wrong family 6": `{"asn":"","ipv4":"","ipv6":"10.0.0.0/8"}`,
		"bad asn":        `{"asn":"x","ipv4":"","ipv6":""}`,
		"number":         `{"asn":1,"ipv4":"","ipv6":""}`,
		"null":           `null`,
		"null member":    `{"asn":null,"ipv4":"","ipv6":""}`,
		"string":         `"10.0.0.0/8"`,
	} {
		back := s
		if err := json.Unmarshal([]byte(in), &back); err == nil {
			t.Errorf("%s: accepted as %v", name, back)
		}
		if !back.Equal(s) {
			t.Errorf("%s: changed its target to %v", name, back)
		}
	}
}

// Sets of tens of thousands of blocks are ordinary for a registry.
func TestLargeSetsAreFast(t *testing.T) {
	prefixes := make([]netip.Prefix, 0, 20000)
	for i := range 10000 {
		prefixes = append(prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 7), byte(i << 1), 0}), 24))
	}
	start := time.Now()
	s := resources.IPSetOf(resources.IPv4, prefixes...)
	o := resources.IPSetOf(resources.IPv4, prefixes[1:]...)
	if s.Blocks() != 10000 || !s.Contains(o) || o.Contains(s) || s.Difference(o).Blocks() != 1 || s.Intersect(o).Blocks() != 9999 || !o.Union(s).Equal(s) {
		t.Error("wrong results")
	}
	for _, p := range prefixes {
		if !s.ContainsPrefix(p) {
			t.Fatalf("%v is missing", p)
		}
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func BenchmarkContains10000(b *testing.B) {
	prefixes := make([]netip.Prefix, 0, 10000)
	for i := range 10000 {
		prefixes = append(prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 7), byte(i << 1), 0}), 24))
	}
	s := resources.IPSetOf(resources.IPv4, prefixes...)
	one := resources.Set{V4: s}
	b.Run("set", func(b *testing.B) {
		for b.Loop() {
			s.Contains(s)
		}
	})
	b.Run("prefix", func(b *testing.B) {
		for b.Loop() {
			one.ContainsPrefix(prefixes[7000])
		}
	})
}
