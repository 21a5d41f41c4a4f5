package cert

import (
	"crypto/x509"
	"math/bits"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/der"
)

// extension gives an extension whose value is a SEQUENCE with what f writes.
func extension(id der.OID, critical bool, f cryptobyte.BuilderContinuation) Extension {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tag.SEQUENCE, f)
	return Extension{ID: id, Critical: critical, Value: b.BytesOrPanic()} // f writes nothing that can fail
}

func basicConstraintsCA() Extension {
	return extension(OIDBasicConstraints, true, func(b *cryptobyte.Builder) { b.AddASN1Boolean(true) })
}

func subjectKeyID(id KeyID) Extension {
	return Extension{ID: OIDSubjectKeyID, Value: append([]byte{byte(tag.OCTET_STRING), byte(len(id))}, id[:]...)}
}

// AuthorityKeyIDExtension gives the extension that names the issuer's key in certificates
// (RFC 6487 section 4.8.3) and revocation lists (section 5).
func AuthorityKeyIDExtension(id KeyID) Extension {
	return extension(OIDAuthorityKeyID, false, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(id[:]) })
	})
}

func keyUsage(usage x509.KeyUsage) Extension {
	n := bits.Len16(uint16(usage)) // at most 8 here: one octet
	value := []byte{byte(tag.BIT_STRING), 2, byte(8 - n), bits.Reverse8(uint8(usage))}
	return Extension{ID: OIDKeyUsage, Critical: true, Value: value}
}

func crlDistributionPoint(uri string) Extension {
	return extension(OIDCRLDP, false, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			der.AddExplicit(b, 0, func(b *cryptobyte.Builder) {
				der.AddExplicit(b, 0, func(b *cryptobyte.Builder) { addURI(b, uri) })
			})
		})
	})
}

// extension gives the SIA extension; its parts are in the order that is usual.
func (s SIA) extension() Extension {
	return extension(OIDSIA, false, func(b *cryptobyte.Builder) {
		addAccess(b, OIDRepository, s.Repository)
		addAccess(b, OIDManifest, s.Manifest)
		addAccess(b, OIDSignedObject, s.SignedObject)
		addAccess(b, OIDNotify, s.Notify)
	})
}

// addAccess writes an access description, unless the URI is empty.
func addAccess(b *cryptobyte.Builder, method der.OID, uri string) {
	if uri == "" {
		return
	}
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(method)
		addURI(b, uri)
	})
}

func addURI(b *cryptobyte.Builder, uri string) {
	b.AddASN1(tag.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
}
