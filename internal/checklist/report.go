package checklist

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"baleen/internal/inspect"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/rsc"
)

// Report is the JSON output. Fields keep their names and meaning; new ones may
// come.
type Report struct {
	File         string            `json:"file"`     // the checklist, as named on the command line
	Valid        bool              `json:"valid"`    // the checklist, under the trust anchor
	Verified     bool              `json:"verified"` // the checklist is valid and every file is verified
	CheckedAt    time.Time         `json:"checked_at"`
	SerialNumber string            `json:"serial_number,omitempty"` // of the EE certificate, decimal; it and what follows is absent if unreadable
	NotBefore    time.Time         `json:"not_before,omitzero"`
	NotAfter     time.Time         `json:"not_after,omitzero"`
	Resources    inspect.Resources `json:"resources"`
	Path         []Certificate     `json:"path"`       // from the trust anchor to who issued the EE certificate; empty before it is known
	Violations   []Violation       `json:"violations"` // why the checklist is not valid, never null
	Files        []File            `json:"files"`      // in the order given; empty if the checklist is not valid, for then it says nothing
	NotGiven     []Entry           `json:"not_given"`  // what the checklist lists and no verified file stands for
}

// Certificate is one of the path.
type Certificate struct {
	URI string `json:"uri"` // of the trust anchor perhaps a file
	SKI string `json:"subject_key_identifier"`
}

// Violation is a rule that the checklist, or an object of its path, breaks.
type Violation struct {
	Object string `json:"object"` // URI or file
	inspect.Violation
}

// Entry is one of the checklist.
type Entry struct {
	Name string `json:"name"` // "" if there is none
	Hash string `json:"hash"` // SHA-256, lower-case hex
}

// The values of File.Verdict.
const (
	Verified   = "verified"   // listed by its name, or without a name if it has none
	Different  = "different"  // its name is listed with another digest
	OtherName  = "other_name" // its content is listed by other names, its name is not
	Nameless   = "nameless"   // its content is listed without a name, and its name is not
	Named      = "named"      // it was given without a name, and its content is listed by names alone
	NotListed  = "not_listed" // neither its name nor its content
	Unreadable = "unreadable"
)

// File is what the checklist says of one file.
type File struct {
	File     string   `json:"file"` // as named on the command line
	Name     string   `json:"name"` // by which it was looked for; "" if by its digest alone
	Hash     string   `json:"hash"` // SHA-256, lower-case hex; "" if it could not be read
	Verdict  string   `json:"verdict"`
	ListedAs []string `json:"listed_as"` // names that are listed with its content, "" for an entry without one; never null
	Error    string   `json:"error,omitempty"`
}

// judge takes in what the checklist says.
func (f *File) judge(list rsc.Checklist, hash [sha256.Size]byte) {
	verdict, same := list.Judge(f.Name, hash)
	f.Hash = hex.EncodeToString(hash[:])
	f.Verdict = map[rsc.Verdict]string{
		rsc.Listed: Verified, rsc.Different: Different, rsc.OtherName: OtherName, rsc.Nameless: Nameless, rsc.Named: Named, rsc.NotListed: NotListed,
	}[verdict]
	for _, e := range same {
		f.ListedAs = append(f.ListedAs, e.Name)
	}
}

// describe takes in what can be read of a checklist, valid or not.
func (r *Report) describe(s *profile.SignedChecklist) {
	if s.EE != nil {
		r.SerialNumber, r.NotBefore, r.NotAfter = s.EE.Serial.String(), s.EE.NotBefore, s.EE.NotAfter
	}
	held := s.Checklist.Resources
	r.Resources = inspect.Resources{ASN: held.AS.String(), IPv4: held.V4.String(), IPv6: held.V6.String()}
}

// writeText writes the report for an operator. An error of w is left to whoever
// made it, which is a bufio.Writer that remembers.
func (r *Report) writeText(w io.Writer) {
	say := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	verdict := "valid"
	if !r.Valid {
		verdict = "NOT VALID"
	}
	say("%s: signed checklist: %s at %s", clean(r.File), verdict, r.CheckedAt.Format(time.RFC3339))
	for _, part := range [][2]string{{"AS resources", r.Resources.ASN}, {"IPv4 resources", r.Resources.IPv4}, {"IPv6 resources", r.Resources.IPv6}} {
		if part[1] != "" {
			say("  %-14s  %s", part[0], part[1])
		}
	}
	if r.SerialNumber != "" {
		say("  %-14s  %s to %s", "validity", r.NotBefore.Format(time.RFC3339), r.NotAfter.Format(time.RFC3339))
	}
	for _, c := range r.Path {
		say("  %-14s  %s %s", "path", c.SKI, clean(c.URI))
	}
	for _, v := range r.Violations {
		say("  %-14s  %s: %s section %s: %s", "breaks", clean(v.Object), v.RFC, v.Section, clean(v.Rule))
	}
	if !r.Valid {
		say("no file is verified: a checklist that is not valid says nothing")
		return
	}
	good := 0
	for _, f := range r.Files {
		say("%s: %s", clean(f.File), f.saying())
		if f.Verdict == Verified {
			good++
		}
	}
	for _, e := range r.NotGiven {
		name := clean(e.Name)
		if e.Name == "" {
			name = "without a name"
		}
		say("not given: %s (SHA-256 %s)", name, e.Hash)
	}
	say("%d of %s verified", good, plural(len(r.Files), "file"))
}

// saying is the verdict in words.
func (f File) saying() string {
	switch f.Verdict {
	case Verified:
		return "verified"
	case Different:
		text := "NOT VERIFIED: it is listed with another content"
		if len(f.ListedAs) > 0 {
			text += "; this content is listed " + f.names()
		}
		return text
	case OtherName:
		return "NOT VERIFIED: its name is not listed; its content is, " + f.names()
	case Nameless:
		return "NOT VERIFIED: its content is listed without a name; to go by content alone, give --no-names"
	case Named:
		return "NOT VERIFIED: its content is listed " + f.names() + ", and not without a name"
	case Unreadable:
		return "NOT VERIFIED: " + clean(f.Error)
	default:
		return "NOT VERIFIED: it is not listed"
	}
}

// names is how the content of a file is listed, in words.
func (f File) names() string {
	parts := make([]string, len(f.ListedAs))
	for i, name := range f.ListedAs {
		if parts[i] = "as " + name; name == "" {
			parts[i] = "without a name"
		}
	}
	return strings.Join(parts, " and ")
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// clean quotes what could move a terminal's cursor or worse.
func clean(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
