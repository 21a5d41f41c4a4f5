package der

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// Extension is one extension as it stands (RFC 5280 section 4.1.2.9).
type Extension struct {
	ID       OID
	Critical bool
	Value    []byte // contents of extnValue
}

// ReadExtensions reads a SEQUENCE of at least one extension, with nothing after it.
// explicitFalse also takes "critical FALSE" written out, which DER forbids but several
// makers of certification requests write.
func ReadExtensions(in *cryptobyte.String, explicitFalse bool) ([]Extension, error) {
	var list cryptobyte.String
	if !in.ReadASN1(&list, tag.SEQUENCE) || !in.Empty() {
		return nil, errors.New("extensions are not one SEQUENCE")
	}
	if list.Empty() {
		return nil, errors.New("list of extensions is empty")
	}
	var out []Extension
	for !list.Empty() {
		var seq, value cryptobyte.String
		var e Extension
		if !list.ReadASN1(&seq, tag.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&e.ID) {
			return nil, errors.New("malformed extension")
		}
		if seq.PeekASN1Tag(tag.BOOLEAN) && (!seq.ReadASN1Boolean(&e.Critical) || !e.Critical && !explicitFalse) {
			return nil, errors.New("extension " + e.ID.String() + ": critical is not TRUE where it is written")
		}
		if !seq.ReadASN1(&value, tag.OCTET_STRING) || !seq.Empty() {
			return nil, errors.New("malformed extension " + e.ID.String())
		}
		e.Value = value
		out = append(out, e)
	}
	return out, nil
}

// AddExtension writes one extension.
func AddExtension(b *cryptobyte.Builder, e Extension) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(e.ID)
		if e.Critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1OctetString(e.Value)
	})
}
