package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Time is a moment as the API writes it: RFC 3339 in UTC with "Z", with nine
// digits of a second or none.
type Time struct{ time.Time }

// String gives the API's form.
func (t Time) String() string {
	u := t.UTC()
	if u.Nanosecond() == 0 {
		return u.Format("2006-01-02T15:04:05Z")
	}
	return u.Format("2006-01-02T15:04:05.000000000Z")
}

// MarshalJSON writes the API's form.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads any RFC 3339 time and keeps it in UTC.
func (t *Time) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New("a time is a string")
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("%q is not an RFC 3339 time", text)
	}
	t.Time = at.UTC()
	return nil
}

// Validity is from when to when something is good.
type Validity struct {
	NotBefore Time `json:"not_before"`
	NotAfter  Time `json:"not_after"`
}

// Prefix is an address prefix without host bits, such as "10.0.0.0/16". On
// input the length is required.
type Prefix struct{ netip.Prefix }

// UnmarshalText reads a prefix and refuses one with host bits.
func (p *Prefix) UnmarshalText(text []byte) error {
	got, err := netip.ParsePrefix(string(text))
	switch {
	case err != nil:
		return fmt.Errorf("%q is not an address prefix", text)
	case got.Addr().Is4In6():
		return fmt.Errorf("%q is an IPv4 address in the form of an IPv6 address", text)
	case got != got.Masked():
		return fmt.Errorf("%q has host bits: the prefix is %q", text, got.Masked())
	}
	p.Prefix = got
	return nil
}

// Marshal gives the JSON that the API writes: compact, in the order of the
// fields, without HTML escapes and without a newline at the end.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
