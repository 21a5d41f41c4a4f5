package publication

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"baleen/internal/rpki/strictxml"
)

// DecodeQuery reads a query. Whatever error it gives, the document is at
// fault: the answer is xml_error.
func DecodeQuery(data []byte, l Limits) (Query, error) {
	d, err := open(data, l, "query")
	if err != nil {
		return Query{}, fmt.Errorf("publication query: %w", err)
	}
	q, err := d.query()
	if err != nil {
		return Query{}, fmt.Errorf("publication query: %w", err)
	}
	return q, nil
}

// DecodeReply reads a reply. Whatever error it gives, the document is at fault.
func DecodeReply(data []byte, l Limits) (Reply, error) {
	d, err := open(data, l, "reply")
	if err != nil {
		return Reply{}, fmt.Errorf("publication reply: %w", err)
	}
	r, err := d.reply()
	if err != nil {
		return Reply{}, fmt.Errorf("publication reply: %w", err)
	}
	return r, nil
}

type decoder struct {
	x    *strictxml.Reader
	left int // how many more elements may come
}

// open reads the root (RFC 8181 section 2.1).
func open(data []byte, l Limits, kind string) (*decoder, error) {
	l = l.orDefault()
	if len(data) > l.Document {
		return nil, fmt.Errorf("document: %w", strictxml.ErrLimit)
	}

	limits := strictxml.Limits{Document: int64(l.Document), Token: int64(l.Document)}
	d := &decoder{x: strictxml.NewReader(bytes.NewReader(data), limits, Namespace), left: l.PDUs}
	d.x.AllowUTF8()
	root, err := d.x.Root()
	if err != nil {
		return nil, err
	}
	got := root.Expect("msg").Version(version).Attr("type")
	if err := root.Done(); err != nil {
		return nil, err
	}
	if got != kind {
		return nil, fmt.Errorf("type %.40q, want %q", got, kind)
	}
	return d, nil
}

// next reads the start of the next element inside the root; nil after the last.
func (d *decoder) next() (*strictxml.Element, error) {
	e, err := d.x.Child()
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, d.x.End()
	}
	if d.left--; d.left < 0 {
		return nil, fmt.Errorf("number of elements: %w", strictxml.ErrLimit)
	}
	return e, nil
}

func (d *decoder) query() (Query, error) {
	var q Query
	for {
		e, err := d.next()
		if err != nil {
			return Query{}, err
		}
		if e == nil {
			return q, nil
		}

		if q.List || e.Name == "list" && len(q.Changes) > 0 {
			return Query{}, fmt.Errorf("element %.80q beside others: a list stands alone", e.Name)
		}
		if e.Name == "list" {
			q.List = true
			if err := d.empty(e); err != nil {
				return Query{}, err
			}
			continue
		}
		c, err := d.change(e)
		if err != nil {
			return Query{}, err
		}
		q.Changes = append(q.Changes, c)
	}
}

// empty reads an element that has neither attributes nor content.
func (d *decoder) empty(e *strictxml.Element) error {
	if err := e.Done(); err != nil {
		return err
	}
	return d.x.Close()
}

// change reads a publish or withdraw (RFC 8181 section 2.2). The
// schema asks for a tag, which may be empty; not all programs write one.
func (d *decoder) change(e *strictxml.Element) (Change, error) {
	c := Change{URI: e.Attr("uri"), Withdraw: e.Name == "withdraw"}
	c.Tag, _ = e.Optional("tag")
	hash, hasHash := e.Optional("hash")
	if !c.Withdraw {
		e.Expect("publish")
	}
	if err := e.Done(); err != nil {
		return Change{}, err
	}
	if hasHash {
		h, err := parseHash(hash)
		if err != nil {
			return Change{}, err
		}
		c.Hash = &h
	}

	var err error
	if c.Withdraw {
		err = d.x.Close()
	} else {
		c.Content, err = d.x.Base64()
	}
	if err != nil {
		return Change{}, err
	}
	return c, c.check()
}

// check holds a change to the schema.
func (c Change) check() error {
	if err := checkURI(c.URI); err != nil {
		return err
	}
	if c.Withdraw && c.Hash == nil {
		return errors.New(`element "withdraw" lacks attribute "hash"`)
	}
	return checkTag(c.Tag)
}

