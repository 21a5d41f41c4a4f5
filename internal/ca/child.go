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

// AddChild makes another CA a child with these resources.
type AddChild struct {
	Child     string        `json:"child"`
	IDCert    []byte        `json:"id_cert"` // DER, checked by the caller
	IDKey     cert.KeyID    `json:"id_key"`
	Resources resources.Set `json:"resources"`
}

// CommandName names the command in the log.
func (AddChild) CommandName() string { return "add_child" }

// Process wants resources, all of them held, and a name that is free.
func (c AddChild) Process(s *State, _ time.Time) ([]es.Event, error) {
	args := map[string]string{"ca": s.Handle, "child": c.Child}
	switch {
	case c.Resources.IsEmpty():
		return nil, &fault.Error{
			Kind: fault.Invalid, Code: "ca-child-resources-required", Args: args,
			Msg: "Child '" + c.Child + "' for CA '" + s.Handle + "' MUST have resources specified",
		}
	case !s.Held().Contains(c.Resources):
		return nil, extraResources(s.Handle, c.Child)
	case s.Children[c.Child] != nil:
		return nil, &fault.Error{
			Kind: fault.Exists, Code: "ca-child-duplicate", Args: args,
			Msg: "CA '" + s.Handle + "' already has a child named '" + c.Child + "'",
		}
	}
	return []es.Event{ChildAdded{Child: c.Child, IDCert: c.IDCert, Resources: c.Resources}}, nil
}

func extraResources(ca, child string) error {
	return &fault.Error{
		Kind: fault.Invalid, Code: "ca-child-resources-extra", Args: map[string]string{"ca": ca, "child": child},
		Msg: "Child '" + child + "' cannot have resources not held by CA '" + ca + "'",
	}
}

// ChildUnknown is the refusal for a child that the CA does not have.
func ChildUnknown(ca, child string) error {
	return &fault.Error{
		Kind: fault.NotFound, Code: "ca-child-unknown", Args: map[string]string{"ca": ca, "child": child},
		Msg: "CA '" + ca + "' does not have a child named '" + child + "'",
	}
}

// UpdateChildResources changes what a child is entitled to. The child's
// certificates follow: they shrink at once and grow when the child asks.
type UpdateChildResources struct {
	Child     string        `json:"child"`
	Resources resources.Set `json:"resources"`
}

// CommandName names the command in the log.
func (UpdateChildResources) CommandName() string { return "update_child_resources" }

// Process wants resources that the CA holds.
func (c UpdateChildResources) Process(s *State, _ time.Time) ([]es.Event, error) {
	child := s.Children[c.Child]
	switch {
	case child == nil:
		return nil, ChildUnknown(s.Handle, c.Child)
	case c.Resources.IsEmpty():
		return nil, &fault.Error{
			Kind: fault.Invalid, Code: "ca-child-resources-required", Args: map[string]string{"ca": s.Handle, "child": c.Child},
			Msg: "Child '" + c.Child + "' for CA '" + s.Handle + "' MUST have resources specified",
		}
	case child.Resources.Equal(c.Resources): // also where this CA lost some of them
		return nil, nil
	case !s.Held().Contains(c.Resources):
		return nil, extraResources(s.Handle, c.Child)
	}
	return []es.Event{ChildResourcesUpdated(c)}, nil
}

// Entitlements gives what a child may ask for: per class the intersection of
// what we hold and what the child is entitled to; a class without any is left
// out (RFC 6492 section 3.3.2).
func (s *State) Entitlements(handle string, now time.Time, p Policy) ([]Entitlement, error) {
	child := s.Children[handle]
	if child == nil {
		return nil, ChildUnknown(s.Handle, handle)
	}
	var out []Entitlement
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		e := Entitlement{Class: child.nameOf(name), Resources: c.Current.Cert.Resources.Intersect(child.Resources), CertURL: c.Current.Cert.URI, CertHash: c.Current.Cert.Hash}
		if e.Resources.IsEmpty() {
			continue
		}
		e.NotAfter, e.Issued = now.Add(p.ChildValid).Truncate(time.Second), []ListedCert{}
		var longest time.Time                        // of several keys the one that lasts longest counts: then the others are renewed once, and no more
		for _, key := range sortedKeys(child.Keys) { // not of all children: a parent may have very many
			issued, ok := c.Certs[key]
			if !ok || issued.Child != handle {
				continue
			}
			e.Issued = append(e.Issued, ListedCert{URI: issued.URI, Hash: issued.Hash, KeyID: key, Limit: issued.Limit})
			if issued.NotAfter.After(now.Add(p.ChildRenewBefore)) && issued.NotAfter.After(longest) {
				longest = issued.NotAfter
			}
		}
		if !longest.IsZero() {
			e.NotAfter = longest
		}
		out = append(out, e)
	}
	return out, nil
}

