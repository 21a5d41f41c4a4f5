package inspect

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"strconv"

	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/publication"
	"baleen/internal/rpki/rrdp"
	"baleen/internal/rpki/updown"
)

// maxListed is how many entries of a list in a message are shown; of the others there is
// only the number.
const maxListed = 300

// first gives the entries of a list that are shown, and how many more there are.
func first[T any](list []T) (shown []T, omitted int) {
	shown = list[:min(len(list), maxListed)]
	return shown, len(list) - len(shown)
}

// Publication is what a message of RFC 8181 says. What it does not have is absent.
type Publication struct {
	Type    string        `json:"type"`                   // "query" or "reply"
	List    bool          `json:"list,omitempty"`         // a query for the list, or a reply with it
	Success bool          `json:"success,omitempty"`      // of a reply
	Changes []Change      `json:"changes,omitempty"`      // the first of them
	Objects []Published   `json:"objects,omitempty"`      // the first of the list
	Errors  []ReportError `json:"report_error,omitempty"` // the first of them
	Omitted int           `json:"omitted,omitempty"`      // how many more changes, objects or errors there are
}

// Published is an entry of the list of what a publisher has published.
type Published struct {
	URI  string `json:"uri"`
	Hash string `json:"hash"` // SHA-256, lower-case hex
}

// ReportError tells why changes were refused (RFC 8181 section 2.4).
type ReportError struct {
	Code   string  `json:"error_code"`
	Tag    string  `json:"tag,omitempty"`
	Text   string  `json:"error_text,omitempty"`
	Failed *Change `json:"failed_pdu,omitempty"`
}

// content decodes what a message says, by its namespace.
func (r *Report) content(content []byte) {
	root, kind := messageRoot(content)
	switch root.space {
	case updown.Namespace:
		r.provisioning(content)
	case publication.Namespace:
		r.publication(kind, content)
	default:
		r.broken(profile.Violation{RFC: "RFC 6492", Section: "3.2", Rule: "namespace " + strconv.Quote(short(root.space)) + " is neither that of RFC 6492 nor that of RFC 8181"})
	}
}

// messageRoot gives the name of the first element and its type attribute.
func messageRoot(content []byte) (name rootName, kind string) {
	d := xml.NewDecoder(bytes.NewReader(content))
	d.CharsetReader = passCharset
	for {
		token, err := d.Token()
		if err != nil {
			return rootName{}, ""
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			if a.Name == (xml.Name{Local: "type"}) {
				kind = a.Value
			}
		}
		return rootName{start.Name.Space, start.Name.Local}, kind
	}
}

// publication decodes the content of a message of RFC 8181.
func (r *Report) publication(kind string, content []byte) {
	p := &Publication{Type: "query"}
	var err error
	if kind == "reply" {
		p.Type = kind
		err = p.reply(content)
	} else {
		err = p.query(content)
	}
	if err != nil {
		r.broken(profile.Violation{RFC: "RFC 8181", Section: "2.6", Rule: err.Error()})
		return
	}
	r.Message.Publication = p
}

func (p *Publication) query(content []byte) error {
	q, err := publication.DecodeQuery(content, publication.Limits{})
	if err != nil {
		return err
	}
	p.List = q.List
	var changes []publication.Change
	changes, p.Omitted = first(q.Changes)
	for _, c := range changes {
		p.Changes = append(p.Changes, changed(c))
	}
	return nil
}

func (p *Publication) reply(content []byte) error {
	y, err := publication.DecodeReply(content, publication.Limits{})
	if err != nil {
		return err
	}
	p.Success, p.List = y.Success, !y.Success && len(y.Errors) == 0
	objects, moreObjects := first(y.List)
	for _, o := range objects {
		p.Objects = append(p.Objects, Published{o.URI, hex.EncodeToString(o.Hash[:])})
	}
	refusals, moreErrors := first(y.Errors)
	for _, e := range refusals {
		out := ReportError{Code: string(e.Code), Tag: e.Tag, Text: e.Text}
		if e.Failed != nil {
			c := changed(*e.Failed)
			out.Failed = &c
		}
		p.Errors = append(p.Errors, out)
	}
	p.Omitted = moreObjects + moreErrors // a reply has one or the other
	return nil
}

func changed(c publication.Change) Change {
	out := changeOf(rrdp.Element{URI: c.URI, Hash: c.Hash, Content: c.Content})
	out.Tag = c.Tag
	return out
}

func (p *Publication) lines() []line {
	if p == nil {
		return nil
	}
	lines := []line{{"type", p.Type}}
	switch {
	case p.Success:
		lines = append(lines, line{"success", "yes"})
	case p.Type == "reply" && p.List:
		lines = append(lines, line{"list", plural(len(p.Objects)+p.Omitted, "object")})
	case p.Type == "reply":
		lines = append(lines, line{"errors", plural(len(p.Errors)+p.Omitted, "error")})
	case p.List:
		lines = append(lines, line{"list", "wanted"})
	default:
		lines = append(lines, line{"changes", plural(len(p.Changes)+p.Omitted, "change")})
	}
	for _, c := range p.Changes {
		lines = append(lines, c.line())
	}
	for _, o := range p.Objects {
		lines = append(lines, line{"object", o.Hash + " " + o.URI})
	}
	for _, e := range p.Errors {
		lines = append(lines, present(line{"error_code", e.Code}, line{"error_text", short(e.Text)}, line{"error tag", e.Tag})...)
		if e.Failed != nil {
			c := e.Failed.line()
			lines = append(lines, line{"failed " + c.name, c.value})
		}
	}
	return append(lines, more(p.Omitted)...)
}

// line writes a change with the hashes of what comes and what goes.
func (c Change) line() line {
	text := c.URI
	if c.Hash != "" {
		text = c.Hash + " " + c.URI + " (" + plural(c.Size, "octet") + ")"
	}
	if c.OldHash != "" {
		text += " instead of " + c.OldHash
	}
	if c.Change == "withdraw" {
		text = c.OldHash + " " + c.URI
	}
	if c.Tag != "" {
		text += " tag " + c.Tag
	}
	return line{c.Change, text}
}
