package ca

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// SetParent adds a parent, or changes the contact of the one that has this
// name already.
type SetParent struct {
	Parent  string `json:"parent"`
	Contact Parent `json:"contact"`
}

// CommandName names the command in the log.
func (SetParent) CommandName() string { return "set_parent" }

// Process refuses a contact that another name has already.
func (c SetParent) Process(s *State, _ time.Time) ([]es.Event, error) {
	for _, name := range slices.Sorted(maps.Keys(s.Parents)) {
		if name != c.Parent && s.Parents[name].same(c.Contact) {
			return nil, &fault.Error{
				Kind: fault.Exists, Code: "ca-parent-xml-duplicate",
				Msg:  "CA '" + s.Handle + "' already has a parent named '" + name + "' for this XML",
				Args: map[string]string{"ca": s.Handle, "parent": name},
			}
		}
	}
	if now, ok := s.Parents[c.Parent]; ok {
		if now.same(c.Contact) {
			return nil, nil
		}
		return []es.Event{ParentUpdated(c)}, nil
	}
	return []es.Event{ParentAdded(c)}, nil
}

func (p Parent) same(o Parent) bool {
	return p.ServiceURI == o.ServiceURI && p.ParentHandle == o.ParentHandle && p.ChildHandle == o.ChildHandle && slices.Equal(p.IDCert, o.IDCert)
}

// ParentUnknown is the refusal for a parent that the CA does not have.
func ParentUnknown(ca, parent string) error {
	return &fault.Error{
		Kind: fault.NotFound, Code: "ca-parent-unknown", Msg: "CA '" + ca + "' does not have a parent named '" + parent + "'",
		Args: map[string]string{"ca": ca, "parent": parent},
	}
}

// Entitlement is one class of a parent's list_response (RFC 6492 section
// 3.3.2).
type Entitlement struct {
	Class     string        `json:"class"`
	Resources resources.Set `json:"resources"`
	NotAfter  time.Time     `json:"not_after"`
	CertURL   string        `json:"cert_url"` // of the certificate that signs in this class
	CertHash  Hash          `json:"cert_hash"`
	Issued    []ListedCert  `json:"issued,omitempty"` // nil: not known
}

// ListedCert is a certificate that the parent says it issued to us.
type ListedCert struct {
	URI   string          `json:"uri"`
	Hash  Hash            `json:"hash"`
	KeyID cert.KeyID      `json:"key_id,omitzero"` // that it certifies; zero: not known
	Limit resources.Limit `json:"limit,omitzero"`  // what was asked for, if it was less than all
}

// lists gives the certificate that the parent says it issued for a key; known
// is false where the list does not tell of which keys its certificates are.
func (e Entitlement) lists(key cert.KeyID) (c ListedCert, found, known bool) {
	known = e.Issued != nil
	for _, c := range e.Issued {
		if c.KeyID == key {
			return c, true, true
		}
		known = known && c.KeyID != cert.KeyID{}
	}
	return ListedCert{}, false, known
}

// Lists says whether the parent says that it certified this key.
func (e Entitlement) Lists(key cert.KeyID) bool {
	_, found, _ := e.lists(key)
	return found
}

// Omits says whether the parent lists what it certified, and this key is not
// among it.
func (e Entitlement) Omits(key cert.KeyID) bool {
	_, found, known := e.lists(key)
	return known && !found
}

// UpdateEntitlements compares what a parent offers with the classes we have.
// NewKeys holds a fresh key for each class the caller expects to be new.
type UpdateEntitlements struct {
	Parent       string                `json:"parent"`
	Entitlements []Entitlement         `json:"entitlements"`
	NewKeys      map[string]cert.KeyID `json:"new_keys,omitempty"` // by the parent's class name
}

// CommandName names the command in the log.
func (UpdateEntitlements) CommandName() string { return "update_entitlements" }

// NewClasses gives the names of the offered classes that the CA lacks: each
// needs a key before UpdateEntitlements can be given.
func (s *State) NewClasses(parent string, offered []Entitlement) []string {
	var out []string
	for _, e := range offered {
		if s.classOf(parent, e.Class) == nil {
			out = append(out, e.Class)
		}
	}
	return out
}

