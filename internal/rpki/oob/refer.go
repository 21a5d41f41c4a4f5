package oob

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"baleen/internal/rpki/strictxml"
)

// Authorization is what the token of a referral holds, signed by the publisher that refers
// (RFC 8183 section 5.3): the party of this identity may publish below SIABase.
type Authorization struct {
	SIABase string // rsync
	IDCert  []byte // DER
}

// Refusal is the answer of a party that will not set anything up (RFC 8183 section 5.4).
type Refusal struct {
	Reason string // "syntax-error", "authentication-failure" or "refused"
}

// Error makes a refusal the error of whoever wanted another document.
func (r Refusal) Error() string { return "the other side answered with an error: " + r.Reason }

func (r Refusal) check() error {
	if !slices.Contains([]string{"syntax-error", "authentication-failure", "refused"}, r.Reason) {
		return fmt.Errorf("reason %q is none that there is", r.Reason)
	}
	return nil
}

// EncodeXML writes the document.
func (a Authorization) EncodeXML() []byte {
	b := strictxml.AppendAttr([]byte("<authorization"), "xmlns", Namespace)
	b = strictxml.AppendAttr(b, "version", version)
	b = append(strictxml.AppendAttr(b, "authorized_sia_base", a.SIABase), ">\n  "...)
	b = base64.StdEncoding.AppendEncode(b, a.IDCert)
	return append(b, "\n</authorization>"...)
}

// EncodeXML writes the document.
func (r Refusal) EncodeXML() []byte {
	b := strictxml.AppendAttr([]byte("<error"), "xmlns", Namespace)
	b = strictxml.AppendAttr(b, "version", version)
	return append(strictxml.AppendAttr(b, "reason", r.Reason), "/>"...)
}

// DecodeAuthorization reads an <authorization/>.
func DecodeAuthorization(data []byte) (Authorization, error) {
	d, err := open(data, "authorization")
	if err != nil {
		return Authorization{}, invalid("authorization", err)
	}
	a := Authorization{SIABase: d.root.Attr("authorized_sia_base")}
	if err := d.root.Done(); err != nil {
		return Authorization{}, invalid("authorization", err)
	}
	if a.IDCert, err = d.x.Base64(); err == nil {
		err = d.x.End()
	}
	if err == nil && len(a.IDCert) == 0 {
		err = errors.New("the identity certificate is empty")
	}
	if err == nil {
		err = checkURI("authorized_sia_base", a.SIABase, "rsync")
	}
	if err != nil {
		return Authorization{}, invalid("authorization", err)
	}
	return a, nil
}

// DecodeRefusal reads an <error/>. What it holds is passed over: usually the document that
// was refused.
func DecodeRefusal(data []byte) (Refusal, error) {
	d, err := open(data, "error")
	if err != nil {
		return Refusal{}, invalid("error", err)
	}
	r := Refusal{Reason: d.root.Attr("reason")}
	err = d.root.Done()
	if err == nil {
		err = d.x.Skip()
	}
	if err == nil {
		err = d.x.End()
	}
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return Refusal{}, invalid("error", err)
	}
	return r, nil
}
