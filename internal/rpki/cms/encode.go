package cms

import (
	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// encode writes the structure that Decode reads, element by element in the
// order they are held, so that what Decode accepts comes back octet by octet.
func (o *Object) encode() ([]byte, error) {
	size := 512 + len(o.Content)
	for _, c := range o.Certificates {
		size += len(c)
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, size))
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(OIDSignedData)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, o.addSignedData)
		})
	})
	return b.Bytes()
}

func (o *Object) addSignedData(b *cryptobyte.Builder) {
	b.AddASN1Int64(int64(o.Version))
	b.AddASN1(tag.SET, func(b *cryptobyte.Builder) {
		for _, a := range o.DigestAlgorithms {
			addAlgorithm(b, a)
		}
	})
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(o.ContentType)
		if o.Content != nil {
			b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(o.Content) })
		}
	})
	addOptionalSet(b, tag0, o.Certificates)
	addOptionalSet(b, tag1, o.CRLs)
	b.AddASN1(tag.SET, func(b *cryptobyte.Builder) {
		for i := range o.Signers {
			b.AddASN1(tag.SEQUENCE, o.Signers[i].add)
		}
	})
}

func (s *Signer) add(b *cryptobyte.Builder) {
	b.AddASN1Int64(int64(s.Version))
	if s.KeyID != nil {
		b.AddASN1(tag0Primitive, func(b *cryptobyte.Builder) { b.AddBytes(s.KeyID) })
	} else {
		b.AddBytes(s.IssuerAndSerial)
	}
	addAlgorithm(b, s.DigestAlgorithm)
	addAttributes(b, tag0, s.Attributes)
	addAlgorithm(b, s.SignatureAlgorithm)
	b.AddASN1OctetString(s.Signature)
	addAttributes(b, tag1, s.UnsignedAttributes)
}

func addAttributes(b *cryptobyte.Builder, kind tag.Tag, attributes []Attribute) {
	if attributes == nil {
		return
	}
	b.AddASN1(kind, func(b *cryptobyte.Builder) {
		for _, a := range attributes {
			addAttribute(b, a)
		}
	})
}

func addAttribute(b *cryptobyte.Builder, a Attribute) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(a.Type)
		b.AddASN1(tag.SET, func(b *cryptobyte.Builder) {
			for _, v := range a.Values {
				b.AddBytes(v)
			}
		})
	})
}

func addOptionalSet(b *cryptobyte.Builder, kind tag.Tag, elements [][]byte) {
	if elements == nil {
		return
	}
	b.AddASN1(kind, func(b *cryptobyte.Builder) {
		for _, e := range elements {
			b.AddBytes(e)
		}
	})
}

func addAlgorithm(b *cryptobyte.Builder, a Algorithm) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(a.OID)
		b.AddBytes(a.Parameters)
	})
}
