package ca

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
)

// ROA is a route origin authorization as configured: one prefix, its maximum
// length and the AS that may originate it (RFC 9582). MaxLength is always
// explicit. ROA is comparable and canonical: the prefix has no host bits.
type ROA struct {
	ASID      uint32
	Prefix    netip.Prefix
	MaxLength int
}

// ROAConfig is what the holder keeps beside a ROA.
type ROAConfig struct {
	Since   time.Time `json:"since"`
	Comment string    `json:"comment,omitempty"`
}

// ConfiguredROA is a ROA with its comment.
type ConfiguredROA struct {
	ROA     ROA    `json:"roa"`
	Comment string `json:"comment,omitempty"`
}

// IssuedROA is a signed ROA object of a class.
type IssuedROA struct {
	Name           string    `json:"name"` // file name
	Authorizations []ROA     `json:"authorizations"`
	Hash           Hash      `json:"hash"`
	Serial         string    `json:"serial"` // of its EE certificate, decimal
	NotBefore      time.Time `json:"not_before"`
	NotAfter       time.Time `json:"not_after"`
	Again          bool      `json:"again,omitempty"` // only in a state: it is to be signed again
}

// String gives "10.0.0.0/16-24 => 64496".
func (r ROA) String() string { return string(r.append(nil)) }

func (r ROA) append(b []byte) []byte {
	b = append(r.Prefix.AppendTo(b), '-')
	b = append(strconv.AppendInt(b, int64(r.MaxLength), 10), " => "...)
	return strconv.AppendUint(b, uint64(r.ASID), 10)
}

// MarshalText writes the form of String.
func (r ROA) MarshalText() ([]byte, error) { return r.append(nil), nil }

// UnmarshalText reads the form of String and nothing else.
func (r *ROA) UnmarshalText(text []byte) error {
	route, as, ok := strings.Cut(string(text), " => ")
	prefix, length, ok2 := strings.Cut(route, "-")
	if !ok || !ok2 {
		return fmt.Errorf("roa %q: want PREFIX-MAXLENGTH => AS", text)
	}
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return fmt.Errorf("roa: %w", err)
	}
	asid, err := strconv.ParseUint(as, 10, 32)
	if err != nil {
		return fmt.Errorf("roa: %w", err)
	}
	n, err := strconv.Atoi(length)
	if err != nil {
		return fmt.Errorf("roa: %w", err)
	}
	*r = ROA{ASID: uint32(asid), Prefix: p, MaxLength: n}
	if r.String() != string(text) {
		return fmt.Errorf("roa %q: not in canonical form (%s)", text, r)
	}
	return nil
}

// CompareROAs orders by family, prefix, maximum length and AS.
func CompareROAs(a, b ROA) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		cmp.Compare(a.MaxLength, b.MaxLength), cmp.Compare(a.ASID, b.ASID))
}

// validLength says whether the maximum length lies between the prefix's own
// length and that of an address (RFC 9582 section 4.3.2.2).
func (r ROA) validLength() bool {
	return r.MaxLength >= r.Prefix.Bits() && r.MaxLength <= r.Prefix.Addr().BitLen()
}

// ConfigureROAs adds and removes routes in one step: one wrong line refuses
// the whole delta, and the refusal names every wrong line.
type ConfigureROAs struct {
	Added   []ConfiguredROA `json:"added"`
	Removed []ROA           `json:"removed"`
}

// CommandName names the command in the log.
func (ConfigureROAs) CommandName() string { return "configure_roas" }

// DeltaError lists every line of a refused ROA delta by what is wrong with it.
type DeltaError struct {
	Duplicates    []ConfiguredROA
	NotHeld       []ConfiguredROA
	Unknowns      []ROA
	InvalidLength []ConfiguredROA
}

func (d *DeltaError) empty() bool {
	return len(d.Duplicates)+len(d.NotHeld)+len(d.Unknowns)+len(d.InvalidLength) == 0
}

// message is the text that the API's reference gives for each part.
func (d *DeltaError) message() string {
	var b strings.Builder
	b.WriteString("ROA delta rejected:\n\n'")
	section := func(title string, n int, item func(i int) string) {
		if n == 0 {
			return
		}
		b.WriteString(title + "\n")
		for i := range n {
			b.WriteString("  " + item(i) + "\n")
		}
	}
	configured := func(list []ConfiguredROA) func(int) string {
		return func(i int) string { return list[i].String() }
	}
	section("Cannot add the following duplicate ROAs:", len(d.Duplicates), configured(d.Duplicates))
	section("Cannot add the following ROAs with prefixes not on any of your certificates:", len(d.NotHeld), configured(d.NotHeld))
	section("Cannot remove the following unknown ROAs:", len(d.Unknowns), func(i int) string { return d.Unknowns[i].String() })
	section("The following ROAs have a max length which is invalid for the prefix:", len(d.InvalidLength), configured(d.InvalidLength))
	b.WriteString("' ")
	return b.String()
}

