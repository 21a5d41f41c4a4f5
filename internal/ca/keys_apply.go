package ca

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
)

// applyKeys takes in the facts of keys_events.go.
func applyKeys(s *State, m es.Meta, e es.Event) {
	switch e := e.(type) {
	case KeyRollInitiated:
		if c := s.Classes[e.Class]; c != nil {
			c.Pending = &PendingKey{KeyID: e.KeyID}
		}
	case KeyStaged:
		if c := s.Classes[e.Class]; c != nil {
			c.Pending, c.New = nil, &StagedKey{CertifiedKey: CertifiedKey{KeyID: e.KeyID, Cert: e.Cert}, Objects: noObjects()}
		}
	case KeyActivationStarted:
		if k := s.staged(e.Class, e.KeyID); k != nil {
			k.Activated = true
		}
	case ROAsStaged:
		if k := s.staged(e.Class, e.KeyID); k != nil {
			k.roasStaged(m.At, e)
		}
	case ChildCertificatesStaged:
		if k := s.staged(e.Class, e.KeyID); k != nil {
			k.certsStaged(m.At, e)
		}
	case KeyRollActivated:
		if s.staged(e.Class, e.KeyID) != nil && s.Classes[e.Class].Current != nil {
			s.activate(m.At, s.Classes[e.Class])
		}
	case KeyRevocationRequested:
		if c := s.Classes[e.Class]; c != nil && c.Old != nil && c.Old.KeyID == e.KeyID {
			c.Old.Revoking = true
		}
	case KeyRollFinished:
		if c := s.Classes[e.Class]; c != nil && c.Old != nil && c.Old.KeyID == e.KeyID {
			c.Old = nil
		}
	case KeyRollAbandoned:
		if c := s.Classes[e.Class]; c != nil {
			c.abandon(e.KeyID)
		}
	case UnexpectedKeyFound:
		if c := s.Classes[e.Class]; c != nil {
			c.Unexpected = append(c.Unexpected, e.KeyID)
		}
	case UnexpectedKeyRevoked:
		if c := s.Classes[e.Class]; c != nil {
			c.Unexpected = slices.DeleteFunc(c.Unexpected, func(k cert.KeyID) bool { return k == e.KeyID })
		}
	default:
		applyParties(s, e)
	}
}

// applyParties takes in what became of the identity, repositories, parents and
// children.
func applyParties(s *State, e es.Event) {
	switch e := e.(type) {
	case RepositoryLeft:
		s.Former = slices.DeleteFunc(s.Former, func(r Repository) bool { return r.ServiceURI == e.ServiceURI && r.SIABase == e.SIABase })
	case ParentRemoved:
		delete(s.Parents, e.Parent)
	case ChildIDCertUpdated:
		if c := s.Children[e.Child]; c != nil {
			c.IDCert = e.IDCert
		}
	case ChildClassMapped:
		if c := s.Children[e.Child]; c != nil {
			c.mapClass(e.Class, e.Name)
		}
	case ChildRemoved:
		delete(s.Children, e.Child)
	case IdentityRenewed:
		s.Identity = e.Identity
	case Deleted:
		clear(s.Classes)
	}
}

// certified gives a key of a class that has a certificate and may get another:
// the current or the new one. It is nil if there is no such key.
func (s *State) certified(class string, key cert.KeyID) *CertifiedKey {
	c := s.Classes[class]
	switch {
	case c == nil:
		return nil
	case c.Current != nil && c.Current.KeyID == key:
		return c.Current
	case c.New != nil && c.New.KeyID == key:
		return &c.New.CertifiedKey
	default:
		return nil
	}
}

// staged gives the new key of a class if it is this one, or nil.
func (s *State) staged(class string, key cert.KeyID) *StagedKey {
	if c := s.Classes[class]; c != nil && c.New != nil && c.New.KeyID == key {
		return c.New
	}
	return nil
}

// moveTo sets where the CA publishes. Keys that have a certificate stay where
// it says until they are gone (RFC 6489 section 2: an instance of a CA does not
// move, another one takes its place).
func (s *State) moveTo(r *Repository) {
	old := s.Repository
	s.Repository = r
	if old == nil {
		return
	}
	for _, c := range s.Classes {
		if c.Current != nil && c.Current.Repository == nil {
			c.Current.Repository = old
		}
	}
	s.Former = slices.DeleteFunc(append(s.Former, *old), func(f Repository) bool { return f.samePlace(*r) })
}

func (k *StagedKey) roasStaged(at time.Time, e ROAsStaged) {
	k.dropExpired(at)
	for _, name := range e.Withdrawn {
		if old, ok := k.ROAs[name]; ok {
			k.revoke(at, old.Serial, old.NotAfter)
			delete(k.ROAs, name)
		}
	}
	for _, issued := range e.Issued {
		if old, ok := k.ROAs[issued.Name]; ok {
			k.revoke(at, old.Serial, old.NotAfter)
		}
		k.ROAs[issued.Name] = issued
	}
}

func (k *StagedKey) certsStaged(at time.Time, e ChildCertificatesStaged) {
	k.dropExpired(at)
	for _, key := range e.Withdrawn {
		k.dropCert(at, key)
	}
	for _, issued := range e.Certs {
		k.dropCert(at, issued.KeyID)
		k.Certs[issued.KeyID] = issued
	}
}

// dropCert revokes a child's certificate that was signed and never published.
func (k *StagedKey) dropCert(at time.Time, key cert.KeyID) {
	if old, ok := k.Certs[key]; ok {
		k.revoke(at, old.Serial, old.NotAfter)
		delete(k.Certs, key)
	}
}

// activate makes the new key the current one. What the old one signed is
// revoked; a child's certificate that has no successor is gone for good.
func (s *State) activate(at time.Time, c *Class) {
	old := &RetiredKey{CertifiedKey: *c.Current}
	old.Requested = false
	old.dropExpired(at)
	for _, name := range slices.Sorted(maps.Keys(c.ROAs)) {
		old.revoke(at, c.ROAs[name].Serial, c.ROAs[name].NotAfter)
	}
	c.revokeASObjects(at, &old.CertifiedKey)
	c.revokeGhostbusters(at, &old.CertifiedKey)
	c.revokeChecklists(at, &old.CertifiedKey)
	for _, key := range sortedKeys(c.Certs) {
		issued := c.Certs[key]
		old.revoke(at, issued.Serial, issued.NotAfter)
		if _, carried := c.New.Certs[key]; carried {
			continue
		}
		if child := s.Children[issued.Child]; child != nil {
			child.Keys[key] = KeyUse{Class: c.Name, Revoked: true}
		}
	}
	c.Old, c.Current, c.Objects, c.New = old, &c.New.CertifiedKey, c.New.Objects, nil
}

// abandon forgets the second key of a class.
func (c *Class) abandon(key cert.KeyID) {
	switch {
	case c.Current == nil:
	case c.Pending != nil && c.Pending.KeyID == key:
		c.Pending = nil
	case c.New != nil && c.New.KeyID == key:
		c.New = nil
	}
}

// mapClass gives a class another name for the child, or its own name again.
func (c *Child) mapClass(class, name string) {
	if c.ClassNames == nil {
		c.ClassNames = map[string]string{}
	}
	c.ClassNames[class] = name
	if class == name {
		delete(c.ClassNames, class)
	}
}