// Process opens, keeps and closes classes, and asks for certificates where
// what we have differs from what we are entitled to.
func (c UpdateEntitlements) Process(s *State, now time.Time) ([]es.Event, error) {
	if _, ok := s.Parents[c.Parent]; !ok {
		return nil, ParentUnknown(s.Handle, c.Parent)
	}
	if s.Repository == nil {
		return nil, fault.New(fault.Invalid, "repo-not-set", "No repository configured for CA")
	}
	events := s.closeClasses(c.Parent, c.Entitlements)
	next := s.NextClass
	for _, e := range c.Entitlements {
		class := s.classOf(c.Parent, e.Class)
		switch {
		case class == nil:
			key, ok := c.NewKeys[e.Class]
			if !ok {
				return nil, fault.New(fault.Conflict, "class-without-key", "the parent offers class '"+e.Class+"', for which no key was made")
			}
			for s.nameMapped(strconv.Itoa(next)) {
				next++
			}
			name := strconv.Itoa(next)
			next++
			events = append(events, ResourceClassAdded{Class: name, Parent: c.Parent, ParentClass: e.Class, KeyID: key})
		default:
			events = append(events, s.followOffer(class, e, now)...)
		}
	}
	return events, nil
}

// followOffer asks for certificates of the keys that have one and should have
// another, each for itself, and finds keys that the parent should not list. An
// old key waits for its end, and gets no other certificate.
func (s *State) followOffer(class *Class, e Entitlement, now time.Time) []es.Event {
	var events []es.Event
	ask := func(k *CertifiedKey) {
		if !k.Requested && k.wantsUpdate(e, now) {
			events = append(events, CertificateRequested{Class: class.Name, Parent: class.Parent, KeyID: k.KeyID})
		}
	}
	if class.Current != nil {
		ask(class.Current)
	}
	if class.New != nil {
		ask(&class.New.CertifiedKey)
	}
	for _, issued := range e.Issued {
		if (issued.KeyID != cert.KeyID{}) && !s.ownKey(issued.KeyID) && !slices.Contains(class.Unexpected, issued.KeyID) {
			events = append(events, UnexpectedKeyFound{Class: class.Name, Parent: class.Parent, KeyID: issued.KeyID})
		}
	}
	for _, key := range class.Unexpected {
		if _, found, known := e.lists(key); known && !found {
			events = append(events, UnexpectedKeyRevoked{Class: class.Name, KeyID: key})
		}
	}
	return events
}

// closeClasses gives an event for each class that the parent no longer offers.
func (s *State) closeClasses(parent string, offered []Entitlement) []es.Event {
	var events []es.Event
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		class := s.Classes[name]
		if class.Parent != parent || slices.ContainsFunc(offered, func(e Entitlement) bool { return e.Class == class.ParentClass }) {
			continue
		}
		events = append(events, ResourceClassRemoved{Class: name, Parent: parent, Keys: class.keys()})
	}
	return events
}

func (s *State) classOf(parent, parentClass string) *Class {
	for _, c := range s.Classes {
		if c.Parent == parent && c.ParentClass == parentClass {
			return c
		}
	}
	return nil
}

// settling is how long a certificate is kept that the parent does not list, has
// replaced by another in the same place, or offers to exchange for one that ends
// sooner: a parent whose answers contradict each other must not be asked without
// end.
const settling = 15 * time.Minute

// wantsUpdate says whether to ask for a new certificate: when the resources
// differ, when the parent has none for this key or another one than we know (it
// may hold less, if what we are entitled to shrank and grew again before we
// asked), or when it would now certify for a considerably different time (a
// tenth of what remains, or a week).
func (k *CertifiedKey) wantsUpdate(e Entitlement, now time.Time) bool {
	if !k.Cert.Resources.Equal(e.Resources) {
		return true
	}
	settled := now.Sub(k.Cert.NotBefore) > settling
	listed, found, known := e.lists(k.KeyID)
	replaced := found && !slices.ContainsFunc(e.Issued, func(c ListedCert) bool { return c.KeyID == k.KeyID && c.Hash == k.Cert.Hash })
	if known && !found && settled || replaced && (settled || listed.URI != k.Cert.URI) {
		return true
	}
	if !e.NotAfter.After(now) {
		return false
	}
	have, offered := k.Cert.NotAfter.Sub(now), e.NotAfter.Sub(now)
	switch {
	case have <= 0:
		return true
	case offered-have >= 7*24*time.Hour:
		return true
	case float64(offered) < 0.9*float64(have):
		return settled
	default:
		return float64(offered) > 1.1*float64(have)
	}
}