// String gives the text form with the comment behind it.
func (c ConfiguredROA) String() string {
	if c.Comment == "" {
		return c.ROA.String()
	}
	return c.ROA.String() + " # " + c.Comment
}

// Process checks every line against what is configured and held now.
func (c ConfigureROAs) Process(s *State, _ time.Time) ([]es.Event, error) {
	var bad DeltaError
	var ev ROAsConfigured
	removed := make(map[ROA]bool, len(c.Removed))
	for _, r := range c.Removed {
		if _, ok := s.ROAs[r]; !ok || removed[r] {
			bad.Unknowns = append(bad.Unknowns, r)
			continue
		}
		removed[r] = true
		ev.Removed = append(ev.Removed, r)
	}
	held := s.Held()
	added := make(map[ROA]bool, len(c.Added))
	for _, r := range c.Added {
		old, exists := s.ROAs[r.ROA]
		exists = exists && !removed[r.ROA]
		switch {
		case !r.ROA.validLength():
			bad.InvalidLength = append(bad.InvalidLength, r)
		case !held.ContainsPrefix(r.ROA.Prefix):
			bad.NotHeld = append(bad.NotHeld, r)
		case added[r.ROA] || exists && old.Comment == r.Comment:
			bad.Duplicates = append(bad.Duplicates, r)
		case exists:
			ev.Commented = append(ev.Commented, r)
		default:
			ev.Added = append(ev.Added, r)
		}
		added[r.ROA] = true
	}
	if !bad.empty() {
		return nil, &fault.Error{Kind: fault.Invalid, Code: "ca-roa-delta-error", Msg: bad.message(), Args: map[string]string{"ca": s.Handle}, Detail: bad}
	}
	if len(ev.Added)+len(ev.Removed)+len(ev.Commented) == 0 {
		return nil, nil
	}
	return []es.Event{ev}, nil
}

// SortedROAs gives the configuration in the order of CompareROAs.
func (s *State) SortedROAs() []ConfiguredROA {
	out := make([]ConfiguredROA, 0, len(s.ROAs))
	for r, c := range s.ROAs {
		out = append(out, ConfiguredROA{ROA: r, Comment: c.Comment})
	}
	slices.SortFunc(out, func(a, b ConfiguredROA) int { return CompareROAs(a.ROA, b.ROA) })
	return out
}

// RecordROAs takes in what a task signed. It is checked against the state as
// it is now: what is no longer wanted or fits another key is a Conflict, and
// the task plans again.
type RecordROAs struct {
	Class     string      `json:"class"`
	Key       string      `json:"key"` // identifier of the key that signed
	Issued    []IssuedROA `json:"issued"`
	Withdrawn []string    `json:"withdrawn"`
}

// CommandName names the command in the log.
func (RecordROAs) CommandName() string { return "record_roas" }

// Process re-checks each object against the plan of this moment.
func (c RecordROAs) Process(s *State, _ time.Time) ([]es.Event, error) {
	class, signer, staged := s.roaSigner(c)
	if signer == nil {
		return nil, fault.New(fault.Conflict, "roa-plan-stale", "the resource class changed while its ROAs were signed")
	}
	wants := s.wants(signer.Cert.Resources)
	for _, issued := range c.Issued {
		if i := slices.IndexFunc(issued.Authorizations, func(r ROA) bool { return !wants(r) }); i >= 0 {
			return nil, fault.New(fault.Conflict, "roa-plan-stale", "ROA "+issued.Authorizations[i].String()+" is no longer wanted")
		}
	}
	have := class.ROAs
	if staged {
		have = class.New.ROAs
	}
	var withdrawn []string
	for _, name := range c.Withdrawn {
		if _, ok := have[name]; ok {
			withdrawn = append(withdrawn, name)
		}
	}
	switch {
	case len(c.Issued)+len(withdrawn) == 0:
		return nil, nil
	case staged:
		return []es.Event{ROAsStaged{Class: c.Class, KeyID: signer.KeyID, Issued: c.Issued, Withdrawn: withdrawn}}, nil
	default:
		return []es.Event{ROAsIssued{Class: c.Class, Issued: c.Issued, Withdrawn: withdrawn}}, nil
	}
}

// roaSigner gives the key that signed, if it may sign now: the current key, or
// a new one that was activated.
func (s *State) roaSigner(c RecordROAs) (class *Class, signer *CertifiedKey, staged bool) {
	class = s.Classes[c.Class]
	switch {
	case class == nil:
		return nil, nil, false
	case class.Current != nil && class.Current.KeyID.String() == c.Key:
		return class, class.Current, false
	case class.New != nil && class.New.Activated && class.New.KeyID.String() == c.Key:
		return class, &class.New.CertifiedKey, true
	default:
		return class, nil, false
	}
}
