package rsc_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/rsc"
)

var update = flag.Bool("update", false, "write the golden files anew")

func held(t testing.TB, as, v4, v6 string) resources.Set {
	t.Helper()
	asn, err1 := resources.ParseASSet(as)
	ipv4, err2 := resources.ParseIPSet(v4, resources.IPv4)
	ipv6, err3 := resources.ParseIPSet(v6, resources.IPv6)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return resources.Set{AS: asn, V4: ipv4, V6: ipv6}
}

func file(name string, n byte) rsc.File { return rsc.File{Name: name, Hash: [32]byte{n}} }

func TestGolden(t *testing.T) {
	for name, c := range map[string]rsc.Checklist{
		"as":   {Resources: held(t, "AS64496", "", ""), Files: []rsc.File{file("", 1)}},
		"ipv4": {Resources: held(t, "", "192.0.2.0/24, 198.51.100.0-198.51.100.130", ""), Files: []rsc.File{file("letter.pdf", 1)}},
		"all": {
			Resources: held(t, "AS64496-AS64500, AS4294967295", "192.0.2.0/24", "2001:db8::/32"),
			Files:     []rsc.File{file("b", 1), file("a-_.Z9", 1), file("", 1), file("", 2)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Encode()
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
			back, err := rsc.Decode(want)
			if err != nil || !back.Resources.Equal(c.Resources) || !reflect.DeepEqual(back.Files, c.Files) {
				t.Errorf("got %v, %v, want %v", back, err, c)
			}
		})
	}
}

