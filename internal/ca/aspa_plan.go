package ca

import (
	"cmp"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// PlanASPAs compares what is configured and held with what is issued in every
// class, and renews what would expire soon.
func (s *State) PlanASPAs(now time.Time, p Policy) []ASPAPlan {
	return plans(s, func(c *Class, k *CertifiedKey, have Objects) ASPAPlan {
		return s.planASPAs(c, k, have, now.Add(p.ASPARenewBefore))
	})
}

// planASPAs compares what a key should have signed with what it has. What
// expires by the time until is signed again.
func (s *State) planASPAs(c *Class, k *CertifiedKey, have Objects, until time.Time) ASPAPlan {
	return comparison[ASPA, IssuedASPA, uint32]{
		wanted: slices.DeleteFunc(s.SortedASPAs(), func(a ASPA) bool { return !k.Cert.Resources.ContainsAS(a.Customer) }),
		have:   have.ASPAs,
		name:   func(a ASPA) uint32 { return a.Customer },
		stays:  func(old IssuedASPA, a ASPA) bool { return !old.Again && old.Equal(a) && old.NotAfter.After(until) },
		order:  cmp.Compare[uint32],
	}.plan(c, k)
}

// RecordASPAs takes in what a task signed. It is checked against the state as
// it is now: what is no longer wanted or fits another key is a Conflict, and
// the task plans again.
type RecordASPAs struct {
	Class     string       `json:"class"`
	Key       cert.KeyID   `json:"key"` // that signed
	Issued    []IssuedASPA `json:"issued"`
	Withdrawn []uint32     `json:"withdrawn"` // customers
}

// CommandName names the command in the log.
func (RecordASPAs) CommandName() string { return "record_aspas" }

// Process re-checks each object against the plan of this moment.
func (c RecordASPAs) Process(s *State, _ time.Time) ([]es.Event, error) {
	signer, have, staged := s.signer(c.Class, c.Key)
	if signer == nil {
		return nil, fault.New(fault.Conflict, "aspa-plan-stale", "the resource class changed while its ASPAs were signed")
	}
	for _, issued := range c.Issued {
		config, ok := s.ASPAs[issued.Customer]
		if !ok || !slices.Equal(config.Providers, issued.Providers) || !signer.Cert.Resources.ContainsAS(issued.Customer) {
			return nil, fault.New(fault.Conflict, "aspa-plan-stale", "ASPA "+issued.String()+" is no longer wanted")
		}
	}
	withdrawn := slices.DeleteFunc(slices.Clone(c.Withdrawn), func(customer uint32) bool { _, ok := have.ASPAs[customer]; return !ok })
	switch {
	case len(c.Issued)+len(withdrawn) == 0:
		return nil, nil
	case staged:
		return []es.Event{ASPAsStaged{Class: c.Class, KeyID: c.Key, Issued: c.Issued, Withdrawn: withdrawn}}, nil
	default:
		return []es.Event{ASPAsIssued{Class: c.Class, Issued: c.Issued, Withdrawn: withdrawn}}, nil
	}
}

// aspaFiles gives the ASPA objects that may be published under these resources.
func aspaFiles(issued map[uint32]IssuedASPA, res resources.Set, now time.Time) []File {
	var files []File
	for customer, a := range issued {
		if res.ContainsAS(customer) && a.NotAfter.After(now) {
			files = append(files, File{Name: a.FileName(), Hash: a.Hash})
		}
	}
	return files
}
