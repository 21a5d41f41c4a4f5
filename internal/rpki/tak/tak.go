// Package tak is the payload of trust anchor key objects (RFC 9691): by which
// key a trust anchor is known now, and by which one it was or will be. The
// signed object around it is package cms.
package tak

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/tal"
)

// ContentType is id-ct-signedTAL (RFC 9691 section 2.1).
var ContentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 50}

// Key is a TAKey: what a trust anchor locator says of a key (RFC 9691 section
// 2.2.1).
type Key struct {
	Comments []string // each one line, without the '#' of a locator
	URIs     []string // of the trust anchor's certificate, https or rsync, at least one
	SPKI     []byte   // DER of its subjectPublicKeyInfo: RSA as RFC 7935 has it
}

// TAK is the eContent (RFC 9691 section 2.2.2).
type TAK struct {
	Current     Key
	Predecessor *Key // before the current one; nil if there is none
	Successor   *Key // will follow the current one; nil if there is none
}

// Problem is a rule of RFC 9691 that a payload breaks.
type Problem struct{ Section, Rule string }

// Error gives the rule with its place in the RFC.
func (p Problem) Error() string { return "RFC 9691 section " + p.Section + ": " + p.Rule }

// Clause gives the RFC, the section and the rule.
func (p Problem) Clause() (rfc, section, rule string) { return "RFC 9691", p.Section, p.Rule }

// Of gives what a locator says.
func Of(t tal.TAL) Key { return Key{Comments: t.Comments, URIs: t.URIs, SPKI: t.SPKI} }

// TAL gives the locator of the key (RFC 9691 section 7).
func (k Key) TAL() tal.TAL { return tal.TAL{Comments: k.Comments, URIs: k.URIs, SPKI: k.SPKI} }

// ID gives the key's identifier; the zero identifier if it is no key.
func (k Key) ID() cert.KeyID {
	id, _ := cert.KeyIDOfSPKI(k.SPKI) // its zero value beside an error
	return id
}

// Equal says whether both are the same key with the same comments and URIs.
func (k Key) Equal(o Key) bool {
	return slices.Equal(k.Comments, o.Comments) && slices.Equal(k.URIs, o.URIs) && slices.Equal(k.SPKI, o.SPKI)
}

// check gives the rules of section 2.2.1 that a key breaks.
func (k Key) check(which string) []error {
	var problems []error
	note := func(field, rule string) {
		problems = append(problems, Problem{"2.2.1", which + ": " + field + " " + rule})
	}
	for _, c := range k.Comments {
		if !utf8.ValidString(c) || strings.ContainsFunc(c, unicode.IsControl) {
			note("comments", "must each be one line of UTF-8 text")
		}
	}
	if len(k.URIs) == 0 {
		note("certificateURIs", "must not be empty")
	}
	for _, u := range k.URIs {
		if !isURI(u) {
			note("certificateURIs", fmt.Sprintf("must be rsync or https URIs of one object, not %.100q", u))
		}
	}
	key, err := x509.ParsePKIXPublicKey(k.SPKI)
	if err != nil || cert.CheckRSAKey(key) != nil {
		note("subjectPublicKeyInfo", "must be an RSA key with 2048 bits and exponent 65537 (RFC 7935 section 3)")
	}
	return problems
}

func isURI(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "rsync" || u.Scheme == "https") && u.Host != "" && len(u.Path) > 1 && !strings.HasSuffix(u.Path, "/") &&
		u.RawQuery == "" && u.Fragment == "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// check gives the rules that the payload breaks whatever its encoding.
func (t TAK) check() []error {
	problems := t.Current.check("current")
	if t.Predecessor != nil {
		problems = append(problems, t.Predecessor.check("predecessor")...)
	}
	if t.Successor != nil {
		problems = append(problems, t.Successor.check("successor")...)
	}
	return problems
}

// The tags of the two keys that may be there.
var (
	predecessorTag = tag.Tag(0).ContextSpecific().Constructed()
	successorTag   = tag.Tag(1).ContextSpecific().Constructed()
)

// Encode gives the eContent. It refuses what Decode would refuse.
func (t TAK) Encode() ([]byte, error) {
	if problems := t.check(); len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	var b cryptobyte.Builder
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { // the version is the default, and so not written
		t.Current.add(b)
		if t.Predecessor != nil {
			b.AddASN1(predecessorTag, t.Predecessor.add)
		}
		if t.Successor != nil {
			b.AddASN1(successorTag, t.Successor.add)
		}
	})
	return b.Bytes()
}

func (k Key) add(b *cryptobyte.Builder) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, c := range k.Comments {
				b.AddASN1(tag.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(c)) })
			}
		})
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, u := range k.URIs {
				b.AddASN1(tag.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(u)) })
			}
		})
		b.AddBytes(k.SPKI)
	})
}
