package ctl

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
	"unicode"

	"baleen/internal/rpki/resources"
)

// What stands for a value that is not there.
const (
	none          = "<none>"
	notApplicable = "n/a"
)

// report collects the text form of an answer.
type report struct{ b bytes.Buffer }

// line writes one line. What came from elsewhere cannot steer the terminal.
func (r *report) line(text string) {
	r.b.WriteString(printable(text))
	r.b.WriteByte('\n')
}

// linef is line with a format.
func (r *report) linef(format string, args ...any) { r.line(fmt.Sprintf(format, args...)) }

// csv writes one line of comma-separated values, in quotes where they need it.
func (r *report) csv(values ...string) {
	for i, v := range values {
		values[i] = printable(oneLine(v))
	}
	w := csv.NewWriter(&r.b)
	_ = w.Write(values) // a buffer takes every write
	w.Flush()
}

// certificate writes a certificate in PEM form.
func (r *report) certificate(der []byte) {
	r.b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// resources writes three lines.
func (r *report) resources(indent string, set resources.Set) {
	for _, part := range []struct{ name, text string }{
		{"ASNs", set.AS.String()}, {"IPv4", set.V4.String()}, {"IPv6", set.V6.String()},
	} {
		r.linef("%s%s: %s", indent, part.name, orNone(part.text))
	}
}

// document writes one of the XML documents of RFC 8183.
func document[T interface{ EncodeXML() []byte }](r *report, answer T) {
	r.b.Write(answer.EncodeXML())
	r.b.WriteByte('\n')
}

func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}

// orText stands in for an optional string.
func orText(text *string, absent string) string {
	if text == nil {
		return absent
	}
	return *text
}

// unixTime writes seconds since 1970 as RFC 3339.
func unixTime(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// unixTimeOr is unixTime of a time that may not be there.
func unixTimeOr(seconds *int64, absent string) string {
	if seconds == nil {
		return absent
	}
	return unixTime(*seconds)
}

func sha256Hex(der []byte) string {
	hash := sha256.Sum256(der)
	return hex.EncodeToString(hash[:])
}

// printable replaces control characters, except line ends and tabs.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\n' && c != '\t' {
			return unicode.ReplacementChar
		}
		return c
	}, text)
}

// oneLine keeps what came from elsewhere from breaking a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
