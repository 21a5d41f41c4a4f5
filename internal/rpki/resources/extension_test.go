package resources_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"baleen/internal/rpki/resources"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	out, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Two of them are the examples of RFC 3779 appendix B, without the SAFI and the routing
// domain identifiers, which RFC 6487 forbids.
func TestKnownEncodings(t *testing.T) {
	for name, c := range map[string]struct {
		as, v4, v6     string
		wantIP, wantAS string
	}{
		"RFC 3779 appendix B, addresses": {
			v4: "10.0.32.0/20, 10.0.64.0/24, 10.1.0.0/16, 10.2.48.0-10.2.64.255, 10.3.0.0/16", v6: "",
			wantIP: "302c 302a 0402 0001 3024 0304 040a0020 0304 000a0040 0303 000a01 300c 0304 040a0230 0304 000a0240 0303 000a03",
		},
		"RFC 3779 appendix B, numbers": {
			as:     "AS135, AS3000-AS3999, AS5001",
			wantAS: "3016 a014 3012 0202 0087 3008 0202 0bb8 0202 0f9f 0202 1389",
		},
		"all": {
			as: "AS0-AS4294967295", v4: "0.0.0.0/0", v6: "::/0",
			wantIP: "3016 3009 0402 0001 3003 0301 00 3009 0402 0002 3003 0301 00",
			wantAS: "3010 a00e 300c 300a 0201 00 0205 00ffffffff",
		},
		"range from the first to almost the last address": {
			v4:     "0.0.0.0-255.255.255.254",
			wantIP: "3014 3012 0402 0001 300c 300a 0301 00 0305 00fffffffe",
		},
	} {
		e := resources.Explicit(set(t, c.as, c.v4, c.v6))
		if got := e.MarshalIP(); !bytes.Equal(got, unhex(t, c.wantIP)) {
			t.Errorf("%s: addresses: got %x", name, got)
		}
		if got := e.MarshalAS(); !bytes.Equal(got, unhex(t, c.wantAS)) {
			t.Errorf("%s: numbers: got %x", name, got)
		}
	}
}

func TestInherit(t *testing.T) {
	all := resources.InheritAll()
	wantIP, wantAS := unhex(t, "3010 3006 0402 0001 0500 3006 0402 0002 0500"), unhex(t, "3004 a002 0500")
	if got := all.MarshalIP(); !bytes.Equal(got, wantIP) {
		t.Errorf("addresses: %x", got)
	}
	if got := all.MarshalAS(); !bytes.Equal(got, wantAS) {
		t.Errorf("numbers: %x", got)
	}

	var e resources.Extension
	if err := resources.ParseIP(wantIP, &e); err != nil {
		t.Fatal(err)
	}
	if err := resources.ParseAS(wantAS, &e); err != nil {
		t.Fatal(err)
	}
	if !e.Inherits() || e.V4 != all.V4 || e.V6 != all.V6 || e.AS != all.AS {
		t.Errorf("got %+v", e)
	}

	issuer := set(t, "AS1", "10.0.0.0/8", "")
	if got := e.Resolve(issuer); !got.Equal(issuer) {
		t.Errorf("resolved: %v", got)
	}
	mixed := resources.Explicit(set(t, "", "11.0.0.0/8", ""))
	mixed.AS = resources.Choice{Present: true, Inherit: true}
	if got, want := mixed.Resolve(issuer), set(t, "AS1", "11.0.0.0/8", ""); !got.Equal(want) {
		t.Errorf("mixed: got %v, want %v", got, want)
	}
}

func TestNothingToMarshal(t *testing.T) {
	for name, e := range map[string]resources.Extension{
		"absent":            {},
		"present but empty": {V4: resources.Choice{Present: true}, AS: resources.Choice{Present: true}},
	} {
		if e.MarshalIP() != nil || e.MarshalAS() != nil {
			t.Errorf("%s: got %x and %x", name, e.MarshalIP(), e.MarshalAS())
		}
	}
}

func TestParseIPRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                     "",
		"garbage after it":            "3008 3006 0402 0001 0500 00",
		"no family":                   "3000",
		"empty list":                  "3008 3006 0402 0001 3000",
		"no choice":                   "3006 3004 0402 0001",
		"NULL with contents":          "3009 3007 0402 0001 0501 00",
		"SAFI":                        "3009 3007 0403 000101 0500",
		"unknown family":              "3008 3006 0402 0003 0500",
		"one octet of family":         "3007 3005 0401 01 0500",
		"family twice":                "3010 3006 0402 0001 0500 3006 0402 0001 0500",
		"IPv6 before IPv4":            "3010 3006 0402 0002 0500 3006 0402 0001 0500",
		"inherit and blocks":          "300d 300b 0402 0001 0500 3003 0301 00",
		"prefixes out of order":       "3010 300e 0402 0001 3008 0302 000b 0302 0009",
		"prefixes overlap":            "3011 300f 0402 0001 3009 0302 000a 0303 000a01",
		"prefixes touch":              "3010 300e 0402 0001 3008 0302 000a 0302 000b",
		"prefix twice":                "3010 300e 0402 0001 3008 0302 000a 0302 000a",
		"unused bits are set":         "300c 300a 0402 0001 3004 0302 040f",
		"eight unused bits":           "300c 300a 0402 0001 3004 0302 0800",
		"unused bits of nothing":      "300b 3009 0402 0001 3003 0301 01",
		"no unused count":             "300a 3008 0402 0001 3002 0300",
		"33 bits of IPv4":             "3010 300e 0402 0001 3008 0306 070a00000080",
		"17 octets of IPv6":           "301c 301a 0402 0002 3014 0312 00 0000000000000000000000000000000000",
		"range that is a prefix":      "3012 3010 0402 0001 300a 3008 0302 000a 0302 000a",
		"range backwards":             "3012 3010 0402 0001 300a 3008 0302 000b 0302 0009",
		"minimum with trailing zero":  "3013 3011 0402 0001 300b 3009 0303 000a00 0302 000c",
		"maximum with trailing one":   "3013 3011 0402 0001 300b 3009 0302 000b 0303 000cff",
		"range of three":              "3016 3014 0402 0001 300e 300c 0302 010a 0302 010c 0302 000c",
		"range of one":                "300e 300c 0402 0001 3006 3004 0302 010a",
		"neither prefix nor range":    "300b 3009 0402 0001 3003 0201 0a",
		"length in the long form":     "308108 3006 0402 0001 0500",
		"indefinite length":           "3080 3006 0402 0001 0500 0000",
		"something after the choice":  "300a 3008 0402 0001 0500 0500",
		"one address too many inside": "3010 300e 0402 0001 3008 0306 000a0000000a",
	} {
		before := resources.Explicit(set(t, "AS1", "12.0.0.0/8", "::1"))
		e := before
		if err := resources.ParseIP(unhex(t, in), &e); err == nil {
			t.Errorf("%s: accepted as %v", name, e)
		}
		if !e.Set.Equal(before.Set) {
			t.Errorf("%s: changed its target to %v", name, e)
		}
	}
}

func TestParseASRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":              "",
		"neither":              "3000",
		"garbage after it":     "3004 a002 0500 00",
		"RDI alone":            "3004 a102 0500",
		"RDI too":              "3008 a002 0500 a102 0500",
		"empty list":           "3004 a002 3000",
		"empty choice":         "3002 a000",
		"two choices":          "3006 a004 0500 0500",
		"numbers out of order": "300a a008 3006 0201 05 0201 01",
		"number twice":         "300a a008 3006 0201 05 0201 05",
		"neighbours":           "300a a008 3006 0201 05 0201 06",
		"number in range":      "300f a00d 300b 3006 0201 01 0201 05 0201 03",
		"range of one number":  "300c a00a 3008 3006 0201 05 0201 05",
		"range backwards":      "300c a00a 3008 3006 0201 05 0201 04",
		"negative":             "3007 a005 3003 0201 ff",
		"too large":            "300b a009 3007 0205 0100000000",
		"not minimal":          "3008 a006 3004 0202 0005",
		"range of three":       "300f a00d 300b 3009 0201 01 0201 05 0201 07",
		"range of half":        "3009 a007 3005 3003 0201 05",
		"not a number":         "3007 a005 3003 0401 05",
	} {
		var e resources.Extension
		if err := resources.ParseAS(unhex(t, in), &e); err == nil {
			t.Errorf("%s: accepted as %v", name, e)
		}
		if !e.Set.IsEmpty() || e.AS.Present {
			t.Errorf("%s: changed its target to %v", name, e)
		}
	}
}

