package ctl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"baleen/api"
)

// noUpdates is a delta that changes nothing; the API wants both lists.
func noUpdates() api.ROAConfigurationUpdates {
	return api.ROAConfigurationUpdates{Added: []api.ROAConfiguration{}, Removed: []api.ROAPayload{}}
}

// parseROA reads PREFIX[-MAXLENGTH] => ASN [# COMMENT]. Space around each part
// is passed over, "AS" may stand before the AS number. Whether the lengths fit
// is for the server to say.
func parseROA(text string) (api.ROAConfiguration, error) {
	var roa api.ROAConfiguration
	payload, comment, _ := strings.Cut(text, "#")
	route, asn, ok := strings.Cut(payload, "=>")
	if !ok || !utf8.ValidString(text) {
		return roa, fmt.Errorf("%q is not a ROA of the form PREFIX[-MAXLENGTH] => ASN [# COMMENT]", text)
	}

	prefix, length, limited := strings.Cut(strings.TrimSpace(route), "-")
	if err := roa.Prefix.UnmarshalText([]byte(prefix)); err != nil {
		return roa, fmt.Errorf("ROA %q: %w", strings.TrimSpace(payload), err)
	}
	if limited {
		n, err := parseDecimal(length, 8)
		if err != nil {
			return roa, fmt.Errorf("ROA %q: max length %w", strings.TrimSpace(payload), err)
		}
		short := uint8(n) // parsed as eight bits
		roa.MaxLength = &short
	}

	n, err := parseAS(asn)
	if err != nil {
		return roa, fmt.Errorf("ROA %q: %w", strings.TrimSpace(payload), err)
	}
	roa.ASN = n
	if comment = strings.TrimSpace(comment); comment != "" {
		roa.Comment = &comment
	}
	return roa, nil
}

// parseDecimal reads digits and nothing else.
func parseDecimal(text string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number from 0 to %d", text, uint64(1)<<bits-1)
	}
	return n, nil
}

// parseDelta reads a delta file: "A: ROA" adds, "R: ROA" removes (a comment is
// passed over), blank lines and lines that start with "#" do nothing. All
// lines that cannot be read are named at once.
func parseDelta(r io.Reader) (api.ROAConfigurationUpdates, error) {
	updates := noUpdates()
	var problems []error
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		if err := parseDeltaLine(strings.TrimSpace(lines.Text()), &updates); err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", n, err))
		}
	}
	if err := lines.Err(); err != nil {
		problems = append(problems, fmt.Errorf("line %d: %w", n+1, err))
	}
	if len(problems) == 0 && len(updates.Added)+len(updates.Removed) == 0 {
		problems = append(problems, errors.New("the delta file changes nothing"))
	}
	return updates, errors.Join(problems...)
}

func parseDeltaLine(line string, updates *api.ROAConfigurationUpdates) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	sign, text, _ := strings.Cut(line, ":")
	if sign != "A" && sign != "R" {
		return fmt.Errorf("want A: or R: at the start of %q", line)
	}
	roa, err := parseROA(text)
	if err != nil {
		return err
	}
	if sign == "A" {
		updates.Added = append(updates.Added, roa)
	} else {
		updates.Removed = append(updates.Removed, roa.ROAPayload)
	}
	return nil
}