// This one was made by another implementation: the example that came with the
// draft of the RFC.
func TestDecodeOthers(t *testing.T) {
	const der = "3081803015a1133011300f0402000230090307002001067c208c300b0609608648016503040201305a303416106234325f697076365f6c6f612e706e67" +
		"04209516dd64be7c1725b9fca117120e58e8d842a5206873399b3ddffc91c4b6acf0302204200ae1394722005cd92f4c6aa024d5d6b3e2e67d629f11720d9478a633a117a1c7"
	input := unhex(t, der)
	got, err := rsc.Decode(input)
	if err != nil || got.Resources.String() != "asn: '', ipv4: '', ipv6: '2001:67c:208c::/48'" || len(got.Files) != 2 || got.Files[0].Name != "b42_ipv6_loa.png" || got.Files[1].Name != "" {
		t.Errorf("got %v, %v", got, err)
	}
	if again, err := got.Encode(); err != nil || !bytes.Equal(again, input) {
		t.Errorf("got %x, %v", again, err)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	out, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEncodeRefuses(t *testing.T) {
	many := make([]rsc.File, rsc.MaxFiles+1)
	as1 := held(t, "AS1", "", "")
	for name, tc := range map[string]struct {
		list    rsc.Checklist
		section string
	}{
		"no resources":      {rsc.Checklist{Files: []rsc.File{file("a", 1)}}, "4.2"},
		"no files":          {rsc.Checklist{Resources: as1}, "4.4"},
		"too many files":    {rsc.Checklist{Resources: as1, Files: many}, "4.4"},
		"name twice":        {rsc.Checklist{Resources: as1, Files: []rsc.File{file("a", 1), file("a", 2)}}, "4.4.1"},
		"hash twice":        {rsc.Checklist{Resources: as1, Files: []rsc.File{file("", 1), file("a", 1), file("", 1)}}, "4.4.1"},
		"a folder":          {rsc.Checklist{Resources: as1, Files: []rsc.File{file("a/b", 1)}}, "4.4.1"},
		"letters of others": {rsc.Checklist{Resources: as1, Files: []rsc.File{file("ä", 1)}}, "4.4.1"},
		"space":             {rsc.Checklist{Resources: as1, Files: []rsc.File{file("a b", 1)}}, "4.4.1"},
	} {
		content, err := tc.list.Encode()
		var problem rsc.Problem
		if !errors.As(err, &problem) || problem.Section != tc.section || content != nil {
			t.Errorf("%s: got %x, %v", name, content, err)
		}
	}
}

const (
	asBlock = "a009" + "3007" + "a005" + "3003" + "020101" // AS1
	sha256  = "300b0609608648016503040201"
)

// seq puts a SEQUENCE around hex contents.
func seq(parts ...string) string {
	contents := strings.Join(parts, "")
	n := len(contents) / 2
	switch {
	case n < 128:
		return hex.EncodeToString([]byte{0x30, byte(n)}) + contents
	case n < 256:
		return hex.EncodeToString([]byte{0x30, 0x81, byte(n)}) + contents
	}
	return hex.EncodeToString([]byte{0x30, 0x82, byte(n >> 8), byte(n)}) + contents
}

func entry(name string, n byte) string {
	hash := "0420" + hex.EncodeToString([]byte{n}) + strings.Repeat("00", 31)
	if name == "" {
		return seq(hash)
	}
	return seq("16"+hex.EncodeToString(append([]byte{byte(len(name))}, name...)), hash)
}

func TestDecode(t *testing.T) {
	one := entry("a", 1)
	for name, tc := range map[string]struct{ der, sections string }{
		"good":                 {seq(seq(asBlock), sha256, seq(one)), ""},
		"NULL parameters":      {seq(seq(asBlock), "300d06096086480165030402010500", seq(one)), ""},
		"empty":                {"", "4"},
		"something after":      {seq(seq(asBlock), sha256, seq(one)) + "00", "4"},
		"a SET":                {"31" + seq(seq(asBlock), sha256, seq(one))[2:], "4"},
		"version 0 written":    {seq("a003020100", seq(asBlock), sha256, seq(one)), "4.1"},
		"version 1":            {seq("a003020101", seq(asBlock), sha256, seq(one)), "4.1"},
		"no resources":         {seq(sha256, seq(one)), "4.2 4.3"},
		"empty resources":      {seq(seq(), sha256, seq(one)), "4.2"},
		"odd resources":        {seq(seq(asBlock, "0500"), sha256, seq(one)), "4.2"},
		"no numbers":           {seq(seq("a006"+"3004"+"a002"+"3000"), sha256, seq(one)), "4.2.1"},
		"inherits AS":          {seq(seq("a006"+"3004"+"a002"+"0500"), sha256, seq(one)), "4.2.1"},
		"inherits IPv4":        {seq(seq("a10a"+"3008"+"3006"+"04020001"+"0500"), sha256, seq(one)), "4.2.2"},
		"SAFI":                 {seq(seq("a10f"+"300d"+"300b"+"0403000101"+"3004"+"0302000a"), sha256, seq(one)), "4.2.2"},
		"routing domains":      {seq(seq("a009"+"3007"+"a105"+"3003"+"020101"), sha256, seq(one)), "4.2.1"},
		"SHA-512":              {seq(seq(asBlock), "300b0609608648016503040203", seq(one)), "4.3"},
		"odd parameters":       {seq(seq(asBlock), "300d06096086480165030402010400", seq(one)), "4.3"},
		"no algorithm":         {seq(seq(asBlock), "0500", seq(one)), "4.3"},
		"no list":              {seq(seq(asBlock), sha256), "4.4"},
		"empty list":           {seq(seq(asBlock), sha256, seq()), "4.4"},
		"more after the list":  {seq(seq(asBlock), sha256, seq(one), "0500"), "4.4"},
		"entry of nothing":     {seq(seq(asBlock), sha256, seq(seq())), "4.4.1"},
		"entry with more":      {seq(seq(asBlock), sha256, seq(seq("160161", "0420"+strings.Repeat("00", 32), "0500"))), "4.4.1"},
		"empty name":           {seq(seq(asBlock), sha256, seq(seq("1600", "0420"+strings.Repeat("00", 32)))), "4.4.1"},
		"name as UTF8String":   {seq(seq(asBlock), sha256, seq(seq("0c0161", "0420"+strings.Repeat("00", 32)))), "4.4.1"},
		"short hash":           {seq(seq(asBlock), sha256, seq(seq("041f"+strings.Repeat("00", 31)))), "4.4.1"},
		"names not portable":   {seq(seq(asBlock), sha256, seq(entry("a/b", 1), entry("..", 2), entry("\xe4", 3))), "4.4.1 4.4.1"},
		"names and hash twice": {seq(seq(asBlock), sha256, seq(one, one, entry("", 1), entry("", 1))), "4.4.1 4.4.1"},
		"problems are bounded": {seq(seq(asBlock), sha256, seq(strings.Repeat(one, 40))), strings.TrimSuffix(strings.Repeat("4.4.1 ", 20), " ")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rsc.Decode(unhex(t, tc.der))
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
		rfc, section, rule := e.(rsc.Problem).Clause()
		if rfc != "RFC 9323" || !strings.Contains(e.Error(), rule) {
			return e.Error()
		}
		all = append(all, section)
	}
	return strings.Join(all, " ")
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
	f.Add(unhex(f, seq(seq(asBlock), "300d06096086480165030402010500", seq(entry("a", 1), entry("", 1)))))
	f.Fuzz(func(t *testing.T, input []byte) {
		c, err := rsc.Decode(input)
		if err != nil {
			return
		}
		if got, err := c.Encode(); err != nil || !bytes.Equal(got, input) {
			t.Errorf("accepted %x but writes %x, %v", input, got, err)
		}
	})
}
