package ca

import (
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// PlanRouterCerts compares what is configured and held with what is issued in
// every class, and renews what would expire soon. Another request for the same
// key needs no other certificate.
func (s *State) PlanRouterCerts(now time.Time, p Policy) []RouterPlan {
	return plans(s, func(c *Class, k *CertifiedKey, have Objects) RouterPlan {
		return s.planRouterCerts(c, k, have, now.Add(p.RouterRenewBefore))
	})
}

// planRouterCerts compares what a key should have signed with what it has.
// What expires by the time until is signed again.
func (s *State) planRouterCerts(c *Class, k *CertifiedKey, have Objects, until time.Time) RouterPlan {
	return comparison[ConfiguredRouterKey, IssuedRouterCert, RouterKey]{
		wanted: slices.DeleteFunc(s.SortedRouterKeys(), func(r ConfiguredRouterKey) bool { return !k.Cert.Resources.ContainsAS(r.Router.ASID) }),
		have:   have.RouterCerts,
		name:   func(r ConfiguredRouterKey) RouterKey { return r.Router },
		stays:  func(old IssuedRouterCert, _ ConfiguredRouterKey) bool { return !old.Again && old.NotAfter.After(until) },
		order:  CompareRouterKeys,
	}.plan(c, k)
}

// RecordRouterCerts takes in what a task signed. It is checked against the
// state as it is now: what is no longer wanted or fits another key is a
// Conflict, and the task plans again.
type RecordRouterCerts struct {
	Class     string             `json:"class"`
	Key       cert.KeyID         `json:"key"` // that signed
	Issued    []IssuedRouterCert `json:"issued"`
	Withdrawn []RouterKey        `json:"withdrawn"`
}

// CommandName names the command in the log.
func (RecordRouterCerts) CommandName() string { return "record_router_certs" }

// Process re-checks each certificate against the plan of this moment.
func (c RecordRouterCerts) Process(s *State, _ time.Time) ([]es.Event, error) {
	signer, have, staged := s.signer(c.Class, c.Key)
	if signer == nil {
		return nil, fault.New(fault.Conflict, "router-plan-stale", "the resource class changed while its router certificates were signed")
	}
	for _, issued := range c.Issued {
		if _, ok := s.RouterKeys[issued.Router]; !ok || !signer.Cert.Resources.ContainsAS(issued.Router.ASID) {
			return nil, fault.New(fault.Conflict, "router-plan-stale", issued.Router.String()+" is no longer wanted")
		}
	}
	withdrawn := slices.DeleteFunc(slices.Clone(c.Withdrawn), func(r RouterKey) bool { _, ok := have.RouterCerts[r]; return !ok })
	switch {
	case len(c.Issued)+len(withdrawn) == 0:
		return nil, nil
	case staged:
		return []es.Event{RouterCertsStaged{Class: c.Class, KeyID: c.Key, Issued: c.Issued, Withdrawn: withdrawn}}, nil
	default:
		return []es.Event{RouterCertsIssued{Class: c.Class, Issued: c.Issued, Withdrawn: withdrawn}}, nil
	}
}

// routerFiles gives the router certificates that may be published under these
// resources.
func routerFiles(issued map[RouterKey]IssuedRouterCert, res resources.Set, now time.Time) []File {
	var files []File
	for r, c := range issued {
		if res.ContainsAS(r.ASID) && c.NotAfter.After(now) {
			files = append(files, File{Name: r.FileName(), Hash: c.Hash})
		}
	}
	return files
}
