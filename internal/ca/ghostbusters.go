package ca

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/gbr"
)

const (
	// maxGhostbusters is how many records a CA may have: each is an object in every class.
	maxGhostbusters = 50

	// maxGhostbustersName is how long the name of a record may be.
	maxGhostbustersName = 64
)

// Ghostbusters is a record of whom to call about the CA (RFC 6493). The name is
// the operator's, and is that of its file.
type Ghostbusters struct {
	Name    string      `json:"name"`
	Contact gbr.Contact `json:"contact"`
}

// GhostbustersConfig is what was configured under the name of a record.
type GhostbustersConfig struct {
	Since   time.Time   `json:"since"`
	Contact gbr.Contact `json:"contact"`
}

// IssuedGhostbusters is a signed Ghostbusters record of a class.
type IssuedGhostbusters struct {
	Ghostbusters
	Hash      Hash      `json:"hash"`
	Serial    string    `json:"serial"` // of its EE certificate, decimal
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Again     bool      `json:"again,omitempty"` // only in a state: it is to be signed again
}

// GhostbustersConfigured changes the records. Each name is there once.
type GhostbustersConfigured struct {
	Added   []Ghostbusters `json:"added,omitempty"`
	Updated []Ghostbusters `json:"updated,omitempty"`
	Removed []string       `json:"removed,omitempty"` // names
}

// GhostbustersIssued records signed records of a class and the names of those
// that left it; what was replaced or withdrawn is revoked.
type GhostbustersIssued struct {
	Class     string               `json:"class"`
	Issued    []IssuedGhostbusters `json:"issued,omitempty"`
	Withdrawn []string             `json:"withdrawn,omitempty"` // names
}

// GhostbustersStaged records signed records of the new key of a roll, and the
// names of those that left it again.
type GhostbustersStaged struct {
	Class     string               `json:"class"`
	KeyID     cert.KeyID           `json:"key_id"` // the new key
	Issued    []IssuedGhostbusters `json:"issued,omitempty"`
	Withdrawn []string             `json:"withdrawn,omitempty"` // names
}

// EventName names the event in the log.
func (GhostbustersConfigured) EventName() string { return "ghostbusters_configured/1" }

// EventName names the event in the log.
func (GhostbustersIssued) EventName() string { return "ghostbusters_issued/1" }

// EventName names the event in the log.
func (GhostbustersStaged) EventName() string { return "ghostbusters_staged/1" }

// FileName is the name under which the record is published (RFC 6493 section
// 9.2 has the extension).
func (g Ghostbusters) FileName() string { return g.Name + ".gbr" }

// Equal says whether both say the same under the same name.
func (g Ghostbusters) Equal(o Ghostbusters) bool {
	return g.Name == o.Name && g.Contact.Equal(o.Contact)
}

// ConfigureGhostbusters adds, replaces and removes records in one step. What is
// removed goes first; one wrong record refuses all.
type ConfigureGhostbusters struct {
	Add    []Ghostbusters `json:"add"`
	Remove []string       `json:"remove"` // names
}

// CommandName names the command in the log.
func (ConfigureGhostbusters) CommandName() string { return "configure_ghostbusters" }

// Process checks every record against the profile and what is configured now.
func (c ConfigureGhostbusters) Process(s *State, _ time.Time) ([]es.Event, error) {
	after := maps.Clone(s.Ghostbusters)
	if after == nil {
		after = map[string]GhostbustersConfig{}
	}
	for _, name := range c.Remove {
		if _, ok := after[name]; !ok {
			return nil, ghostbustersFault(s, "ca-ghostbusters-unknown", name, "there is no Ghostbusters record '"+shown(name)+"'")
		}
		delete(after, name)
	}
	given := map[string]bool{}
	for _, g := range c.Add {
		switch _, err := g.Contact.Encode(); {
		case !isRecordName(g.Name):
			return nil, ghostbustersFault(s, "ca-ghostbusters-invalid", g.Name,
				fmt.Sprintf("the name of a Ghostbusters record must be of 1 to %d letters, digits, hyphens and underscores", maxGhostbustersName))
		case given[g.Name]:
			return nil, ghostbustersFault(s, "ca-ghostbusters-invalid", g.Name, "Ghostbusters record '"+g.Name+"' is given twice")
		case err != nil:
			return nil, ghostbustersFault(s, "ca-ghostbusters-invalid", g.Name, "Ghostbusters record '"+g.Name+"': "+err.Error())
		}
		given[g.Name] = true
		after[g.Name] = GhostbustersConfig{Contact: g.Contact}
	}
	if len(after) > maxGhostbusters && len(after) > len(s.Ghostbusters) {
		return nil, ghostbustersFault(s, "ca-ghostbusters-invalid", "", fmt.Sprintf("a CA can have %d Ghostbusters records", maxGhostbusters))
	}
	return s.ghostbustersChanged(after), nil
}

