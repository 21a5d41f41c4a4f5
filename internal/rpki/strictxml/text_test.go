package strictxml_test

import (
	"strings"
	"testing"

	"baleen/internal/rpki/strictxml"
)

func TestTextMayBeUTF8WhereAllowed(t *testing.T) {
	for _, c := range []struct {
		doc         string
		plain, utf8 bool
	}{
		{`<root xmlns="urn:x">é</root>`, false, true},
		{`<?xml version="1.0" encoding="UTF-8"?><root xmlns="urn:x">é</root>`, false, true},
		{`<?xml version="1.0" encoding="us-ascii"?><root xmlns="urn:x">é</root>`, false, false},
		{`<?xml version="1.0" encoding="iso-8859-1"?><root xmlns="urn:x">é</root>`, false, false},
		{`<root xmlns="urn:x">&#xE9;</root>`, true, true},
		{"<root xmlns=\"urn:x\">\xff</root>", false, false},
		{"<root xmlns=\"urn:x\">\x7f</root>", false, false},
		{`<root xmlns="urn:x" a="é"></root>`, false, false},
	} {
		for _, allow := range []bool{false, true} {
			x := reader(c.doc)
			want := c.plain
			if allow {
				x.AllowUTF8()
				want = c.utf8
			}
			_, err := x.Root()
			text := ""
			if err == nil {
				text, err = x.Text()
			}
			if (err == nil) != want || want && text != "é" {
				t.Errorf("%s, UTF-8 allowed %v: got %q, %v", c.doc, allow, text, err)
			}
		}
	}
}

func TestLangIsTheOneAttributeWithANamespace(t *testing.T) {
	x := reader(`<root xmlns="urn:x" xml:lang="en"/>`)
	e, err := x.Root()
	if err != nil {
		t.Fatal(err)
	}
	if lang, ok := e.Optional(strictxml.Lang); lang != "en" || !ok || e.Done() != nil {
		t.Errorf("got %q, %v, %v", lang, ok, e.Done())
	}

	for _, doc := range []string{
		`<root xmlns="urn:x" xml:lang="en" xml:lang="fr"/>`,
		`<root xmlns="urn:x" xmlns:z="urn:z" z:lang="en"/>`,
		`<root xmlns="urn:x" xml:base="en"/>`,
	} {
		if e, err := reader(doc).Root(); err == nil {
			t.Errorf("%s: accepted as %+v", doc, e)
		}
	}
	if e, err := reader(`<root xmlns="urn:x" xml:lang="en"/>`).Root(); err != nil || e.Done() == nil {
		t.Errorf("not taken: got %v, and it is not missed", err)
	}
}

func TestAppendTextEscapes(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                    "plain",
		`a<b>&"c"'d'`:              `a&lt;b&gt;&amp;"c"'d'`,
		"]]>":                      "]]&gt;",
		"two\n\tlines":             "two\n\tlines",
		"a\rb":                     "a&#xD;b",
		"é😀\x7f":                   "&#xE9;&#x1F600;&#x7F;",
		"\x00\x1b\ufffe\uffff\xff": strings.Repeat("&#xFFFD;", 5),
	} {
		got := string(strictxml.AppendText(nil, text))
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
		x := reader(`<root xmlns="urn:x">` + got + `</root>`)
		if _, err := x.Root(); err != nil {
			t.Fatal(err)
		}
		back, err := x.Text()
		if err != nil || back != text && !strings.Contains(got, "FFFD") {
			t.Errorf("%q: reads back %q, %v", text, back, err)
		}
	}
}

// Base64 uses one buffer for all elements; what it gave stays as it was.
func TestBase64DoesNotShare(t *testing.T) {
	items, err := walk(reader(`<root xmlns="urn:x" n="1"><item>YWFhYWFh</item><item/><item>YmI=</item></root>`))
	if err != nil || strings.Join(items, ",") != "aaaaaa,,bb" {
		t.Errorf("got %q, %v", items, err)
	}

	x := reader(`<root xmlns="urn:x"><item>YWFhYWFh</item><item>YmJiYmJi</item></root>`)
	if _, err := x.Root(); err != nil {
		t.Fatal(err)
	}
	var got [2][]byte
	for i := range got {
		if _, err := x.Child(); err != nil {
			t.Fatal(err)
		}
		if got[i], err = x.Base64(); err != nil {
			t.Fatal(err)
		}
	}
	if string(got[0]) != "aaaaaa" || string(got[1]) != "bbbbbb" {
		t.Errorf("got %q", got)
	}
}

func TestErrorsQuoteLittle(t *testing.T) {
	long := strings.Repeat("a", 400)
	for _, doc := range []string{
		`<` + long + `/>`,
		`<root xmlns="` + long + `"/>`,
		`<root xmlns="urn:x" z:` + long + `=""/>`,
		`<root xmlns="urn:x" 1` + long + `=""/>`,
		`<root xmlns="urn:x"><` + long + `></root>`,
	} {
		x := reader(doc)
		_, err := x.Root()
		if err == nil {
			_, err = x.Child()
		}
		if err == nil {
			_, err = x.Child()
		}
		if err == nil || len(err.Error()) > 350 {
			t.Errorf("%.30s: got %v", doc, err)
		}
	}
}
