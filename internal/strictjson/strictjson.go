// Package strictjson reads request bodies into Go values the way the API's
// reference describes: field names count exactly, a field given twice, left
// out or of the wrong type is an error, numbers must fit, unknown fields are
// passed over, and every error says where in the text it is.
//
// A struct field may be left out if it is a pointer or tagged "omitempty" or
// "omitzero". The tag alias:"x" gives a second name for reading. []byte is
// base64 without white space.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says what is wrong with a text, and where.
type Error struct {
	Reason string
	Line   int // from 1
	Column int // in octets, from 1; 0 at the end of an empty line
}

// Error gives "REASON at line L column C".
func (e *Error) Error() string {
	return fmt.Sprintf("%s at line %d column %d", e.Reason, e.Line, e.Column)
}

// Decode reads one JSON text into what v points to. The error is always an
// *Error; v is then undefined.
func Decode(text []byte, v any) error {
	if at := invalidUTF8(text); at >= 0 {
		return position(text, at+1, "invalid unicode code point")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		var syntax *json.SyntaxError
		if !errors.As(err, &syntax) {
			return position(text, len(text), err.Error())
		}
		return position(text, int(syntax.Offset), reason(syntax))
	}
	d := decoder{text: text}
	return d.decode(v)
}

// Complain says what is wrong with the value of a field of the object in text,
// which was read before, and where that value ends.
func Complain(text []byte, field, reason string) *Error {
	d := decoder{text: text}
	at := len(text)
	_ = d.members(d.next(0), "an object", func(name string, _, value span) error {
		if name == field {
			at = value.to
		}
		return nil
	})
	return position(text, at, "invalid value in `"+field+"`: "+reason)
}

func reason(err *json.SyntaxError) string {
	if err.Error() == "unexpected end of JSON input" {
		return "EOF while parsing a value"
	}
	return err.Error()
}

func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// position turns a number of octets read into line and column.
func position(text []byte, read int, reason string) *Error {
	read = min(max(read, 0), len(text))
	before := string(text[:read])
	line := strings.Count(before, "\n") + 1
	return &Error{Reason: reason, Line: line, Column: read - 1 - strings.LastIndexByte(before, '\n')}
}

// ComplainItem says what is wrong with an item, counted from 0, of the array
// in text, which was read before, and where that item ends.
func ComplainItem(text []byte, index int, reason string) *Error {
	d := decoder{text: text}
	item := d.next(d.next(0).from + 1)
	for ; index > 0 && d.text[item.from] != ']'; index-- {
		item = d.after(item)
	}
	return position(text, item.to, reason)
}
