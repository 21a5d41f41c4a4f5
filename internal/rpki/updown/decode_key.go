package updown

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/strictxml"
)

// key reads what revoke and its answer hold (RFC 6492 section 3.5).
func (d *decoder) key() (class string, id cert.KeyID, err error) {
	e, err := d.only("key")
	if err != nil {
		return "", cert.KeyID{}, err
	}
	class = e.Attr("class_name")
	ski := e.Attr("ski")
	if err := e.Done(); err != nil {
		return "", cert.KeyID{}, err
	}

	if err := checkLabel(class); err != nil {
		return "", cert.KeyID{}, fmt.Errorf("class_name %w", err)
	}
	if id, err = parseKey(ski); err != nil {
		return "", cert.KeyID{}, fmt.Errorf("ski %w", err)
	}
	if err := d.x.Close(); err != nil { // the element
		return "", cert.KeyID{}, err
	}
	return class, id, d.x.Close()
}

// errorResponse reads a status and its descriptions (RFC 6492 section 3.6).
func (d *decoder) errorResponse() (Payload, error) {
	e, err := d.only("status")
	if err != nil {
		return nil, err
	}
	if err := e.Done(); err != nil {
		return nil, err
	}
	text, err := d.x.Text()
	if err != nil {
		return nil, err
	}
	code, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil || code == 0 || code > maxStatus {
		return nil, fmt.Errorf("status %.20q is not a number from 1 to %d", text, maxStatus)
	}
	description, err := d.descriptions()
	return ErrorResponse{Status: Status(code), Description: description}, err
}

func (d *decoder) descriptions() (string, error) {
	var kept string
	for english, first := false, true; ; first = false {
		e, err := d.x.Child()
		if err != nil || e == nil {
			return kept, err
		}
		if err := d.count(); err != nil {
			return "", err
		}
		lang, _ := e.Expect("description").Optional(strictxml.Lang)
		if err := e.Done(); err != nil {
			return "", err
		}
		text, err := d.x.Text()
		if err != nil {
			return "", err
		}
		if utf8.RuneCountInString(text) > maxDescription {
			return "", fmt.Errorf("description is longer than %d characters", maxDescription)
		}

		is := lang == "en" || strings.HasPrefix(strings.ToLower(lang), "en-")
		if first || is && !english {
			kept, english = text, is
		}
	}
}
