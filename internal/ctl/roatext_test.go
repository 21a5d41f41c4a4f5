package ctl

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"baleen/api"
)

func TestParseROA(t *testing.T) {
	tests := map[string]string{ // text form → as the API writes it
		"10.0.0.0/16 => 64496":                "10.0.0.0/16 => 64496",
		"10.0.0.0/16-24 => 64496":             "10.0.0.0/16-24 => 64496",
		"10.0.0.0/16-24=>AS64496":             "10.0.0.0/16-24 => 64496",
		"  10.0.0.0/16   =>\tas64496 ":        "10.0.0.0/16 => 64496",
		"2001:db8::/32-48 => 4294967295":      "2001:db8::/32-48 => 4294967295",
		"2001:DB8:0::/32 => 0":                "2001:db8::/32 => 0",
		"0.0.0.0/0-0 => 0":                    "0.0.0.0/0-0 => 0",
		"10.0.0.0/16 => 1 # a # b => c":       "10.0.0.0/16 => 1 # a # b => c",
		"10.0.0.0/16 => 1 #    ":              "10.0.0.0/16 => 1",
		"10.0.0.0/16-8 => 1 # server decides": "10.0.0.0/16-8 => 1 # server decides",
	}
	for text, want := range tests {
		got, err := parseROA(text)
		if err != nil || got.String() != want {
			t.Errorf("parseROA(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestParseROARefuses(t *testing.T) {
	tests := map[string]string{ // text → part of the error
		"":                              "is not a ROA of the form",
		"10.0.0.0/16":                   "is not a ROA of the form",
		"10.0.0.0/16 -> 1":              "is not a ROA of the form",
		"# 10.0.0.0/16 => 1":            "is not a ROA of the form",
		"10.0.0.0/16 => 1 # \xff":       "is not a ROA of the form",
		"10.0.0.0 => 1":                 "is not an address prefix",
		"10.0.0.0/33 => 1":              "is not an address prefix",
		"10.0.0.1/16 => 1":              `has host bits: the prefix is "10.0.0.0/16"`,
		"::ffff:10.0.0.0/120 => 1":      "IPv4 address in the form of an IPv6 address",
		"10.0.0.0/16- => 1":             `max length "" is not a number`,
		"10.0.0.0/16-256 => 1":          `max length "256" is not a number from 0 to 255`,
		"10.0.0.0/16-+24 => 1":          `max length "+24" is not a number`,
		"10.0.0.0/16-24-25 => 1":        `max length "24-25" is not a number`,
		"10.0.0.0/16 => ":               `AS number "" is not a number`,
		"10.0.0.0/16 => AS":             `AS number "AS" is not a number`,
		"10.0.0.0/16 => ASAS1":          `AS number "AS1" is not a number`,
		"10.0.0.0/16 => 4294967296":     "is not a number from 0 to 4294967295",
		"10.0.0.0/16 => 64496 => 64497": "is not a number",
		"10.0.0.0/16 => -1":             "is not a number",
	}
	for text, want := range tests {
		if got, err := parseROA(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseROA(%q) = %v, %v; want an error with %q", text, got, err, want)
		}
	}
}

func TestParseDelta(t *testing.T) {
	got, err := parseDelta(strings.NewReader("# first\r\n\r\nA: 10.0.0.0/16 => 1 # mine\r\n\tR: 10.1.0.0/16-17 => 2 # passed over\n#A: 10.2.0.0/16 => 3\nA:10.3.0.0/16 => 4"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "+10.0.0.0/16 => 1 # mine\n+10.3.0.0/16 => 4\n-10.1.0.0/16-17 => 2\n"; textOf(got) != want {
		t.Errorf("got\n%swant\n%s", textOf(got), want)
	}
}

func TestParseDeltaNamesEveryBadLine(t *testing.T) {
	_, err := parseDelta(strings.NewReader("A: 10.0.0.0/16 => 1\nB: 10.0.0.0/16 => 1\n\nA 10.0.0.0/16 => 1\nR: 10.0.0.1/16 => 1\na: 10.0.0.0/16 => 1\n"))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"line 2: want A: or R:", "line 4: want A: or R:", "line 5: ROA", "line 6: want A: or R:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "line 1:") {
		t.Errorf("line 1 is good, but got\n%v", err)
	}
}

func TestParseDeltaRefusesEmpty(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# A: 10.0.0.0/16 => 1\n", "A: " + strings.Repeat("1", 1<<17)} {
		if _, err := parseDelta(strings.NewReader(text)); err == nil {
			t.Errorf("accepted %.20q", text)
		}
	}
}

func textOf(updates api.ROAConfigurationUpdates) string {
	var b strings.Builder
	for _, roa := range updates.Added {
		fmt.Fprintf(&b, "+%s\n", roa)
	}
	for _, roa := range updates.Removed {
		fmt.Fprintf(&b, "-%s\n", roa)
	}
	return b.String()
}

// FuzzParseDelta: what is accepted has a text form that reads back the same.
func FuzzParseDelta(f *testing.F) {
	f.Add("A: 10.0.0.0/16 => 64496\n")
	f.Add("# c\n\nA: 10.1.0.0/16-24 => AS64513 # my roa # really\nR: 2001:db8::/32-48 => 0\n")
	f.Add("R:0.0.0.0/0-0=>as4294967295")
	f.Add("A: 1.2.3.0/24 => 1 # \xe2\x80\xa8\n")
	f.Fuzz(func(t *testing.T, text string) {
		updates, err := parseDelta(strings.NewReader(text))
		if err != nil {
			return
		}
		var b strings.Builder
		for _, roa := range updates.Added {
			fmt.Fprintf(&b, "A: %s\n", roa)
		}
		for _, roa := range updates.Removed {
			fmt.Fprintf(&b, "R: %s\n", roa)
		}
		again, err := parseDelta(strings.NewReader(b.String()))
		if err != nil || !reflect.DeepEqual(again, updates) {
			t.Errorf("accepted %q, but its text form %q reads as %s, %v", text, b.String(), textOf(again), err)
		}
	})
}
