package ca

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

// PlanGhostbusters compares what is configured with what is issued in every
// class, whatever it holds, and renews what would expire soon.
func (s *State) PlanGhostbusters(now time.Time, p Policy) []GhostbustersPlan {
	return plans(s, func(c *Class, k *CertifiedKey, have Objects) GhostbustersPlan {
		return s.planGhostbusters(c, k, have, now.Add(p.GhostbustersRenewBefore))
	})
}

// planGhostbusters compares what a key should have signed with what it has. What
// expires by the time until is signed again.
func (s *State) planGhostbusters(c *Class, k *CertifiedKey, have Objects, until time.Time) GhostbustersPlan {
	return comparison[Ghostbusters, IssuedGhostbusters, string]{
		wanted: s.SortedGhostbusters(),
		have:   have.Ghostbusters,
		name:   func(g Ghostbusters) string { return g.Name },
		stays: func(old IssuedGhostbusters, g Ghostbusters) bool {
			return !old.Again && old.Equal(g) && old.NotAfter.After(until)
		},
		order: cmp.Compare[string],
	}.plan(c, k)
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