func sortedKeys[V any](m map[cert.KeyID]V) []cert.KeyID {
	return slices.SortedFunc(maps.Keys(m), func(a, b cert.KeyID) int { return slices.Compare(a[:], b[:]) })
}

// PlannedCert is a certificate to sign for a child's key.
type PlannedCert struct {
	Child     string
	Class     string
	Key       cert.KeyID // of ours, that signs
	Resources resources.Set
	Subject   cert.KeyID // the child's key
	SIA       SIA
	URI       string // where it will be published
	Limit     resources.Limit
}

// RecordChildCerts takes in certificates that were signed for children, and
// takes keys out of use; both are checked against the state as it is now. With
// the new key of a roll they are staged.
type RecordChildCerts struct {
	Class   string       `json:"class"`
	Key     cert.KeyID   `json:"key"` // that signed
	Issued  []IssuedCert `json:"issued"`
	Revoked []cert.KeyID `json:"revoked,omitempty"`

	// Replaces has the certificates of children's keys from which others were made, by key: they must be there still. A
	// certificate that a child asked for itself replaces any.
	Replaces map[cert.KeyID]Hash `json:"replaces,omitempty"`
}

// CommandName names the command in the log.
func (RecordChildCerts) CommandName() string { return "record_child_certs" }

// Process refuses as a Conflict what no longer fits: over-claiming is never
// recorded, so it is never published.
func (c RecordChildCerts) Process(s *State, _ time.Time) ([]es.Event, error) {
	class := s.Classes[c.Class]
	signer := s.certified(c.Class, c.Key)
	if signer == nil {
		return nil, fault.New(fault.Conflict, "cert-plan-stale", "the resource class changed while certificates were signed")
	}
	for _, issued := range c.Issued {
		child := s.Children[issued.Child]
		if child == nil || child.Suspended || !signer.Cert.Resources.Intersect(child.Resources).Contains(issued.Resources) || s.keyTaken(issued.Child, c.Class, issued.KeyID) {
			return nil, fault.New(fault.Conflict, "cert-plan-stale", "child '"+issued.Child+"' changed while its certificate was signed")
		}
		if old, made := c.Replaces[issued.KeyID]; made && !s.hasCert(issued.Child, c.Class, issued.KeyID, old) {
			return nil, fault.New(fault.Conflict, "cert-plan-stale", "child '"+issued.Child+"' got another certificate while this one was signed")
		}
	}
	if s.staged(c.Class, c.Key) != nil {
		return class.stageCerts(c)
	}
	var events []es.Event
	if len(c.Issued) > 0 {
		events = append(events, ChildCertificatesIssued{Class: c.Class, Certs: c.Issued})
	}
	revoked := slices.DeleteFunc(slices.Clone(c.Revoked), func(k cert.KeyID) bool {
		_, ok := class.Certs[k]
		return !ok && !s.isWithheld(c.Class, k)
	})
	if len(revoked) > 0 {
		events = append(events, class.revokeCerts(revoked)...)
	}
	return events, nil
}

// hasCert says whether a certificate is the one that a child's key has from the
// current key of the class, or that is kept aside for it.
func (s *State) hasCert(child, class string, key cert.KeyID, hash Hash) bool {
	if now, ok := s.Classes[class].Certs[key]; ok {
		return now.Hash == hash
	}
	kept, ok := s.Children[child].Withheld[key]
	return ok && kept.Class == class && kept.Hash == hash
}

// stageCerts takes in what the new key of a roll signed for keys that have a
// certificate of the current one.
func (c *Class) stageCerts(r RecordChildCerts) ([]es.Event, error) {
	ev := ChildCertificatesStaged{Class: c.Name, KeyID: r.Key, Certs: r.Issued}
	for _, issued := range r.Issued {
		if now, ok := c.Certs[issued.KeyID]; !ok || now.Child != issued.Child {
			return nil, fault.New(fault.Conflict, "cert-plan-stale", "child '"+issued.Child+"' changed while its certificate was signed")
		}
	}
	for _, key := range r.Revoked {
		if _, ok := c.New.Certs[key]; ok {
			ev.Withdrawn = append(ev.Withdrawn, key)
		}
	}
	if !c.New.Activated || len(ev.Certs)+len(ev.Withdrawn) == 0 {
		return nil, nil
	}
	return []es.Event{ev}, nil
}
