package ca

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

// ASPAPlan says what must be signed and withdrawn in one class so that what is
// issued equals what is wanted. An empty plan means that nothing is to do.
type ASPAPlan struct {
	Class    string
	Key      cert.KeyID // that signs
	Issuer   CertRecord // its certificate
	Issue    []ASPA
	Withdraw []uint32 // customers
}

// Empty says that nothing is to do.
func (p ASPAPlan) Empty() bool { return len(p.Issue)+len(p.Withdraw) == 0 }

// PlanASPAs compares what is configured and held with what is issued in every
// class, and renews what would expire soon.
func (s *State) PlanASPAs(now time.Time, p Policy) []ASPAPlan {
	var plans []ASPAPlan
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		plan := ASPAPlan{Class: name, Key: c.Current.KeyID, Issuer: c.Current.Cert}
		for _, a := range s.SortedASPAs() {
			if !c.Current.Cert.Resources.ContainsAS(a.Customer) {
				continue
			}
			have, ok := c.ASPAs[a.Customer]
			if !ok || !have.Equal(a) || !have.NotAfter.After(now.Add(p.ASPARenewBefore)) {
				plan.Issue = append(plan.Issue, a)
			}
		}
		for _, customer := range slices.Sorted(maps.Keys(c.ASPAs)) {
			if _, ok := s.ASPAs[customer]; !ok || !c.Current.Cert.Resources.ContainsAS(customer) {
				plan.Withdraw = append(plan.Withdraw, customer)
			}
		}
		if !plan.Empty() {
			plans = append(plans, plan)
		}
	}
	return plans
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
	class := s.Classes[c.Class]
	if class == nil || class.Current == nil || class.Current.KeyID != c.Key {
		return nil, fault.New(fault.Conflict, "aspa-plan-stale", "the resource class changed while its ASPAs were signed")
	}
	for _, issued := range c.Issued {
		config, ok := s.ASPAs[issued.Customer]
		if !ok || !slices.Equal(config.Providers, issued.Providers) || !class.Current.Cert.Resources.ContainsAS(issued.Customer) {
			return nil, fault.New(fault.Conflict, "aspa-plan-stale", "ASPA "+issued.String()+" is no longer wanted")
		}
	}
	ev := ASPAsIssued{Class: c.Class, Issued: c.Issued}
	for _, customer := range c.Withdrawn {
		if _, ok := class.ASPAs[customer]; ok {
			ev.Withdrawn = append(ev.Withdrawn, customer)
		}
	}
	if len(ev.Issued)+len(ev.Withdrawn) == 0 {
		return nil, nil
	}
	return []es.Event{ev}, nil
}

// aspaFiles gives the ASPA objects that the class's certificate covers.
func (c *Class) aspaFiles(now time.Time) []File {
	var files []File
	for customer, a := range c.ASPAs {
		if c.Current.Cert.Resources.ContainsAS(customer) && a.NotAfter.After(now) {
			files = append(files, File{Name: a.FileName(), Hash: a.Hash})
		}
	}
	return files
}
