package oob

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"baleen/internal/rpki/strictxml"
)

// attr is one attribute to write; optional ones are left out when empty.
type attr struct {
	name, value string
	optional    bool
}

// encode lays a document out: root with attributes, one inner element.
func encode(root string, attrs []attr, tag, inner string, idCert []byte) []byte {
	b := append([]byte{'<'}, root...)
	b = strictxml.AppendAttr(b, "xmlns", Namespace)
	b = strictxml.AppendAttr(b, "version", version)
	for _, a := range append(attrs, attr{"tag", tag, true}) {
		if a.value != "" || !a.optional {
			b = strictxml.AppendAttr(b, a.name, a.value)
		}
	}
	b = fmt.Appendf(b, ">\n  <%s>\n    ", inner)
	b = base64.StdEncoding.AppendEncode(b, idCert)
	return fmt.Appendf(b, "\n  </%s>\n</%s>", inner, root)
}

// EncodeXML writes the document.
func (r ChildRequest) EncodeXML() []byte {
	return encode("child_request", []attr{{name: "child_handle", value: r.ChildHandle}}, r.Tag, "child_bpki_ta", r.IDCert)
}

// EncodeXML writes the document.
func (r ParentResponse) EncodeXML() []byte {
	return encode("parent_response", []attr{
		{name: "parent_handle", value: r.ParentHandle},
		{name: "child_handle", value: r.ChildHandle},
		{name: "service_uri", value: r.ServiceURI},
	}, r.Tag, "parent_bpki_ta", r.IDCert)
}

// EncodeXML writes the document.
func (r PublisherRequest) EncodeXML() []byte {
	return encode("publisher_request", []attr{{name: "publisher_handle", value: r.PublisherHandle}}, r.Tag, "publisher_bpki_ta", r.IDCert)
}

// EncodeXML writes the document.
func (r RepositoryResponse) EncodeXML() []byte {
	return encode("repository_response", []attr{
		{name: "publisher_handle", value: r.PublisherHandle},
		{name: "service_uri", value: r.ServiceURI},
		{name: "sia_base", value: r.SIABase},
		{name: "rrdp_notification_uri", value: r.NotificationURI, optional: true},
	}, r.Tag, "repository_bpki_ta", r.IDCert)
}

// document is one that is being read: its root, then its inner elements.
type document struct {
	x    *strictxml.Reader
	root *strictxml.Element
}

func open(data []byte, root string) (document, error) {
	if len(data) > maxDocument {
		return document{}, fmt.Errorf("document: %w", strictxml.ErrLimit)
	}

	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // which some editors add to what is ASCII otherwise
	limits := strictxml.Limits{Document: maxDocument, Token: maxDocument}
	x := strictxml.NewReader(bytes.NewReader(data), limits, Namespace, Namespace[:len(Namespace)-1])
	e, err := x.Root()
	if err != nil {
		return document{}, err
	}
	if e.Name == "error" && root != "error" {
		if r, err := DecodeRefusal(data); err == nil {
			return document{}, r
		}
	}
	return document{x: x, root: e.Expect(root).Version(version)}, nil
}

// certificate reads the rest of the document: the one inner element, and
// elements to pass over.
func (d document) certificate(name string, pass ...string) ([]byte, error) {
	var der []byte
	for {
		e, err := d.x.Child()
		if err != nil {
			return nil, err
		}
		if e == nil {
			break
		}

		switch {
		case slices.Contains(pass, e.Name):
			err = d.x.Skip()
		case der != nil:
			err = fmt.Errorf("element %q where none may be", e.Name)
		default:
			der, err = d.inner(e, name)
		}
		if err != nil {
			return nil, err
		}
	}

	if der == nil {
		return nil, fmt.Errorf("element %q is missing", name)
	}
	return der, d.x.End()
}

