package ca

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/rsc"
)

const (
	maxChecklistFiles = 1000   // that a checklist of ours may name
	maxValidFiles     = 20_000 // that all valid checklists of a CA may name
)

// Signed checklists (RFC 9323) are handed out and never published. A key has to
// do with them until they expire or are revoked: then the serial number of their
// EE certificate is on its CRL.

// ChecklistEntry is a file by name and digest; a digest alone has no name.
type ChecklistEntry struct {
	Name string `json:"name,omitempty"`
	Hash Hash   `json:"hash"`
}

// IssuedChecklist is a signed checklist of a class.
type IssuedChecklist struct {
	Resources resources.Set    `json:"resources"`
	Files     []ChecklistEntry `json:"files"`
	Hash      Hash             `json:"hash"`   // of the object
	Serial    string           `json:"serial"` // of its EE certificate, decimal
	NotBefore time.Time        `json:"not_before"`
	NotAfter  time.Time        `json:"not_after"`
}

// Why checklists were revoked.
const (
	ChecklistsRemoved = "removed"   // somebody wanted it
	ChecklistsNotHeld = "resources" // the CA no longer holds what they say
)

// ChecklistSigned records a checklist that the current key of a class signed.
type ChecklistSigned struct {
	Class     string          `json:"class"`
	KeyID     cert.KeyID      `json:"key_id"`
	Checklist IssuedChecklist `json:"checklist"`
}

// ChecklistsRevoked takes checklists of a class back.
type ChecklistsRevoked struct {
	Class   string   `json:"class"`
	Serials []string `json:"serials"`
	Reason  string   `json:"reason"`
}

// EventName names the event in the log.
func (ChecklistSigned) EventName() string { return "checklist_signed/1" }

// EventName names the event in the log.
func (ChecklistsRevoked) EventName() string { return "checklists_revoked/1" }

// ChecklistRequest is what shall be signed: files, the resources that sign them,
// and until when.
type ChecklistRequest struct {
	Resources resources.Set    `json:"resources"`
	Files     []ChecklistEntry `json:"files"`
	NotAfter  time.Time        `json:"not_after"`
}

// Payload gives the checklist as RFC 9323 has it.
func (r ChecklistRequest) Payload() rsc.Checklist {
	out := rsc.Checklist{Resources: r.Resources, Files: make([]rsc.File, len(r.Files))}
	for i, f := range r.Files {
		out.Files[i] = rsc.File{Name: f.Name, Hash: f.Hash}
	}
	return out
}

// ChecklistPlan says which key signs a checklist.
type ChecklistPlan struct {
	Class  string
	Key    cert.KeyID
	Issuer CertRecord
}

// PlanChecklist refuses what cannot be signed, and otherwise gives who signs it:
// the current key of the first class that holds all its resources, because one
// object has one signer.
func (s *State) PlanChecklist(now time.Time, r ChecklistRequest, maxValid time.Duration) (ChecklistPlan, error) {
	var plan ChecklistPlan
	limit := now.Add(maxValid)
	switch _, err := r.Payload().Encode(); {
	case len(r.Files) > maxChecklistFiles:
		return plan, checklistFault(s, "ca-rsc-invalid", fmt.Sprintf("a checklist can name %d files", maxChecklistFiles))
	case err != nil:
		return plan, checklistFault(s, "ca-rsc-invalid", "the checklist cannot be signed: "+err.Error())
	case !r.NotAfter.After(now):
		return plan, checklistFault(s, "ca-rsc-validity", "the checklist would have expired by now")
	case r.NotAfter.After(limit):
		return plan, checklistFault(s, "ca-rsc-validity", fmt.Sprintf("a checklist can be valid until %s, and no longer", limit.UTC().Format(time.RFC3339)))
	}
	if n := len(r.Files); n+s.validFiles(now) > maxValidFiles {
		return plan, checklistFault(s, "ca-rsc-invalid", fmt.Sprintf("all valid checklists of a CA can name %d files: revoke some", maxValidFiles))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		if c := s.Classes[name]; c.Current != nil && c.Current.Cert.Resources.Contains(r.Resources) {
			return ChecklistPlan{Class: name, Key: c.Current.KeyID, Issuer: c.Current.Cert}, nil
		}
	}
	if s.Held().Contains(r.Resources) {
		return plan, checklistFault(s, "ca-rsc-not-entitled", "the resources are not on one certificate: sign a checklist for each")
	}
	return plan, checklistFault(s, "ca-rsc-not-entitled", fmt.Sprintf("the resources %s are not held by you", r.Resources.Difference(s.Held())))
}

