package der

import (
	"bytes"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// The two attributes that RFC 6487 sections 4.4 and 4.5 allow in names.
var (
	OIDCommonName   = OID{2, 5, 4, 3}
	OIDSerialNumber = OID{2, 5, 4, 5}
)

// Attribute is one attribute of a name.
type Attribute struct {
	Type  OID
	Tag   tag.Tag // the ASN.1 type of the value
	Value []byte  // its contents
}

// Name is a distinguished name (RFC 5280 section 4.1.2.4).
type Name struct {
	Raw        []byte      // the whole element
	Attributes []Attribute // in the order in which they stand, of all sets
	Unsorted   bool        // the attributes of a set are not in the order of DER
}

// ReadName reads a distinguished name and takes it apart.
func ReadName(in *cryptobyte.String) (Name, error) {
	var none, out Name
	var element, rdns cryptobyte.String
	if !in.ReadASN1Element(&element, tag.SEQUENCE) {
		return none, errors.New("name is not a SEQUENCE")
	}
	out.Raw = element
	element.ReadASN1(&rdns, tag.SEQUENCE)
	for !rdns.Empty() {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, tag.SET) || set.Empty() {
			return none, errors.New("name: part is not a SET of attributes")
		}
		var last []byte
		for !set.Empty() {
			element, ok := ReadSequence(&set)
			if !ok {
				return none, errors.New("name: malformed attribute")
			}
			out.Unsorted = out.Unsorted || bytes.Compare(element, last) < 0
			last = element
			a, err := readAttribute(element)
			if err != nil {
				return none, err
			}
			out.Attributes = append(out.Attributes, a)
		}
	}
	return out, nil
}

func readAttribute(element []byte) (Attribute, error) {
	in := cryptobyte.String(element)
	var seq, value cryptobyte.String
	var a Attribute
	if !in.ReadASN1(&seq, tag.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&a.Type) ||
		!seq.ReadAnyASN1(&value, &a.Tag) || !seq.Empty() {
		return Attribute{}, errors.New("name: malformed attribute")
	}
	a.Value = value
	return a, nil
}

// CommonName gives the name that consists of one common name, as a PrintableString.
func CommonName(text string) []byte { return NumberedName(text, "") }

// NumberedName gives the name that consists of a common name and, unless it is empty, a
// serialNumber, both as PrintableStrings.
func NumberedName(common, number string) []byte {
	b := cryptobyte.NewBuilder(nil)
	add := func(b *cryptobyte.Builder, id OID, text string) {
		b.AddASN1(tag.SET, func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(id)
				b.AddASN1(tag.PrintableString, func(b *cryptobyte.Builder) { b.AddBytes([]byte(text)) })
			})
		})
	}
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		add(b, OIDCommonName, common)
		if number != "" {
			add(b, OIDSerialNumber, number)
		}
	})
	return b.BytesOrPanic() // nothing in here can fail
}

// IsPrintable tells whether all octets are of the PrintableString alphabet (X.680
// section 41.4): letters, digits, space and '()+,-./:=?
func IsPrintable(text []byte) bool {
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case bytes.IndexByte([]byte(" '()+,-./:=?"), c) >= 0:
		default:
			return false
		}
	}
	return true
}
