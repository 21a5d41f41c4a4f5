package inspect

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
)

// Provisioning is what a message of RFC 6492 says. What its type does not have is absent.
type Provisioning struct {
	Type        string         `json:"type"` // such as "list_response"
	Sender      string         `json:"sender"`
	Recipient   string         `json:"recipient"`
	ClassName   string         `json:"class_name,omitempty"`
	KeyID       string         `json:"key_identifier,omitempty"`   // that asks for a certificate, or is revoked; upper-case hex
	Requested   *ResourceLimit `json:"req_resource_set,omitempty"` // of an issue request
	Repository  string         `json:"ca_repository,omitempty"`    // that an issue request wants in the certificate
	Manifest    string         `json:"rpki_manifest,omitempty"`    // likewise
	Notify      string         `json:"rpki_notify,omitempty"`      // likewise
	Classes     []Class        `json:"classes,omitempty"`          // the first of them
	Omitted     int            `json:"classes_omitted,omitempty"`  // how many more there are
	Status      int            `json:"status,omitempty"`           // why a request was refused (section 3.6)
	Description string         `json:"description,omitempty"`
}

// Class is a resource class (RFC 6492 section 3.3.2).
type Class struct {
	Name         string       `json:"class_name"`
	CertURL      []string     `json:"cert_url"` // of the issuer's certificate, never null
	Resources    Resources    `json:"resource_set"`
	NotAfter     time.Time    `json:"resource_set_notafter"`
	SIAHead      string       `json:"suggested_sia_head,omitempty"`
	Issuer       *Certificate `json:"issuer"`                         // null if unreadable
	Certificates []Issued     `json:"certificates"`                   // the first of them, never null
	Omitted      int          `json:"certificates_omitted,omitempty"` // how many more there are
}

// Issued is a certificate of a resource class.
type Issued struct {
	CertURL     []string       `json:"cert_url"` // never null
	Requested   *ResourceLimit `json:"req_resource_set,omitempty"`
	Certificate *Certificate   `json:"certificate"` // null if unreadable
}

// ResourceLimit is what a certificate was asked for. What is absent was not limited; ""
// means nothing of that kind (RFC 6492 section 3.4.1).
type ResourceLimit struct {
	ASN  *string `json:"asn,omitempty"`
	IPv4 *string `json:"ipv4,omitempty"`
	IPv6 *string `json:"ipv6,omitempty"`
}

// provisioning decodes the content of a message of RFC 6492.
func (r *Report) provisioning(content []byte) {
	m, err := updown.Decode(content, updown.Limits{})
	if err != nil {
		r.broken(profile.Violation{RFC: "RFC 6492", Section: "3.7", Rule: err.Error()})
		return
	}
	p := &Provisioning{Type: m.Payload.Type(), Sender: m.Sender, Recipient: m.Recipient}
	r.Message.Provisioning = p
	switch say := m.Payload.(type) {
	case updown.ListResponse:
		r.classes(p, "3.3.2", say.Classes)
	case updown.IssueResponse:
		r.classes(p, "3.4.2", []updown.Class{say.Class})
	case updown.Issue:
		p.ClassName, p.Requested = say.Class, limitOf(say.Limit)
		r.request(p, say.CSR)
	case updown.Revoke:
		p.ClassName, p.KeyID = say.Class, say.Key.String()
	case updown.RevokeResponse:
		p.ClassName, p.KeyID = say.Class, say.Key.String()
	case updown.ErrorResponse:
		p.Status, p.Description = int(say.Status), say.Description
		if say.Status.Description() == "" {
			r.broken(profile.Violation{RFC: "RFC 6492", Section: "3.6", Rule: "there is no status " + say.Status.String()})
		}
	}
}

// request looks at the request for a certificate in an issue request.
func (r *Report) request(p *Provisioning, raw []byte) {
	q, err := cert.DecodeRequest(raw)
	if err != nil {
		r.broken(profile.Violation{RFC: "RFC 6492", Section: "3.4.1", Rule: "request: " + err.Error()})
		return
	}
	p.KeyID, p.Repository, p.Manifest, p.Notify = q.KeyID.String(), q.SIA.Repository, q.SIA.Manifest, q.SIA.Notify
}

