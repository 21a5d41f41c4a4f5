package ca

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
)

// A child that says nothing for long can be suspended: its certificates are
// withdrawn and revoked, and kept aside with the child. When it is active again
// they are signed anew, as long as they fit. They are kept with the child and
// nowhere else, so that what ends the child ends them, and a key has either a
// certificate in its class or one that is kept aside, never both.

// unsuspendLeast is how much of its validity a certificate that was kept aside
// must have left to be issued again.
const unsuspendLeast = 24 * time.Hour

// WithheldCert is a certificate that was withdrawn because its child was
// suspended.
type WithheldCert struct {
	Class string `json:"class"`
	IssuedCert
}

// ChildSuspended says that a child is suspended. The withdrawal of its
// certificates, if it has any, comes before it.
type ChildSuspended struct {
	Child string `json:"child"`
}

// ChildUnsuspended makes a child active again. What was kept aside is issued
// again by task, but for the keys in Dropped, whose certificates fit no more:
// the child has to ask.
type ChildUnsuspended struct {
	Child   string       `json:"child"`
	Dropped []cert.KeyID `json:"dropped,omitempty"`
}

// EventName names the event in the log.
func (ChildSuspended) EventName() string { return "child_suspended/1" }

// EventName names the event in the log.
func (ChildUnsuspended) EventName() string { return "child_unsuspended/1" }

// SuspendChild withdraws a child's certificates until it is active again.
type SuspendChild struct {
	Child string `json:"child"`
}

// CommandName names the command in the log.
func (SuspendChild) CommandName() string { return "suspend_child" }

// Process does nothing for a child that is suspended or has no certificate. One
// that is kept aside still, because it was not issued anew yet, stays there.
func (c SuspendChild) Process(s *State, _ time.Time) ([]es.Event, error) {
	child := s.Children[c.Child]
	switch {
	case child == nil:
		return nil, ChildUnknown(s.Handle, c.Child)
	case child.Suspended:
		return nil, nil
	}
	var events []es.Event
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		class := s.Classes[name]
		keys := slices.DeleteFunc(sortedKeys(class.Certs), func(k cert.KeyID) bool { return class.Certs[k].Child != c.Child })
		if len(keys) > 0 {
			events = append(events, ChildCertificatesRevoked{Class: name, Keys: keys, Suspended: true})
		}
	}
	if len(events)+len(child.Withheld) == 0 {
		return nil, nil
	}
	return append(events, ChildSuspended(c)), nil
}

// UnsuspendChild makes a suspended child active again.
type UnsuspendChild struct {
	Child string `json:"child"`
}

// CommandName names the command in the log.
func (UnsuspendChild) CommandName() string { return "unsuspend_child" }

// Process does nothing for a child that is active. A certificate is issued
// again if it holds no more than the child may have now and more than a day of
// its validity is left.
func (c UnsuspendChild) Process(s *State, now time.Time) ([]es.Event, error) {
	child := s.Children[c.Child]
	switch {
	case child == nil:
		return nil, ChildUnknown(s.Handle, c.Child)
	case !child.Suspended:
		return nil, nil
	}
	e := ChildUnsuspended{Child: c.Child}
	for _, key := range sortedKeys(child.Withheld) {
		w := child.Withheld[key]
		class := s.Classes[w.Class]
		fits := class != nil && class.Current != nil && class.Current.Cert.Resources.Intersect(child.Resources).Contains(w.Resources)
		if !fits || !w.NotAfter.After(now.Add(unsuspendLeast)) {
			e.Dropped = append(e.Dropped, key)
		}
	}
	return []es.Event{e}, nil
}

// SuspendedChildren gives the names of the children that are suspended, sorted.
func (s *State) SuspendedChildren() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.Children)) {
		if s.Children[name].Suspended {
			out = append(out, name)
		}
	}
	return out
}

// applySuspension takes in the two events above.
func (s *State) applySuspension(e es.Event) {
	switch e := e.(type) {
	case ChildSuspended:
		if child := s.Children[e.Child]; child != nil {
			child.Suspended = true
		}
	case ChildUnsuspended:
		child := s.Children[e.Child]
		if child == nil {
			return
		}
		child.Suspended = false
		for _, key := range e.Dropped {
			delete(child.Withheld, key)
		}
	}
}

// withhold keeps a certificate aside that has just been withdrawn.
func (child *Child) withhold(class string, c IssuedCert) {
	if child.Withheld == nil {
		child.Withheld = map[cert.KeyID]WithheldCert{}
	}
	child.Withheld[c.KeyID] = WithheldCert{Class: class, IssuedCert: c}
}

// revokeWithheld takes a key out of use whose certificate is kept aside: its
// serial is on the CRL already.
func (s *State) revokeWithheld(class string, key cert.KeyID) {
	for _, child := range s.Children {
		if w, ok := child.Withheld[key]; ok && w.Class == class {
			delete(child.Withheld, key)
			child.Keys[key] = KeyUse{Class: class, Revoked: true}
		}
	}
}

// dropWithheld forgets what was kept aside of a class that is gone.
func (s *State) dropWithheld(class string) {
	for _, child := range s.Children {
		maps.DeleteFunc(child.Withheld, func(_ cert.KeyID, w WithheldCert) bool { return w.Class == class })
	}
}

// isWithheld says whether a certificate of this class is kept aside for a key.
func (s *State) isWithheld(class string, key cert.KeyID) bool {
	for _, child := range s.Children {
		if w, ok := child.Withheld[key]; ok && w.Class == class {
			return true
		}
	}
	return false
}

// planWithheld adds to a plan what is to be issued again to children that are
// active: with no more than they may have now, and not at all where that is
// nothing.
func (s *State) planWithheld(c *Class, plan *CertPlan) {
	for _, name := range slices.Sorted(maps.Keys(s.Children)) {
		child := s.Children[name]
		if child.Suspended {
			continue
		}
		may := c.Current.Cert.Resources.Intersect(child.Resources)
		for _, key := range sortedKeys(child.Withheld) {
			w := child.Withheld[key]
			if w.Class != c.Name {
				continue
			}
			if left := may.Intersect(w.Resources); left.IsEmpty() {
				plan.Revoke = append(plan.Revoke, key)
			} else {
				plan.Shrink = append(plan.Shrink, ShrinkCert{Old: w.IssuedCert, Resources: left})
			}
		}
	}
}
