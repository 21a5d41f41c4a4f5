package strictjson

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var errNotPointer = errors.New("the target is no pointer")

// decoder walks a text whose syntax is known to be right. Offsets count octets.
type decoder struct {
	text   []byte
	fields map[reflect.Type][]field
}

// span is one value in the text: text[from:to].
type span struct{ from, to int }

func (d *decoder) decode(v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return position(d.text, 0, errNotPointer.Error())
	}
	return d.value(d.next(0), p.Elem())
}

func (d *decoder) raw(s span) []byte { return d.text[s.from:s.to] }

func (d *decoder) fail(at int, format string, args ...any) error {
	return position(d.text, at, fmt.Sprintf(format, args...))
}

// wrongType reports a value of another kind than wanted.
func (d *decoder) wrongType(s span, want string) error {
	return d.fail(s.to, "invalid type: %s, expected %s", describe(d.raw(s)), want)
}

// value reads one value of any type.
func (d *decoder) value(s span, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		if d.text[s.from] == 'n' {
			v.SetZero()
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(s, v.Elem())
	}
	switch u := v.Addr().Interface().(type) {
	case json.Unmarshaler:
		if err := u.UnmarshalJSON(d.raw(s)); err != nil {
			return d.fail(s.to, "%s", strings.TrimPrefix(err.Error(), "json: "))
		}
		return nil
	case encoding.TextUnmarshaler:
		text, err := d.str(s)
		if err != nil {
			return err
		}
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return d.fail(s.to, "%s", err.Error())
		}
		return nil
	}
	return d.plain(s, v)
}

// plain reads what has no decoder of its own.
func (d *decoder) plain(s span, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Struct:
		return d.object(s, v)
	case reflect.Map:
		return d.mapping(s, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return d.base64(s, v)
		}
		return d.array(s, v)
	case reflect.String:
		text, err := d.str(s)
		v.SetString(text)
		return err
	case reflect.Bool:
		if c := d.text[s.from]; c != 't' && c != 'f' {
			return d.wrongType(s, "a boolean")
		}
		v.SetBool(d.text[s.from] == 't')
		return nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Int64:
		return d.number(s, v)
	default:
		return d.fail(s.from, "a value of type %s cannot be read", v.Type())
	}
}

func (d *decoder) str(s span) (string, error) {
	if d.text[s.from] != '"' {
		return "", d.wrongType(s, "a string")
	}
	if at := loneSurrogate(d.raw(s)); at >= 0 {
		return "", d.fail(s.from+at, "lone surrogate in a string")
	}
	var text string
	if err := json.Unmarshal(d.raw(s), &text); err != nil {
		return "", d.fail(s.to, "%s", err.Error())
	}
	return text, nil
}

// loneSurrogate finds an escape that stands for half a character: what is
// stored would not be what was sent. The result is the offset behind it, or -1.
func loneSurrogate(raw []byte) int {
	unit := func(at int) (r rune, ok bool) {
		if at+6 > len(raw) || raw[at] != '\\' || raw[at+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(raw[at+2:at+6]), 16, 16)
		return rune(n), err == nil
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		r, ok := unit(i)
		if !ok {
			i++ // another escape, of two octets
			continue
		}
		if utf16.IsSurrogate(r) {
			next, _ := unit(i + 6)
			if utf16.DecodeRune(r, next) == utf8.RuneError {
				return i + 6
			}
			i += 6
		}
		i += 5
	}
	return -1
}

func (d *decoder) number(s span, v reflect.Value) error {
	text := string(d.raw(s))
	want := strings.NewReplacer("uint", "u", "int", "i").Replace(v.Kind().String())
	if c := text[0]; c != '-' && (c < '0' || c > '9') || strings.ContainsAny(text, ".eE") {
		return d.wrongType(s, want)
	}
	var err error
	if v.CanUint() {
		var n uint64
		n, err = strconv.ParseUint(text, 10, v.Type().Bits())
		v.SetUint(n)
	} else {
		var n int64
		n, err = strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
	}
	if err != nil {
		return d.fail(s.to, "invalid value: integer `%s`, expected %s", text, want)
	}
	return nil
}

func (d *decoder) base64(s span, v reflect.Value) error {
	text, err := d.str(s)
	if err != nil {
		return err
	}
	if strings.ContainsAny(text, "\r\n") {
		return d.fail(s.to, "invalid base64: it contains a line break")
	}
	got, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return d.fail(s.to, "invalid base64: %s", err.Error())
	}
	v.SetBytes(got)
	return nil
}

func (d *decoder) array(s span, v reflect.Value) error {
	if d.text[s.from] != '[' {
		return d.wrongType(s, "a sequence")
	}
	list := reflect.MakeSlice(v.Type(), 0, 0)
	for item := d.next(s.from + 1); d.text[item.from] != ']'; item = d.after(item) {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(item, e); err != nil {
			return err
		}
		list = reflect.Append(list, e)
	}
	v.Set(list)
	return nil
}

func (d *decoder) mapping(s span, v reflect.Value) error {
	v.Set(reflect.MakeMap(v.Type()))
	return d.members(s, "a map", func(name string, _, value span) error {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(value, e); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
		return nil
	})
}