// CertRequest is one certificate to ask a parent for.
type CertRequest struct {
	Class       string
	ParentClass string
	KeyID       cert.KeyID
	SIA         cert.SIA
}

// OpenRequests gives what the CA must ask this parent for, by class name. A
// class may have two keys that need a certificate.
func (s *State) OpenRequests(parent string) []CertRequest {
	if s.Repository == nil {
		return nil
	}
	var out []CertRequest
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Parent != parent {
			continue
		}
		if c.Pending != nil {
			out = append(out, CertRequest{Class: name, ParentClass: c.ParentClass, KeyID: c.Pending.KeyID, SIA: s.siaFor(c, c.Pending.KeyID)})
		}
		again := func(k *CertifiedKey) {
			if k.Requested {
				sia := cert.SIA{Repository: k.Cert.SIA.Repository, Manifest: k.Cert.SIA.Manifest, Notify: k.Cert.SIA.Notify}
				out = append(out, CertRequest{Class: name, ParentClass: c.ParentClass, KeyID: k.KeyID, SIA: sia})
			}
		}
		if c.Current != nil {
			again(c.Current)
		}
		if c.New != nil {
			again(&c.New.CertifiedKey)
		}
	}
	return out
}

// siaFor gives the publication point of a key that has none yet: a folder per
// class below the CA's base (RFC 6481 section 2).
func (s *State) siaFor(c *Class, key cert.KeyID) cert.SIA {
	base := s.Repository.SIABase + c.Name + "/"
	return cert.SIA{Repository: base, Manifest: base + key.String() + ".mft", Notify: s.Repository.NotificationURI}
}

// ReceiveCertificate takes in what a parent issued. The caller has verified
// the certificate with the parent's own (profile, signature, validity).
type ReceiveCertificate struct {
	Class string     `json:"class"`
	Cert  CertRecord `json:"cert"`
}

// CommandName names the command in the log.
func (ReceiveCertificate) CommandName() string { return "receive_certificate" }

// Process accepts a certificate only for a key of the class.
func (c ReceiveCertificate) Process(s *State, _ time.Time) ([]es.Event, error) {
	class := s.Classes[c.Class]
	if class == nil {
		return nil, classUnknown(c.Class)
	}
	pending := class.Pending != nil && class.Pending.KeyID == c.Cert.KeyID
	known := s.certified(c.Class, c.Cert.KeyID)
	switch {
	case !pending && known == nil:
		return nil, &fault.Error{
			Kind: fault.NotFound, Code: "key-no-match", Msg: "No key found matching key identifier: '" + c.Cert.KeyID.String() + "'",
			Args: map[string]string{"key_id": c.Cert.KeyID.String()},
		}
	case pending && (s.Repository == nil || c.Cert.SIA.Repository != s.siaFor(class, c.Cert.KeyID).Repository):
		return nil, fault.New(fault.Conflict, "cert-plan-stale", "the CA moved to another repository while the certificate was asked for")
	case pending && class.Current != nil:
		return []es.Event{KeyStaged{Class: c.Class, KeyID: c.Cert.KeyID, Cert: c.Cert}}, nil
	case !pending && known.Cert.Hash == c.Cert.Hash && !known.Requested:
		return nil, nil
	}
	return []es.Event{CertificateReceived{Class: c.Class, KeyID: c.Cert.KeyID, Cert: c.Cert}}, nil
}

func classUnknown(class string) error {
	return &fault.Error{Kind: fault.NotFound, Code: "rc-unknown", Msg: "Unknown resource class: '" + class + "'", Args: map[string]string{"class_name": class}}
}
