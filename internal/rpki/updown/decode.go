package updown

import (
	"bytes"
	"errors"
	"fmt"

	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/strictxml"
)

// Decode reads a message. It refuses what the schema of RFC 6492 section 3.7
// does not have, but passes over what real programs do otherwise: certificates
// after their issuer, empty resource sets left out, descriptions that name no
// language. Of several descriptions it keeps the first in English, or else the
// first.
func Decode(data []byte, l Limits) (Message, error) {
	l = l.orDefault()
	if len(data) > l.Document {
		return Message{}, fmt.Errorf("up-down message: document: %w", strictxml.ErrLimit)
	}

	limits := strictxml.Limits{Document: int64(l.Document), Token: int64(l.Document)}
	x := strictxml.NewReader(bytes.NewReader(data), limits, Namespace)
	x.AllowUTF8()
	d := decoder{x: x, left: l.Elements}
	m, err := d.message()
	if err != nil {
		return Message{}, fmt.Errorf("up-down message: %w", err)
	}
	return m, nil
}

type decoder struct {
	x    *strictxml.Reader
	left int // how many more classes and certificates may come
}

func (d *decoder) message() (Message, error) {
	root, err := d.x.Root()
	if err != nil {
		return Message{}, err
	}
	root.Expect("message")
	if v, ok := root.Optional("version"); !ok || v != version {
		return Message{}, fmt.Errorf("version %.20q: %w", v, ErrVersion)
	}
	m := Message{Sender: root.Attr("sender"), Recipient: root.Attr("recipient")}
	kind := root.Attr("type")
	if err := root.Done(); err != nil {
		return Message{}, err
	}
	if err := m.checkParties(); err != nil {
		return Message{}, err
	}

	if m.Payload, err = d.payload(kind); err != nil {
		return Message{}, err
	}
	return m, d.x.End()
}

func (m Message) checkParties() error {
	if err := checkLabel(m.Sender); err != nil {
		return fmt.Errorf("sender %w", err)
	}
	if err := checkLabel(m.Recipient); err != nil {
		return fmt.Errorf("recipient %w", err)
	}
	return nil
}

// payload reads to the end of the root.
func (d *decoder) payload(kind string) (Payload, error) {
	switch kind {
	case TypeList:
		return List{}, d.x.Close()
	case TypeListResponse:
		return d.listResponse()
	case TypeIssue:
		return d.issue()
	case TypeIssueResponse:
		return d.issueResponse()
	case TypeRevoke:
		class, key, err := d.key()
		return Revoke{Class: class, Key: key}, err
	case TypeRevokeResponse:
		class, key, err := d.key()
		return RevokeResponse{Class: class, Key: key}, err
	case TypeErrorResponse:
		return d.errorResponse()
	}
	return nil, fmt.Errorf("type %.40q: %w", kind, ErrType)
}

// only reads the start of the one element that the root holds.
func (d *decoder) only(name string) (*strictxml.Element, error) {
	e, err := d.x.Child()
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, fmt.Errorf("element %q is missing", name)
	}
	return e.Expect(name), nil
}

func (d *decoder) listResponse() (Payload, error) {
	var p ListResponse
	for {
		e, err := d.x.Child()
		if err != nil {
			return nil, err
		}
		if e == nil {
			return p, nil
		}
		c, err := d.class(e.Expect("class"))
		if err != nil {
			return nil, err
		}
		p.Classes = append(p.Classes, c)
	}
}

func (d *decoder) issueResponse() (Payload, error) {
	e, err := d.only("class")
	if err != nil {
		return nil, err
	}
	c, err := d.class(e)
	if err != nil {
		return nil, err
	}
	if len(c.Certs) != 1 {
		return nil, fmt.Errorf("issue_response with %d certificates", len(c.Certs))
	}
	return IssueResponse{Class: c}, d.x.Close()
}

func (d *decoder) count() error {
	if d.left--; d.left < 0 {
		return fmt.Errorf("number of elements: %w", strictxml.ErrLimit)
	}
	return nil
}

func (d *decoder) class(e *strictxml.Element) (Class, error) {
	if err := d.count(); err != nil {
		return Class{}, err
	}
	c, err := classAttrs(e)
	if err != nil {
		return Class{}, err
	}

	for {
		child, err := d.x.Child()
		if err != nil {
			return Class{}, err
		}
		if child == nil {
			break
		}

		switch {
		case child.Name == "certificate":
			var one Certificate
			one, err = d.certificate(child)
			c.Certs = append(c.Certs, one)
		case c.Issuer != nil:
			err = fmt.Errorf("element %q where none may be", child.Name)
		default:
			if err = child.Expect("issuer").Done(); err == nil {
				c.Issuer, err = d.binary()
			}
		}
		if err != nil {
			return Class{}, err
		}
	}
	if c.Issuer == nil {
		return Class{}, errors.New(`element "issuer" is missing`)
	}
	return c, nil
}