func TestErrorsNameTheRule(t *testing.T) {
	var e resources.Extension
	for in, want := range map[string]string{
		"3009 3007 0403 000101 0500":                       "subsequent address family",
		"3010 300e 0402 0001 3008 0302 000b 0302 0009":     "IPv4: blocks overlap, touch or are out of order",
		"3013 3011 0402 0001 300b 3009 0303000a000302000c": "canonical",
	} {
		if err := resources.ParseIP(unhex(t, in), &e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", in, err, want)
		}
	}
}

func FuzzParseIP(f *testing.F) {
	f.Add(resources.InheritAll().MarshalIP())
	f.Add(resources.Explicit(resources.AllResources()).MarshalIP())
	f.Add(resources.Explicit(set(f, "", "10.0.0.0/8, 192.0.2.0-192.0.2.130", "2001:db8::/32, 2001:db9::1")).MarshalIP())
	f.Fuzz(func(t *testing.T, der []byte) {
		var e resources.Extension
		if err := resources.ParseIP(der, &e); err == nil && !bytes.Equal(e.MarshalIP(), der) {
			t.Errorf("accepted %x but writes %x", der, e.MarshalIP())
		}
	})
}

func FuzzParseAS(f *testing.F) {
	f.Add(resources.InheritAll().MarshalAS())
	f.Add(resources.Explicit(resources.AllResources()).MarshalAS())
	f.Add(resources.Explicit(set(f, "AS0, AS5-AS9, AS65536-AS4294967295", "", "")).MarshalAS())
	f.Fuzz(func(t *testing.T, der []byte) {
		var e resources.Extension
		if err := resources.ParseAS(der, &e); err == nil && !bytes.Equal(e.MarshalAS(), der) {
			t.Errorf("accepted %x but writes %x", der, e.MarshalAS())
		}
	})
}

func FuzzParseText(f *testing.F) {
	f.Add("AS1-AS5, 7, as9")
	f.Add("10.0.0.0/8, 192.0.2.0-192.0.2.130, 192.168.1.1")
	f.Add("2001:db8::/32, ::1 - ::5")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := resources.ParseASSet(text); err == nil {
			if back := asSet(t, s.String()); !back.Equal(s) {
				t.Errorf("%q: %q reads back as %q", text, s, back)
			}
		}
		for _, family := range []resources.Family{resources.IPv4, resources.IPv6} {
			if s, err := resources.ParseIPSet(text, family); err == nil {
				if back := ipSet(t, s.String(), family); !back.Equal(s) {
					t.Errorf("%q: %q reads back as %q", text, s, back)
				}
			}
		}
	})
}

func FuzzSetJSON(f *testing.F) {
	f.Add([]byte(`{"asn":"AS1-AS5, 7","ipv4":"10.0.0.0/8","ipv6":""}`))
	f.Add([]byte(`{"asn":"","v4":"10.0.0.0-10.0.0.5","v6":"2001:db8::1/32"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s, back resources.Set
		if json.Unmarshal(text, &s) != nil {
			return
		}
		again, err := json.Marshal(s)
		if err == nil {
			err = json.Unmarshal(again, &back)
		}
		if err != nil || !back.Equal(s) {
			t.Errorf("%s: %s reads back as %v, %v", text, again, back, err)
		}
	})
}
