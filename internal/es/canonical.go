package es

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNUL refuses text that holds the character U+0000, which Postgres cannot store.
var ErrNUL = errors.New("text must not contain the character U+0000")

// maxExponent bounds the exponent of a number that is written out in full.
const maxExponent = 1000

// HashInput is everything about one command that the hash chain covers.
type HashInput struct {
	Stream  string // UUID of the stream, lower case with hyphens
	Kind    string // of the stream
	Handle  string // of the stream
	Version int64
	At      time.Time // whole microseconds
	Actor   Actor
	Name    string
	Payload json.RawMessage
	Outcome string          // "ok" or "refused"
	Fault   json.RawMessage // null unless refused
	Epoch   int64
	Events  []HashEvent
}

// HashEvent is one event as the hash chain covers it.
type HashEvent struct {
	Name    string          `json:"name"`
	Payload json.RawMessage `json:"payload"`
}

// hashed is the JSON form of a HashInput; time is written with six decimals of
// a second, and absent parts are null.
type hashed struct {
	Actor      string          `json:"actor"`
	ActorKeyID *string         `json:"actor_key_id"`
	At         string          `json:"at"`
	Epoch      int64           `json:"epoch"`
	Events     []HashEvent     `json:"events"`
	Fault      json.RawMessage `json:"fault"`
	Handle     string          `json:"handle"`
	Kind       string          `json:"kind"`
	Name       string          `json:"name"`
	Outcome    string          `json:"outcome"`
	Payload    json.RawMessage `json:"payload"`
	Stream     string          `json:"stream"`
	Version    int64           `json:"version"`
}

// CanonicalHash is the hash of a command: SHA-256 over prev, the hash of the
// command before it (zero for version 0), followed by the canonical JSON of c.
// It is the same for a command about to be stored and for one read back.
func CanonicalHash(prev [32]byte, c HashInput) ([32]byte, error) {
	h := hashed{
		Actor: c.Actor.Name, At: c.At.UTC().Format("2006-01-02T15:04:05.000000Z"), Epoch: c.Epoch,
		Events: c.Events, Fault: c.Fault, Handle: c.Handle, Kind: c.Kind, Name: c.Name,
		Outcome: c.Outcome, Payload: c.Payload, Stream: c.Stream, Version: c.Version,
	}
	if c.Actor.KeyID != "" {
		h.ActorKeyID = &c.Actor.KeyID
	}
	if h.Events == nil {
		h.Events = []HashEvent{}
	}
	raw, err := json.Marshal(h)
	if err != nil {
		return [32]byte{}, fmt.Errorf("canonical form: %w", err)
	}
	text, err := Canonical(raw)
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(append(prev[:], text...)), nil
}

// Canonical rewrites a JSON text so that equal values have equal bytes, before
// and after they were stored as JSONB: no white space; members sorted by the
// bytes of their names, the last of several equal ones kept; strings in UTF-8
// with only the escapes that JSON demands; numbers without exponent, every
// decimal kept. Text with U+0000 is refused with ErrNUL.
func Canonical(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("canonical form: something follows the value")
	}
	return appendValue(make([]byte, 0, len(text)), v)
}

// Encode gives the canonical JSON of a Go value.
func Encode(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Canonical(raw)
}

func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case json.Number:
		return appendNumber(b, string(v))
	case string:
		return appendString(b, v)
	case []any:
		return appendArray(b, v)
	case map[string]any:
		return appendObject(b, v)
	}
	return nil, fmt.Errorf("canonical form: no JSON for %T", v)
}

func appendArray(b []byte, list []any) ([]byte, error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, members map[string]any) ([]byte, error) {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendString(b, name); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendValue(b, members[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendString writes a string with the escapes of RFC 8259 section 7 that are
// required, the short ones where they exist. s is valid UTF-8: the decoder
// replaced what was not.
func appendString(b []byte, s string) ([]byte, error) {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0:
			return nil, ErrNUL
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"'), nil
}

// appendNumber writes a JSON number the way JSONB gives it back: the exponent
// is carried out, trailing zeros after the point are kept, and zero has no sign.
func appendNumber(b []byte, number string) ([]byte, error) {
	mantissa, exponent := strings.ToLower(number), 0
	if i := strings.IndexByte(mantissa, 'e'); i >= 0 {
		n, err := strconv.Atoi(mantissa[i+1:])
		if err != nil || n > maxExponent || n < -maxExponent {
			return nil, fmt.Errorf("canonical form: number %.40q is out of range", number)
		}
		mantissa, exponent = mantissa[:i], n
	}
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, decimals, _ := strings.Cut(mantissa, ".")
	switch {
	case exponent > 0:
		decimals += strings.Repeat("0", max(0, exponent-len(decimals)))
		whole, decimals = whole+decimals[:exponent], decimals[exponent:]
	case exponent < 0:
		whole = strings.Repeat("0", max(0, -exponent-len(whole)+1)) + whole
		cut := len(whole) + exponent
		whole, decimals = whole[:cut], whole[cut:]+decimals
	}
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if negative && strings.Trim(whole+decimals, "0") != "" {
		b = append(b, '-')
	}
	b = append(b, whole...)
	if decimals != "" {
		b = append(append(b, '.'), decimals...)
	}
	return b, nil
}
