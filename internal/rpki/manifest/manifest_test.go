package manifest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/manifest"
)

var update = flag.Bool("update", false, "write the golden files anew")

var this = time.Date(2026, 11, 22, 11, 55, 0, 0, time.UTC)

func file(name string) manifest.File {
	return manifest.File{Name: name, Hash: sha256.Sum256([]byte(name))}
}

func sample() manifest.Manifest {
	return manifest.Manifest{
		Number: big.NewInt(300), ThisUpdate: this, NextUpdate: this.Add(24 * time.Hour),
		Files: []manifest.File{file("AS64496.roa"), file("F00D.crl"), file("a-b_c.cer")},
	}
}

func TestGolden(t *testing.T) {
	largest := sample()
	largest.Number = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 159), big.NewInt(1))
	empty := manifest.Manifest{
		Number: big.NewInt(0), ThisUpdate: this, NextUpdate: this.Add(time.Second), Files: []manifest.File{},
	}
	for name, m := range map[string]manifest.Manifest{"sample": sample(), "largest": largest, "empty": empty} {
		t.Run(name, func(t *testing.T) {
			got, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".der")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
			back, err := manifest.Decode(want)
			if err != nil || back.Number.Cmp(m.Number) != 0 || !back.ThisUpdate.Equal(m.ThisUpdate) ||
				!back.NextUpdate.Equal(m.NextUpdate) || !reflect.DeepEqual(back.Files, m.Files) {
				t.Errorf("got %v, %v, want %v", back, err, m)
			}
		})
	}
}

// The octets of this one were put together by hand from the ASN.1 in RFC 9286.
func TestEncodeByHand(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	want := "30818b" + "02020100" +
		"180f" + hex.EncodeToString([]byte("20261122115500Z")) +
		"180f" + hex.EncodeToString([]byte("20261123115500Z")) +
		"0609608648016503040201" + "3058" +
		seq("1605"+hex.EncodeToString([]byte("a.crl")), "032100"+hash) +
		seq("1605"+hex.EncodeToString([]byte("b.roa")), "032100"+hash)
	var h [32]byte
	copy(h[:], bytes.Repeat([]byte{0xab}, 32))
	got, err := manifest.Manifest{
		Number: big.NewInt(256), ThisUpdate: this.Add(time.Millisecond), NextUpdate: this.Add(24 * time.Hour).Local(),
		Files: []manifest.File{{"b.roa", h}, {"a.crl", h}},
	}.Encode()
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v, want %s", got, err, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(m *manifest.Manifest)
		section string
	}{
		"no number":       {func(m *manifest.Manifest) { m.Number = nil }, "4.2.1"},
		"negative":        {func(m *manifest.Manifest) { m.Number = big.NewInt(-1) }, "4.2.1"},
		"21 octets":       {func(m *manifest.Manifest) { m.Number = new(big.Int).Lsh(big.NewInt(1), 159) }, "4.2.1"},
		"same time":       {func(m *manifest.Manifest) { m.NextUpdate = m.ThisUpdate.Add(time.Millisecond) }, "4.2.1"},
		"crossed":         {func(m *manifest.Manifest) { m.NextUpdate = m.ThisUpdate.Add(-time.Hour) }, "4.2.1"},
		"far future":      {func(m *manifest.Manifest) { m.NextUpdate = m.ThisUpdate.AddDate(9000, 0, 0) }, "4.2.1"},
		"name with slash": {func(m *manifest.Manifest) { m.Files[0].Name = "a/b.roa" }, "4.2.2"},
		"same name twice": {func(m *manifest.Manifest) { m.Files[0].Name = m.Files[1].Name }, "4.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			m := sample()
			tc.change(&m)
			_, err := m.Encode()
			var problem manifest.Problem
			if !errors.As(err, &problem) || problem.Section != tc.section {
				t.Errorf("got %v, want section %s", err, tc.section)
			}
		})
	}
}

func TestValidName(t *testing.T) {
	for _, name := range []string{"a.roa", "A-Z_0.cer", "-_.mft", "0.xyz", strings.Repeat("F", 300) + ".crl"} {
		if !manifest.ValidName(name) {
			t.Errorf("%q must be valid", name)
		}
	}
	for _, name := range []string{
		"", ".roa", "a", "a.", "a.ro", "a.roas", "a.ROA", "a.r0a", "a.b.roa", "a/b.roa", "../a.roa", "a b.roa",
		"é.roa", "a\x00.roa", "a.roa\n", "aroa", "a.cé",
	} {
		if manifest.ValidName(name) {
			t.Errorf("%q must not be valid", name)
		}
	}
}

// seq puts a SEQUENCE around hex contents.
func seq(parts ...string) string {
	contents := strings.Join(parts, "")
	n := len(contents) / 2
	header := []byte{0x30, byte(n)}
	if n > 127 {
		header = []byte{0x30, 0x82, byte(n >> 8), byte(n)}
		if n < 256 {
			header = []byte{0x30, 0x81, byte(n)}
		}
	}
	return hex.EncodeToString(header) + contents
}

func text(tag byte, s string) string {
	return hex.EncodeToString(append([]byte{tag, byte(len(s))}, s...))
}

