package gbr

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// maxProblems bounds what one payload can make us report.
const maxProblems = 20

// Decode reads an eContent, strictly by the profile of RFC 6493 section 5. The
// error joins a Problem for each broken rule; beside it stands what could be
// read, for display only.
func Decode(content []byte) (Card, error) {
	if len(content) > MaxSize {
		return nil, errors.Join(tooLarge())
	}
	lines, err := unfold(content)
	if err != nil {
		return nil, errors.Join(err)
	}
	card, problems := frame(lines)
	if card != nil {
		problems = append(problems, card.problems()...)
	}
	return card, errors.Join(problems[:min(len(problems), maxProblems)]...)
}

// unfold gives the lines of a vCard (RFC 6350 section 3.2): each ends in CRLF,
// and one that starts with a space or a tab goes on with the one before.
func unfold(content []byte) ([]string, error) {
	if !utf8.Valid(content) {
		return nil, vcardRule("3.1", "a vCard must be UTF-8")
	}
	text, ended := bytes.CutSuffix(content, []byte("\r\n"))
	if !ended {
		return nil, vcardRule("3.2", "each line must end in CRLF")
	}
	var lines []string
	for line := range strings.SplitSeq(string(text), "\r\n") {
		switch {
		case strings.ContainsAny(line, "\r\n"):
			return nil, vcardRule("3.2", "each line must end in CRLF")
		case line != "" && (line[0] == ' ' || line[0] == '\t') && len(lines) > 0:
			lines[len(lines)-1] += line[1:]
		case len(lines) == maxProperties+3:
			return nil, profileRule("the vCard has more than 100 properties")
		default:
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// frame takes the first two lines and the last one off, which are always the
// same, and reads those between; the card is nil if it has no such frame.
func frame(lines []string) (Card, []error) {
	var problems []error
	take := func(i int, want, rule string) {
		if i < 0 || i >= len(lines) || !strings.EqualFold(lines[i], want) {
			problems = append(problems, profileRule(rule))
		}
	}
	take(0, "BEGIN:VCARD", "the first line must be BEGIN:VCARD")
	take(1, "VERSION:4.0", "the second line must be VERSION:4.0")
	take(len(lines)-1, "END:VCARD", "the last line must be END:VCARD")
	if len(problems) > 0 {
		return nil, problems
	}
	card := Card{}
	for _, line := range lines[2 : len(lines)-1] {
		p, ok := readProperty(line)
		if !ok {
			problems = append(problems, vcardRule("3.3", "malformed line "+shown(line)))
			continue
		}
		card = append(card, p)
	}
	return card, problems
}

// readProperty reads (RFC 6350 section 3.3)
//
//	contentline = [group "."] name *(";" param) ":" value CRLF
//	param = any-param; any-param = name "=" param-value *("," param-value)
func readProperty(line string) (Property, bool) {
	head, value, ok := cutOutsideQuotes(line, ':')
	if !ok {
		return Property{}, false
	}
	name, rest, more := cutOutsideQuotes(head, ';')
	p := Property{Name: name, Value: value}
	if group, plain, ok := strings.Cut(name, "."); ok {
		if group == "" {
			return Property{}, false
		}
		p.Group, p.Name = group, plain
	}
	p.Name = strings.ToUpper(p.Name)
	for more {
		var one string
		one, rest, more = cutOutsideQuotes(rest, ';')
		name, value, ok := strings.Cut(one, "=")
		if !ok {
			return Property{}, false
		}
		p.Parameters = append(p.Parameters, Parameter{name, value})
	}
	return p, true
}

// cutOutsideQuotes is strings.Cut for a separator that is not within quotes.
func cutOutsideQuotes(text string, sep byte) (before, after string, found bool) {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == sep && !quoted:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

func isName(text string) bool {
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return text != ""
}

// isParameterValue tells whether a text is a list of values, in quotes or not.
func isParameterValue(text string) bool {
	if !isValue(text) {
		return false
	}
	for more := true; more; {
		var one string
		one, text, more = cutOutsideQuotes(text, ',')
		if inner, ok := strings.CutPrefix(one, `"`); ok {
			inner, ok = strings.CutSuffix(inner, `"`)
			if !ok || strings.Contains(inner, `"`) {
				return false
			}
		} else if strings.ContainsAny(one, `";:`) {
			return false
		}
	}
	return true
}

// isValue tells whether a text can stand in a line: the VALUE-CHARs of RFC 6350
// section 3.3.
func isValue(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// wellEscaped tells whether each backslash is one of those of RFC 6350 section
// 3.4.
func wellEscaped(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if i++; i == len(text) || !strings.ContainsRune(`\,;nN`, rune(text[i])) {
			return false
		}
	}
	return true
}
