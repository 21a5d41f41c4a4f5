package gbr

import (
	"bytes"
	"slices"
	"strings"
)

// Contact is what an operator says in a record: plain texts, without escapes.
// The names are those of the properties (RFC 6493 section 5).
type Contact struct {
	FN    string   `json:"fn"`            // a person or role
	Org   string   `json:"org,omitempty"` // organization
	Adr   *Address `json:"adr,omitempty"`
	Tel   []string `json:"tel,omitempty"` // a number, or a URI as tel:+1-555-0100
	Fax   []string `json:"fax,omitempty"` // likewise
	Email []string `json:"email,omitempty"`
}

// Address is a postal address: those parts of ADR that are in use (RFC 6350
// section 6.3.1).
type Address struct {
	Street   string `json:"street,omitempty"`
	Locality string `json:"locality,omitempty"` // city
	Region   string `json:"region,omitempty"`
	Code     string `json:"code,omitempty"` // postal code
	Country  string `json:"country,omitempty"`
}

// Card gives the vCard of a contact. What is empty is left out. ADR and TEL
// always say of which type they are, as in the example of RFC 6493: there are
// validators that take them no other way.
func (c Contact) Card() Card {
	card := Card{{Name: "FN", Value: escape(c.FN)}}
	if c.Org != "" {
		card = append(card, Property{Name: "ORG", Value: escape(c.Org)})
	}
	if a := c.Adr; a != nil {
		parts := []string{"", "", a.Street, a.Locality, a.Region, a.Code, a.Country}
		for i := range parts {
			parts[i] = escape(parts[i])
		}
		card = append(card, Property{Name: "ADR", Parameters: []Parameter{{"TYPE", "work"}}, Value: strings.Join(parts, ";")})
	}
	for _, number := range c.Tel {
		card = append(card, telephone("voice", number))
	}
	for _, number := range c.Fax {
		card = append(card, telephone("fax", number))
	}
	for _, e := range c.Email {
		card = append(card, Property{Name: "EMAIL", Value: escape(e)})
	}
	return card
}

// telephone gives a number as text or, if it is one, as a URI (RFC 6350 section
// 6.4.1).
func telephone(kind, number string) Property {
	p := Property{Name: "TEL", Parameters: []Parameter{{"TYPE", kind}}, Value: escape(number)}
	if strings.HasPrefix(number, "tel:") {
		p.Parameters, p.Value = append(p.Parameters, Parameter{"VALUE", "uri"}), number
	}
	return p
}

// Encode gives the eContent. It refuses a contact that breaks the profile, and
// one with texts that are empty.
func (c Contact) Encode() ([]byte, error) {
	if slices.Contains(slices.Concat(c.Tel, c.Fax, c.Email), "") {
		return nil, profileRule("TEL and EMAIL must not be empty")
	}
	return c.Card().Encode()
}

// Equal says whether both are the same record.
func (c Contact) Equal(o Contact) bool {
	one, err1 := c.Encode()
	other, err2 := o.Encode()
	return err1 == nil && err2 == nil && bytes.Equal(one, other)
}

// escape writes a text as a value (RFC 6350 section 3.4).
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "\n", `\n`).Replace(text)
}
