package inspect

import (
	"fmt"
	"io"
	"strings"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/profile"
)

// Setup is a set-up document (RFC 8183). What a document does not have is absent.
type Setup struct {
	Document        string       `json:"document"` // name of the root element, such as "child_request"
	ChildHandle     string       `json:"child_handle,omitempty"`
	ParentHandle    string       `json:"parent_handle,omitempty"`
	PublisherHandle string       `json:"publisher_handle,omitempty"`
	ServiceURI      string       `json:"service_uri,omitempty"`
	SIABase         string       `json:"sia_base,omitempty"`
	NotificationURI string       `json:"rrdp_notification_uri,omitempty"`
	Reason          string       `json:"reason,omitempty"` // why the other side refused
	Tag             string       `json:"tag,omitempty"`
	Identity        *Certificate `json:"bpki_ta,omitempty"` // the identity certificate

	idCert []byte
}

// setupSections says where RFC 8183 describes the document with this root element.
var setupSections = map[string]string{
	"child_request": "5.2.1", "parent_response": "5.2.2", "publisher_request": "5.2.3", "repository_response": "5.2.4",
	"authorization": "5.3", "error": "5.4",
}

// isSetup tells whether a root element is one of RFC 8183, by name and namespace.
func isSetup(root rootName) bool {
	return setupSections[root.local] != "" && strings.TrimSuffix(root.space, "/") == strings.TrimSuffix(oob.Namespace, "/")
}

// setup looks at a set-up document.
func (in inspector) setup(r *Report, root rootName, f io.Reader) error {
	data, err := readObject(f)
	if err != nil {
		return err
	}
	r.Type = TypeSetup
	s, section, err := readSetup(root, data)
	if err != nil {
		r.broken(profile.Violation{RFC: "RFC 8183", Section: section, Rule: err.Error()})
		return nil
	}
	r.Setup = s
	if s.idCert == nil {
		return nil
	}
	c, err := cert.Decode(s.idCert)
	if err != nil {
		r.broken(profile.Violation{RFC: "RFC 8183", Section: "5.1", Rule: err.Error()})
		return nil
	}
	s.Identity = in.identityOf(r, c)
	return nil
}

// isIdentity tells whether a certificate is meant to identify a party of RFC 8183: it is a
// CA's, and has nothing of what RFC 6487 wants in those of the RPKI.
func isIdentity(c *cert.Certificate) bool {
	for _, id := range []der.OID{cert.OIDSIA, cert.OIDPolicies, cert.OIDIPResources, cert.OIDASResources} {
		if c.Extension(id) != nil {
			return false
		}
	}
	return c.CA
}

// identityOf looks at an identity certificate, at the time of the run.
func (in inspector) identityOf(r *Report, c *cert.Certificate) *Certificate {
	r.checked(c, in.at)
	if _, err := cert.DecodeIdentity(c.Raw, in.at); err != nil {
		r.broken(profile.Violation{RFC: "RFC 8183", Section: "5.1", Rule: err.Error()})
	}
	out := certificateOf(c, profile.CA)
	out.Kind = "identity"
	return out
}

// readSetup takes a set-up document in, all but the certificate in it.
func readSetup(root rootName, data []byte) (s *Setup, section string, err error) {
	if !isSetup(root) {
		return nil, "", fmt.Errorf("is XML, but no set-up document of RFC 8183: its first element is %q", root.local)
	}
	s = &Setup{Document: root.local}
	switch root.local {
	case "child_request":
		var d oob.ChildRequest
		d, err = oob.DecodeChildRequest(data)
		s.ChildHandle, s.Tag, s.idCert = d.ChildHandle, d.Tag, d.IDCert
	case "parent_response":
		var d oob.ParentResponse
		d, err = oob.DecodeParentResponse(data)
		s.ParentHandle, s.ChildHandle, s.ServiceURI, s.Tag, s.idCert = d.ParentHandle, d.ChildHandle, d.ServiceURI, d.Tag, d.IDCert
	case "publisher_request":
		var d oob.PublisherRequest
		d, err = oob.DecodePublisherRequest(data)
		s.PublisherHandle, s.Tag, s.idCert = d.PublisherHandle, d.Tag, d.IDCert
	case "repository_response":
		var d oob.RepositoryResponse
		d, err = oob.DecodeRepositoryResponse(data)
		s.PublisherHandle, s.ServiceURI, s.SIABase, s.NotificationURI = d.PublisherHandle, d.ServiceURI, d.SIABase, d.NotificationURI
		s.Tag, s.idCert = d.Tag, d.IDCert
	case "authorization":
		var d oob.Authorization
		d, err = oob.DecodeAuthorization(data)
		s.SIABase, s.idCert = d.SIABase, d.IDCert
	case "error":
		var d oob.Refusal
		d, err = oob.DecodeRefusal(data)
		s.Reason = d.Reason
	}
	return s, setupSections[root.local], err
}

func (s *Setup) lines() []line {
	if s == nil {
		return nil
	}
	lines := present(
		line{"document", s.Document},
		line{"parent_handle", s.ParentHandle},
		line{"child_handle", s.ChildHandle},
		line{"publisher_handle", s.PublisherHandle},
		line{"service_uri", s.ServiceURI},
		line{"sia_base", s.SIABase},
		line{"rrdp_notification_uri", s.NotificationURI},
		line{"reason", s.Reason},
		line{"tag", s.Tag},
	)
	for _, l := range s.Identity.lines() {
		lines = append(lines, line{"identity " + l.name, l.value})
	}
	return lines
}
