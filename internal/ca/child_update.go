package ca

import (
	"bytes"
	"fmt"
	"maps"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// UpdateChild changes several things about a child in one step: all of it
// happens, or nothing. What is not set stays.
type UpdateChild struct {
	Child     string         `json:"child"`
	IDCert    []byte         `json:"id_cert,omitempty"` // DER, checked by the caller
	IDKey     cert.KeyID     `json:"id_key,omitzero"`
	Resources *resources.Set `json:"resources,omitempty"`
	Suspend   *bool          `json:"suspend,omitempty"`
	Class     *ClassMapping  `json:"class,omitempty"`
}

// ClassMapping gives a class of ours the name that a child uses for it. Our own
// name ends the mapping.
type ClassMapping struct {
	Ours   string `json:"ours"`
	Theirs string `json:"theirs"`
}

// CommandName names the command in the log.
func (UpdateChild) CommandName() string { return "update_child" }

// Process checks every part before any is decided.
func (c UpdateChild) Process(s *State, now time.Time) ([]es.Event, error) {
	child := s.Children[c.Child]
	if child == nil {
		return nil, ChildUnknown(s.Handle, c.Child)
	}
	var events []es.Event
	if len(c.IDCert) > 0 && !bytes.Equal(c.IDCert, child.IDCert) {
		events = append(events, ChildIDCertUpdated{Child: c.Child, IDCert: c.IDCert})
	}
	if c.Resources != nil {
		part, err := UpdateChildResources{Child: c.Child, Resources: *c.Resources}.Process(s, now)
		if err != nil {
			return nil, err
		}
		events = append(events, part...)
	}
	if c.Suspend != nil {
		part, err := suspension(c.Child, *c.Suspend).Process(s.entitling(c.Child, c.Resources), now)
		if err != nil {
			return nil, err
		}
		events = append(events, part...)
	}
	if c.Class != nil && child.nameOf(c.Class.Ours) != c.Class.Theirs {
		if err := s.checkMapping(c.Child, *c.Class); err != nil {
			return nil, err
		}
		events = append(events, ChildClassMapped{Child: c.Child, Class: c.Class.Ours, Name: c.Class.Theirs})
	}
	return events, nil
}

// entitling gives the state as it is once a child is entitled to other
// resources; nil: to those that it has.
func (s *State) entitling(child string, to *resources.Set) *State {
	if to == nil {
		return s
	}
	after, kid := *s, *s.Children[child]
	kid.Resources = *to
	after.Children = maps.Clone(s.Children)
	after.Children[child] = &kid
	return &after
}

// suspension is the command that suspends a child, or ends that.
func suspension(child string, suspend bool) es.Command[State] {
	if suspend {
		return SuspendChild{Child: child}
	}
	return UnsuspendChild{Child: child}
}

// maxClassName is how long a class name may be in the protocol (RFC 6492
// section 3.2).
const maxClassName = 1024

// checkMapping wants a name by which the child knows no other class, and no
// certificate that the child already has under the old name.
func (s *State) checkMapping(handle string, m ClassMapping) error {
	refuse := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "general-error", fmt.Sprintf("class name mapping for child '"+handle+"': "+format, args...))
	}
	child := s.Children[handle]
	if m.Theirs == "" || len(m.Theirs) > maxClassName {
		return refuse("a name has 1 to %d characters", maxClassName)
	}
	if c := s.Classes[m.Ours]; c != nil && len(c.keysOf(handle)) > 0 {
		return refuse("it has a certificate in class '%s' already", m.Ours)
	}
	if c := s.classFor(child, m.Theirs); c != nil && c.Name != m.Ours {
		return refuse("it knows class '%s' as '%s' already", c.Name, m.Theirs)
	}
	for ours, theirs := range child.ClassNames {
		if theirs == m.Theirs && ours != m.Ours {
			return refuse("'%s' stands for class '%s' already", m.Theirs, ours)
		}
	}
	return nil
}

// nameMapped says whether some child uses this name for a class of ours that
// has another: no new class gets it.
func (s *State) nameMapped(name string) bool {
	for _, child := range s.Children {
		for _, theirs := range child.ClassNames {
			if theirs == name {
				return true
			}
		}
	}
	return false
}
