// Package rsc is the payload of RPKI Signed Checklists (RFC 9323): digests of
// files, signed with the resources of a holder. The signed object around it is
// package cms.
package rsc

import (
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/resources"
)

// ContentType is id-ct-signedChecklist (RFC 9323 section 3).
var ContentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 48}

// MaxFiles is how many files a checklist may name. It is ours: the RFC has no
// such number.
const MaxFiles = 10_000

// oidSHA256 is the only algorithm that RFC 7935 section 2 knows, and with it
// RFC 9323 section 4.3.
var oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}

var (
	tag0 = tag.Tag(0).ContextSpecific().Constructed()
	tag1 = tag.Tag(1).ContextSpecific().Constructed()
)

// Checklist is an RpkiSignedChecklist whose digests are SHA-256.
type Checklist struct {
	Resources resources.Set
	Files     []File // in the order of the object

	null bool // the parameters of the algorithm were NULL and not absent: both are good (RFC 5754 section 2)
}

// File is a FileNameAndHash.
type File struct {
	Name string // "" if the object is known by its digest alone
	Hash [sha256.Size]byte
}

// Problem is a rule of RFC 9323 that a payload breaks.
type Problem struct{ Section, Rule string }

// Error gives the rule with its place in the RFC.
func (p Problem) Error() string { return "RFC 9323 section " + p.Section + ": " + p.Rule }

// Clause gives the RFC, the section and the rule.
func (p Problem) Clause() (rfc, section, rule string) { return "RFC 9323", p.Section, p.Rule }

// Encode gives the eContent; version 0 is the default, and so is never written.
// It refuses what Decode would refuse.
func (c Checklist) Encode() ([]byte, error) {
	if problem, bad := c.check(); bad {
		return nil, problem
	}
	held := resources.Explicit(c.Resources)
	b := cryptobyte.NewBuilder(make([]byte, 0, 64+64*len(c.Files)))
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			addPart(b, tag0, held.MarshalAS())
			addPart(b, tag1, held.MarshalIP())
		})
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidSHA256)
			if c.null {
				b.AddASN1NULL()
			}
		})
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, f := range c.Files {
				f.add(b)
			}
		})
	})
	return b.Bytes()
}

func addPart(b *cryptobyte.Builder, t tag.Tag, value []byte) {
	if value != nil {
		b.AddASN1(t, func(b *cryptobyte.Builder) { b.AddBytes(value) })
	}
}

func (f File) add(b *cryptobyte.Builder) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		if f.Name != "" {
			b.AddASN1(tag.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(f.Name)) })
		}
		b.AddASN1OctetString(f.Hash[:])
	})
}

// check gives the first rule that a checklist breaks, if any.
func (c Checklist) check() (problem Problem, bad bool) {
	switch {
	case c.Resources.IsEmpty():
		return Problem{"4.2", "there must be AS numbers, addresses or both"}, true
	case len(c.Files) == 0:
		return Problem{"4.4", "checkList must not be empty"}, true
	case len(c.Files) > MaxFiles:
		return Problem{"4.4", fmt.Sprintf("checkList has more than %d entries", MaxFiles)}, true
	}
	seen := make(map[string]bool, len(c.Files))
	for _, f := range c.Files {
		if problem, bad := f.check(seen); bad {
			return problem, true
		}
	}
	return Problem{}, false
}

// check gives the rule of section 4.4.1 that an entry breaks beside those
// before it.
func (f File) check(seen map[string]bool) (problem Problem, bad bool) {
	id := "name " + f.Name
	if f.Name == "" {
		id = "hash " + string(f.Hash[:])
	}
	switch {
	case !IsPortable(f.Name):
		return Problem{"4.4.1", "fileName must be of letters, digits, periods, underscores and hyphens"}, true
	case seen[id] && f.Name == "":
		return Problem{"4.4.1", fmt.Sprintf("hash %x must not be there twice without a fileName", f.Hash)}, true
	case seen[id]:
		return Problem{"4.4.1", "fileName " + f.Name + " must not be there twice"}, true
	}
	seen[id] = true
	return Problem{}, false
}

// IsPortable tells whether a name is of the Portable Filename Character Set of
// POSIX alone (RFC 9323 section 4.4.1).
func IsPortable(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
}
