package web_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files instead of comparing")

// What differs from run to run, by how it looks.
var changing = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`"M[A-Za-z0-9+/]{100,}={0,2}"`), `"BASE64"`},
	{regexp.MustCompile(`"MDMx[A-Za-z0-9+/]{60,}={0,2}"`), `"NAME"`},
	{regexp.MustCompile(`"serial": ?"[0-9]{20,}"`), `"serial": "SERIAL"`},
	{regexp.MustCompile(`\b[0-9A-F]{40}\b`), `KEYID`},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), `HASH`},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), `UUID`},
	{regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{9})?Z`), `TIME`},
	{regexp.MustCompile(`"serial": ?[0-9]+`), `"serial": 0`},
	{regexp.MustCompile(`"(timestamp|last_success|next_exchange)": ?[0-9]{10,13}`), `"$1": 0`},
	{regexp.MustCompile(`"size": ?[0-9]+`), `"size": 0`},
}

// golden compares an answer with a file, apart from what differs from run to
// run.
func golden(t *testing.T, name, body string) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(body), "", " "); err != nil {
		t.Fatalf("%s: %v in %s", name, err, body)
	}
	got := b.String() + "\n"
	for _, c := range changing {
		got = c.pattern.ReplaceAllString(got, c.name)
	}
	compare(t, name, got)
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s", path, difference(string(want), got))
	}
}

// difference shows the first lines that differ.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "want " + strings.Join(a[i:min(i+5, len(a))], "\n     ") + "\ngot  " + strings.Join(b[i:min(i+5, len(b))], "\n     ")
		}
	}
	return "one is longer:\nwant " + want + "\ngot  " + got
}

// record keeps the body of an error as a golden file under its label.
func (a answer) record(name string) answer {
	a.t.Helper()
	compare(a.t, filepath.Join("errors", name), a.body+"\n")
	return a
}

// flagNamed gives the value of a flag of the test program, "" if it has none.
func flagNamed(name string) string {
	f := flag.Lookup(name)
	if f == nil || f.Value.String() == f.DefValue {
		return ""
	}
	return f.Value.String()
}
