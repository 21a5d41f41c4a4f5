package ca

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

// GhostbustersPlan says which Ghostbusters records must be signed and withdrawn
// in one class so that what is issued equals what is wanted. An empty plan means
// that nothing is to do.
type GhostbustersPlan struct {
	Class    string
	Key      cert.KeyID // that signs
	Issuer   CertRecord // its certificate
	Issue    []Ghostbusters
	Withdraw []string // names
}

// Empty says that nothing is to do.
func (p GhostbustersPlan) Empty() bool { return len(p.Issue)+len(p.Withdraw) == 0 }

// PlanGhostbusters compares what is configured with what is issued in every
// class, whatever it holds, and renews what would expire soon. A new key that
// was activated is planned for like the current one.
func (s *State) PlanGhostbusters(now time.Time, p Policy) []GhostbustersPlan {
	var plans []GhostbustersPlan
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		if plan := s.planGhostbusters(c, c.Current, c.Ghostbusters, now.Add(p.GhostbustersRenewBefore)); !plan.Empty() {
			plans = append(plans, plan)
		}
		if c.New == nil || !c.New.Activated {
			continue
		}
		if plan := s.planGhostbusters(c, &c.New.CertifiedKey, c.New.Ghostbusters, now.Add(p.GhostbustersRenewBefore)); !plan.Empty() {
			plans = append(plans, plan)
		}
	}
	return plans
}

// planGhostbusters compares what a key should have signed with what it has. What
// expires by the time until is signed again.
func (s *State) planGhostbusters(c *Class, k *CertifiedKey, have map[string]IssuedGhostbusters, until time.Time) GhostbustersPlan {
	plan := GhostbustersPlan{Class: c.Name, Key: k.KeyID, Issuer: k.Cert}
	for _, g := range s.SortedGhostbusters() {
		if old, ok := have[g.Name]; !ok || old.Again || !old.Equal(g) || !old.NotAfter.After(until) {
			plan.Issue = append(plan.Issue, g)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, ok := s.Ghostbusters[name]; !ok {
			plan.Withdraw = append(plan.Withdraw, name)
		}
	}
	return plan
}

// RecordGhostbusters takes in what a task signed. It is checked against the
// state as it is now: what is no longer wanted or fits another key is a
// Conflict, and the task plans again.
type RecordGhostbusters struct {
	Class     string               `json:"class"`
	Key       cert.KeyID           `json:"key"` // that signed
	Issued    []IssuedGhostbusters `json:"issued"`
	Withdrawn []string             `json:"withdrawn"` // names
}

// CommandName names the command in the log.
func (RecordGhostbusters) CommandName() string { return "record_ghostbusters" }

// Process re-checks each record against the plan of this moment.
func (c RecordGhostbusters) Process(s *State, _ time.Time) ([]es.Event, error) {
	signer, have, staged := s.signer(c.Class, c.Key)
	if signer == nil {
		return nil, fault.New(fault.Conflict, "ghostbusters-plan-stale", "the resource class changed while its Ghostbusters records were signed")
	}
	for _, issued := range c.Issued {
		if config, ok := s.Ghostbusters[issued.Name]; !ok || !config.Contact.Equal(issued.Contact) {
			return nil, fault.New(fault.Conflict, "ghostbusters-plan-stale", "Ghostbusters record "+issued.Name+" is no longer wanted")
		}
	}
	withdrawn := slices.DeleteFunc(slices.Clone(c.Withdrawn), func(name string) bool { _, ok := have.Ghostbusters[name]; return !ok })
	switch {
	case len(c.Issued)+len(withdrawn) == 0:
		return nil, nil
	case staged:
		return []es.Event{GhostbustersStaged{Class: c.Class, KeyID: c.Key, Issued: c.Issued, Withdrawn: withdrawn}}, nil
	default:
		return []es.Event{GhostbustersIssued{Class: c.Class, Issued: c.Issued, Withdrawn: withdrawn}}, nil
	}
}

// ghostbustersFiles gives the records that may be published: they claim no
// resources.
func ghostbustersFiles(issued map[string]IssuedGhostbusters, now time.Time) []File {
	var files []File
	for _, g := range issued {
		if g.NotAfter.After(now) {
			files = append(files, File{Name: g.FileName(), Hash: g.Hash})
		}
	}
	return files
}

// revokeGhostbusters revokes all records.
func (o Objects) revokeGhostbusters(at time.Time, k *CertifiedKey) {
	for _, name := range slices.Sorted(maps.Keys(o.Ghostbusters)) {
		k.revoke(at, o.Ghostbusters[name].Serial, o.Ghostbusters[name].NotAfter)
	}
}
