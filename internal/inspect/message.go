package inspect

import (
	"bytes"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/profile"
)

// Message is a protocol message of RFC 6492 or RFC 8181.
type Message struct {
	SigningTime time.Time    `json:"signing_time"`
	Signer      string       `json:"signer_key_identifier"` // of the EE certificate's key, upper-case hex
	EE          *Certificate `json:"ee_certificate"`
	CRLs        []CRL        `json:"crls"` // never null
	XML         string       `json:"xml"`  // as it was signed

	Provisioning *Provisioning `json:"provisioning,omitempty"` // if it is one of RFC 6492 that could be decoded
	Publication  *Publication  `json:"publication,omitempty"`  // if it is one of RFC 8181 that could be decoded
}

// message looks at a protocol message.
func (in inspector) message(r *Report, data []byte) {
	m, err := cms.DecodeMessage(data)
	if err != nil {
		r.broken(profile.Violations(err, "RFC 6492", "3.1.1")...)
		return
	}
	ee := certificateOf(m.EE, profile.EE)
	r.Message = &Message{
		SigningTime: m.SigningTime, Signer: m.EE.KeyID.String(), EE: ee, CRLs: make([]CRL, len(m.CRLs)), XML: string(m.Content),
	}
	for i, l := range m.CRLs {
		r.Message.CRLs[i] = crlOf(l)
	}
	problems := m.Intact()
	if in.identity != nil {
		r.CheckedBy, r.CheckedAt = in.identity.KeyID.String(), in.at
		problems = m.Problems(in.identity, in.at, 0)
		if in.at.Before(in.identity.NotBefore) || in.at.After(in.identity.NotAfter) {
			r.broken(profile.Violation{RFC: "RFC 8183", Section: "5.1", Rule: fmt.Sprintf(
				"identity certificate is valid only from %s to %s", stamp(in.identity.NotBefore), stamp(in.identity.NotAfter))})
		}
	}
	for _, p := range problems {
		r.broken(profile.Violation{RFC: "RFC 6492", Section: "3.1.2", Rule: p.Error()})
	}
	if _, err := prettyXML(m.Content); err != nil {
		r.broken(profile.Violation{RFC: "RFC 6492", Section: "3.1.1.3.2", Rule: "content must be XML: " + err.Error()})
		return
	}
	r.content(m.Content)
}

func crlOf(l *crl.CRL) CRL {
	out := CRL{
		Issuer: nameOf(l.Issuer), Number: decimal(l.Number),
		ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, Revoked: make([]Revoked, len(l.Entries)),
	}
	if l.HasAKI {
		out.AKI = l.AuthorityKeyID.String()
	}
	for i, e := range l.Entries {
		out.Revoked[i] = Revoked{e.Serial.String(), e.RevokedAt}
	}
	return out
}

func (m *Message) lines() []line {
	if m == nil {
		return nil
	}
	lines := present(line{"signing-time", stamp(m.SigningTime)}, line{"signer", m.Signer})
	for _, l := range m.EE.lines() {
		lines = append(lines, line{"EE " + l.name, l.value})
	}
	for i := range m.CRLs {
		for _, l := range m.CRLs[i].lines() {
			lines = append(lines, line{"CRL " + l.name, l.value})
		}
	}
	lines = append(lines, m.Provisioning.lines()...)
	lines = append(lines, m.Publication.lines()...)
	pretty, err := prettyXML([]byte(m.XML))
	if err != nil {
		return append(lines, line{"content", short(m.XML)})
	}
	shown, omitted := first(pretty)
	for _, text := range shown {
		lines = append(lines, line{"content", text})
	}
	if omitted > 0 {
		lines = append(lines, line{"content", "… " + plural(omitted, "more line")})
	}
	return lines
}

// readIdentity reads a peer's identity certificate in DER, in PEM or out of a set-up document.
func readIdentity(name string) (*cert.Identity, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readObject(f)
	if err != nil {
		return nil, err
	}
	if root, ok := xmlRoot(data); ok {
		s, _, err := readSetup(root, data)
		if err != nil {
			return nil, err
		}
		if data = s.idCert; len(data) == 0 {
			return nil, errors.New("holds no identity certificate")
		}
	} else if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	c, err := cert.Decode(data)
	if err != nil {
		return nil, err
	}
	// When it is valid matters only once there is a message.
	return cert.DecodeIdentity(data, c.NotBefore)
}

const (
	maxXMLDepth = 32
	maxShown    = 100 // characters of a text, such as an object in base64
)

// prettyXML gives a document as lines, with an element in each and the texts in elements cut
// short, or why it is none.
func prettyXML(document []byte) ([]string, error) {
	d := xml.NewDecoder(bytes.NewReader(document))
	d.CharsetReader = passCharset
	var p printer
	for {
		token, err := d.RawToken()
		if err != nil {
			return p.finish(err)
		}
		if err := p.add(token); err != nil {
			return nil, err
		}
	}
}
