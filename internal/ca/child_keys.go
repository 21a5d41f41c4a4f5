package ca

import (
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// nameOf gives the name under which the child knows a class of ours.
func (c *Child) nameOf(class string) string {
	if name, ok := c.ClassNames[class]; ok {
		return name
	}
	return class
}

// classFor gives the class that the child calls so, or nil.
func (s *State) classFor(c *Child, name string) *Class {
	for ours, theirs := range c.ClassNames {
		if theirs == name && s.Classes[ours] != nil {
			return s.Classes[ours]
		}
	}
	if class := s.Classes[name]; class != nil && c.nameOf(name) == name {
		return class
	}
	return nil
}

// PlanChildCert decides on a child's request for a class by the child's name
// for it (RFC 6492 section 3.4): the limit must be within what the child is
// entitled to, nothing is signed for an empty set, and no key is taken again
// once it was revoked or used elsewhere.
func (s *State) PlanChildCert(handle, class string, req *cert.Request, limit resources.Limit) (PlannedCert, error) {
	child := s.Children[handle]
	if child == nil {
		return PlannedCert{}, ChildUnknown(s.Handle, handle)
	}
	c := s.classFor(child, class)
	if c == nil {
		return PlannedCert{}, classUnknown(class)
	}
	if c.Current == nil {
		return PlannedCert{}, fault.New(fault.Unavailable, "key-no-current", "No current key in resource class")
	}
	if child.Suspended {
		return PlannedCert{}, fault.New(fault.Conflict, "child-suspended", "child '"+handle+"' was suspended meanwhile")
	}
	entitled := c.Current.Cert.Resources.Intersect(child.Resources)
	want, ok := limit.Within(entitled)
	if want.IsEmpty() || entitled.IsEmpty() {
		return PlannedCert{}, fault.New(fault.Invalid, "rc-missing-resources", "Requester is not entitled to all requested resources")
	}
	if !ok {
		cause := "the requested resources are not within what child '" + handle + "' is entitled to"
		return PlannedCert{}, &fault.Error{Kind: fault.Invalid, Code: "rfc6492-protocol", Msg: "RFC 6492 Issue: " + cause, Args: map[string]string{"cause": cause}}
	}
	if s.keyTaken(handle, c.Name, req.KeyID) {
		return PlannedCert{}, keyReuse()
	}
	return PlannedCert{
		Child: handle, Class: c.Name, Key: c.Current.KeyID, Resources: want, Subject: req.KeyID, Limit: limit,
		SIA: SIA{Repository: req.SIA.Repository, Manifest: req.SIA.Manifest, Notify: req.SIA.Notify},
		URI: c.Current.Cert.SIA.Repository + req.KeyID.String() + ".cer",
	}, nil
}

// keyTaken says whether a child may not get a certificate for a key: it is one
// of this CA, or was revoked, or used in another class or by another child.
func (s *State) keyTaken(handle, class string, key cert.KeyID) bool {
	if s.ownKey(key) {
		return true
	}
	for name, child := range s.Children {
		use, used := child.Keys[key]
		if used && (name != handle || use.Revoked || use.Class != class) {
			return true
		}
	}
	return false
}

// ownKey says whether a key is one of this CA.
func (s *State) ownKey(key cert.KeyID) bool {
	if key == s.Identity.KeyID {
		return true
	}
	for _, c := range s.Classes {
		if slices.Contains(c.keys(), key) {
			return true
		}
	}
	return false
}

// RevokeChildKey takes a child's key out of use, as the child asked (RFC 6492
// section 3.5). Class is the child's name for it.
type RevokeChildKey struct {
	Child string     `json:"child"`
	Class string     `json:"class"`
	Key   cert.KeyID `json:"key"`
}

// CommandName names the command in the log.
func (RevokeChildKey) CommandName() string { return "revoke_child_key" }

// Process refuses a class or a key that the child does not have (codes 1301 and
// 1302 of RFC 6492 section 3.6).
func (c RevokeChildKey) Process(s *State, _ time.Time) ([]es.Event, error) {
	child := s.Children[c.Child]
	if child == nil {
		return nil, ChildUnknown(s.Handle, c.Child)
	}
	class := s.classFor(child, c.Class)
	if class == nil {
		return nil, classUnknown(c.Class)
	}
	issued, ok := class.Certs[c.Key]
	withheld, kept := child.Withheld[c.Key]
	if (!ok || issued.Child != c.Child) && (!kept || withheld.Class != class.Name) {
		return nil, fault.New(fault.NotFound, "key-no-cert", "No issued cert matching pub key")
	}
	return class.revokeCerts([]cert.KeyID{c.Key}), nil
}

// revokeCerts gives the events by which children's keys go out of use, also
// under the new key of a roll.
func (c *Class) revokeCerts(keys []cert.KeyID) []es.Event {
	var events []es.Event
	if c.New != nil {
		staged := slices.DeleteFunc(slices.Clone(keys), func(k cert.KeyID) bool { _, ok := c.New.Certs[k]; return !ok })
		if len(staged) > 0 {
			events = append(events, ChildCertificatesStaged{Class: c.Name, KeyID: c.New.KeyID, Withdrawn: staged})
		}
	}
	return append(events, ChildCertificatesRevoked{Class: c.Name, Keys: keys})
}
