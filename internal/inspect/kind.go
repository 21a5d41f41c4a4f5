package inspect

import (
	"bytes"
	"encoding/xml"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/aspa"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/roa"
	"baleen/internal/rpki/rsc"
	"baleen/internal/rpki/strictxml"
	"baleen/internal/rpki/tak"
)

// headSize is how much of a file is looked at to see whether it is XML.
const headSize = 4 << 10

// rootName is the name of a document's first element.
type rootName struct{ space, local string }

// xmlRoot gives the name of the first element if a file starts like XML.
func xmlRoot(head []byte) (name rootName, ok bool) {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if !bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("<")) {
		return rootName{}, false
	}
	d := xml.NewDecoder(bytes.NewReader(head))
	d.CharsetReader = passCharset
	for {
		token, err := d.Token()
		if err != nil {
			return rootName{}, true
		}
		if start, ok := token.(xml.StartElement); ok {
			return rootName{start.Name.Space, start.Name.Local}, true
		}
	}
}

// typeOf tells what a file is by its content; where that leaves a choice or
// says nothing, the extension of its name decides.
func typeOf(data []byte, name string) string {
	hint := map[string]string{
		".cer": TypeCertificate, ".crl": TypeCRL, ".mft": TypeManifest, ".roa": TypeROA, ".tal": TypeTAL,
		".asa": TypeASPA, ".gbr": TypeCard, ".tak": TypeTAK,
	}[strings.ToLower(filepath.Ext(name))]
	if text := isText(data); text || len(data) == 0 || data[0] != byte(asn1.SEQUENCE) {
		if text && (hint == "" || hint == TypeTAL) && looksLikeTAL(data) {
			return TypeTAL
		}
		return hint
	}
	contents, ok := derContents(data)
	switch {
	case !ok || len(contents) == 0:
		return hint
	case contents[0] == byte(asn1.OBJECT_IDENTIFIER):
		if hint == TypeManifest || hint == TypeROA || hint == TypeASPA || hint == TypeCard || hint == TypeTAK {
			return hint
		}
		return contentType(data)
	case contents[0] == byte(asn1.SEQUENCE):
		if guess := signedType(contents); guess != "" {
			return guess
		}
	}
	return hint
}

// derContents takes the header of the outermost element off, also that of an
// indefinite length: it may be BER, which is worth a better message.
func derContents(data []byte) (cryptobyte.String, bool) {
	if len(data) > 2 && data[1] == 0x80 {
		return data[2:], true
	}
	in := cryptobyte.String(data)
	var contents cryptobyte.String
	ok := in.ReadASN1(&contents, asn1.SEQUENCE)
	return contents, ok
}

// unwrapped gives a message that stands in a file as base64 as it is sent, and anything else
// as it is.
func unwrapped(data []byte) []byte {
	if !bytes.HasPrefix(data, []byte("MI")) { // base64 of what starts with a long SEQUENCE
		return data
	}
	plain, err := strictxml.DecodeBase64(string(data))
	if err != nil || len(plain) == 0 || plain[0] != byte(asn1.SEQUENCE) || contentType(plain) != TypeMessage {
		return data
	}
	return plain
}

// contentType tells messages and the signed objects that are known from others.
// Checklists may have any name: .sig is that of other things too.
func contentType(data []byte) string {
	if id, ok := cms.ContentTypeOf(data); ok && id.Equal(cms.OIDXML) {
		return TypeMessage
	}
	o, err := cms.Decode(data)
	switch {
	case err == nil && o.ContentType.Equal(manifest.ContentType):
		return TypeManifest
	case err == nil && o.ContentType.Equal(roa.ContentType):
		return TypeROA
	case err == nil && o.ContentType.Equal(aspa.ContentType):
		return TypeASPA
	case err == nil && o.ContentType.Equal(tak.ContentType):
		return TypeTAK
	case err == nil && o.ContentType.Equal(gbr.ContentType):
		return TypeCard
	case err == nil && o.ContentType.Equal(rsc.ContentType):
		return TypeChecklist
	}
	return TypeSignedObject
}

// signedType tells certificates from CRLs: behind the issuer's name the former
// have a validity, which is a SEQUENCE, and the latter a time.
func signedType(contents cryptobyte.String) string {
	var tbs cryptobyte.String
	if !contents.ReadASN1(&tbs, asn1.SEQUENCE) {
		return ""
	}
	if tbs.PeekASN1Tag(asn1.Tag(0).ContextSpecific().Constructed()) {
		return TypeCertificate
	}
	if !tbs.SkipOptionalASN1(asn1.INTEGER) || !tbs.SkipASN1(asn1.SEQUENCE) || !tbs.SkipASN1(asn1.SEQUENCE) {
		return ""
	}
	switch {
	case tbs.PeekASN1Tag(asn1.UTCTime), tbs.PeekASN1Tag(asn1.GeneralizedTime):
		return TypeCRL
	case tbs.PeekASN1Tag(asn1.SEQUENCE):
		return TypeCertificate
	}
	return ""
}

func isText(data []byte) bool {
	return len(data) > 0 && utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool {
		return r < ' ' && !strings.ContainsRune("\t\r\n", r)
	})
}

func looksLikeTAL(data []byte) bool {
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		return bytes.HasPrefix(line, []byte("rsync://")) || bytes.HasPrefix(line, []byte("https://"))
	}
	return false
}
