package ca

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
)

// RemoveParent ends the relation to a parent: its classes go, with everything
// that was issued under them.
type RemoveParent struct {
	Parent string `json:"parent"`
}

// CommandName names the command in the log.
func (RemoveParent) CommandName() string { return "remove_parent" }

// Process lists what the parent certified, so that it can be asked to revoke
// it. The names of the classes are never used again.
func (c RemoveParent) Process(s *State, _ time.Time) ([]es.Event, error) {
	contact, ok := s.Parents[c.Parent]
	if !ok {
		return nil, ParentUnknown(s.Handle, c.Parent)
	}
	return append(s.closeClasses(c.Parent, nil), ParentRemoved{Parent: c.Parent, Contact: contact, Revoke: s.claims(c.Parent)}), nil
}

// claims gives the keys that a parent certified.
func (s *State) claims(parent string) []KeyClaim {
	var out []KeyClaim
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Parent != parent {
			continue
		}
		for _, key := range append(c.keys(), c.Unexpected...) {
			if c.Pending == nil || key != c.Pending.KeyID {
				out = append(out, KeyClaim{Class: c.ParentClass, KeyID: key})
			}
		}
	}
	return out
}

// Claims gives, by parent, the keys that were certified for this CA.
func (s *State) Claims() map[string][]KeyClaim {
	out := map[string][]KeyClaim{}
	for parent := range s.Parents {
		if list := s.claims(parent); len(list) > 0 {
			out[parent] = list
		}
	}
	return out
}

// DropKey gives up a key that the parent refuses for good. The second key of a
// roll goes alone, and the current one goes on; with a first or current key the
// class is closed: if the parent offers it again it gets another name, and
// another key.
type DropKey struct {
	Class  string     `json:"class"`
	Key    cert.KeyID `json:"key"`
	Reason string     `json:"reason"`
}

// CommandName names the command in the log.
func (DropKey) CommandName() string { return "drop_key" }

// Process decides nothing for a key that is not there.
func (c DropKey) Process(s *State, _ time.Time) ([]es.Event, error) {
	class := s.Classes[c.Class]
	if class == nil || !slices.Contains(class.keys(), c.Key) {
		return nil, nil
	}
	if class.Current != nil && class.Current.KeyID != c.Key {
		return []es.Event{KeyRollAbandoned{Class: c.Class, KeyID: c.Key, Reason: c.Reason}}, nil
	}
	return []es.Event{ResourceClassRemoved{Class: c.Class, Parent: class.Parent, Keys: class.keys()}}, nil
}

// RemoveChild ends the relation to a child: its certificates are revoked and
// withdrawn.
type RemoveChild struct {
	Child string `json:"child"`
}

// CommandName names the command in the log.
func (RemoveChild) CommandName() string { return "remove_child" }

// Process revokes in every class.
func (c RemoveChild) Process(s *State, _ time.Time) ([]es.Event, error) {
	child := s.Children[c.Child]
	if child == nil {
		return nil, ChildUnknown(s.Handle, c.Child)
	}
	var events []es.Event
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		if keys := s.Classes[name].keysOf(c.Child); len(keys) > 0 {
			events = append(events, s.Classes[name].revokeCerts(keys)...)
		}
	}
	return append(events, ChildRemoved(c)), nil
}

// keysOf gives the keys of a child that have a certificate in the class.
func (c *Class) keysOf(child string) []cert.KeyID {
	var out []cert.KeyID
	for _, key := range sortedKeys(c.Certs) {
		if c.Certs[key].Child == child {
			out = append(out, key)
		}
	}
	return out
}

// RenewIdentity replaces the key and certificate for the protocols of RFC 6492
// and RFC 8181 at once. Parents, children and the repository do not know the new
// one before they are told (RFC 8183).
type RenewIdentity struct {
	Identity Identity `json:"identity"`
}

// CommandName names the command in the log.
func (RenewIdentity) CommandName() string { return "renew_identity" }

// Process takes any identity.
func (c RenewIdentity) Process(s *State, _ time.Time) ([]es.Event, error) {
	return []es.Event{IdentityRenewed{Identity: c.Identity, OldKey: s.Identity.KeyID}}, nil
}

// Delete ends the CA.
type Delete struct{}

// CommandName names the command in the log.
func (Delete) CommandName() string { return "delete" }

// Process names all keys, which are destroyed with the CA.
func (Delete) Process(s *State, _ time.Time) ([]es.Event, error) {
	ev := Deleted{Keys: []cert.KeyID{s.Identity.KeyID}}
	for _, r := range append(s.Repositories(), s.Former...) {
		if !slices.Contains(ev.Repositories, r.ServiceURI) {
			ev.Repositories = append(ev.Repositories, r.ServiceURI)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		ev.Keys = append(ev.Keys, s.Classes[name].keys()...)
	}
	return []es.Event{ev}, nil
}
