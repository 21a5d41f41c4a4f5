package ca

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/aspa"
)

// ASPA is a provider authorization as configured: the providers of a customer
// AS, ascending and without duplicates.
type ASPA struct {
	Customer  uint32   `json:"customer"`
	Providers []uint32 `json:"providers"`
}

// ASPAConfig is what the holder of an AS configured.
type ASPAConfig struct {
	Since     time.Time `json:"since"`
	Providers []uint32  `json:"providers"` // ascending
}

// IssuedASPA is a signed ASPA object of a class.
type IssuedASPA struct {
	ASPA
	Hash      Hash      `json:"hash"`
	Serial    string    `json:"serial"` // of its EE certificate, decimal
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Again     bool      `json:"again,omitempty"` // only in a state: it is to be signed again
}

// ASPAUpdate is a change of the providers of a customer. Providers are all it
// has from then on; Added and Removed are the difference, for who reads it.
type ASPAUpdate struct {
	ASPA
	Added   []uint32 `json:"added,omitempty"`
	Removed []uint32 `json:"removed,omitempty"`
}

// ASPAsConfigured changes which providers the holders of customer ASes
// authorise. Each customer is named once.
type ASPAsConfigured struct {
	Added   []ASPA       `json:"added,omitempty"`
	Updated []ASPAUpdate `json:"updated,omitempty"`
	Removed []uint32     `json:"removed,omitempty"` // customers
}

// ASPAsIssued records signed ASPA objects of a class and the customers whose
// object left it; what was replaced or withdrawn is revoked.
type ASPAsIssued struct {
	Class     string       `json:"class"`
	Issued    []IssuedASPA `json:"issued,omitempty"`
	Withdrawn []uint32     `json:"withdrawn,omitempty"` // customers
}

// EventName names the event in the log.
func (ASPAsConfigured) EventName() string { return "aspas_configured/1" }

// EventName names the event in the log.
func (ASPAsIssued) EventName() string { return "aspas_issued/1" }

// String gives "AS65000 => AS65002, AS65003".
func (a ASPA) String() string {
	providers := make([]string, len(a.Providers))
	for i, p := range a.Providers {
		providers[i] = asText(p)
	}
	return asText(a.Customer) + " => " + strings.Join(providers, ", ")
}

// Equal says whether both say the same.
func (a ASPA) Equal(o ASPA) bool {
	return a.Customer == o.Customer && slices.Equal(a.Providers, o.Providers)
}

// FileName is the name under which the object is published.
func (a ASPA) FileName() string { return asText(a.Customer) + ".asa" }

func asText(as uint32) string { return "AS" + strconv.FormatUint(uint64(as), 10) }

// ConfigureASPAs replaces and removes whole definitions in one step. What is
// removed goes first: a customer that is both removed and given again has what
// was given. One wrong definition refuses the whole delta.
type ConfigureASPAs struct {
	AddOrReplace []ASPA   `json:"add_or_replace"`
	Remove       []uint32 `json:"remove"`
}

// CommandName names the command in the log.
func (ConfigureASPAs) CommandName() string { return "configure_aspas" }

// Process checks every definition against what is configured and held now.
func (c ConfigureASPAs) Process(s *State, _ time.Time) ([]es.Event, error) {
	after := s.configuredASPAs()
	for _, customer := range c.Remove {
		if _, ok := after[customer]; !ok {
			return nil, aspaFault(s, customer, "ca-aspa-unknown-customer-as", "No current ASPA exists for customer AS '", "'")
		}
		delete(after, customer)
	}
	held := s.Held()
	for _, a := range c.AddOrReplace {
		providers := aspa.Canonical(a.Providers)
		switch {
		case len(providers) == 0:
			return nil, aspaFault(s, a.Customer, "ca-aspa-provider-as-empty", "ASPA for customer AS '", "' requires at least one provider")
		case slices.Contains(providers, a.Customer):
			return nil, customerAsProvider(s, a.Customer)
		case len(providers) != len(a.Providers):
			return nil, aspaFault(s, a.Customer, "ca-aspa-provider-duplicates", "ASPA for customer AS '", "' cannot have duplicate providers")
		case !held.ContainsAS(a.Customer):
			return nil, aspaNotHeld(s, a.Customer)
		}
		after[a.Customer] = providers
	}
	return s.aspasChanged(after), nil
}

// UpdateASPA adds and removes providers of one customer. Providers that are
// there already, or not there, do not matter. A customer without a definition
// gets one, and one that has no provider left loses it.
type UpdateASPA struct {
	Customer uint32   `json:"customer"`
	Added    []uint32 `json:"added"`
	Removed  []uint32 `json:"removed"`
}

// CommandName names the command in the log.
func (UpdateASPA) CommandName() string { return "update_aspa" }

