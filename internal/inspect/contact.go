package inspect

import (
	"encoding/hex"

	"baleen/internal/rpki/profile"
)

// Property is a content line of a vCard (RFC 6350 section 3.3).
type Property struct {
	Name       string `json:"name"`                 // FN, ORG, ADR, TEL or EMAIL
	Parameters string `json:"parameters,omitempty"` // as they stand there
	Value      string `json:"value"`                // with its escapes
}

// Checklist is the payload of RFC 9323.
type Checklist struct {
	Resources Resources `json:"resources"`
	Files     []File    `json:"check_list"` // never null; a name is "" if it is absent
}

// Card is the payload of RFC 6493.
type Card struct {
	Properties []Property `json:"properties"` // never null
}

// ghostbusters looks at a Ghostbusters record.
func (in inspector) ghostbusters(r *Report, data []byte) {
	s, violations := profile.Ghostbusters(data)
	r.broken(violations...)
	r.wrapper(s.Object, s.EE)
	if s.Card != nil {
		r.Card = &Card{Properties: make([]Property, len(s.Card))}
		for i, p := range s.Card {
			out := Property{Name: p.Name, Value: p.Value}
			for j, q := range p.Parameters {
				if j > 0 {
					out.Parameters += ";"
				}
				out.Parameters += q.Name + "=" + q.Value
			}
			r.Card.Properties[i] = out
		}
	}
	in.issued(r, s.EE)
}

// checklist looks at a signed checklist.
func (in inspector) checklist(r *Report, data []byte) {
	s, violations := profile.Checklist(data)
	r.broken(violations...)
	r.wrapper(s.Object, s.EE)
	if c := s.Checklist; c.Files != nil {
		r.Checklist = &Checklist{
			Resources: Resources{ASN: c.Resources.AS.String(), IPv4: c.Resources.V4.String(), IPv6: c.Resources.V6.String()},
			Files:     make([]File, len(c.Files)),
		}
		for i, f := range c.Files {
			r.Checklist.Files[i] = File{f.Name, hex.EncodeToString(f.Hash[:])}
		}
	}
	in.issued(r, s.EE)
}

func (c *Card) lines() []line {
	if c == nil {
		return nil
	}
	var lines []line
	for _, p := range c.Properties {
		value := p.Value
		if p.Parameters != "" {
			value += " (" + p.Parameters + ")"
		}
		lines = append(lines, line{p.Name, value})
	}
	return lines
}

func (c *Checklist) lines() []line {
	if c == nil {
		return nil
	}
	lines := present(
		line{"IPv4 signed with", c.Resources.IPv4},
		line{"IPv6 signed with", c.Resources.IPv6},
		line{"AS signed with", c.Resources.ASN},
		line{"checkList", plural(len(c.Files), "file")},
	)
	for _, f := range c.Files {
		text := f.Hash
		if f.Name != "" {
			text += " " + f.Name
		}
		lines = append(lines, line{"file", text})
	}
	return lines
}