// validFiles counts the files that all valid checklists name.
func (s *State) validFiles(now time.Time) (n int) {
	for _, c := range s.ValidChecklists(now) {
		n += len(c.Files)
	}
	return n
}

func checklistFault(s *State, code, msg string) error {
	return &fault.Error{Kind: fault.Invalid, Code: code, Msg: msg, Args: map[string]string{"ca": s.Handle}}
}

// SignChecklist takes in a checklist that was signed as planned. It is checked
// against the state as it is now. Without a signature it can only be refused:
// so a request that nobody could sign is in the log.
type SignChecklist struct {
	ChecklistRequest
	Signed   *ChecklistSignature `json:"signed,omitempty"`
	MaxValid time.Duration       `json:"-"` // as configured
}

// ChecklistSignature is what came of signing a request.
type ChecklistSignature struct {
	Class     string     `json:"class"`
	Key       cert.KeyID `json:"key"`    // that signed
	Hash      Hash       `json:"hash"`   // of the object
	Serial    string     `json:"serial"` // of its EE certificate, decimal
	NotBefore time.Time  `json:"not_before"`
}

// CommandName names the command in the log.
func (SignChecklist) CommandName() string { return "sign_checklist" }

// Process refuses what cannot be signed, and as a Conflict what was signed by a
// key that is no longer the one.
func (c SignChecklist) Process(s *State, now time.Time) ([]es.Event, error) {
	plan, err := s.PlanChecklist(now, c.ChecklistRequest, c.MaxValid)
	by := c.Signed
	switch {
	case err != nil:
		return nil, err
	case by == nil || plan.Class != by.Class || plan.Key != by.Key:
		return nil, fault.New(fault.Conflict, "rsc-plan-stale", "the resource class changed while its checklist was signed")
	}
	return []es.Event{ChecklistSigned{Class: by.Class, KeyID: by.Key, Checklist: IssuedChecklist{
		Resources: c.Resources, Files: c.Files, Hash: by.Hash, Serial: by.Serial, NotBefore: by.NotBefore, NotAfter: c.NotAfter,
	}}}, nil
}

// RevokeChecklist takes one checklist back.
type RevokeChecklist struct {
	Serial string `json:"serial"`
}

// CommandName names the command in the log.
func (RevokeChecklist) CommandName() string { return "revoke_checklist" }

// Process finds the class.
func (c RevokeChecklist) Process(s *State, now time.Time) ([]es.Event, error) {
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		if r, ok := s.Classes[name].Checklists[c.Serial]; ok && r.NotAfter.After(now) {
			return []es.Event{ChecklistsRevoked{Class: name, Serials: []string{c.Serial}, Reason: ChecklistsRemoved}}, nil
		}
	}
	return nil, ChecklistUnknown(s.Handle, c.Serial)
}

// ChecklistUnknown is the refusal of a serial number that no valid checklist of
// the CA has.
func ChecklistUnknown(handle, serial string) error {
	serial = shown(serial)
	return &fault.Error{
		Kind: fault.NotFound, Code: "ca-rsc-unknown", Msg: "there is no valid checklist with serial number '" + serial + "'",
		Args: map[string]string{"ca": handle, "serial": serial},
	}
}

