package roa_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/roa"
)

var update = flag.Bool("update", false, "write the golden files anew")

func prefix(s string, maxLength int) roa.Prefix {
	return roa.Prefix{Prefix: netip.MustParsePrefix(s), MaxLength: maxLength}
}

// mixed is in canonical order.
var mixed = roa.ROA{ASID: 4200000000, Prefixes: []roa.Prefix{
	prefix("0.0.0.0/0", 8),
	prefix("10.0.0.0/8", 8),
	prefix("10.0.0.0/16", 16),
	prefix("10.0.0.0/16", 24),
	prefix("192.0.2.255/32", 32),
	prefix("::/0", 0),
	prefix("2001:db8::/32", 48),
	prefix("2001:db8::1/128", 128),
}}

func TestGolden(t *testing.T) {
	for name, r := range map[string]roa.ROA{
		"mixed": mixed,
		"v4":    {ASID: 64496, Prefixes: []roa.Prefix{prefix("192.0.2.0/24", 24)}},
		"v6":    {ASID: 0, Prefixes: []roa.Prefix{prefix("2001:db8::/32", 128)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".der")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
			back, err := roa.Decode(want)
			if err != nil || !reflect.DeepEqual(back, r) {
				t.Errorf("got %v, %v, want %v", back, err, r)
			}
		})
	}
}

// The octets of this one were put together by hand from the ASN.1 in RFC 9582.
func TestEncodeByHand(t *testing.T) {
	r := roa.ROA{ASID: 64496, Prefixes: []roa.Prefix{prefix("2001:db8::/32", 32), prefix("10.64.0.0/12", 16)}}
	v4 := "3010" + "04020001" + "300a" + "3008" + "0303040a40" + "020110"
	v6 := "300f" + "04020002" + "3009" + "3007" + "03050020010db8"
	want := "302a" + "020300fbf0" + "3023" + v4 + v6
	got, err := r.Encode()
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v, want %s", got, err, want)
	}
}

func TestEncodeIsCanonical(t *testing.T) {
	want, err := mixed.Encode()
	if err != nil {
		t.Fatal(err)
	}
	shuffled := roa.ROA{ASID: mixed.ASID}
	for i := range mixed.Prefixes {
		p := mixed.Prefixes[(i*5+3)%len(mixed.Prefixes)]
		shuffled.Prefixes = append(shuffled.Prefixes, p, p)
	}
	got, err := shuffled.Encode()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v, want %x", got, err, want)
	}
	if len(shuffled.Prefixes) != 2*len(mixed.Prefixes) {
		t.Error("Encode changed its receiver")
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		prefixes []roa.Prefix
		section  string
	}{
		"no prefix":        {nil, "4.3"},
		"zero prefix":      {[]roa.Prefix{{}}, "4.3.2.1"},
		"host bits":        {[]roa.Prefix{prefix("10.0.0.1/24", 24)}, "4.3.2.1"},
		"shorter":          {[]roa.Prefix{prefix("10.0.0.0/24", 23)}, "4.3.2.2"},
		"longer, IPv4":     {[]roa.Prefix{prefix("10.0.0.0/24", 33)}, "4.3.2.2"},
		"longer, IPv6":     {[]roa.Prefix{prefix("2001:db8::/32", 129)}, "4.3.2.2"},
		"IPv4 as IPv6":     {[]roa.Prefix{prefix("::ffff:10.0.0.0/104", 104)}, "4.3.1"},
		"one among others": {[]roa.Prefix{prefix("10.0.0.0/24", 24), prefix("10.0.1.0/24", 8)}, "4.3.2.2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := roa.ROA{Prefixes: tc.prefixes}.Encode()
			var problem roa.Problem
			if !errors.As(err, &problem) || problem.Section != tc.section {
				t.Errorf("got %v, want section %s", err, tc.section)
			}
		})
	}
}

const (
	asn    = "020300fbf0"
	family = "3010" + "04020001" + "300a" + "3008" + "0303040a40" + "020110"
)

// seq puts a SEQUENCE of less than 128 octets around hex contents.
func seq(parts ...string) string {
	contents := strings.Join(parts, "")
	return hex.EncodeToString([]byte{0x30, byte(len(contents) / 2)}) + contents
}

func v4(addresses ...string) string { return seq("04020001", seq(addresses...)) }

func TestDecodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		der      string
		sections string
	}{
		"empty":                 {"", "4"},
		"something after":       {seq(asn, seq(family)) + "00", "4"},
		"long length":           {"308117" + asn + seq(family), "4"},
		"indefinite length":     {"3080" + asn + seq(family) + "0000", "4"},
		"version 0 written":     {seq("a003020100", asn, seq(family)), "4.1"},
		"version 1":             {seq("a003020101", asn, seq(family)), "4.1"},
		"no AS":                 {seq(seq(family)), "4.2"},
		"AS negative":           {seq("0201ff", seq(family)), "4.2"},
		"AS too large":          {seq("02050100000000", seq(family)), "4.2"},
		"AS not minimal":        {seq("02020001", seq(family)), "4.2"},
		"no blocks":             {seq(asn), "4.3"},
		"element after blocks":  {seq(asn, seq(family), "0500"), "4.3"},
		"blocks empty":          {seq(asn, seq()), "4.3"},
		"blocks not a family":   {seq(asn, seq("0500")), "4.3.1"},
		"AFI 3":                 {seq(asn, seq(seq("04020003", seq(seq("0303040a40"))))), "4.3.1"},
		"AFI with SAFI":         {seq(asn, seq(seq("0403000101", seq(seq("0303040a40"))))), "4.3.1"},
		"AFI short":             {seq(asn, seq(seq("040101", seq(seq("0303040a40"))))), "4.3.1"},
		"IPv4 twice":            {seq(asn, seq(family, family)), "4.3.1"},
		"family without list":   {seq(asn, seq(seq("04020001"))), "4.3.1"},
		"family with more":      {seq(asn, seq(seq("04020001", seq(seq("0303040a40")), "0500"))), "4.3.1"},
		"list empty":            {seq(asn, seq(v4())), "4.3.1"},
		"address a string":      {seq(asn, seq(v4(seq("04020a40")))), "4.3.2"},
		"address without count": {seq(asn, seq(v4(seq("0300")))), "4.3.2.1"},
		"nothing unused":        {seq(asn, seq(v4(seq("030104")))), "4.3.2.1"},
		"eight unused":          {seq(asn, seq(v4(seq("0303080a00")))), "4.3.2.1"},
		"33 bits":               {seq(asn, seq(v4(seq("0306070a00000000")))), "4.3.2.1"},
		"host bits":             {seq(asn, seq(v4(seq("0303040a41")))), "4.3.2.1"},
		"maxLength short":       {seq(asn, seq(v4(seq("0303040a40", "02010b")))), "4.3.2.2"},
		"maxLength long":        {seq(asn, seq(v4(seq("0303040a40", "020121")))), "4.3.2.2"},
		"maxLength negative":    {seq(asn, seq(v4(seq("0303040a40", "0201ff")))), "4.3.2.2"},
		"maxLength huge":        {seq(asn, seq(v4(seq("0303040a40", "0209010000000000000000")))), "4.3.2.2"},
		"maxLength a string":    {seq(asn, seq(v4(seq("0303040a40", "040110")))), "4.3.2.2"},
		"element with more":     {seq(asn, seq(v4(seq("0303040a40", "020110", "0500")))), "4.3.2.2"},
		"several": {
			seq("0201ff", seq(v4(seq("0303040a41"), seq("0303040a40", "02010b")), family)),
			"4.2 4.3.2.1 4.3.2.2 4.3.1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			input, err := hex.DecodeString(tc.der)
			if err != nil {
				t.Fatal(err)
			}
			_, err = roa.Decode(input)
			if got := sections(err); got != tc.sections {
				t.Errorf("got sections %q (%v), want %q", got, err, tc.sections)
			}
		})
	}
}

func sections(err error) string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return ""
	}
	var all []string
	for _, e := range joined.Unwrap() {
		rfc, section, rule := e.(roa.Problem).Clause()
		if rfc != "RFC 9582" || !strings.Contains(e.Error(), rule) {
			return e.Error()
		}
		all = append(all, section)
	}
	return strings.Join(all, " ")
}

// What RFC 9582 only recommends is read as it stands.
func TestDecodeAccepts(t *testing.T) {
	for name, tc := range map[string]struct {
		der  string
		want []roa.Prefix
	}{
		"superfluous maxLength": {v4(seq("0303040a40", "02010c")), []roa.Prefix{prefix("10.64.0.0/12", 12)}},
		"not sorted": {
			v4(seq("030200c0"), seq("0302000a")),
			[]roa.Prefix{prefix("192.0.0.0/8", 8), prefix("10.0.0.0/8", 8)},
		},
		"twice": {
			v4(seq("0302000a"), seq("0302000a")),
			[]roa.Prefix{prefix("10.0.0.0/8", 8), prefix("10.0.0.0/8", 8)},
		},
		"IPv6 first": {
			seq("04020002", seq(seq("03020020"))) + v4(seq("030100")),
			[]roa.Prefix{prefix("2000::/8", 8), prefix("0.0.0.0/0", 0)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			input, err := hex.DecodeString(seq(asn, seq(tc.der)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := roa.Decode(input)
			if err != nil || !reflect.DeepEqual(got, roa.ROA{ASID: 64496, Prefixes: tc.want}) {
				t.Errorf("got %v, %v, want %v", got, err, tc.want)
			}
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	long := func(contents []byte) []byte {
		return append([]byte{0x30, 0x82, byte(len(contents) >> 8), byte(len(contents))}, contents...)
	}
	bad, err := hex.DecodeString(strings.Repeat(seq("0303040a41"), 1000))
	if err != nil {
		t.Fatal(err)
	}
	v4 := long(append([]byte{4, 2, 0, 1}, long(bad)...))
	_, err = roa.Decode(long(append([]byte{2, 1, 1}, long(v4)...)))
	if n := len(strings.Fields(sections(err))); n != 20 {
		t.Errorf("got %d problems (%v), want 20", n, err)
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.der")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		seed, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		r, err := roa.Decode(input)
		if err != nil {
			return
		}
		got, err := r.Encode()
		if err != nil {
			t.Fatalf("accepted %x but cannot write it: %v", input, err)
		}
		if bytes.Equal(got, input) {
			return
		}
		// Not canonical, then: larger than needed or in another order.
		back, err := roa.Decode(got)
		if err != nil || !reflect.DeepEqual(back, r.Canonical()) {
			t.Errorf("accepted %x, writes %x and reads %v, %v", input, got, back, err)
		}
		if len(got) > len(input) || (len(got) == len(input) && reflect.DeepEqual(r, r.Canonical())) {
			t.Errorf("accepted %x but writes %x", input, got)
		}
	})
}

func BenchmarkEncode10000(b *testing.B) {
	r := roa.ROA{ASID: 64496}
	for i := range 10000 {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0})
		r.Prefixes = append(r.Prefixes, roa.Prefix{Prefix: netip.PrefixFrom(addr, 24), MaxLength: 32})
	}
	for b.Loop() {
		content, err := r.Encode()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := roa.Decode(content); err != nil {
			b.Fatal(err)
		}
	}
}
