package updown

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/strictxml"
)

// Encode writes the message. It fails for what the schema does not have, such
// as an empty class name or a class without its issuer.
func (m Message) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("up-down message: %w", err)
	}

	w := &writer{b: []byte("<message")}
	w.attr("xmlns", Namespace)
	w.attr("version", version)
	w.attr("sender", m.Sender)
	w.attr("recipient", m.Recipient)
	w.attr("type", m.Payload.Type())
	w.raw(">\n")
	m.Payload.write(w)
	w.raw("</message>\n")
	if w.err != nil {
		return nil, fmt.Errorf("up-down message: %s: %w", m.Payload.Type(), w.err)
	}
	return w.b, nil
}

func (m Message) check() error {
	if m.Payload == nil {
		return errors.New("it says nothing")
	}
	return m.checkParties()
}

// writer appends to a document. The first error sticks.
type writer struct {
	b   []byte
	err error
}

func (w *writer) fail(what string, err error) {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("%s %w", what, err)
	}
}

func (w *writer) raw(text string)         { w.b = append(w.b, text...) }
func (w *writer) attr(name, value string) { w.b = strictxml.AppendAttr(w.b, name, value) }

func (w *writer) label(name, value string) {
	w.fail(name, checkLabel(value))
	w.attr(name, value)
}

func (w *writer) urls(urls []string) {
	text, err := joinURLs(urls)
	w.fail("cert_url", err)
	w.attr("cert_url", text)
}

func (w *writer) set(name, text string) {
	if len(text) > maxResources {
		w.fail(name, errResources)
	}
	w.attr(name, text)
}

func (w *writer) limit(l Limit) {
	if l.AS != nil {
		w.set("req_resource_set_as", formatAS(*l.AS))
	}
	if l.V4 != nil {
		w.set("req_resource_set_ipv4", formatIP(*l.V4))
	}
	if l.V6 != nil {
		w.set("req_resource_set_ipv6", formatIP(*l.V6))
	}
}

// binary ends a start tag and writes the rest of the element.
func (w *writer) binary(element string, content []byte) {
	w.fail(element, checkBinary(content))
	w.raw(">")
	w.b = base64.StdEncoding.AppendEncode(w.b, content)
	w.raw("</" + element + ">\n")
}

func (List) write(*writer) {}

func (p ListResponse) write(w *writer) {
	for _, c := range p.Classes {
		c.write(w)
	}
}

func (p IssueResponse) write(w *writer) {
	if len(p.Class.Certs) != 1 {
		w.fail("class", fmt.Errorf("has %d certificates, not one", len(p.Class.Certs)))
	}
	p.Class.write(w)
}

func (c Class) write(w *writer) {
	w.raw("  <class")
	w.label("class_name", c.Name)
	w.urls(c.CertURL)
	w.set("resource_set_as", formatAS(c.Resources.AS))
	w.set("resource_set_ipv4", formatIP(c.Resources.V4))
	w.set("resource_set_ipv6", formatIP(c.Resources.V6))
	w.fail("resource_set_notafter", checkYear(c.NotAfter.UTC()))
	w.attr("resource_set_notafter", c.NotAfter.UTC().Format(notAfterForm))
	if c.SIAHead != "" {
		w.fail("suggested_sia_head", checkSIAHead(c.SIAHead))
		w.attr("suggested_sia_head", c.SIAHead)
	}
	w.raw(">\n")

	for _, one := range c.Certs {
		w.raw("    <certificate")
		w.urls(one.URL)
		w.limit(one.Limit)
		w.binary("certificate", one.DER)
	}
	w.raw("    <issuer")
	w.binary("issuer", c.Issuer)
	w.raw("  </class>\n")
}

func (p Issue) write(w *writer) {
	w.raw("  <request")
	w.label("class_name", p.Class)
	w.limit(p.Limit)
	w.binary("request", p.CSR)
}

func (p Revoke) write(w *writer)         { w.key(p.Class, p.Key) }
func (p RevokeResponse) write(w *writer) { w.key(p.Class, p.Key) }

func (w *writer) key(class string, id cert.KeyID) {
	w.raw("  <key")
	w.label("class_name", class)
	w.attr("ski", formatKey(id))
	w.raw("/>\n")
}

func (p ErrorResponse) write(w *writer) {
	if p.Status < 1 || p.Status > maxStatus {
		w.fail("status", fmt.Errorf("%d is not from 1 to %d", int(p.Status), maxStatus))
	}
	w.raw("  <status>" + strconv.Itoa(int(p.Status)) + "</status>\n")
	if p.Description == "" {
		return
	}
	w.raw("  <description")
	w.attr(strictxml.Lang, "en-US")
	w.raw(">")
	w.b = strictxml.AppendText(w.b, cut(p.Description, maxDescription))
	w.raw("</description>\n")
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
