// Package der holds the pieces of DER that certificates, revocation lists and
// certification requests have in common: the signed envelope, algorithm identifiers,
// times, names and extensions (RFC 5280 section 4.1). Readers take DER only, never BER.
package der

import (
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// OID is an object identifier.
type OID = asn1.ObjectIdentifier

// Time is a point in time as a certificate or revocation list writes it.
type Time struct {
	time.Time      // UTC, whole seconds
	General   bool // written as GeneralizedTime
}

// Conforms tells whether the time is written as RFC 5280 section 4.1.2.5 demands:
// as UTCTime through the year 2049 and as GeneralizedTime from 2050 on.
func (t Time) Conforms() bool { return t.General == (t.Year() >= 2050) }

// ReadTime reads a UTCTime or GeneralizedTime in the one form that RFC 5280 sections
// 4.1.2.5.1 and 4.1.2.5.2 leave: with seconds, without fractions, ending in Z.
func ReadTime(in *cryptobyte.String) (Time, bool) {
	var body cryptobyte.String
	var kind tag.Tag
	if !in.ReadAnyASN1(&body, &kind) {
		return Time{}, false
	}
	text := string(body)
	switch {
	case kind == tag.GeneralizedTime:
	case kind == tag.UTCTime && len(text) == 13 && text[0] >= '5':
		text = "19" + text
	case kind == tag.UTCTime:
		text = "20" + text
	default:
		return Time{}, false
	}

	const layout = "20060102150405Z"
	t, err := time.Parse(layout, text)
	if err != nil || len(text) != len(layout) {
		return Time{}, false
	}
	return Time{Time: t.UTC(), General: kind == tag.GeneralizedTime}, true
}

// AddTime writes t, cut to whole seconds, as RFC 5280 section 4.1.2.5 demands.
func AddTime(b *cryptobyte.Builder, t time.Time) {
	t = t.UTC().Truncate(time.Second)
	if t.Year() >= 2050 {
		b.AddASN1GeneralizedTime(t)
		return
	}
	b.AddASN1UTCTime(t)
}

// AddExplicit writes what f writes under the context-specific tag [n].
func AddExplicit(b *cryptobyte.Builder, n uint8, f cryptobyte.BuilderContinuation) {
	b.AddASN1(tag.Tag(n).ContextSpecific().Constructed(), f)
}

// ReadElement reads the next element, whatever it is, with its header.
func ReadElement(in *cryptobyte.String) ([]byte, bool) {
	var out cryptobyte.String
	var kind tag.Tag
	if !in.ReadAnyASN1Element(&out, &kind) {
		return nil, false
	}
	return out, true
}

// ReadSequence reads a SEQUENCE and gives it with its header.
func ReadSequence(in *cryptobyte.String) ([]byte, bool) {
	var out cryptobyte.String
	if !in.ReadASN1Element(&out, tag.SEQUENCE) {
		return nil, false
	}
	return out, true
}
