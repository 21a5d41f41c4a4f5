// Package tal reads and writes trust anchor locators (RFC 8630): where the
// certificate of a trust anchor is found and which key it must hold.
package tal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// columns is how long a line of base64 is when written.
const columns = 64

// TAL is a trust anchor locator.
type TAL struct {
	Comments []string // without the leading '#'
	URIs     []string // of the trust anchor's certificate, https or rsync
	SPKI     []byte   // DER of its subjectPublicKeyInfo
}

// Problem is a rule of RFC 8630 that a file breaks.
type Problem struct{ Section, Rule string }

// Error gives the rule with its place in the RFC.
func (p Problem) Error() string { return "RFC 8630 section " + p.Section + ": " + p.Rule }

// Clause gives the RFC, the section and the rule.
func (p Problem) Clause() (rfc, section, rule string) { return "RFC 8630", p.Section, p.Rule }

// Encode writes comments, https URIs, rsync URIs, a blank line and the key as
// base64 in lines of 64 columns, with line feeds and none at the end.
func (t TAL) Encode() []byte {
	var b bytes.Buffer
	for _, c := range t.Comments {
		fmt.Fprintf(&b, "#%s\n", c)
	}
	for _, https := range []bool{true, false} {
		for _, uri := range t.URIs {
			if strings.HasPrefix(uri, "https:") == https {
				fmt.Fprintf(&b, "%s\n", uri)
			}
		}
	}
	key := base64.StdEncoding.EncodeToString(t.SPKI)
	for len(key) > 0 {
		line := key[:min(columns, len(key))]
		key = key[len(line):]
		fmt.Fprintf(&b, "\n%s", line)
	}
	return b.Bytes()
}

// Decode reads a file of RFC 8630 section 2.2, with either kind of line
// break. The error joins a Problem for each broken rule; beside it stands what
// could be read, for display only.
func Decode(file []byte) (TAL, error) {
	var t TAL
	var problems []error
	note := func(rule string) { problems = append(problems, Problem{"2.2", rule}) }
	oneObject := func(uri string) {
		problems = append(problems, Problem{"2.3", fmt.Sprintf("URI %.100q must name one object on a host", uri)})
	}

	if !utf8.Valid(file) {
		note("the file must be UTF-8 text")
		return t, errors.Join(problems...)
	}
	text := strings.ReplaceAll(string(file), "\r\n", "\n")
	if strings.Contains(text, "\r") {
		note("line breaks must be CRLF or LF")
	}
	lines := strings.Split(text, "\n")
	for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
		t.Comments = append(t.Comments, lines[0][1:])
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[0] != "" {
		switch u, err := parseURI(lines[0]); {
		case err != nil:
			note(fmt.Sprintf("URI %.100q %s", lines[0], err))
		case !namesObject(u):
			oneObject(lines[0])
		default:
			t.URIs = append(t.URIs, lines[0])
		}
		if lines = lines[1:]; len(problems) >= maxProblems {
			return t, errors.Join(problems...)
		}
	}
	switch {
	case len(t.URIs) == 0:
		note("there must be an rsync or https URI")
	case len(lines) == 0:
		note("a blank line must follow the URIs")
	}
	var err error
	if t.SPKI, err = decodeKey(strings.Join(lines, "")); err != nil {
		note(err.Error())
	}
	return t, errors.Join(problems...)
}

// maxProblems bounds what one file can make us report.
const maxProblems = 20

func parseURI(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("must be a URI")
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return nil, errors.New("must be printable ASCII without spaces")
	case u.Scheme != "rsync" && u.Scheme != "https":
		return nil, errors.New("must be an rsync or https URI")
	}
	return u, nil
}

// namesObject tells whether a URI can be that of a single object, as RFC 8630
// section 2.3 wants it: not a folder.
func namesObject(u *url.URL) bool {
	return u.Host != "" && u.Path != "" && !strings.HasSuffix(u.Path, "/") && u.RawQuery == "" && u.Fragment == ""
}

func decodeKey(text string) ([]byte, error) {
	spki, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("subjectPublicKeyInfo must be base64")
	}
	var body, algorithm, key cryptobyte.String
	in := cryptobyte.String(spki)
	if !in.ReadASN1(&body, tag.SEQUENCE) || !in.Empty() || !body.ReadASN1(&algorithm, tag.SEQUENCE) ||
		!body.ReadASN1(&key, tag.BIT_STRING) || !body.Empty() {
		return nil, errors.New("subjectPublicKeyInfo must be DER")
	}
	return spki, nil
}
