package pubserver

import (
	"slices"
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	for text, want := range map[string]string{
		"rsync://localhost/repo/ca1/0/x.cer":         "rsync://localhost/repo/ca1/0/x.cer",
		"RSYNC://LocalHost/Repo/CA1/x.cer":           "rsync://localhost/Repo/CA1/x.cer",
		"rsync://localhost:8873/repo/x.cer":          "rsync://localhost:8873/repo/x.cer",
		"rsync://[2001:DB8::1]/repo/x":               "rsync://[2001:db8::1]/repo/x",
		"rsync://h/m/a%20b":                          "rsync://h/m/a%20b",
		"rsync://h/m/...":                            "rsync://h/m/...",
		"rsync://h/m/.x":                             "rsync://h/m/.x",
		"rsync://h/m/" + strings.Repeat("x", 255):    "rsync://h/m/" + strings.Repeat("x", 255),
		"rsync://h/m/it's&that.roa":                  "rsync://h/m/it's&that.roa",
		"rsync://localhost/repo/a//b/x.cer":          "",
		"rsync://localhost/repo/a/./x.cer":           "",
		"rsync://localhost/repo/a/../x.cer":          "",
		"rsync://localhost/repo/a/%2e%2E/x.cer":      "",
		"rsync://localhost/repo/a/%2e/x.cer":         "",
		"rsync://localhost/repo/a%2fb/x.cer":         "",
		"rsync://localhost/repo/a%5cb/x.cer":         "",
		"rsync://localhost/repo/a%00/x.cer":          "",
		"rsync://localhost/repo/a%0a/x.cer":          "",
		"rsync://localhost/repo/a%zz/x.cer":          "",
		"rsync://localhost/repo/a%/x.cer":            "",
		"rsync://localhost/repo/a\\b":                "",
		"rsync://localhost/repo/a\x00b":              "",
		"rsync://localhost/repo/a\nb":                "",
		"rsync://localhost/repo/a b":                 "",
		"rsync://localhost/repo/é":                   "",
		"rsync://localhost/repo/a?x":                 "",
		"rsync://localhost/repo/a#x":                 "",
		"rsync://localhost/repo/a\"b":                "",
		"rsync://localhost/repo/<a>":                 "",
		"rsync://localhost/repo/":                    "",
		"rsync://localhost/repo/ca1/":                "",
		"rsync://localhost/repo":                     "",
		"rsync://localhost/":                         "",
		"rsync://localhost":                          "",
		"rsync:///repo/x":                            "",
		"rsync://user@localhost/repo/x":              "",
		"rsync://local%68ost/repo/x":                 "",
		"rsync:/localhost/repo/x":                    "",
		"https://localhost/repo/x":                   "",
		"/repo/x":                                    "",
		"":                                           "",
		"rsync://h/m/" + strings.Repeat("x", 256):    "",
		"rsync://h/m/" + strings.Repeat("xxx/", 600): "",
	} {
		got, err := parseURI(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestParseBases(t *testing.T) {
	if got, err := parseBase("RSYNC://H/Repo/"); err != nil || got != "rsync://h/Repo/" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"rsync://h/repo", "rsync://h/", "rsync://h//", "https://h/repo/", "rsync://h/../"} {
		if got, err := parseBase(bad); err == nil {
			t.Errorf("%q is accepted as %q", bad, got)
		}
	}
	if got, err := parseRRDPBase("https://h:3000/rrdp/"); err != nil || got != "https://h:3000/rrdp/" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"https://h/rrdp", "http://h/rrdp/", "https:///rrdp/", "https://u@h/rrdp/", "https://h/r?q=/", "https://h/r#/", "h/", `https://h/"/`} {
		if got, err := parseRRDPBase(bad); err == nil {
			t.Errorf("%q is accepted as %q", bad, got)
		}
	}
}

func TestFolders(t *testing.T) {
	got := folders("rsync://h/m/a/b/x.cer")
	want := []string{"rsync://h/m/a/b/", "rsync://h/m/a/", "rsync://h/m/"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func FuzzParseURI(f *testing.F) {
	f.Add("rsync://localhost/repo/ca1/0/x.cer")
	f.Add("RSYNC://LOCALHOST/repo/%2e%2e/x")
	f.Fuzz(func(t *testing.T, text string) {
		uri, err := parseURI(text)
		if err != nil {
			return
		}
		again, err := parseURI(uri)
		if err != nil || again != uri {
			t.Errorf("%q: canonical %q becomes %q, %v", text, uri, again, err)
		}
		for _, part := range strings.Split(uri, "/")[3:] {
			if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\\x00") {
				t.Errorf("%q: accepted with part %q", text, part)
			}
		}
	})
}
