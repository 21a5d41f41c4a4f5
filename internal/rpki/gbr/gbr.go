// Package gbr is the payload of Ghostbusters records (RFC 6493): a vCard (RFC
// 6350) of few properties that says whom to call about a CA. The signed object
// around it is package cms.
package gbr

import (
	"encoding/asn1"
	"slices"
	"strings"
	"unicode/utf8"
)

// ContentType is id-ct-rpkiGhostbusters (RFC 6493 section 6).
var ContentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 35}

// MaxSize is the number of octets that a record may have. It is ours: the RFCs
// have none, and what is larger is no way to reach anybody.
const MaxSize = 16 << 10

const (
	maxProperties = 100 // of a card
	maxParameters = 20  // of a property
	maxLine       = 75  // octets of a line that is written, without its end (RFC 6350 section 3.2)
)

// Card is a vCard of the profile, without the lines BEGIN, VERSION and END,
// which are the same in each.
type Card []Property

// Property is a content line (RFC 6350 section 3.3).
type Property struct {
	Group      string // "" for most
	Name       string // FN, ORG, ADR, TEL or EMAIL
	Parameters []Parameter
	Value      string // as it stands in the card: with its escapes
}

// Parameter is a parameter of a property. A value in quotes keeps them.
type Parameter struct{ Name, Value string }

// Problem is a rule of RFC 6493 or RFC 6350 that a payload breaks.
type Problem struct{ RFC, Section, Rule string }

// Error gives the rule with its place in the RFC.
func (p Problem) Error() string { return p.RFC + " section " + p.Section + ": " + p.Rule }

// Clause gives the RFC, the section and the rule.
func (p Problem) Clause() (rfc, section, rule string) { return p.RFC, p.Section, p.Rule }

func profileRule(rule string) Problem { return Problem{"RFC 6493", "5", rule} }

func vcardRule(section, rule string) Problem { return Problem{"RFC 6350", section, rule} }

// Encode gives the eContent: lines that end in CRLF and are folded where they
// are long. It refuses what Decode would refuse.
func (c Card) Encode() ([]byte, error) {
	if problems := c.problems(); len(problems) > 0 {
		return nil, problems[0]
	}
	out := append([]byte{}, "BEGIN:VCARD\r\nVERSION:4.0\r\n"...)
	for _, p := range c {
		out = appendFolded(out, p.String())
	}
	out = append(out, "END:VCARD\r\n"...)
	if len(out) > MaxSize {
		return nil, tooLarge()
	}
	return out, nil
}

func tooLarge() Problem { return profileRule("the vCard is larger than 16384 octets") }

// String gives the content line, not folded.
func (p Property) String() string {
	var b strings.Builder
	if p.Group != "" {
		b.WriteString(p.Group + ".")
	}
	b.WriteString(p.Name)
	for _, q := range p.Parameters {
		b.WriteString(";" + q.Name + "=" + q.Value)
	}
	b.WriteString(":" + p.Value)
	return b.String()
}

// appendFolded writes a line, folded so that no character is torn apart (RFC
// 6350 section 3.2).
func appendFolded(out []byte, line string) []byte {
	limit := maxLine
	for len(line) > limit {
		n := limit
		for !utf8.RuneStart(line[n]) {
			n--
		}
		out = append(append(out, line[:n]...), "\r\n "...)
		line, limit = line[n:], maxLine-1
	}
	return append(append(out, line...), "\r\n"...)
}

// problems gives the rules that a card breaks.
func (c Card) problems() []error {
	var out []error
	note := func(holds bool, p Problem) {
		if !holds {
			out = append(out, p)
		}
	}
	note(len(c) <= maxProperties, profileRule("the vCard has more than 100 properties"))
	var named, reachable bool
	for _, p := range c[:min(len(c), maxProperties)] {
		out = append(out, p.problems()...)
		named = named || p.Name == "FN" && p.Value != ""
		reachable = reachable || slices.Contains([]string{"ADR", "TEL", "EMAIL"}, p.Name) && strings.Trim(p.Value, ";") != ""
	}
	note(named, profileRule("FN must be included, and say who it is"))
	note(reachable, profileRule("one or more of ADR, TEL and EMAIL must be included"))
	return out
}

// problems gives the rules that one property breaks by itself.
func (p Property) problems() []error {
	var out []error
	note := func(holds bool, q Problem) {
		if !holds {
			out = append(out, q)
		}
	}
	note(slices.Contains([]string{"FN", "ORG", "ADR", "TEL", "EMAIL"}, p.Name), profileRule("property "+shown(p.Name)+" must not be included"))
	note(p.Group == "" || isName(p.Group), vcardRule("3.3", "group "+shown(p.Group)+" must be of letters, digits and hyphens"))
	note(len(p.Parameters) <= maxParameters, profileRule(p.Name+" has more than 20 parameters"))
	for _, q := range p.Parameters[:min(len(p.Parameters), maxParameters)] {
		note(isName(q.Name), vcardRule("3.3", "parameter "+shown(q.Name)+" must be of letters, digits and hyphens"))
		note(isParameterValue(q.Value), vcardRule("3.3", "malformed value of parameter "+shown(q.Name)))
	}
	note(isValue(p.Value), vcardRule("3.3", "value of "+shown(p.Name)+" must be UTF-8 without control characters"))
	note(p.isURI() || wellEscaped(p.Value), vcardRule("3.4", "value of "+shown(p.Name)+" has a backslash that escapes nothing"))
	return out
}

// isURI tells whether the value is a URI, in which a backslash escapes nothing.
func (p Property) isURI() bool {
	return slices.ContainsFunc(p.Parameters, func(q Parameter) bool {
		return strings.EqualFold(q.Name, "VALUE") && strings.EqualFold(q.Value, "uri")
	})
}

// shown cuts a name short for a message.
func shown(name string) string {
	if len(name) > 40 {
		name = name[:40] + "…"
	}
	return name
}
