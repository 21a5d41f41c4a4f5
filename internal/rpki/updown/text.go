package updown

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go4.org/netipx"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// errLabel is for a name that is empty or too long.
var errLabel = fmt.Errorf("is not a name of 1 to %d characters", maxLabel)

// checkLabel holds senders, recipients and class names to the schema, where
// white space around a name does not count.
func checkLabel(text string) error {
	if strings.TrimSpace(text) == "" || len(text) > maxLabel {
		return errLabel
	}
	return checkPrintable(text)
}

func checkPrintable(text string) error {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return errors.New("is not printable US-ASCII")
		}
	}
	return nil
}

// checkURL tells whether the text can be one of several URIs between commas.
func checkURL(text string) error {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme == "" || rest == "" || strings.ContainsAny(text, ", ") {
		return fmt.Errorf("%.200q is not a URI", text)
	}
	return checkPrintable(text)
}

// parseURLs reads URIs with commas between them: a comma inside a URI is
// percent-encoded (RFC 6492 section 3.3.2).
func parseURLs(text string) ([]string, error) {
	if len(text) > maxURL {
		return nil, errURLs
	}

	urls := strings.Split(text, ",")
	for i, u := range urls {
		urls[i] = strings.TrimSpace(u)
	}
	_, err := joinURLs(urls)
	return urls, err
}

func joinURLs(urls []string) (string, error) {
	for _, u := range urls {
		if err := checkURL(u); err != nil {
			return "", err
		}
	}
	text := strings.Join(urls, ",")
	if len(text) < minURL || len(text) > maxURL {
		return "", errURLs
	}
	return text, nil
}

var errURLs = fmt.Errorf("does not have %d to %d characters", minURL, maxURL)

func checkSIAHead(text string) error {
	if !strings.HasPrefix(text, "rsync://") || len(text) > maxSIAHead {
		return fmt.Errorf("is not an rsync URI of up to %d characters", maxSIAHead)
	}
	return checkURL(text)
}

// The text of resource sets has neither white space nor "AS" (RFC 6492
// section 3.3.2). Some programs write both, so they are read.

func parseAS(text string) (resources.ASSet, error) {
	if len(text) > maxResources {
		return resources.ASSet{}, errResources
	}
	set, err := resources.ParseASSet(text)
	return set, brief(err)
}

func parseIP(text string, family resources.Family) (resources.IPSet, error) {
	if len(text) > maxResources {
		return resources.IPSet{}, errResources
	}
	set, err := resources.ParseIPSet(text, family)
	return set, brief(err)
}

// brief cuts an error that quotes what a peer sent.
func brief(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(cut(err.Error(), 200))
}

var errResources = fmt.Errorf("is longer than %d characters", maxResources)

func formatAS(set resources.ASSet) string {
	var b []byte
	for i, r := range set.Ranges() {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(r.Lo), 10)
		if r.Hi != r.Lo {
			b = append(b, '-')
			b = strconv.AppendUint(b, uint64(r.Hi), 10)
		}
	}
	return string(b)
}

// formatIP writes whatever is one prefix as such, single addresses too, which
// is the form that every program reads.
func formatIP(set resources.IPSet) string {
	var b []byte
	for i, r := range set.Ranges() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRange(b, r)
	}
	return string(b)
}

func appendRange(b []byte, r netipx.IPRange) []byte {
	if p, ok := r.Prefix(); ok {
		b = append(appendAddr(b, p.Addr()), '/')
		return strconv.AppendInt(b, int64(p.Bits()), 10)
	}
	return appendAddr(append(appendAddr(b, r.From()), '-'), r.To())
}

// appendAddr appends the usual form, but no dots in an IPv6 address: the schema
// has none.
func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.Is4In6() {
		return a.AppendTo(b)
	}
	octets := a.As16()
	for i := 0; i < len(octets); i += 2 {
		if i > 0 {
			b = append(b, ':')
		}
		b = strconv.AppendUint(b, uint64(octets[i])<<8|uint64(octets[i+1]), 16)
	}
	return b
}

// notAfterForm is how the time is written: UTC and whole seconds.
const notAfterForm = "2006-01-02T15:04:05Z"

func parseNotAfter(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.40q is not a date and time", text)
	}
	t = t.UTC().Truncate(time.Second)
	return t, checkYear(t)
}

func checkYear(t time.Time) error {
	if t.Year() < 1 || t.Year() > 9999 {
		return fmt.Errorf("year %d is out of range", t.Year())
	}
	return nil
}

// A key is named by base64url of its identifier. It is written without padding,
// as the schema's 27 characters suggest, and read with or without it.

func parseKey(text string) (cert.KeyID, error) {
	var id cert.KeyID
	bits, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimSuffix(text, "="))
	if err != nil || len(bits) != len(id) {
		return cert.KeyID{}, fmt.Errorf("%.60q is not a key identifier in base64url", text)
	}
	copy(id[:], bits)
	return id, nil
}

func formatKey(id cert.KeyID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }
