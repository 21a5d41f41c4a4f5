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
	if _, ok := s.Parents[c.Parent]; ok {
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
	Issued    []ListedCert  `json:"issued,omitempty"`
}

// ListedCert is a certificate that the parent says it issued to us.
type ListedCert struct {
	URI   string          `json:"uri"`
	Hash  Hash            `json:"hash"`
	Limit resources.Limit `json:"limit,omitzero"` // what was asked for, if it was less than all
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
			name := strconv.Itoa(next)
			next++
			events = append(events, ResourceClassAdded{Class: name, Parent: c.Parent, ParentClass: e.Class, KeyID: key})
		case class.Current != nil && !class.Current.Requested && class.Current.wantsUpdate(e, now):
			events = append(events, CertificateRequested{Class: class.Name, Parent: c.Parent, KeyID: class.Current.KeyID})
		}
	}
	return events, nil
}

// closeClasses gives an event for each class that the parent no longer offers.
func (s *State) closeClasses(parent string, offered []Entitlement) []es.Event {
	var events []es.Event
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		class := s.Classes[name]
		if class.Parent != parent || slices.ContainsFunc(offered, func(e Entitlement) bool { return e.Class == class.ParentClass }) {
			continue
		}
		ev := ResourceClassRemoved{Class: name, Parent: parent}
		if class.Pending != nil {
			ev.Keys = append(ev.Keys, class.Pending.KeyID)
		}
		if class.Current != nil {
			ev.Keys = append(ev.Keys, class.Current.KeyID)
		}
		events = append(events, ev)
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

// wantsUpdate says whether to ask for a new certificate: when the resources
// differ, or when the parent would now certify for a considerably different
// time (a tenth of what remains, or a week).
func (k *CertifiedKey) wantsUpdate(e Entitlement, now time.Time) bool {
	if !k.Cert.Resources.Equal(e.Resources) {
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
	default:
		return float64(offered) > 1.1*float64(have) || float64(offered) < 0.9*float64(have)
	}
}

// CertRequest is one certificate to ask a parent for.
type CertRequest struct {
	Class       string
	ParentClass string
	KeyID       cert.KeyID
	SIA         cert.SIA
}

// OpenRequests gives what the CA must ask this parent for, by class name.
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
		r := CertRequest{Class: name, ParentClass: c.ParentClass}
		switch {
		case c.Pending != nil:
			r.KeyID = c.Pending.KeyID
		case c.Current != nil && c.Current.Requested:
			r.KeyID = c.Current.KeyID
		default:
			continue
		}
		r.SIA = s.siaFor(c, r.KeyID)
		out = append(out, r)
	}
	return out
}

// siaFor gives the publication point of a key: a folder per class below the
// CA's base (RFC 6481 section 2).
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
	current := class.Current != nil && class.Current.KeyID == c.Cert.KeyID
	if !pending && !current {
		return nil, &fault.Error{
			Kind: fault.NotFound, Code: "key-no-match", Msg: "No key found matching key identifier: '" + c.Cert.KeyID.String() + "'",
			Args: map[string]string{"key_id": c.Cert.KeyID.String()},
		}
	}
	if current && class.Current.Cert.Hash == c.Cert.Hash {
		return nil, nil
	}
	return []es.Event{CertificateReceived{Class: c.Class, KeyID: c.Cert.KeyID, Cert: c.Cert}}, nil
}

func classUnknown(class string) error {
	return &fault.Error{Kind: fault.NotFound, Code: "rc-unknown", Msg: "Unknown resource class: '" + class + "'", Args: map[string]string{"class_name": class}}
}
