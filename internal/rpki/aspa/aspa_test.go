package aspa_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"baleen/internal/rpki/aspa"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	for name, a := range map[string]aspa.ASPA{
		"one":   {Customer: 64496, Providers: []uint32{0}},
		"three": {Customer: 65000, Providers: []uint32{65002, 65003, 65005}},
		"large": {Customer: 4294967295, Providers: []uint32{1, 127, 128, 65535, 65536, 2147483648, 4294967294}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := a.Encode()
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
			back, err := aspa.Decode(want)
			if err != nil || !reflect.DeepEqual(back, a) {
				t.Errorf("got %v, %v, want %v", back, err, a)
			}
		})
	}
}

const (
	v1       = "a003020101"
	customer = "020300fde8" // AS65000
	p2       = "020300fdea" // AS65002
	p3       = "020300fdeb" // AS65003
)

// seq puts a SEQUENCE of less than 128 octets around hex contents.
func seq(parts ...string) string {
	contents := strings.Join(parts, "")
	return hex.EncodeToString([]byte{0x30, byte(len(contents) / 2)}) + contents
}

// The octets of this one were put together by hand from the profile's ASN.1.
func TestEncodeByHand(t *testing.T) {
	want := seq(v1, customer, seq(p2, p3))
	got, err := aspa.ASPA{Customer: 65000, Providers: []uint32{65002, 65003}}.Encode()
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v, want %s", got, err, want)
	}
}

// This one was made by another implementation.
func TestDecodeOthers(t *testing.T) {
	const der = "301da00302010102023cca301202020b620202205b020300c790020303259e"
	input, err := hex.DecodeString(der)
	if err != nil {
		t.Fatal(err)
	}
	want := aspa.ASPA{Customer: 15562, Providers: []uint32{2914, 8283, 51088, 206238}}
	got, err := aspa.Decode(input)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, a := range map[string]aspa.ASPA{
		"no provider":        {Customer: 1},
		"customer itself":    {Customer: 2, Providers: []uint32{1, 2, 3}},
		"AS0 itself":         {Customer: 0, Providers: []uint32{0}},
		"twice":              {Customer: 9, Providers: []uint32{1, 2, 2}},
		"not ascending":      {Customer: 9, Providers: []uint32{1, 3, 2}},
		"descending, highs":  {Customer: 9, Providers: []uint32{4294967295, 1}},
		"customer out of it": {Customer: 1, Providers: []uint32{2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := a.Encode()
			var problem aspa.Problem
			if !errors.As(err, &problem) || problem.Section != "3.3" || content != nil {
				t.Errorf("got %x, %v", content, err)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		der      string
		sections string
	}{
		"empty":                {"", "3"},
		"something after":      {seq(v1, customer, seq(p2)) + "00", "3"},
		"long length":          {"308111" + v1 + customer + seq(p2), "3"},
		"indefinite length":    {"3080" + v1 + customer + seq(p2) + "0000", "3"},
		"a SET":                {"310f" + v1 + customer + seq(p2), "3"},
		"no version":           {seq(customer, seq(p2)), "3.1"},
		"version 0":            {seq("a003020100", customer, seq(p2)), "3.1"},
		"version 2":            {seq("a003020102", customer, seq(p2)), "3.1"},
		"version with more":    {seq("a0050201010500", customer, seq(p2)), "3.1"},
		"version implicit":     {seq("800101", customer, seq(p2)), "3.1"},
		"version not minimal":  {seq("a00402020001", customer, seq(p2)), "3.1"},
		"no customer":          {seq(v1, seq(p2)), "3.2"},
		"customer negative":    {seq(v1, "0201ff", seq(p2)), "3.2"},
		"customer too large":   {seq(v1, "02050100000000", seq(p2)), "3.2"},
		"customer not minimal": {seq(v1, "02020001", seq(p2)), "3.2"},
		"no list":              {seq(v1, customer), "3.3"},
		"list empty":           {seq(v1, customer, seq()), "3.3"},
		"element after list":   {seq(v1, customer, seq(p2), "0500"), "3.3"},
		"address family":       {seq(v1, customer, seq(seq(p2, "04020001"))), "3.3"},
		"provider a string":    {seq(v1, customer, seq("0400")), "3.3"},
		"provider negative":    {seq(v1, customer, seq("0201ff")), "3.3"},
		"provider too large":   {seq(v1, customer, seq("02050100000000")), "3.3"},
		"provider the same":    {seq(v1, customer, seq(customer)), "3.3"},
		"provider twice":       {seq(v1, customer, seq(p2, p2)), "3.3"},
		"not ascending":        {seq(v1, customer, seq(p3, p2)), "3.3"},
		"several":              {seq(v1, "0201ff", seq("0201ff", p3, p2, p2)), "3.2 3.3 3.3 3.3"},
	} {
		t.Run(name, func(t *testing.T) {
			input, err := hex.DecodeString(tc.der)
			if err != nil {
				t.Fatal(err)
			}
			_, err = aspa.Decode(input)
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
		document, section, rule := e.(aspa.Problem).Clause()
		if document != "ASPA profile" || !strings.Contains(e.Error(), rule) {
			return e.Error()
		}
		all = append(all, section)
	}
	return strings.Join(all, " ")
}

func TestProblemsAreBounded(t *testing.T) {
	input, err := hex.DecodeString("308207e1" + v1 + customer + "308207d0" + strings.Repeat(p2, 400))
	if err != nil {
		t.Fatal(err)
	}
	input[2], input[3] = byte((len(input)-4)>>8), byte(len(input)-4)
	_, err = aspa.Decode(input)
	if n := len(strings.Fields(sections(err))); n != 20 {
		t.Errorf("got %d problems (%v), want 20", n, err)
	}
}

func TestCanonical(t *testing.T) {
	given := []uint32{3, 1, 4294967295, 1, 2, 3}
	if got := aspa.Canonical(given); !slices.Equal(got, []uint32{1, 2, 3, 4294967295}) || given[0] != 3 {
		t.Errorf("got %v of %v", got, given)
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
		a, err := aspa.Decode(input)
		if err != nil {
			return
		}
		if got, err := a.Encode(); err != nil || !bytes.Equal(got, input) {
			t.Errorf("accepted %x but writes %x, %v", input, got, err)
		}
	})
}