// RevokeChecklists takes back what says more than the CA holds.
type RevokeChecklists struct{}

// CommandName names the command in the log.
func (RevokeChecklists) CommandName() string { return "revoke_checklists" }

// Process decides nothing where all is held.
func (RevokeChecklists) Process(s *State, now time.Time) ([]es.Event, error) {
	var events []es.Event
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		if over := s.Classes[name].overclaiming(now); len(over) > 0 {
			events = append(events, ChecklistsRevoked{Class: name, Serials: over, Reason: ChecklistsNotHeld})
		}
	}
	return events, nil
}

// OverclaimingChecklists says whether there is something for RevokeChecklists to
// do.
func (s *State) OverclaimingChecklists(now time.Time) bool {
	for _, c := range s.Classes {
		if len(c.overclaiming(now)) > 0 {
			return true
		}
	}
	return false
}

// overclaiming gives the serial numbers of the checklists that say more than the
// certificate of the current key holds.
func (c *Class) overclaiming(now time.Time) []string {
	var out []string
	for _, serial := range slices.Sorted(maps.Keys(c.Checklists)) {
		if r := c.Checklists[serial]; c.Current != nil && r.NotAfter.After(now) && !c.Current.Cert.Resources.Contains(r.Resources) {
			out = append(out, serial)
		}
	}
	return out
}

// ValidChecklist is a checklist with the class that signed it.
type ValidChecklist struct {
	Class string
	IssuedChecklist
}

// ValidChecklists gives those that are neither expired nor revoked, in the order
// in which they were signed.
func (s *State) ValidChecklists(now time.Time) []ValidChecklist {
	var out []ValidChecklist
	for name, c := range s.Classes {
		for _, r := range c.Checklists {
			if r.NotAfter.After(now) {
				out = append(out, ValidChecklist{Class: name, IssuedChecklist: r})
			}
		}
	}
	slices.SortFunc(out, func(a, b ValidChecklist) int {
		return cmp.Or(a.NotBefore.Compare(b.NotBefore), cmp.Compare(len(a.Serial), len(b.Serial)), cmp.Compare(a.Serial, b.Serial))
	})
	return out
}

// applyChecklists takes in what happened to checklists; false for other facts.
func (s *State) applyChecklists(at time.Time, e es.Event) bool {
	switch e := e.(type) {
	case ChecklistSigned:
		if c := s.Classes[e.Class]; c != nil && c.Current != nil && c.Current.KeyID == e.KeyID {
			c.checklistSigned(at, e.Checklist)
		}
	case ChecklistsRevoked:
		if c := s.Classes[e.Class]; c != nil {
			c.checklistsRevoked(at, e.Serials)
		}
	default:
		return false
	}
	return true
}

// checklistSigned also forgets those that expired, of which nobody needs to know
// any more.
func (c *Class) checklistSigned(at time.Time, r IssuedChecklist) {
	if c.Checklists == nil {
		c.Checklists = map[string]IssuedChecklist{}
	}
	maps.DeleteFunc(c.Checklists, func(_ string, old IssuedChecklist) bool { return !old.NotAfter.After(at) })
	c.Checklists[r.Serial] = r
}

func (c *Class) checklistsRevoked(at time.Time, serials []string) {
	c.dropExpired(at)
	for _, serial := range serials {
		if old, ok := c.Checklists[serial]; ok {
			c.revoke(at, old.Serial, old.NotAfter)
			delete(c.Checklists, serial)
		}
	}
}

// revokeChecklists revokes all checklists: with the roll of a key they end. What
// was handed out names the old key's certificate and CRL, both of which are
// about to go, and nobody can put another object into the hands that have it.
func (o Objects) revokeChecklists(at time.Time, k *CertifiedKey) {
	for _, serial := range slices.Sorted(maps.Keys(o.Checklists)) {
		k.revoke(at, serial, o.Checklists[serial].NotAfter)
	}
}
