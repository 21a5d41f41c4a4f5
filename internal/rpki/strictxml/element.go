package strictxml

import (
	"encoding/xml"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// xmlSpace is the namespace that the prefix "xml" always stands for.
const xmlSpace = "http://www.w3.org/XML/1998/namespace"

// Lang is the one attribute with a namespace that an element may have. It is
// taken by this name.
const Lang = "xml:lang"

// maxAttributes is more than any element of these protocols has.
const maxAttributes = 32

// Element is a start tag. Attributes are taken one by one; Done then tells
// whether all that were needed were there, and nothing else.
type Element struct {
	Name  string
	attrs map[string]string
	err   error
}

func newElement(t xml.StartElement) (*Element, error) {
	e := &Element{Name: t.Name.Local, attrs: make(map[string]string, len(t.Attr))}
	if len(t.Attr) > maxAttributes {
		return nil, fmt.Errorf("attributes of %.80q: %w", e.Name, ErrLimit)
	}

	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		if a.Name.Space == xmlSpace && a.Name.Local == "lang" {
			a.Name = xml.Name{Local: Lang}
		}
		if a.Name.Space != "" {
			return nil, fmt.Errorf("element %.80q: attribute %.80q has a namespace", e.Name, a.Name.Local)
		}
		if _, twice := e.attrs[a.Name.Local]; twice {
			return nil, fmt.Errorf("element %.80q: attribute %.80q stands twice", e.Name, a.Name.Local)
		}
		if !printable(a.Value) {
			return nil, fmt.Errorf("element %.80q: attribute %.80q is not printable US-ASCII", e.Name, a.Name.Local)
		}
		e.attrs[a.Name.Local] = a.Value
	}
	return e, nil
}

// Expect notes an error unless the element has this name.
func (e *Element) Expect(name string) *Element {
	if e.Name != name {
		e.fail(fmt.Errorf("element %.80q, want %.80q", e.Name, name))
	}
	return e
}

// Attr takes an attribute that must be there.
func (e *Element) Attr(name string) string {
	v, ok := e.Optional(name)
	if !ok {
		e.fail(fmt.Errorf("element %.80q lacks attribute %.80q", e.Name, name))
	}
	return v
}

// Optional takes an attribute that may be absent.
func (e *Element) Optional(name string) (value string, present bool) {
	value, present = e.attrs[name]
	delete(e.attrs, name)
	return value, present
}

// Number takes an attribute that must be a positive decimal number without
// sign or leading zeros, as the serials of RFC 8182 are.
func (e *Element) Number(name string) uint64 {
	text := e.Attr(name)
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 || text[0] == '0' {
		e.fail(fmt.Errorf("element %.80q: attribute %.80q is not a positive number: %.80q", e.Name, name, text))
	}
	return n
}

// Version takes the attribute "version", which must have this value.
func (e *Element) Version(want string) *Element {
	if got := e.Attr("version"); got != want {
		e.fail(fmt.Errorf("element %.80q: version %.80q, want %.80q", e.Name, got, want))
	}
	return e
}

// Done gives the first error met, and refuses attributes nobody took.
func (e *Element) Done() error {
	if e.err == nil && len(e.attrs) > 0 {
		names := make([]string, 0, len(e.attrs))
		for name := range e.attrs {
			names = append(names, name)
		}
		sort.Strings(names)
		return fmt.Errorf("element %.80q: unknown attribute %.80q", e.Name, names[0])
	}
	return e.err
}

// DoneLoose gives the first error met and passes over attributes nobody took.
func (e *Element) DoneLoose() error { return e.err }

func (e *Element) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// AppendAttr appends ` name="value"` with the value escaped.
func AppendAttr(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, `="`...)
	if !strings.ContainsAny(value, `&<>"'`) {
		b = append(b, value...)
		return append(b, '"')
	}

	for i := range len(value) {
		switch value[i] {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '"':
			b = append(b, "&quot;"...)
		case '\'':
			b = append(b, "&apos;"...)
		default:
			b = append(b, value[i])
		}
	}
	return append(b, '"')
}

// AppendText appends text as the content of an element, in US-ASCII whatever
// it holds. What XML cannot hold becomes U+FFFD.
func AppendText(b []byte, text string) []byte {
	for _, c := range text {
		switch {
		case c == '&':
			b = append(b, "&amp;"...)
		case c == '<':
			b = append(b, "&lt;"...)
		case c == '>':
			b = append(b, "&gt;"...)
		case c == '\n', c == '\t', ' ' <= c && c <= '~':
			b = append(b, byte(c))
		case c < ' ' && c != '\r', c == 0xfffe, c == 0xffff:
			b = append(b, "&#xFFFD;"...)
		default:
			b = fmt.Appendf(b, "&#x%X;", c)
		}
	}
	return b
}
