package tal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/tal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// key is the DER of an RSA-2048 subjectPublicKeyInfo.
func key(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/key.b64")
	if err != nil {
		t.Fatal(err)
	}
	spki, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return spki
}

func TestGolden(t *testing.T) {
	spki := key(t)
	for name, in := range map[string]tal.TAL{
		"plain":    {URIs: []string{"https://localhost:3000/ta/ta.cer", "rsync://localhost/ta/ta.cer"}, SPKI: spki},
		"comments": {Comments: []string{" Trust anchor of Example", "", " für Tests"}, URIs: []string{"rsync://ta.example.org/ta/ta.cer"}, SPKI: spki},
	} {
		t.Run(name, func(t *testing.T) {
			got := in.Encode()
			file := filepath.Join("testdata", name+".tal")
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
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			back, err := tal.Decode(want)
			if err != nil || !reflect.DeepEqual(back, in) {
				t.Errorf("got %v, %v, want %v", back, err, in)
			}
		})
	}
}

// The layout is a promise of the API: https first, a blank line, 64 columns,
// no line feed at the end.
func TestLayout(t *testing.T) {
	lines := strings.Split(string(tal.TAL{
		URIs: []string{"rsync://a.example/ta.cer", "https://b.example/ta.cer", "https://a.example/ta.cer"}, SPKI: key(t),
	}.Encode()), "\n")
	want := []string{"https://b.example/ta.cer", "https://a.example/ta.cer", "rsync://a.example/ta.cer", ""}
	if !reflect.DeepEqual(lines[:4], want) {
		t.Errorf("got %q, want %q", lines[:4], want)
	}
	for i, line := range lines[4:] {
		if len(line) == 0 || len(line) > 64 || (len(line) < 64 && i != len(lines)-5) {
			t.Errorf("line %d has %d columns", i+5, len(line))
		}
	}
}

func TestDecodeAccepts(t *testing.T) {
	spki := key(t)
	b64 := base64.StdEncoding.EncodeToString(spki)
	for name, file := range map[string]string{
		"one line of base64": "https://a.example/ta.cer\n\n" + b64,
		"CRLF":               "https://a.example/ta.cer\r\n\r\n" + b64[:64] + "\r\n" + b64[64:] + "\r\n",
		"line feeds at end":  "https://a.example/ta.cer\n\n" + b64 + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tal.Decode([]byte(file))
			want := tal.TAL{URIs: []string{"https://a.example/ta.cer"}, SPKI: spki}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString(key(t))
	const uri = "https://a.example/ta.cer\n"
	for name, tc := range map[string]struct{ file, rule string }{
		"empty":            {"", "there must be an rsync or https URI"},
		"no URI":           {"\n" + b64, "there must be an rsync or https URI"},
		"no blank line":    {uri + b64, "must be an rsync or https URI"},
		"no key":           {uri, "subjectPublicKeyInfo must be DER"},
		"only URIs":        {strings.TrimSpace(uri), "a blank line must follow"},
		"http":             {"http://a.example/ta.cer\n\n" + b64, "must be an rsync or https URI"},
		"no host":          {"https:///ta.cer\n\n" + b64, "must name one object"},
		"a folder":         {"rsync://a.example/ta/\n\n" + b64, "must name one object"},
		"space":            {"rsync://a.example/t a.cer\n\n" + b64, "printable ASCII"},
		"no URI at all":    {"rsync://[\n\n" + b64, "must be a URI"},
		"late comment":     {uri + "# late\n\n" + b64, "must be"},
		"not base64":       {uri + "\n!" + b64, "must be base64"},
		"loose base64":     {uri + "\nMAA=B", "must be base64"},
		"not DER":          {uri + "\n" + base64.StdEncoding.EncodeToString([]byte{0x30, 1, 2, 3}), "must be DER"},
		"DER and more":     {uri + "\n" + base64.StdEncoding.EncodeToString(append(key(t), 0)), "must be DER"},
		"not UTF-8":        {"# \xff\n" + uri + "\n" + b64, "UTF-8"},
		"lone CR":          {"# a\r" + uri + "\n" + b64, "CRLF or LF"},
		"a certificate":    {"0\x82\x03\xff", "UTF-8"},
		"very many errors": {strings.Repeat("x\n", 1000), "must be an rsync or https URI"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tal.Decode([]byte(tc.file))
			var problem tal.Problem
			if !errors.As(err, &problem) || !strings.Contains(err.Error(), tc.rule) {
				t.Fatalf("got %v, want %q", err, tc.rule)
			}
			want := "2.2"
			if strings.Contains(tc.rule, "one object") {
				want = "2.3"
			}
			if rfc, section, rule := problem.Clause(); rfc != "RFC 8630" || section != want || rule == "" {
				t.Errorf("got clause %s %s %q", rfc, section, rule)
			}
			if n := strings.Count(err.Error(), "\n"); n >= 20 {
				t.Errorf("got %d lines of problems", n)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.tal")
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
	f.Fuzz(func(t *testing.T, file []byte) {
		first, err := tal.Decode(file)
		if err != nil {
			return
		}
		second, err := tal.Decode(first.Encode())
		if err != nil || !bytes.Equal(second.Encode(), first.Encode()) || !bytes.Equal(first.SPKI, second.SPKI) {
			t.Errorf("accepted %q but reads back %v, %v", file, second, err)
		}
	})
}
