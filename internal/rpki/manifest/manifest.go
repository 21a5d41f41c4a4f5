// Package manifest is the payload of RPKI manifests (RFC 9286): which files a
// CA publishes, with their hashes. The signed object around it is package cms.
package manifest

import (
	"cmp"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// ContentType is id-ct-rpkiManifest (RFC 9286 section 4.1).
var ContentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 26}

// sha256 is the only fileHashAlg (RFC 7935 section 2).
var sha256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}

// generalizedTime is the only form of RFC 9286 section 4.2.1, always UTC.
const generalizedTime = "20060102150405Z"

// File is one FileAndHash: the name without a path, and the SHA-256 hash of
// the file's content.
type File struct {
	Name string
	Hash [32]byte
}

// Manifest is the eContent. Times are UTC with a resolution of one second.
type Manifest struct {
	Number     *big.Int
	ThisUpdate time.Time
	NextUpdate time.Time
	Files      []File // as they stand in the object; Encode sorts by name
}

// Problem is a rule of RFC 9286 that a payload breaks.
type Problem struct{ Section, Rule string }

// Error gives the rule with its place in the RFC.
func (p Problem) Error() string { return "RFC 9286 section " + p.Section + ": " + p.Rule }

// Clause gives the RFC, the section and the rule.
func (p Problem) Clause() (rfc, section, rule string) { return "RFC 9286", p.Section, p.Rule }

// Encode gives the eContent with the files sorted by name. Times are cut to
// the second. It refuses what Decode would refuse.
func (m Manifest) Encode() ([]byte, error) {
	files := slices.Clone(m.Files)
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	if problems := m.check(files); len(problems) > 0 {
		return nil, problems[0]
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, 128+96*len(files)))
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(m.Number)
		addTime(b, m.ThisUpdate)
		addTime(b, m.NextUpdate)
		b.AddASN1ObjectIdentifier(sha256)
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			for i := range files {
				addFile(b, &files[i])
			}
		})
	})
	return b.Bytes()
}

func addTime(b *cryptobyte.Builder, t time.Time) {
	b.AddASN1(tag.GeneralizedTime, func(b *cryptobyte.Builder) {
		b.AddBytes([]byte(t.UTC().Format(generalizedTime)))
	})
}

func addFile(b *cryptobyte.Builder, f *File) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(f.Name)) })
		b.AddASN1BitString(f.Hash[:])
	})
}

// check gives the rules that the values break, whoever wrote them.
func (m Manifest) check(files []File) []Problem {
	var problems []Problem
	note := func(section, format string, args ...any) {
		problems = append(problems, Problem{section, fmt.Sprintf(format, args...)})
	}
	// 20 octets with the sign bit, as for serial numbers (RFC 5280 section 4.1.2.2).
	if m.Number == nil || m.Number.Sign() < 0 || m.Number.BitLen() > 159 {
		note("4.2.1", "manifestNumber must be from 0 to what 20 octets hold")
	}
	if year := m.ThisUpdate.UTC().Year(); year < 0 || year > 9999 {
		note("4.2.1", "thisUpdate must be a GeneralizedTime")
	}
	if year := m.NextUpdate.UTC().Year(); year < 0 || year > 9999 {
		note("4.2.1", "nextUpdate must be a GeneralizedTime")
	}
	if m.NextUpdate.Unix() <= m.ThisUpdate.Unix() {
		note("4.2.1", "nextUpdate must be later than thisUpdate")
	}
	seen := make(map[string]struct{}, len(files))
	for i := range files {
		if len(problems) >= maxProblems {
			break
		}
		name := files[i].Name
		if !ValidName(name) {
			note("4.2.2", "file name %s must be of a-z A-Z 0-9 - _, one dot and a three-letter extension", brief(name))
		}
		if _, twice := seen[name]; twice {
			note("4.2.1", "file name %s must appear only once", brief(name))
		}
		seen[name] = struct{}{}
	}
	return problems
}

// ValidName tells whether a name may stand in a fileList: one or more of
// a-z A-Z 0-9 - _, a dot, three lower-case letters (RFC 9286 section 4.2.2).
// IANA's list of extensions grows, so which ones exist is not judged here.
func ValidName(name string) bool {
	stem := len(name) - len(".xxx")
	if stem < 1 || name[stem] != '.' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		lower := 'a' <= c && c <= 'z'
		switch {
		case i == stem, lower:
		case i > stem:
			return false
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// brief quotes a name, cut to a length that fits a message.
func brief(name string) string {
	if len(name) > 80 {
		return fmt.Sprintf("%q...", name[:80])
	}
	return fmt.Sprintf("%q", name)
}
