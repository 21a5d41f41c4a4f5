package tak

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits on one payload: what one key holds, and what can be reported.
const (
	maxTexts    = 100
	maxProblems = 20
)

// Decode reads an eContent, strictly as DER and strictly by the profile. The
// error joins a Problem for each broken rule; beside it stands what could be
// read, for display only.
func Decode(content []byte) (TAK, error) {
	var t TAK
	err := t.read(cryptobyte.String(content))
	if err != nil {
		return t, err
	}
	problems := t.check()
	return t, errors.Join(problems[:min(len(problems), maxProblems)]...)
}

// read takes in (RFC 9691 section 2.2.2)
//
//	TAK ::= SEQUENCE {
//	  version      INTEGER DEFAULT 0,
//	  current      TAKey,
//	  predecessor  [0] TAKey OPTIONAL,
//	  successor    [1] TAKey OPTIONAL }
//
// with explicit tags. DER leaves a version out that is the default.
func (t *TAK) read(input cryptobyte.String) error {
	var body cryptobyte.String
	if !input.ReadASN1(&body, tag.SEQUENCE) || !input.Empty() {
		return Problem{"2.2", "eContent must be one DER-encoded TAK"}
	}
	if body.PeekASN1Tag(tag.INTEGER) {
		return Problem{"2.2.2", "version must be 0, which DER leaves out"}
	}
	if err := t.Current.read(&body, "current"); err != nil {
		return err
	}
	for _, k := range []struct {
		name string
		tag  tag.Tag
		key  **Key
	}{{"predecessor", predecessorTag, &t.Predecessor}, {"successor", successorTag, &t.Successor}} {
		var explicit cryptobyte.String
		var there bool
		if !body.ReadOptionalASN1(&explicit, &there, k.tag) {
			return Problem{"2.2.2", k.name + " must be a TAKey"}
		}
		if !there {
			continue
		}
		*k.key = new(Key)
		if err := (*k.key).read(&explicit, k.name); err != nil {
			return err
		}
		if !explicit.Empty() {
			return Problem{"2.2.2", k.name + " must be one TAKey"}
		}
	}
	if !body.Empty() {
		return Problem{"2.2.2", "nothing may follow the successor"}
	}
	return nil
}

// read takes in (RFC 9691 section 2.2.1)
//
//	TAKey ::= SEQUENCE {
//	  comments              SEQUENCE SIZE (0..MAX) OF UTF8String,
//	  certificateURIs       SEQUENCE SIZE (1..MAX) OF IA5String,
//	  subjectPublicKeyInfo  SubjectPublicKeyInfo }
func (k *Key) read(input *cryptobyte.String, which string) error {
	var body, spki cryptobyte.String
	if !input.ReadASN1(&body, tag.SEQUENCE) {
		return Problem{"2.2.2", which + " must be a TAKey"}
	}
	var ok bool
	if k.Comments, ok = texts(&body, tag.UTF8String); !ok {
		return Problem{"2.2.1", which + ": comments must be a SEQUENCE of few UTF8Strings"}
	}
	if k.URIs, ok = texts(&body, tag.IA5String); !ok {
		return Problem{"2.2.1", which + ": certificateURIs must be a SEQUENCE of few IA5Strings"}
	}
	if !body.ReadASN1Element(&spki, tag.SEQUENCE) || !body.Empty() {
		return Problem{"2.2.1", which + ": subjectPublicKeyInfo must be a SubjectPublicKeyInfo and the last element"}
	}
	k.SPKI = spki
	return nil
}

func texts(body *cryptobyte.String, kind tag.Tag) (out []string, ok bool) {
	var list, text cryptobyte.String
	if !body.ReadASN1(&list, tag.SEQUENCE) {
		return nil, false
	}
	for !list.Empty() {
		if !list.ReadASN1(&text, kind) || len(out) == maxTexts {
			return out, false
		}
		out = append(out, string(text))
	}
	return out, true
}