func TestDecodeRefuses(t *testing.T) {
	number := "020101"
	first, next := text(0x18, "20261122115500Z"), text(0x18, "20261123115500Z")
	alg := "0609608648016503040201"
	hash := "032100" + strings.Repeat("ab", 32)
	entry := seq(text(0x16, "a.crl"), hash)
	list := seq(entry)
	for name, tc := range map[string]struct{ der, sections string }{
		"empty":               {"", "4.2"},
		"something after":     {seq(number, first, next, alg, list) + "00", "4.2"},
		"version 0 written":   {seq("a003020100", number, first, next, alg, list), "4.2.1"},
		"version 1":           {seq("a003020101", number, first, next, alg, list), "4.2.1"},
		"no number":           {seq(first, next, alg, list), "4.2.1"},
		"number not minimal":  {seq("02020001", first, next, alg, list), "4.2.1"},
		"number negative":     {seq("0201ff", first, next, alg, list), "4.2.1"},
		"number of 21 octets": {seq("0215"+strings.Repeat("01", 21), first, next, alg, list), "4.2.1"},
		"UTCTime":             {seq(number, text(0x17, "261122115500Z"), next, alg, list), "4.2.1"},
		"fraction":            {seq(number, text(0x18, "20261122115500.5Z"), next, alg, list), "4.2.1"},
		"zone":                {seq(number, first, text(0x18, "20261123115500+0100"), alg, list), "4.2.1"},
		"no seconds":          {seq(number, first, text(0x18, "202611231155Z"), alg, list), "4.2.1"},
		"30 February":         {seq(number, first, text(0x18, "20270230115500Z"), alg, list), "4.2.1"},
		"second 60":           {seq(number, first, text(0x18, "20261123115560Z"), alg, list), "4.2.1"},
		"crossed":             {seq(number, next, first, alg, list), "4.2.1"},
		"equal":               {seq(number, first, first, alg, list), "4.2.1"},
		"SHA-1":               {seq(number, first, next, "06052b0e03021a", list), "4.2.1"},
		"AlgorithmIdentifier": {seq(number, first, next, seq(alg), list), "4.2.1"},
		"no list":             {seq(number, first, next, alg), "4.2.1"},
		"list and more":       {seq(number, first, next, alg, list, "0500"), "4.2.1"},
		"list of names":       {seq(number, first, next, alg, seq(text(0x16, "a.crl"))), "4.2.1"},
		"name UTF-8":          {seq(number, first, next, alg, seq(seq(text(0x0c, "a.crl"), hash))), "4.2.1"},
		"name not IA5":        {seq(number, first, next, alg, seq(seq(text(0x16, "\xe9.crl"), hash))), "4.2.2"},
		"name with path":      {seq(number, first, next, alg, seq(seq(text(0x16, "../a.crl"), hash))), "4.2.2"},
		"hash short":          {seq(number, first, next, alg, seq(seq(text(0x16, "a.crl"), "032000"+strings.Repeat("ab", 31)))), "4.2.1"},
		"hash of 255 bits":    {seq(number, first, next, alg, seq(seq(text(0x16, "a.crl"), "032101"+strings.Repeat("aa", 32)))), "4.2.1"},
		"hash OCTET STRING":   {seq(number, first, next, alg, seq(seq(text(0x16, "a.crl"), "0420"+strings.Repeat("ab", 32)))), "4.2.1"},
		"entry and more":      {seq(number, first, next, alg, seq(seq(text(0x16, "a.crl"), hash, "0500"))), "4.2.1"},
		"twice":               {seq(number, first, next, alg, seq(entry, entry)), "4.2.1"},
		"several":             {seq("0201ff", next, first, alg, seq(seq(text(0x16, "a"), hash), entry, entry)), "4.2.1 4.2.1 4.2.2 4.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			input, err := hex.DecodeString(tc.der)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = manifest.Decode(input); sections(err) != tc.sections {
				t.Errorf("got sections %q (%v), want %q", sections(err), err, tc.sections)
			}
		})
	}
}

func sections(err error) string {
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	var all []string
	for _, e := range errs {
		p, ok := e.(manifest.Problem)
		if !ok {
			return fmt.Sprint(e)
		}
		rfc, section, rule := p.Clause()
		if rfc != "RFC 9286" || !strings.Contains(e.Error(), rule) {
			return e.Error()
		}
		all = append(all, section)
	}
	return strings.Join(all, " ")
}

func TestProblemsAreBounded(t *testing.T) {
	entry := seq(text(0x16, "x"), "032100"+strings.Repeat("ab", 32))
	input, err := hex.DecodeString(seq("020101", text(0x18, "20261122115500Z"), text(0x18, "20261123115500Z"),
		"0609608648016503040201", seq(strings.Repeat(entry, 1000))))
	if err != nil {
		t.Fatal(err)
	}
	_, err = manifest.Decode(input)
	if n := len(strings.Fields(sections(err))); n < 10 || n > 21 {
		t.Errorf("got %d problems", n)
	}
}

func FuzzDecode(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.der")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		seed, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		m, err := manifest.Decode(input)
		if err != nil {
			return
		}
		got, err := m.Encode()
		if err != nil || len(got) != len(input) {
			t.Fatalf("accepted %x but writes %x, %v", input, got, err)
		}
		byName := func(a, b manifest.File) int { return strings.Compare(a.Name, b.Name) }
		if slices.IsSortedFunc(m.Files, byName) != bytes.Equal(got, input) {
			t.Errorf("accepted %x but writes %x", input, got)
		}
		slices.SortFunc(m.Files, byName)
		if back, err := manifest.Decode(got); err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("accepted %x but reads back %v, %v", input, back, err)
		}
	})
}

func large() manifest.Manifest {
	m := sample()
	m.Files = nil
	for i := range 10000 {
		m.Files = append(m.Files, file(fmt.Sprintf("%040X.roa", i*7919)))
	}
	return m
}

func BenchmarkEncode10000(b *testing.B) {
	m := large()
	for b.Loop() {
		if _, err := m.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode10000(b *testing.B) {
	content, err := large().Encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := manifest.Decode(content); err != nil {
			b.Fatal(err)
		}
	}
}