func (d document) inner(e *strictxml.Element, name string) ([]byte, error) {
	if err := e.Expect(name).Done(); err != nil {
		return nil, err
	}
	text, err := d.x.Text()
	if err != nil {
		return nil, err
	}
	der, err := decodeCert(text)
	if err == nil && len(der) == 0 {
		err = errors.New("the identity certificate is empty")
	}
	return der, err
}

// DecodeChildRequest reads a <child_request/>.
func DecodeChildRequest(data []byte) (ChildRequest, error) {
	d, err := open(data, "child_request")
	if err != nil {
		return ChildRequest{}, invalid("child_request", err)
	}

	r := ChildRequest{ChildHandle: d.root.Attr("child_handle")}
	r.Tag, _ = d.root.Optional("tag")
	if err := d.root.Done(); err != nil {
		return ChildRequest{}, invalid("child_request", err)
	}
	if r.IDCert, err = d.certificate("child_bpki_ta"); err != nil {
		return ChildRequest{}, invalid("child_request", err)
	}
	if err := r.check(); err != nil {
		return ChildRequest{}, invalid("child_request", err)
	}
	return r, nil
}

// DecodeParentResponse reads a <parent_response/>. Offers, referrals and
// attributes it does not know are passed over.
func DecodeParentResponse(data []byte) (ParentResponse, error) {
	d, err := open(data, "parent_response")
	if err != nil {
		return ParentResponse{}, invalid("parent_response", err)
	}

	r := ParentResponse{ParentHandle: d.root.Attr("parent_handle"), ChildHandle: d.root.Attr("child_handle")}
	r.ServiceURI = d.root.Attr("service_uri")
	r.Tag, _ = d.root.Optional("tag")
	if err := d.root.DoneLoose(); err != nil {
		return ParentResponse{}, invalid("parent_response", err)
	}
	if r.IDCert, err = d.certificate("parent_bpki_ta", "offer", "referral"); err != nil {
		return ParentResponse{}, invalid("parent_response", err)
	}
	if err := r.check(); err != nil {
		return ParentResponse{}, invalid("parent_response", err)
	}
	return r, nil
}

// DecodePublisherRequest reads a <publisher_request/>. Referrals are passed over.
func DecodePublisherRequest(data []byte) (PublisherRequest, error) {
	d, err := open(data, "publisher_request")
	if err != nil {
		return PublisherRequest{}, invalid("publisher_request", err)
	}

	r := PublisherRequest{PublisherHandle: d.root.Attr("publisher_handle")}
	r.Tag, _ = d.root.Optional("tag")
	if err := d.root.Done(); err != nil {
		return PublisherRequest{}, invalid("publisher_request", err)
	}
	if r.IDCert, err = d.certificate("publisher_bpki_ta", "referral"); err != nil {
		return PublisherRequest{}, invalid("publisher_request", err)
	}
	if err := r.check(); err != nil {
		return PublisherRequest{}, invalid("publisher_request", err)
	}
	return r, nil
}

// DecodeRepositoryResponse reads a <repository_response/>. Attributes it does
// not know are passed over; a sia_base without its final slash gets it.
func DecodeRepositoryResponse(data []byte) (RepositoryResponse, error) {
	d, err := open(data, "repository_response")
	if err != nil {
		return RepositoryResponse{}, invalid("repository_response", err)
	}

	r := RepositoryResponse{PublisherHandle: d.root.Attr("publisher_handle"), ServiceURI: d.root.Attr("service_uri")}
	r.SIABase = d.root.Attr("sia_base")
	r.NotificationURI, _ = d.root.Optional("rrdp_notification_uri")
	r.Tag, _ = d.root.Optional("tag")
	if err := d.root.DoneLoose(); err != nil {
		return RepositoryResponse{}, invalid("repository_response", err)
	}
	if r.IDCert, err = d.certificate("repository_bpki_ta"); err != nil {
		return RepositoryResponse{}, invalid("repository_response", err)
	}
	if err := r.check(); err != nil {
		return RepositoryResponse{}, invalid("repository_response", err)
	}
	return r, nil
}

func invalid(document string, err error) error {
	return fmt.Errorf("%s: %w", document, err)
}
