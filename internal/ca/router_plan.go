package ca

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// RouterPlan says which router certificates must be signed and withdrawn in
// one class so that what is issued equals what is wanted. An empty plan means
// that nothing is to do.
type RouterPlan struct {
	Class    string
	Key      cert.KeyID // that signs
	Issuer   CertRecord // its certificate
	Issue    []ConfiguredRouterKey
	Withdraw []RouterKey
}

// Empty says that nothing is to do.
func (p RouterPlan) Empty() bool { return len(p.Issue)+len(p.Withdraw) == 0 }

// PlanRouterCerts compares what is configured and held with what is issued in
// every class, and renews what would expire soon. Another request for the same
// key needs no other certificate.
func (s *State) PlanRouterCerts(now time.Time, p Policy) []RouterPlan {
	var plans []RouterPlan
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		if plan := s.planRouterCerts(c, c.Current, c.RouterCerts, now.Add(p.RouterRenewBefore)); !plan.Empty() {
			plans = append(plans, plan)
		}
		if c.New == nil || !c.New.Activated {
			continue
		}
		if plan := s.planRouterCerts(c, &c.New.CertifiedKey, c.New.RouterCerts, now.Add(p.RouterRenewBefore)); !plan.Empty() {
			plans = append(plans, plan)
		}
	}
	return plans
}

// planRouterCerts compares what a key should have signed with what it has.
// What expires by the time until is signed again.
func (s *State) planRouterCerts(c *Class, k *CertifiedKey, have map[RouterKey]IssuedRouterCert, until time.Time) RouterPlan {
	plan := RouterPlan{Class: c.Name, Key: k.KeyID, Issuer: k.Cert}
	for _, line := range s.SortedRouterKeys() {
		if !k.Cert.Resources.ContainsAS(line.Router.ASID) {
			continue
		}
		if old, ok := have[line.Router]; !ok || old.Again || !old.NotAfter.After(until) {
			plan.Issue = append(plan.Issue, line)
		}
	}
	for _, r := range slices.SortedFunc(maps.Keys(have), CompareRouterKeys) {
		if _, ok := s.RouterKeys[r]; !ok || !k.Cert.Resources.ContainsAS(r.ASID) {
			plan.Withdraw = append(plan.Withdraw, r)
		}
	}
	return plan
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
