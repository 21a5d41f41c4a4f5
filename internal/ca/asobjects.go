package ca

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
)

// ASPAsStaged records ASPA objects of the new key of a roll, and the customers
// whose object left it again.
type ASPAsStaged struct {
	Class     string       `json:"class"`
	KeyID     cert.KeyID   `json:"key_id"` // the new key
	Issued    []IssuedASPA `json:"issued,omitempty"`
	Withdrawn []uint32     `json:"withdrawn,omitempty"` // customers
}

// RouterCertsStaged records router certificates that the new key of a roll
// signed, and those that left it again.
type RouterCertsStaged struct {
	Class     string             `json:"class"`
	KeyID     cert.KeyID         `json:"key_id"` // the new key
	Issued    []IssuedRouterCert `json:"issued,omitempty"`
	Withdrawn []RouterKey        `json:"withdrawn,omitempty"`
}

// EventName names the event in the log.
func (ASPAsStaged) EventName() string { return "aspas_staged/1" }

// EventName names the event in the log.
func (RouterCertsStaged) EventName() string { return "router_certs_staged/1" }

// applyASObjects takes in what happened to ASPAs and router keys; false for
// other facts.
func (s *State) applyASObjects(at time.Time, e es.Event) bool {
	switch e := e.(type) {
	case ASPAsConfigured:
		s.configureASPAs(at, e)
	case ASPAsIssued:
		if c := s.Classes[e.Class]; c != nil && c.Current != nil {
			c.aspasIssued(at, c.Current, e.Issued, e.Withdrawn)
		}
	case ASPAsStaged:
		if k := s.staged(e.Class, e.KeyID); k != nil {
			k.aspasIssued(at, &k.CertifiedKey, e.Issued, e.Withdrawn)
		}
	case RouterKeysConfigured:
		s.configureRouterKeys(at, e)
	case RouterCertsIssued:
		if c := s.Classes[e.Class]; c != nil && c.Current != nil {
			c.routerCertsIssued(at, c.Current, e.Issued, e.Withdrawn)
		}
	case RouterCertsStaged:
		if k := s.staged(e.Class, e.KeyID); k != nil {
			k.routerCertsIssued(at, &k.CertifiedKey, e.Issued, e.Withdrawn)
		}
	default:
		return false
	}
	return true
}

// signer gives the key with this identifier, if it may sign now, and what it
// has signed: the current key, or a new one that was activated.
func (s *State) signer(class string, key cert.KeyID) (k *CertifiedKey, have *Objects, staged bool) {
	c := s.Classes[class]
	switch {
	case c == nil:
		return nil, nil, false
	case c.Current != nil && c.Current.KeyID == key:
		return c.Current, &c.Objects, false
	case c.New != nil && c.New.Activated && c.New.KeyID == key:
		return &c.New.CertifiedKey, &c.New.Objects, true
	default:
		return nil, nil, false
	}
}

// stagedObjectsComplete says whether the new key has signed exactly the ASPAs,
// router certificates and Ghostbusters records that are wanted under its
// certificate.
func (s *State) stagedObjectsComplete(c *Class, now time.Time) bool {
	k := c.New
	return s.planASPAs(c, &k.CertifiedKey, k.Objects, now).Empty() && s.planRouterCerts(c, &k.CertifiedKey, k.Objects, now).Empty() &&
		s.planGhostbusters(c, &k.CertifiedKey, k.Objects, now).Empty()
}

// revokeASObjects revokes all ASPAs and router certificates.
func (o Objects) revokeASObjects(at time.Time, k *CertifiedKey) {
	for _, customer := range slices.Sorted(maps.Keys(o.ASPAs)) {
		k.revoke(at, o.ASPAs[customer].Serial, o.ASPAs[customer].NotAfter)
	}
	for _, r := range slices.SortedFunc(maps.Keys(o.RouterCerts), CompareRouterKeys) {
		k.revoke(at, o.RouterCerts[r].Serial, o.RouterCerts[r].NotAfter)
	}
}
