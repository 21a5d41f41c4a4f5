package strictxml_test

import (
	"errors"
	"strings"
	"testing"

	"baleen/internal/rpki/strictxml"
)

const space = "urn:x"

func reader(doc string) *strictxml.Reader {
	return strictxml.NewReader(strings.NewReader(doc), strictxml.Limits{Document: 10_000, Token: 500}, space, space+"/")
}

// walk reads <root n="1" [opt]> with any number of <item>base64</item>.
func walk(x *strictxml.Reader) (items []string, err error) {
	root, err := x.Root()
	if err != nil {
		return nil, err
	}
	root.Expect("root").Number("n")
	root.Optional("opt")
	if err := root.Done(); err != nil {
		return nil, err
	}
	for {
		child, err := x.Child()
		if err != nil {
			return nil, err
		}
		if child == nil {
			return items, x.End()
		}
		if err := child.Expect("item").Done(); err != nil {
			return nil, err
		}
		content, err := x.Base64()
		if err != nil {
			return nil, err
		}
		items = append(items, string(content))
	}
}

func TestAccepts(t *testing.T) {
	for name, doc := range map[string]string{
		"plain":             `<root xmlns="urn:x" n="1"><item>aGk=</item></root>`,
		"prefix":            `<p:root xmlns:p="urn:x" n="1"><p:item>aGk=</p:item></p:root>`,
		"other namespace":   `<root xmlns="urn:x/" n="1"><item>aGk=</item></root>`,
		"declaration":       `<?xml version="1.0" encoding="US-ASCII"?>` + "\n" + `<root xmlns="urn:x" n="1"><item>aGk=</item></root>`,
		"latin-1 as ASCII":  `<?xml version="1.0" encoding="iso-8859-1"?><root xmlns="urn:x" n="1"><item>aGk=</item></root>`,
		"utf-8":             `<?xml version="1.0" encoding="UTF-8"?><root xmlns="urn:x" n="1"><item>aGk=</item></root>`,
		"comments":          `<!-- a --><root xmlns="urn:x" n="1"><!-- b --><item>aGk=</item></root><!-- c -->`,
		"white space":       "\n<root xmlns=\"urn:x\"\n n=\"1\">\n\t<item>\r\n aG\t k=\n</item>\n</root>\n",
		"optional":          `<root xmlns="urn:x" n="1" opt=""><item>aGk=</item></root>`,
		"unused namespaces": `<root xmlns="urn:x" xmlns:q="urn:y" n="1"><item>aGk=</item></root>`,
	} {
		items, err := walk(reader(doc))
		if err != nil || len(items) != 1 || items[0] != "hi" {
			t.Errorf("%s: got %q, %v", name, items, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"nothing":               ``,
		"not XML":               `hello`,
		"document type":         `<!DOCTYPE root><root xmlns="urn:x" n="1"/>`,
		"entity":                `<!DOCTYPE r [<!ENTITY a "b">]><root xmlns="urn:x" n="1"><item>&a;</item></root>`,
		"unknown entity":        `<root xmlns="urn:x" n="1"><item>&a;</item></root>`,
		"processing":            `<root xmlns="urn:x" n="1"><?do it?></root>`,
		"late declaration":      `<!-- a --><?xml version="1.0"?><root xmlns="urn:x" n="1"/>`,
		"character set":         `<?xml version="1.0" encoding="utf-16"?><root xmlns="urn:x" n="1"/>`,
		"other root":            `<tree xmlns="urn:x" n="1"/>`,
		"no namespace":          `<root n="1"/>`,
		"foreign namespace":     `<root xmlns="urn:y" n="1"/>`,
		"foreign child":         `<root xmlns="urn:x" n="1"><item xmlns="urn:y">aGk=</item></root>`,
		"mixed namespaces":      `<root xmlns="urn:x" n="1"><item xmlns="urn:x/">aGk=</item></root>`,
		"missing attribute":     `<root xmlns="urn:x"/>`,
		"unknown attribute":     `<root xmlns="urn:x" n="1" m="1"/>`,
		"attribute twice":       `<root xmlns="urn:x" n="1" n="2"/>`,
		"prefixed attribute":    `<root xmlns="urn:x" xmlns:z="urn:x" z:n="1"/>`,
		"xml:space":             `<root xmlns="urn:x" n="1" xml:space="preserve"/>`,
		"attribute not ASCII":   `<root xmlns="urn:x" n="1" opt="&#233;"/>`,
		"attribute with tab":    `<root xmlns="urn:x" n="1" opt="&#9;"/>`,
		"zero":                  `<root xmlns="urn:x" n="0"/>`,
		"leading zero":          `<root xmlns="urn:x" n="01"/>`,
		"sign":                  `<root xmlns="urn:x" n="+1"/>`,
		"too big":               `<root xmlns="urn:x" n="9223372036854775808"/>`,
		"unknown child":         `<root xmlns="urn:x" n="1"><thing/></root>`,
		"text":                  `<root xmlns="urn:x" n="1">x</root>`,
		"element in base64":     `<root xmlns="urn:x" n="1"><item>aG<b/>k=</item></root>`,
		"comment in base64":     `<root xmlns="urn:x" n="1"><item>aG<!-- -->k=</item></root>`,
		"no padding":            `<root xmlns="urn:x" n="1"><item>aGk</item></root>`,
		"stray bits":            `<root xmlns="urn:x" n="1"><item>aGl=</item></root>`,
		"url-safe base64":       `<root xmlns="urn:x" n="1"><item>_-8=</item></root>`,
		"after padding":         `<root xmlns="urn:x" n="1"><item>aGk=aGk=</item></root>`,
		"second root":           `<root xmlns="urn:x" n="1"/><root xmlns="urn:x" n="1"/>`,
		"text after":            `<root xmlns="urn:x" n="1"/>x`,
		"processing after":      `<root xmlns="urn:x" n="1"/><?a b?>`,
		"cut":                   `<root xmlns="urn:x" n="1"><item>aGk=</item>`,
		"crossed":               `<root xmlns="urn:x" n="1"><item>aGk=</root></item>`,
		"octet above ASCII":     "<root xmlns=\"urn:x\" n=\"1\"><!-- \xc3\xa9 --></root>",
		"control character":     "<root xmlns=\"urn:x\" n=\"1\">\x01</root>",
		"token over the limit":  `<root xmlns="urn:x" n="1"><item>` + strings.Repeat("aGk=", 200) + `</item></root>`,
		"sections over it":      `<root xmlns="urn:x" n="1"><item>` + strings.Repeat("<![CDATA[aGVsbG8hIQ==]]>", 50) + `</item></root>`,
		"document over it":      `<root xmlns="urn:x" n="1">` + strings.Repeat("<item>aGk=</item>", 1000) + `</root>`,
		"attributes over limit": `<root xmlns="urn:x" n="1" ` + manyAttributes() + `/>`,
	} {
		if items, err := walk(reader(doc)); err == nil {
			t.Errorf("%s: accepted as %q", name, items)
		}
	}
}

func manyAttributes() string {
	var b strings.Builder
	for i := range 40 {
		b.WriteString(" a")
		b.WriteByte('a' + byte(i%26))
		b.WriteByte('a' + byte(i/26))
		b.WriteString(`=""`)
	}
	return b.String()
}

func TestLimitsAreToldApart(t *testing.T) {
	_, err := walk(reader(`<root xmlns="urn:x" n="1"><item>` + strings.Repeat("aGk=", 200) + `</item></root>`))
	if !errors.Is(err, strictxml.ErrLimit) {
		t.Errorf("got %v, want ErrLimit", err)
	}
}

func TestSkip(t *testing.T) {
	read := func(inner string) error {
		x := reader(`<root xmlns="urn:x" n="1">` + inner + `</root>`)
		if _, err := x.Root(); err != nil {
			return err
		}
		if _, err := x.Child(); err != nil {
			return err
		}
		if err := x.Skip(); err != nil {
			return err
		}
		if child, err := x.Child(); err != nil || child != nil {
			t.Errorf("after Skip: %v, %v", child, err)
		}
		return x.End()
	}
	if err := read(`<offer a="1" xmlns:z="urn:z">text <z:b><z:c/></z:b><!-- --></offer>`); err != nil {
		t.Errorf("got %v", err)
	}
	if err := read(`<offer/>`); err != nil {
		t.Errorf("empty: got %v", err)
	}
	if err := read(strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100)); !errors.Is(err, strictxml.ErrLimit) {
		t.Errorf("deep: got %v", err)
	}
	if err := read(`<offer><?a b?></offer>`); err == nil {
		t.Error("a processing instruction was passed over")
	}
}

func TestCloseRefusesContent(t *testing.T) {
	for doc, ok := range map[string]bool{
		`<root xmlns="urn:x"/>`:           true,
		`<root xmlns="urn:x"> </root>`:    true,
		`<root xmlns="urn:x">x</root>`:    false,
		`<root xmlns="urn:x"><a/></root>`: false,
	} {
		x := reader(doc)
		if _, err := x.Root(); err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); (err == nil) != ok {
			t.Errorf("%s: got %v", doc, err)
		}
	}
}

func TestAppendAttrEscapes(t *testing.T) {
	const value = `a<b>&"c"'d'`
	doc := strictxml.AppendAttr([]byte(`<root xmlns="urn:x"`), "opt", value)
	x := reader(string(doc) + "/>")
	e, err := x.Root()
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Attr("opt"); got != value {
		t.Errorf("got %q, want %q", got, value)
	}
}
