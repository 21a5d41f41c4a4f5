package ctl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseASPA(t *testing.T) {
	for text, want := range map[string]string{
		"AS65000 => AS65001, AS65002":     "AS65000 => AS65001, AS65002",
		"  65000=>65002,as65001,AS65001 ": "AS65000 => AS65002, AS65001, AS65001", // the server decides
		"4294967295 => 0":                 "AS4294967295 => AS0",
	} {
		if got, err := parseASPA(text); err != nil || got.String() != want {
			t.Errorf("parseASPA(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                         "is not an ASPA of the form",
		"AS1":                      "is not an ASPA of the form",
		"AS1 => ":                  "at least one provider",
		"AS1 => AS2,":              `"" is not a number`,
		"AS1 => AS2 AS3":           "is not a number",
		"AS1 => AS2(v4)":           "is not a number",
		"AS1 => AS2, AS1":          "cannot be one of its providers",
		"x => AS2":                 `"x" is not a number`,
		"AS4294967296 => AS2":      "is not a number from 0 to 4294967295",
		"AS1 => AS2 => AS3":        "is not a number",
		"AS1 => -1":                "is not a number",
		"AS1 => AS2, AS4294967296": "is not a number from 0 to 4294967295",
	} {
		if got, err := parseASPA(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseASPA(%q) = %v, %v; want an error with %q", text, got, err, want)
		}
	}
}

func FuzzParseASPA(f *testing.F) {
	f.Add("AS65000 => AS65001, AS65002")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseASPA(text)
		if err != nil {
			return
		}
		if again, err := parseASPA(d.String()); err != nil || again.String() != d.String() {
			t.Errorf("%q is read as %q, and that as %q, %v", text, d, again, err)
		}
	})
}

func TestReadCSR(t *testing.T) {
	good, err := os.ReadFile("../rpki/cert/testdata/router.csr")
	if err != nil {
		t.Fatal(err)
	}
	forged := append([]byte(nil), good...)
	forged[len(forged)-1] ^= 1
	for name, tc := range map[string]struct {
		content []byte
		want    string // part of the error; "" means accepted
	}{
		"DER":     {good, ""},
		"forged":  {forged, "signature does not verify"},
		"empty":   {nil, "SEQUENCE"},
		"half":    {good[:50], "SEQUENCE"},
		"PEM":     {[]byte("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"), "router certification request"},
		"garbage": {[]byte("-----BEGIN"), "SEQUENCE"},
	} {
		file := filepath.Join(t.TempDir(), "csr")
		if err := os.WriteFile(file, tc.content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readCSR(file)
		if tc.want == "" && (err != nil || string(got) != string(good)) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %d octets, %v, want %q", name, len(got), err, tc.want)
		}
	}
	if _, err := readCSR("nothing/here"); err == nil {
		t.Error("a file that is not there was read")
	}
}