func checkURI(uri string) error {
	if uri == "" || len(uri) > maxURI {
		return fmt.Errorf("uri has %d characters, not 1 to %d", len(uri), maxURI)
	}
	for i := range len(uri) {
		if uri[i] <= ' ' || uri[i] > '~' {
			return fmt.Errorf("uri %.200q has a blank or is not US-ASCII", uri)
		}
	}
	return nil
}

func checkTag(tag string) error {
	if len(tag) > maxTag {
		return fmt.Errorf("tag is longer than %d characters", maxTag)
	}
	for i := range len(tag) {
		if tag[i] < ' ' || tag[i] > '~' {
			return errors.New("tag is not printable US-ASCII")
		}
	}
	return nil
}

func parseHash(text string) (hash [32]byte, err error) {
	if len(text) != 2*len(hash) {
		return hash, fmt.Errorf("hash has %d digits, not %d", len(text), 2*len(hash))
	}
	if _, err := hex.Decode(hash[:], []byte(text)); err != nil {
		return hash, errors.New("hash is not hexadecimal")
	}
	return hash, nil
}

func (d *decoder) reply() (Reply, error) {
	var r Reply
	for first := ""; ; {
		e, err := d.next()
		if err != nil {
			return Reply{}, err
		}
		if e == nil {
			return r, nil
		}

		if r.Success || first != "" && e.Name != first {
			return Reply{}, fmt.Errorf("element %.80q after %.80q", e.Name, first)
		}
		first = e.Name
		switch e.Name {
		case "success":
			r.Success = true
			err = d.empty(e)
		case "list":
			var o Object
			o, err = d.object(e)
			r.List = append(r.List, o)
		default:
			var one ReportError
			one, err = d.reportError(e.Expect("report_error"))
			r.Errors = append(r.Errors, one)
		}
		if err != nil {
			return Reply{}, err
		}
	}
}

func (d *decoder) object(e *strictxml.Element) (Object, error) {
	o := Object{URI: e.Attr("uri")}
	hash := e.Attr("hash")
	if err := e.Done(); err != nil {
		return Object{}, err
	}
	if err := checkURI(o.URI); err != nil {
		return Object{}, err
	}
	var err error
	if o.Hash, err = parseHash(hash); err != nil {
		return Object{}, err
	}
	return o, d.x.Close()
}

func (d *decoder) reportError(e *strictxml.Element) (ReportError, error) {
	r := ReportError{Code: Code(e.Attr("error_code"))}
	r.Tag, _ = e.Optional("tag")
	if err := e.Done(); err != nil {
		return ReportError{}, err
	}
	if !r.Code.Known() {
		return ReportError{}, fmt.Errorf("error_code %.40q is not known", r.Code)
	}
	if err := checkTag(r.Tag); err != nil {
		return ReportError{}, err
	}

	for text, failed := false, false; ; {
		child, err := d.x.Child()
		if err != nil {
			return ReportError{}, err
		}
		if child == nil {
			return r, nil
		}

		switch {
		case child.Name == "error_text" && !text:
			text = true
			r.Text, err = d.errorText(child)
		case child.Name == "failed_pdu" && !failed:
			failed = true
			r.Failed, err = d.failed(child)
		default:
			err = fmt.Errorf("element %.80q where none may be", child.Name)
		}
		if err != nil {
			return ReportError{}, err
		}
	}
}

// errorText reads what is for humans. Some write it on a line of its own.
func (d *decoder) errorText(e *strictxml.Element) (string, error) {
	if err := e.Done(); err != nil {
		return "", err
	}
	text, err := d.x.Text()
	if err != nil {
		return "", err
	}
	if utf8.RuneCountInString(text) > maxErrorText {
		return "", fmt.Errorf("error_text is longer than %d characters", maxErrorText)
	}
	return strings.TrimSpace(text), nil
}

// failed reads a copy of what failed and gives the first change: the schema has
// room for more. A list, or nothing, is no change.
func (d *decoder) failed(e *strictxml.Element) (first *Change, err error) {
	if err := e.Done(); err != nil {
		return nil, err
	}
	child, err := d.x.Child()
	if err == nil && child != nil && child.Name == "list" {
		if err = d.empty(child); err == nil {
			err = d.x.Close()
		}
		return nil, err
	}
	for err == nil && child != nil {
		if d.left--; d.left < 0 {
			return nil, fmt.Errorf("number of elements: %w", strictxml.ErrLimit)
		}
		var c Change
		if c, err = d.change(child); err == nil && first == nil {
			first = &c
		}
		if err == nil {
			child, err = d.x.Child()
		}
	}
	return first, err
}
