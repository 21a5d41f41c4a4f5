package ca

import (
	"slices"
	"strconv"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
)

// apply takes a fact in. It cannot fail: what was once accepted stays true.
// A fact about something that is no longer there changes nothing.
func apply(s *State, m es.Meta, e es.Event) {
	switch e := e.(type) {
	case Initialized:
		s.initialize(e)
	case RepositoryConfigured:
		s.moveTo(&e.Repository)
	case ParentAdded:
		s.Parents[e.Parent] = e.Contact
	case ParentUpdated:
		s.Parents[e.Parent] = e.Contact
	case ResourceClassAdded:
		s.addClass(e)
	case ResourceClassRemoved:
		delete(s.Classes, e.Class)
		s.dropWithheld(e.Class)
	case CertificateRequested:
		if k := s.certified(e.Class, e.KeyID); k != nil {
			k.Requested = true
		}
	case CertificateReceived:
		s.receive(e)
	case ChildAdded:
		s.Children[e.Child] = &Child{IDCert: e.IDCert, Resources: e.Resources, Keys: map[cert.KeyID]KeyUse{}}
	case ChildResourcesUpdated:
		if c := s.Children[e.Child]; c != nil {
			c.Resources = e.Resources
		}
	case ChildCertificatesIssued:
		s.childCertsIssued(m.At, e)
	case ChildCertificatesRevoked:
		s.childCertsRevoked(m.At, e)
	case ChildSuspended, ChildUnsuspended:
		s.applySuspension(e)
	case ROAsConfigured:
		s.configureROAs(m.At, e)
	case ReissueForced:
		s.markForReissue()
	case IssuingPaused:
		s.IssuingPaused = true
	case IssuingResumed:
		s.IssuingPaused = false
	case RestoreNoted:
		s.RestoreEpoch = e.Epoch
	case ROAsIssued:
		if c := s.Classes[e.Class]; c != nil {
			c.roasIssued(m.At, e)
		}
	default:
		if !s.applyASObjects(m.At, e) && !s.applyGhostbusters(m.At, e) && !s.applyChecklists(m.At, e) {
			applyKeys(s, m, e)
		}
	}
}

func (s *State) initialize(e Initialized) {
	*s = State{
		Handle: e.Handle, Identity: e.Identity,
		Parents: map[string]Parent{}, Classes: map[string]*Class{}, Children: map[string]*Child{}, ROAs: map[ROA]ROAConfig{},
	}
}

func (s *State) addClass(e ResourceClassAdded) {
	s.Classes[e.Class] = &Class{
		Name: e.Class, Parent: e.Parent, ParentClass: e.ParentClass, Pending: &PendingKey{KeyID: e.KeyID}, Objects: noObjects(),
	}
	if n, err := strconv.Atoi(e.Class); err == nil && n >= s.NextClass {
		s.NextClass = n + 1
	}
}

func (s *State) receive(e CertificateReceived) {
	c := s.Classes[e.Class]
	if c != nil && c.Current == nil && c.Pending != nil && c.Pending.KeyID == e.KeyID {
		c.Pending, c.Current = nil, &CertifiedKey{KeyID: e.KeyID, Cert: e.Cert}
	} else if k := s.certified(e.Class, e.KeyID); k != nil {
		k.Cert, k.Requested = e.Cert, false
	}
}

func (s *State) childCertsIssued(at time.Time, e ChildCertificatesIssued) {
	c := s.Classes[e.Class]
	if c == nil {
		return
	}
	c.dropExpired(at)
	for _, issued := range e.Certs {
		if old, ok := c.Certs[issued.KeyID]; ok {
			c.revoke(at, old.Serial, old.NotAfter)
		}
		c.Certs[issued.KeyID] = issued
		if child := s.Children[issued.Child]; child != nil {
			child.Keys[issued.KeyID] = KeyUse{Class: e.Class}
			delete(child.Withheld, issued.KeyID)
		}
	}
}

func (s *State) childCertsRevoked(at time.Time, e ChildCertificatesRevoked) {
	c := s.Classes[e.Class]
	if c == nil {
		return
	}
	c.dropExpired(at)
	for _, key := range e.Keys {
		if c.New != nil {
			c.New.dropCert(at, key)
		}
		old, ok := c.Certs[key]
		if !ok {
			if !e.Suspended {
				s.revokeWithheld(e.Class, key)
			}
			continue
		}
		c.revoke(at, old.Serial, old.NotAfter)
		delete(c.Certs, key)
		child := s.Children[old.Child]
		switch {
		case child == nil:
		case e.Suspended:
			child.withhold(e.Class, old)
		default:
			child.Keys[key] = KeyUse{Class: e.Class, Revoked: true}
		}
	}
}

func (s *State) configureROAs(at time.Time, e ROAsConfigured) {
	for _, r := range e.Removed {
		delete(s.ROAs, r)
	}
	for _, r := range e.Added {
		s.ROAs[r.ROA] = ROAConfig{Since: at, Comment: r.Comment}
	}
	for _, r := range e.Commented {
		s.ROAs[r.ROA] = ROAConfig{Since: s.ROAs[r.ROA].Since, Comment: r.Comment}
	}
}

func (c *Class) roasIssued(at time.Time, e ROAsIssued) {
	c.dropExpired(at)
	for _, name := range e.Withdrawn {
		if old, ok := c.ROAs[name]; ok {
			c.revoke(at, old.Serial, old.NotAfter)
			delete(c.ROAs, name)
		}
	}
	for _, issued := range e.Issued {
		if old, ok := c.ROAs[issued.Name]; ok {
			c.revoke(at, old.Serial, old.NotAfter)
		}
		c.ROAs[issued.Name] = issued
	}
}

// revoke puts a serial on the current key's CRL.
func (c *Class) revoke(at time.Time, serial string, notAfter time.Time) {
	if c.Current != nil {
		c.Current.revoke(at, serial, notAfter)
	}
}

// revoke puts a serial on the key's CRL.
func (k *CertifiedKey) revoke(at time.Time, serial string, notAfter time.Time) {
	k.Revoked = append(k.Revoked, Revocation{Serial: serial, RevokedAt: at.Truncate(time.Second), NotAfter: notAfter})
}

// dropExpired forgets revocations whose certificate expired: a CRL lists those
// that are not (RFC 6487 section 5).
func (c *Class) dropExpired(at time.Time) {
	if c.Current != nil {
		c.Current.dropExpired(at)
	}
}

func (k *CertifiedKey) dropExpired(at time.Time) {
	k.Revoked = slices.DeleteFunc(k.Revoked, func(r Revocation) bool { return !r.NotAfter.After(at) })
}