// classAttrs reads the attributes of a class (RFC 6492 section 3.3.2).
func classAttrs(e *strictxml.Element) (Class, error) {
	c := Class{Name: e.Attr("class_name")}
	urls, notAfter := e.Attr("cert_url"), e.Attr("resource_set_notafter")
	limit, err := limitAttrs(e, "resource_set_")
	if err != nil {
		return Class{}, err
	}
	head, hasHead := e.Optional("suggested_sia_head")
	if err := e.Done(); err != nil {
		return Class{}, err
	}

	if err := checkLabel(c.Name); err != nil {
		return Class{}, fmt.Errorf("class_name %w", err)
	}
	if c.CertURL, err = parseURLs(urls); err != nil {
		return Class{}, fmt.Errorf("cert_url %w", err)
	}
	if c.NotAfter, err = parseNotAfter(notAfter); err != nil {
		return Class{}, fmt.Errorf("resource_set_notafter %w", err)
	}
	if hasHead {
		if err := checkSIAHead(head); err != nil {
			return Class{}, fmt.Errorf("suggested_sia_head %w", err)
		}
		c.SIAHead = head
	}
	c.Resources = limit.set()
	return c, nil
}

// set gives what is listed; what is absent is empty.
func (l Limit) set() resources.Set {
	var s resources.Set
	if l.AS != nil {
		s.AS = *l.AS
	}
	if l.V4 != nil {
		s.V4 = *l.V4
	}
	if l.V6 != nil {
		s.V6 = *l.V6
	}
	return s
}

func limitAttrs(e *strictxml.Element, prefix string) (Limit, error) {
	var l Limit
	if text, ok := e.Optional(prefix + "as"); ok {
		set, err := parseAS(text)
		if err != nil {
			return Limit{}, fmt.Errorf("%sas %w", prefix, err)
		}
		l.AS = &set
	}
	if text, ok := e.Optional(prefix + "ipv4"); ok {
		set, err := parseIP(text, resources.IPv4)
		if err != nil {
			return Limit{}, fmt.Errorf("%sipv4 %w", prefix, err)
		}
		l.V4 = &set
	}
	if text, ok := e.Optional(prefix + "ipv6"); ok {
		set, err := parseIP(text, resources.IPv6)
		if err != nil {
			return Limit{}, fmt.Errorf("%sipv6 %w", prefix, err)
		}
		l.V6 = &set
	}
	return l, nil
}

func (d *decoder) certificate(e *strictxml.Element) (Certificate, error) {
	if err := d.count(); err != nil {
		return Certificate{}, err
	}
	urls := e.Attr("cert_url")
	limit, err := limitAttrs(e, "req_resource_set_")
	if err != nil {
		return Certificate{}, err
	}
	if err := e.Done(); err != nil {
		return Certificate{}, err
	}

	c := Certificate{Limit: limit}
	if c.URL, err = parseURLs(urls); err != nil {
		return Certificate{}, fmt.Errorf("cert_url %w", err)
	}
	c.DER, err = d.binary()
	return c, err
}

func (d *decoder) binary() ([]byte, error) {
	content, err := d.x.Base64()
	if err != nil {
		return nil, err
	}
	return content, checkBinary(content)
}

func checkBinary(content []byte) error {
	if len(content) < minBinary || len(content) > maxBinary {
		return fmt.Errorf("content of %d octets, not %d to %d", len(content), minBinary, maxBinary)
	}
	return nil
}

func (d *decoder) issue() (Payload, error) {
	e, err := d.only("request")
	if err != nil {
		return nil, err
	}
	p := Issue{Class: e.Attr("class_name")}
	if p.Limit, err = limitAttrs(e, "req_resource_set_"); err != nil {
		return nil, err
	}
	if err := e.Done(); err != nil {
		return nil, err
	}
	if err := checkLabel(p.Class); err != nil {
		return nil, fmt.Errorf("class_name %w", err)
	}
	if p.CSR, err = d.binary(); err != nil {
		return nil, err
	}
	return p, d.x.Close()
}
