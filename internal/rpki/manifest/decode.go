package manifest

import (
	"encoding/asn1"
	"errors"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// maxProblems bounds what one payload can make us report.
const maxProblems = 20

// Decode reads an eContent, strictly as DER and strictly by RFC 9286. Files
// may stand in any order. The error joins a Problem for each broken rule;
// beside it stands what could be read, for display only.
func Decode(content []byte) (Manifest, error) {
	var m Manifest
	var problems []error
	if err := m.read(cryptobyte.String(content)); err != nil {
		return m, err
	}
	for _, p := range m.check(m.Files) {
		problems = append(problems, p)
	}
	return m, errors.Join(problems...)
}

// read takes in (RFC 9286 section 4.2)
//
//	Manifest ::= SEQUENCE {
//	  version        [0] INTEGER DEFAULT 0,
//	  manifestNumber INTEGER (0..MAX),
//	  thisUpdate     GeneralizedTime,
//	  nextUpdate     GeneralizedTime,
//	  fileHashAlg    OBJECT IDENTIFIER,
//	  fileList       SEQUENCE SIZE (0..MAX) OF FileAndHash }
func (m *Manifest) read(input cryptobyte.String) error {
	var body, list cryptobyte.String
	if !input.ReadASN1(&body, tag.SEQUENCE) || !input.Empty() {
		return Problem{"4.2", "eContent must be one DER-encoded Manifest"}
	}
	if version := tag.Tag(0).ContextSpecific(); body.PeekASN1Tag(version.Constructed()) || body.PeekASN1Tag(version) {
		return Problem{"4.2.1", "version must be 0, which DER leaves out"}
	}
	number := new(big.Int)
	if !body.ReadASN1Integer(number) {
		return Problem{"4.2.1", "manifestNumber must be an INTEGER"}
	}
	m.Number = number
	if !readTime(&body, &m.ThisUpdate) {
		return Problem{"4.2.1", "thisUpdate must be a GeneralizedTime of the form YYYYMMDDHHMMSSZ"}
	}
	if !readTime(&body, &m.NextUpdate) {
		return Problem{"4.2.1", "nextUpdate must be a GeneralizedTime of the form YYYYMMDDHHMMSSZ"}
	}
	if err := readHashAlg(&body); err != nil {
		return err
	}
	if !body.ReadASN1(&list, tag.SEQUENCE) || !body.Empty() {
		return Problem{"4.2.1", "fileList must be a SEQUENCE and the last element"}
	}
	return m.readFiles(list)
}

func readTime(input *cryptobyte.String, t *time.Time) bool {
	var text cryptobyte.String
	if !input.ReadASN1(&text, tag.GeneralizedTime) {
		return false
	}
	parsed, err := time.Parse(generalizedTime, string(text))
	if err != nil || parsed.Format(generalizedTime) != string(text) {
		return false
	}
	*t = parsed
	return true
}

func readHashAlg(input *cryptobyte.String) error {
	var oid asn1.ObjectIdentifier
	if !input.ReadASN1ObjectIdentifier(&oid) {
		return Problem{"4.2.1", "fileHashAlg must be an OBJECT IDENTIFIER"}
	}
	if !sha256.Equal(oid) {
		return Problem{"4.2.1", "fileHashAlg must be SHA-256 (RFC 7935 section 2)"}
	}
	return nil
}

// readFiles takes in FileAndHash ::= SEQUENCE { file IA5String, hash BIT STRING }.
func (m *Manifest) readFiles(list cryptobyte.String) error {
	const leastSize = 40 // a hash alone needs 35 octets
	files := make([]File, 0, len(list)/leastSize)
	for !list.Empty() {
		var entry, name cryptobyte.String
		var hash []byte
		if !list.ReadASN1(&entry, tag.SEQUENCE) || !entry.ReadASN1(&name, tag.IA5String) {
			return Problem{"4.2.1", "fileList must hold FileAndHash elements, their names as IA5String"}
		}
		if !entry.ReadASN1BitStringAsBytes(&hash) || len(hash) != 32 || !entry.Empty() {
			return Problem{"4.2.1", "hash of " + brief(string(name)) + " must be a BIT STRING of 256 bits"}
		}
		files = append(files, File{Name: string(name), Hash: [32]byte(hash)})
	}
	m.Files = files
	return nil
}
