package publication

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"baleen/internal/rpki/strictxml"
)

// Encode writes the query. It fails for what the schema does not have, such as
// a withdraw without a hash, or a list beside changes.
func (q Query) Encode() ([]byte, error) {
	if q.List && len(q.Changes) > 0 {
		return nil, errors.New("publication query: a list stands alone")
	}

	b := start(q.size(), "query")
	if q.List {
		b = append(b, "  <list/>\n"...)
	}
	for _, c := range q.Changes {
		var err error
		if b, err = c.append(b); err != nil {
			return nil, fmt.Errorf("publication query: %w", err)
		}
	}
	return append(b, "</msg>\n"...), nil
}

// size gives about the octets that the changes take.
func (q Query) size() int {
	size := 0
	for _, c := range q.Changes {
		size += 150 + len(c.Tag) + len(c.URI) + base64.StdEncoding.EncodedLen(len(c.Content))
	}
	return size
}

// start begins a document that has room for size more octets.
func start(size int, kind string) []byte {
	b := append(make([]byte, 0, 200+size), "<msg"...)
	b = strictxml.AppendAttr(b, "xmlns", Namespace)
	b = strictxml.AppendAttr(b, "version", version)
	b = strictxml.AppendAttr(b, "type", kind)
	return append(b, ">\n"...)
}

// append writes the element. It always has a tag, as the schema asks.
func (c Change) append(b []byte) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}

	name := "publish"
	if c.Withdraw {
		name = "withdraw"
	}
	b = append(b, "  <"...)
	b = append(b, name...)
	b = strictxml.AppendAttr(b, "tag", c.Tag)
	b = strictxml.AppendAttr(b, "uri", c.URI)
	if c.Hash != nil {
		b = appendHash(b, *c.Hash)
	}
	if c.Withdraw {
		return append(b, "/>\n"...), nil
	}
	b = append(b, '>')
	b = base64.StdEncoding.AppendEncode(b, c.Content)
	return append(b, "</publish>\n"...), nil
}

func appendHash(b []byte, hash [32]byte) []byte {
	b = append(b, ` hash="`...)
	b = hex.AppendEncode(b, hash[:])
	return append(b, '"')
}

// Encode writes the reply. It fails for what the schema does not have, and for
// a reply that says two things.
func (r Reply) Encode() ([]byte, error) {
	if r.Success && len(r.Errors)+len(r.List) > 0 || len(r.Errors) > 0 && len(r.List) > 0 {
		return nil, errors.New("publication reply: it says two things")
	}

	size := 0
	for _, o := range r.List {
		size += 100 + len(o.URI)
	}
	b := start(size, "reply")
	if r.Success {
		b = append(b, "  <success/>\n"...)
	}
	for _, o := range r.List {
		if err := checkURI(o.URI); err != nil {
			return nil, fmt.Errorf("publication reply: %w", err)
		}
		b = append(b, "  <list"...)
		b = strictxml.AppendAttr(b, "uri", o.URI)
		b = appendHash(b, o.Hash)
		b = append(b, "/>\n"...)
	}
	for _, e := range r.Errors {
		var err error
		if b, err = e.append(b); err != nil {
			return nil, fmt.Errorf("publication reply: %w", err)
		}
	}
	return append(b, "</msg>\n"...), nil
}

func (r ReportError) append(b []byte) ([]byte, error) {
	if !r.Code.Known() {
		return nil, fmt.Errorf("error_code %.40q is not known", r.Code)
	}
	if err := checkTag(r.Tag); err != nil {
		return nil, err
	}

	b = append(b, "  <report_error"...)
	b = strictxml.AppendAttr(b, "error_code", string(r.Code))
	if r.Tag != "" {
		b = strictxml.AppendAttr(b, "tag", r.Tag)
	}
	b = append(b, ">\n"...)
	if r.Text != "" {
		b = append(b, "    <error_text>"...)
		b = strictxml.AppendText(b, cut(r.Text, maxErrorText))
		b = append(b, "</error_text>\n"...)
	}
	if r.Failed != nil {
		b = append(b, "    <failed_pdu>\n    "...)
		var err error
		if b, err = r.Failed.append(b); err != nil {
			return nil, err
		}
		b = append(b, "    </failed_pdu>\n"...)
	}
	return append(b, "  </report_error>\n"...), nil
}

// cut gives the first n characters.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