func (r *Report) classes(p *Provisioning, section string, classes []updown.Class) {
	classes, p.Omitted = first(classes)
	for _, c := range classes {
		out := Class{
			Name: c.Name, CertURL: c.CertURL, Resources: setOf(c.Resources), NotAfter: c.NotAfter, SIAHead: c.SIAHead,
			Issuer: r.carried(section, "issuer of class "+c.Name, c.Issuer), Certificates: []Issued{},
		}
		var certs []updown.Certificate
		certs, out.Omitted = first(c.Certs)
		for _, one := range certs {
			found := r.carried(section, "certificate of class "+c.Name, one.DER)
			out.Certificates = append(out.Certificates, Issued{one.URL, limitOf(one.Limit), found})
		}
		p.Classes = append(p.Classes, out)
	}
}

// carried looks at a certificate inside a message, in itself.
func (r *Report) carried(section, what string, der []byte) *Certificate {
	c, err := cert.Decode(der)
	if err != nil {
		r.broken(profile.Violation{RFC: "RFC 6492", Section: section, Rule: what + ": " + err.Error()})
		return nil
	}
	return certificateOf(c, profile.CA)
}

func setOf(s resources.Set) Resources {
	return Resources{ASN: s.AS.String(), IPv4: s.V4.String(), IPv6: s.V6.String()}
}

// limitOf gives nil where nothing is limited.
func limitOf(l updown.Limit) *ResourceLimit {
	if l == (updown.Limit{}) {
		return nil
	}
	var out ResourceLimit
	if l.AS != nil {
		out.ASN = new(string)
		*out.ASN = l.AS.String()
	}
	if l.V4 != nil {
		out.IPv4 = new(string)
		*out.IPv4 = l.V4.String()
	}
	if l.V6 != nil {
		out.IPv6 = new(string)
		*out.IPv6 = l.V6.String()
	}
	return &out
}

func (p *Provisioning) lines() []line {
	if p == nil {
		return nil
	}
	lines := present(line{"type", p.Type}, line{"sender", p.Sender}, line{"recipient", p.Recipient}, line{"class_name", p.ClassName}, line{"key", p.KeyID})
	lines = append(lines, p.Requested.lines()...)
	lines = append(lines, present(line{"caRepository", p.Repository}, line{"rpkiManifest", p.Manifest}, line{"rpkiNotify", p.Notify})...)
	if p.Type == updown.TypeListResponse {
		lines = append(lines, line{"classes", strconv.Itoa(len(p.Classes) + p.Omitted)})
	}
	for _, c := range p.Classes {
		lines = append(lines, c.lines()...)
	}
	lines = append(lines, more(p.Omitted)...)
	if p.Status != 0 {
		lines = append(lines, line{"status", updown.Status(p.Status).String()})
	}
	return append(lines, present(line{"description", short(p.Description)})...)
}

func (c Class) lines() []line {
	lines := []line{{"class_name", c.Name}}
	for _, u := range c.CertURL {
		lines = append(lines, line{"cert_url", u})
	}
	lines = append(lines, present(
		line{"resource_set_as", c.Resources.ASN},
		line{"resource_set_ipv4", c.Resources.IPv4},
		line{"resource_set_ipv6", c.Resources.IPv6},
		line{"resource_set_notafter", stamp(c.NotAfter)},
		line{"suggested_sia_head", c.SIAHead},
		line{"issuer", c.Issuer.brief()},
	)...)
	for _, one := range c.Certificates {
		lines = append(lines, line{"certificate", one.Certificate.brief() + " at " + strings.Join(one.CertURL, ", ")})
		lines = append(lines, one.Requested.lines()...)
	}
	return append(lines, more(c.Omitted)...)
}

// brief names a certificate inside a message.
func (c *Certificate) brief() string {
	if c == nil {
		return "unreadable"
	}
	return "key " + c.SKI + " serialNumber " + c.SerialNumber + " notAfter " + stamp(c.NotAfter)
}

func (l *ResourceLimit) lines() []line {
	if l == nil {
		return nil
	}
	var lines []line
	for _, one := range []struct {
		name string
		set  *string
	}{{"req_resource_set_as", l.ASN}, {"req_resource_set_ipv4", l.IPv4}, {"req_resource_set_ipv6", l.IPv6}} {
		if one.set != nil {
			lines = append(lines, line{one.name, cmp.Or(*one.set, "none")})
		}
	}
	return lines
}

// more says that a list was cut.
func more(omitted int) []line {
	if omitted == 0 {
		return nil
	}
	return []line{{"omitted", strconv.Itoa(omitted) + " more"}}
}
