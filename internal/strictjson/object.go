package strictjson

import (
	"reflect"
	"strings"
)

// field is how a struct field is read.
type field struct {
	index    []int
	name     string
	alias    string
	optional bool
}

// fieldsOf gives the fields of a struct, those of embedded structs included.
func (d *decoder) fieldsOf(t reflect.Type) []field {
	if have, ok := d.fields[t]; ok {
		return have
	}
	var out []field
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		out = append(out, field{
			index: f.Index, name: name, alias: f.Tag.Get("alias"),
			optional: f.Type.Kind() == reflect.Pointer || strings.Contains(options, "omit"),
		})
	}
	if d.fields == nil {
		d.fields = map[reflect.Type][]field{}
	}
	d.fields[t] = out
	return out
}

func (d *decoder) object(s span, v reflect.Value) error {
	fields := d.fieldsOf(v.Type())
	seen := make([]bool, len(fields))
	err := d.members(s, "an object", func(name string, key, value span) error {
		for i, f := range fields {
			if name != f.name && (name != f.alias || f.alias == "") {
				continue
			}
			if seen[i] {
				return d.fail(key.to, "duplicate field `%s`", f.name)
			}
			seen[i] = true
			if to := v.FieldByIndex(f.index); !f.optional || d.text[value.from] != 'n' {
				return d.value(value, to)
			}
			return nil // null says that an optional field is not given
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, f := range fields {
		if !seen[i] && !f.optional {
			return d.fail(s.to, "missing field `%s`", f.name)
		}
	}
	return nil
}

// members calls f for each member of an object, in the order of the text.
func (d *decoder) members(s span, want string, f func(name string, key, value span) error) error {
	if d.text[s.from] != '{' {
		return d.wrongType(s, want)
	}
	for key := d.next(s.from + 1); d.text[key.from] != '}'; {
		name, err := d.str(key)
		if err != nil {
			return err
		}
		value := d.next(key.to)
		if err := f(name, key, value); err != nil {
			return err
		}
		key = d.after(value)
	}
	return nil
}

// after gives what follows a member: the next value, or the closing bracket.
func (d *decoder) after(s span) span { return d.next(s.to) }

// next gives the value that begins at or behind an offset, past white space
// and the punctuation between values; a closing bracket is a span of one octet.
func (d *decoder) next(at int) span {
	for strings.IndexByte(" \t\r\n,:", d.text[at]) >= 0 {
		at++
	}
	return span{from: at, to: d.end(at)}
}

// end gives the offset behind the value that begins at an offset.
func (d *decoder) end(at int) int {
	switch c := d.text[at]; c {
	case '"':
		return d.endString(at)
	case '{', '[':
		return d.endNested(at)
	case '}', ']':
		return at + 1
	default:
		for at < len(d.text) && strings.IndexByte(" \t\r\n,:]}", d.text[at]) < 0 {
			at++
		}
		return at
	}
}

func (d *decoder) endString(at int) int {
	for at++; d.text[at] != '"'; at++ {
		if d.text[at] == '\\' {
			at++
		}
	}
	return at + 1
}

func (d *decoder) endNested(at int) int {
	for depth := 0; ; {
		switch d.text[at] {
		case '"':
			at = d.endString(at)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		at++
		if depth == 0 {
			return at
		}
	}
}

// describe names a value in an error.
func describe(raw []byte) string {
	text := string(raw)
	switch c := text[0]; {
	case c == '"':
		return "string " + shorten(text)
	case c == '{':
		return "map"
	case c == '[':
		return "sequence"
	case c == 'n':
		return "null"
	case c == 't' || c == 'f':
		return "boolean `" + text + "`"
	case strings.ContainsAny(text, ".eE"):
		return "floating point `" + shorten(text) + "`"
	default:
		return "integer `" + shorten(text) + "`"
	}
}

// shorten keeps errors readable whatever was sent.
func shorten(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && text[cut]&0xC0 == 0x80 { // not inside a character
		cut--
	}
	return text[:cut] + "…"
}
