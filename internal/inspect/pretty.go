package inspect

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

func passCharset(_ string, r io.Reader) (io.Reader, error) { return r, nil }

// printer lays XML out. A start tag waits until it is known whether only text or nothing
// stands before its end.
type printer struct {
	lines []string
	open  []string // names of open elements
	text  string   // since the last tag
	fresh bool     // the last line is a start tag
	done  bool     // the root was closed
}

func (p *printer) add(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		if p.done || len(p.open) == maxXMLDepth {
			return errors.New("more than one root element, or nested too deep")
		}
		p.flush()
		p.line(startTag(t) + ">")
		p.open, p.fresh = append(p.open, qualified(t.Name)), true
	case xml.EndElement:
		return p.end(qualified(t.Name))
	case xml.CharData:
		p.text += string(t)
		if len(p.open) == 0 && strings.TrimSpace(p.text) != "" {
			return errors.New("text outside of the root element")
		}
	case xml.Comment:
		p.flush()
		p.line("<!--" + short(string(t)) + "-->")
	case xml.Directive:
		return errors.New("document type")
	}
	return nil
}

func (p *printer) end(name string) error {
	last := len(p.open) - 1
	if last < 0 || p.open[last] != name {
		return errors.New("end of an element that is not open")
	}
	text := strings.TrimSpace(p.text)
	p.open, p.done = p.open[:last], last == 0
	switch at := len(p.lines) - 1; {
	case p.fresh && text == "":
		p.lines[at] = strings.TrimSuffix(p.lines[at], ">") + "/>"
		p.text, p.fresh = "", false
	case p.fresh:
		p.lines[at] += escape(short(text)) + "</" + name + ">"
		p.text, p.fresh = "", false
	default:
		p.open = append(p.open, name) // text before the end stands inside
		p.flush()
		p.open = p.open[:last]
		p.line("</" + name + ">")
	}
	return nil
}

// flush writes text that stands between elements.
func (p *printer) flush() {
	if text := strings.TrimSpace(p.text); text != "" {
		p.line(escape(short(text)))
	}
	p.text, p.fresh = "", false
}

func (p *printer) line(text string) {
	p.lines = append(p.lines, strings.Repeat("  ", len(p.open))+text)
}

func (p *printer) finish(err error) ([]string, error) {
	switch {
	case !errors.Is(err, io.EOF):
		return nil, err
	case !p.done:
		return nil, errors.New("it ends too early")
	}
	return p.lines, nil
}

func qualified(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// startTag gives a start tag but for its end.
func startTag(t xml.StartElement) string {
	var b strings.Builder
	b.WriteString("<" + qualified(t.Name))
	for _, a := range t.Attr {
		b.WriteString(" " + qualified(a.Name) + `="` + escape(a.Value) + `"`)
	}
	return b.String()
}

func escape(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a Buffer takes everything
	return b.String()
}

// short cuts a text off, which is long where an object in base64 is.
func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxShown {
		return string(runes[:maxShown]) + "… (" + plural(len(runes), "character") + ")"
	}
	return text
}