// ghostbustersChanged gives the event that leads from the configuration to
// another; none if it is the same.
func (s *State) ghostbustersChanged(after map[string]GhostbustersConfig) []es.Event {
	var ev GhostbustersConfigured
	for _, name := range slices.Sorted(maps.Keys(after)) {
		to := Ghostbusters{Name: name, Contact: after[name].Contact}
		from, exists := s.Ghostbusters[name]
		switch {
		case !exists:
			ev.Added = append(ev.Added, to)
		case !from.Contact.Equal(to.Contact):
			ev.Updated = append(ev.Updated, to)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Ghostbusters)) {
		if _, ok := after[name]; !ok {
			ev.Removed = append(ev.Removed, name)
		}
	}
	if len(ev.Added)+len(ev.Updated)+len(ev.Removed) == 0 {
		return nil
	}
	return []es.Event{ev}
}

// isRecordName tells whether a text can be the name of a file on a manifest
// (RFC 9286 section 4.2.2).
func isRecordName(name string) bool {
	return name != "" && len(name) <= maxGhostbustersName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// shown cuts what an operator wrote short for a message.
func shown(text string) string {
	if runes := []rune(text); len(runes) > maxGhostbustersName {
		return string(runes[:maxGhostbustersName]) + "…"
	}
	return text
}

func ghostbustersFault(s *State, code, name, msg string) error {
	return &fault.Error{Kind: fault.Invalid, Code: code, Msg: msg, Args: map[string]string{"ca": s.Handle, "name": shown(name)}}
}

// SortedGhostbusters gives the configuration by name.
func (s *State) SortedGhostbusters() []Ghostbusters {
	out := make([]Ghostbusters, 0, len(s.Ghostbusters))
	for _, name := range slices.Sorted(maps.Keys(s.Ghostbusters)) {
		out = append(out, Ghostbusters{Name: name, Contact: s.Ghostbusters[name].Contact})
	}
	return out
}

// applyGhostbusters takes in what happened to records; false for other facts.
func (s *State) applyGhostbusters(at time.Time, e es.Event) bool {
	switch e := e.(type) {
	case GhostbustersConfigured:
		s.configureGhostbusters(at, e)
	case GhostbustersIssued:
		if c := s.Classes[e.Class]; c != nil && c.Current != nil {
			c.ghostbustersIssued(at, c.Current, e.Issued, e.Withdrawn)
		}
	case GhostbustersStaged:
		if k := s.staged(e.Class, e.KeyID); k != nil {
			k.ghostbustersIssued(at, &k.CertifiedKey, e.Issued, e.Withdrawn)
		}
	default:
		return false
	}
	return true
}

func (s *State) configureGhostbusters(at time.Time, e GhostbustersConfigured) {
	if s.Ghostbusters == nil {
		s.Ghostbusters = map[string]GhostbustersConfig{}
	}
	for _, name := range e.Removed {
		delete(s.Ghostbusters, name)
	}
	for _, g := range e.Added {
		s.Ghostbusters[g.Name] = GhostbustersConfig{Since: at, Contact: g.Contact}
	}
	for _, g := range e.Updated {
		s.Ghostbusters[g.Name] = GhostbustersConfig{Since: s.Ghostbusters[g.Name].Since, Contact: g.Contact}
	}
}

// ghostbustersIssued takes in what a key signed and what left it; what was
// replaced or withdrawn is revoked.
func (o *Objects) ghostbustersIssued(at time.Time, k *CertifiedKey, issued []IssuedGhostbusters, withdrawn []string) {
	k.dropExpired(at)
	if o.Ghostbusters == nil {
		o.Ghostbusters = map[string]IssuedGhostbusters{}
	}
	for _, name := range withdrawn {
		if old, ok := o.Ghostbusters[name]; ok {
			k.revoke(at, old.Serial, old.NotAfter)
			delete(o.Ghostbusters, name)
		}
	}
	for _, g := range issued {
		if old, ok := o.Ghostbusters[g.Name]; ok {
			k.revoke(at, old.Serial, old.NotAfter)
		}
		o.Ghostbusters[g.Name] = g
	}
}
