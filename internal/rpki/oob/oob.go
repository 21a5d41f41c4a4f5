// Package oob reads and writes the set-up documents of RFC 8183, by which CA
// and parent, and publisher and repository, exchange handles, service URIs and
// identity certificates: as XML between operators, and in the JSON form the
// REST API uses. Identity certificates are carried, not examined.
package oob

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"baleen/internal/rpki/strictxml"
)

// Namespace is the XML namespace of all documents. Some programs leave out the
// final slash, which is accepted.
const Namespace = "http://www.hactrn.net/uris/rpki/rpki-setup/"

const (
	version     = "1"
	maxDocument = 256 << 10 // octets; the identity certificate is the bulk of it
	maxHandle   = 255       // RFC 8183 appendix A
	maxTag      = 1024      // RFC 8183 appendix A
	maxURI      = 4096      // RFC 8183 appendix A
)

// ChildRequest is what a CA gives to its parent (RFC 8183 section 5.2.1).
type ChildRequest struct {
	ChildHandle string
	IDCert      []byte // DER
	Tag         string // empty: none
}

// ParentResponse is the parent's answer (RFC 8183 section 5.2.2). Offers and
// referrals are passed over.
type ParentResponse struct {
	ParentHandle string
	ChildHandle  string
	ServiceURI   string // http or https
	IDCert       []byte // DER
	Tag          string // empty: none
}

// PublisherRequest is what a CA gives to a repository (RFC 8183 section 5.2.3).
type PublisherRequest struct {
	PublisherHandle string
	IDCert          []byte // DER
	Tag             string // empty: none
}

// RepositoryResponse is the repository's answer (RFC 8183 section 5.2.4).
type RepositoryResponse struct {
	PublisherHandle string
	ServiceURI      string // http or https
	SIABase         string // rsync, ends in a slash
	NotificationURI string // https; empty: no RRDP
	IDCert          []byte // DER
	Tag             string // empty: none
}

// CheckHandle refuses what is not a handle: 1 to 255 letters, digits, "-", "_"
// and "/" (RFC 8183 section 5.1 and appendix A, which has the empty one, too),
// and "\" for compatibility.
func CheckHandle(handle string) error {
	if handle == "" || len(handle) > maxHandle {
		return fmt.Errorf("a handle has 1 to %d characters, not %d", maxHandle, len(handle))
	}
	for _, c := range handle {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '/', c == '\\':
		default:
			return fmt.Errorf("a handle cannot hold the character %q", c)
		}
	}
	return nil
}

// checkCommon checks what every document has.
func checkCommon(idCert []byte, tag string, handles ...string) error {
	for _, h := range handles {
		if err := CheckHandle(h); err != nil {
			return err
		}
	}
	if len(idCert) == 0 {
		return errors.New("the identity certificate is empty")
	}
	return CheckTag(tag)
}

// CheckTag refuses what cannot be the tag of a document (RFC 8183 appendix A).
func CheckTag(tag string) error {
	if len(tag) > maxTag {
		return fmt.Errorf("the tag is longer than %d characters", maxTag)
	}
	for i := range len(tag) {
		if tag[i] < ' ' || tag[i] > '~' {
			return errors.New("the tag is not printable US-ASCII")
		}
	}
	return nil
}

func (r ChildRequest) check() error {
	return checkCommon(r.IDCert, r.Tag, r.ChildHandle)
}

func (r ParentResponse) check() error {
	if err := checkCommon(r.IDCert, r.Tag, r.ParentHandle, r.ChildHandle); err != nil {
		return err
	}
	return checkURI("service_uri", r.ServiceURI, "https", "http")
}

func (r PublisherRequest) check() error {
	return checkCommon(r.IDCert, r.Tag, r.PublisherHandle)
}

func (r *RepositoryResponse) check() error {
	if err := checkCommon(r.IDCert, r.Tag, r.PublisherHandle); err != nil {
		return err
	}
	if err := checkURI("service_uri", r.ServiceURI, "https", "http"); err != nil {
		return err
	}
	if err := checkURI("sia_base", r.SIABase, "rsync"); err != nil {
		return err
	}
	if !strings.HasSuffix(r.SIABase, "/") {
		r.SIABase += "/"
	}
	if r.NotificationURI == "" {
		return nil
	}
	return checkURI("rrdp_notification_uri", r.NotificationURI, "https")
}

func checkURI(name, text string, schemes ...string) error {
	if len(text) > maxURI {
		return fmt.Errorf("%s is longer than %d characters", name, maxURI)
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' || strings.IndexByte(`"#<>\^{|}`+"`", text[i]) >= 0 {
			return fmt.Errorf("%s %q is not a URI", name, text)
		}
	}

	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("%s %q is not a URI", name, text)
	}
	for _, s := range schemes {
		if u.Scheme == s {
			return nil
		}
	}
	return fmt.Errorf("%s %q is not an %s URI", name, text, schemes[0])
}

func decodeCert(text string) ([]byte, error) {
	der, err := strictxml.DecodeBase64(text)
	if err != nil {
		return nil, fmt.Errorf("identity certificate: %w", err)
	}
	return der, nil
}

func encodeCert(der []byte) string { return base64.StdEncoding.EncodeToString(der) }