// Process removes first and adds then.
func (c UpdateASPA) Process(s *State, _ time.Time) ([]es.Event, error) {
	after := s.configuredASPAs()
	left := slices.DeleteFunc(slices.Clone(after[c.Customer]), func(p uint32) bool { return slices.Contains(c.Removed, p) })
	after[c.Customer] = aspa.Canonical(append(left, c.Added...))
	switch {
	case len(after[c.Customer]) == 0:
		delete(after, c.Customer)
	case slices.Equal(after[c.Customer], s.ASPAs[c.Customer].Providers):
		return nil, nil
	case !s.Held().ContainsAS(c.Customer):
		return nil, aspaNotHeld(s, c.Customer)
	case slices.Contains(after[c.Customer], c.Customer):
		return nil, customerAsProvider(s, c.Customer)
	}
	return s.aspasChanged(after), nil
}

func (s *State) configuredASPAs() map[uint32][]uint32 {
	out := make(map[uint32][]uint32, len(s.ASPAs)+1)
	for customer, c := range s.ASPAs {
		out[customer] = c.Providers
	}
	return out
}

// aspasChanged gives the event that leads from the configuration to another;
// none if it is the same.
func (s *State) aspasChanged(after map[uint32][]uint32) []es.Event {
	var ev ASPAsConfigured
	for _, customer := range slices.Sorted(maps.Keys(after)) {
		to := ASPA{Customer: customer, Providers: after[customer]}
		from, exists := s.ASPAs[customer]
		switch {
		case !exists:
			ev.Added = append(ev.Added, to)
		case !slices.Equal(from.Providers, to.Providers):
			ev.Updated = append(ev.Updated, ASPAUpdate{ASPA: to, Added: without(to.Providers, from.Providers), Removed: without(from.Providers, to.Providers)})
		}
	}
	for _, customer := range slices.Sorted(maps.Keys(s.ASPAs)) {
		if _, ok := after[customer]; !ok {
			ev.Removed = append(ev.Removed, customer)
		}
	}
	if len(ev.Added)+len(ev.Updated)+len(ev.Removed) == 0 {
		return nil
	}
	return []es.Event{ev}
}

// without gives what is in a list and not in another; both ascend.
func without(list, other []uint32) []uint32 {
	var out []uint32
	for _, n := range list {
		if _, found := slices.BinarySearch(other, n); !found {
			out = append(out, n)
		}
	}
	return out
}

func aspaFault(s *State, customer uint32, code, before, behind string) error {
	as := asText(customer)
	return &fault.Error{Kind: fault.Invalid, Code: code, Msg: before + as + behind, Args: map[string]string{"ca": s.Handle, "asn": as}}
}

func customerAsProvider(s *State, customer uint32) error {
	return aspaFault(s, customer, "ca-aspa-customer-as-provider", "ASPA for customer AS '", "' cannot have that AS as provider")
}

func aspaNotHeld(s *State, customer uint32) error {
	return aspaFault(s, customer, "ca-aspa-not-entitled", "Customer AS '", "' is not held by you")
}

// SortedASPAs gives the configuration by customer.
func (s *State) SortedASPAs() []ASPA {
	out := make([]ASPA, 0, len(s.ASPAs))
	for _, customer := range slices.Sorted(maps.Keys(s.ASPAs)) {
		out = append(out, ASPA{Customer: customer, Providers: s.ASPAs[customer].Providers})
	}
	return out
}

func (s *State) configureASPAs(at time.Time, e ASPAsConfigured) {
	if s.ASPAs == nil {
		s.ASPAs = map[uint32]ASPAConfig{}
	}
	for _, customer := range e.Removed {
		delete(s.ASPAs, customer)
	}
	for _, a := range e.Added {
		s.ASPAs[a.Customer] = ASPAConfig{Since: at, Providers: a.Providers}
	}
	for _, a := range e.Updated {
		s.ASPAs[a.Customer] = ASPAConfig{Since: s.ASPAs[a.Customer].Since, Providers: a.Providers}
	}
}

// aspasIssued takes in what a key signed and what left it; what was replaced or
// withdrawn is revoked.
func (o *Objects) aspasIssued(at time.Time, k *CertifiedKey, issued []IssuedASPA, withdrawn []uint32) {
	k.dropExpired(at)
	if o.ASPAs == nil {
		o.ASPAs = map[uint32]IssuedASPA{}
	}
	for _, customer := range withdrawn {
		if old, ok := o.ASPAs[customer]; ok {
			k.revoke(at, old.Serial, old.NotAfter)
			delete(o.ASPAs, customer)
		}
	}
	for _, a := range issued {
		if old, ok := o.ASPAs[a.Customer]; ok {
			k.revoke(at, old.Serial, old.NotAfter)
		}
		o.ASPAs[a.Customer] = a
	}
}
