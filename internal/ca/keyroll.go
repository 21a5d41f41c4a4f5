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

// A key roll (RFC 6489): a class gets a second key, and a certificate for it;
// on activation everything is signed again with the new key, under the same
// names, and published in one go; then the parent revokes the old key.

// rolling says whether a class that signs has a second key.
func (c *Class) rolling() bool {
	return c.Current != nil && (c.Pending != nil || c.New != nil || c.Old != nil)
}

// keys gives all keys of a class.
func (c *Class) keys() []cert.KeyID {
	var out []cert.KeyID
	if c.Pending != nil {
		out = append(out, c.Pending.KeyID)
	}
	if c.New != nil {
		out = append(out, c.New.KeyID)
	}
	if c.Current != nil {
		out = append(out, c.Current.KeyID)
	}
	if c.Old != nil {
		out = append(out, c.Old.KeyID)
	}
	return out
}

// RollableClasses gives the classes whose keys can be rolled now: each needs a
// key before InitiateKeyRoll or a change of repository can be given.
func (s *State) RollableClasses() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		if c := s.Classes[name]; c.Current != nil && !c.rolling() {
			out = append(out, name)
		}
	}
	return out
}

// InitiateKeyRoll gives every class that can be rolled a new key; others are
// left as they are. NewKeys holds a fresh key for each of them.
type InitiateKeyRoll struct {
	NewKeys map[string]cert.KeyID `json:"new_keys"` // by class
}

// CommandName names the command in the log.
func (InitiateKeyRoll) CommandName() string { return "initiate_key_roll" }

// Process wants a key for each class that can be rolled.
func (c InitiateKeyRoll) Process(s *State, _ time.Time) ([]es.Event, error) {
	if len(s.Classes) > 0 && s.Repository == nil {
		return nil, fault.New(fault.Invalid, "repo-not-set", "No repository configured for CA")
	}
	return s.initiateRolls(c.NewKeys)
}

func (s *State) initiateRolls(fresh map[string]cert.KeyID) ([]es.Event, error) {
	var events []es.Event
	for _, name := range s.RollableClasses() {
		key, ok := fresh[name]
		if !ok {
			return nil, fault.New(fault.Conflict, "class-without-key", "class '"+name+"' can be rolled, and no key was made for it")
		}
		events = append(events, KeyRollInitiated{Class: name, Parent: s.Classes[name].Parent, KeyID: key})
	}
	return events, nil
}

// ActivateKeyRoll lets every new key follow the current one. It decides the
// intent: what is needed for it is signed by task, and then the keys change
// places at once.
type ActivateKeyRoll struct{}

// CommandName names the command in the log.
func (ActivateKeyRoll) CommandName() string { return "activate_key_roll" }

// Process refuses while a certificate is asked for that would change what is
// signed.
func (ActivateKeyRoll) Process(s *State, _ time.Time) ([]es.Event, error) {
	var events []es.Event
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.New == nil || c.New.Activated {
			continue
		}
		if c.New.Requested || c.Current != nil && c.Current.Requested {
			return nil, fault.New(fault.Invalid, "key-roll-pending-requests", "Cannot activate key while there are still pending requests.")
		}
		events = append(events, KeyActivationStarted{Class: name, KeyID: c.New.KeyID})
	}
	return events, nil
}

// SwitchKeys makes the new key of a class the current one, once all objects
// are staged.
type SwitchKeys struct {
	Class string     `json:"class"`
	Key   cert.KeyID `json:"key"` // the new key
}

// CommandName names the command in the log.
func (SwitchKeys) CommandName() string { return "switch_keys" }

// Process refuses as a Conflict when the staged objects are not what the new
// key must sign at this moment: nothing may be lost or claimed by the switch.
func (c SwitchKeys) Process(s *State, now time.Time) ([]es.Event, error) {
	k := s.staged(c.Class, c.Key)
	if k == nil || !k.Activated || s.Classes[c.Class].Current == nil {
		return nil, nil
	}
	class := s.Classes[c.Class]
	if !s.stagedROAsComplete(k, now) || !s.stagedCertsComplete(class, now) || !s.stagedObjectsComplete(class, now) {
		return nil, fault.New(fault.Conflict, "key-roll-incomplete", "the new key of class '"+c.Class+"' has not signed everything yet")
	}
	return []es.Event{KeyRollActivated{Class: c.Class, KeyID: c.Key, OldKey: class.Current.KeyID}}, nil
}

// stagedROAsComplete says whether the staged ROAs authorise exactly what is
// wanted under the new key's certificate.
func (s *State) stagedROAsComplete(k *StagedKey, now time.Time) bool {
	wants := s.wants(k.Cert.Resources)
	seen := map[ROA]bool{}
	for _, issued := range k.ROAs {
		if !issued.NotAfter.After(now) {
			return false
		}
		for _, r := range issued.Authorizations {
			if seen[r] || !wants(r) {
				return false
			}
			seen[r] = true
		}
	}
	for r := range s.ROAs {
		if !seen[r] && wants(r) {
			return false
		}
	}
	return true
}

// stagedCertsComplete says whether every child's certificate has the successor
// it should have, and no other is staged.
func (s *State) stagedCertsComplete(c *Class, now time.Time) bool {
	plan := s.planStagedCerts(c, now)
	return len(plan.Shrink) == 0 && len(plan.Revoke) == 0
}

// planStagedCerts says which children's certificates the new key must sign
// again, and which of those that it signed must go.
func (s *State) planStagedCerts(c *Class, now time.Time) CertPlan {
	k := c.New
	plan := CertPlan{Class: c.Name, Key: k.KeyID, Issuer: k.Cert}
	for _, key := range sortedKeys(c.Certs) {
		issued := c.Certs[key]
		want := s.mayHave(k.Cert.Resources, issued)
		have, ok := k.Certs[key]
		fits := ok && !have.Again && have.Resources.Equal(want) && have.SIA == issued.SIA && have.Child == issued.Child && have.NotAfter.After(now)
		if want.IsEmpty() || fits {
			continue
		}
		plan.Shrink = append(plan.Shrink, ShrinkCert{Old: issued, Resources: want})
	}
	for _, key := range sortedKeys(k.Certs) {
		if issued, ok := c.Certs[key]; !ok || s.mayHave(k.Cert.Resources, issued).IsEmpty() {
			plan.Revoke = append(plan.Revoke, key)
		}
	}
	return plan
}

// mayHave gives what of an issued certificate is held by the issuer's
// certificate and what the child is entitled to.
func (s *State) mayHave(held resources.Set, issued IssuedCert) resources.Set {
	may := held
	if child := s.Children[issued.Child]; child != nil {
		may = may.Intersect(child.Resources)
	}
	return may.Intersect(issued.Resources)
}

// ReadyKeys gives the new keys that have signed everything and can become
// current.
func (s *State) ReadyKeys(now time.Time, p Policy) []SwitchKeys {
	var out []SwitchKeys
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.New != nil && c.New.Activated && s.planStagedROAs(c, now, p).Empty() && s.stagedCertsComplete(c, now) && s.stagedObjectsComplete(c, now) {
			out = append(out, SwitchKeys{Class: name, Key: c.New.KeyID})
		}
	}
	return out
}

// RequestRevocation notes that all that replaces an old key's objects is
// published: the key can be revoked.
type RequestRevocation struct {
	Class string     `json:"class"`
	Key   cert.KeyID `json:"key"`
}

// CommandName names the command in the log.
func (RequestRevocation) CommandName() string { return "request_revocation" }

// Process decides nothing for a key that is not waiting for it.
func (c RequestRevocation) Process(s *State, _ time.Time) ([]es.Event, error) {
	class := s.Classes[c.Class]
	if class == nil || class.Old == nil || class.Old.KeyID != c.Key || class.Old.Revoking {
		return nil, nil
	}
	return []es.Event{KeyRevocationRequested{Class: c.Class, Parent: class.Parent, KeyID: c.Key}}, nil
}

// RetiredKeys gives the old keys whose successors' objects must be published
// before the parent is asked to revoke them.
func (s *State) RetiredKeys() []RequestRevocation {
	var out []RequestRevocation
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		if c := s.Classes[name]; c.Old != nil && !c.Old.Revoking {
			out = append(out, RequestRevocation{Class: name, Key: c.Old.KeyID})
		}
	}
	return out
}

// OpenRevocations gives the keys that this parent must be asked to revoke, with
// the names of our classes.
func (s *State) OpenRevocations(parent string) []FinishRevocation {
	var out []FinishRevocation
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Parent != parent {
			continue
		}
		if c.Old != nil && c.Old.Revoking {
			out = append(out, FinishRevocation{Class: name, ParentClass: c.ParentClass, Key: c.Old.KeyID})
		}
		for _, key := range c.Unexpected {
			out = append(out, FinishRevocation{Class: name, ParentClass: c.ParentClass, Key: key})
		}
	}
	return out
}

// FinishRevocation takes in that a parent revoked a key, or does not know it.
// For the old key of a class that ends the roll.
type FinishRevocation struct {
	Class       string     `json:"class"`
	ParentClass string     `json:"parent_class"`
	Key         cert.KeyID `json:"key"`
}

// CommandName names the command in the log.
func (FinishRevocation) CommandName() string { return "finish_revocation" }

// Process decides nothing for a key about which nobody was asked.
func (c FinishRevocation) Process(s *State, _ time.Time) ([]es.Event, error) {
	class := s.Classes[c.Class]
	switch {
	case class == nil:
		return nil, nil
	case class.Old != nil && class.Old.KeyID == c.Key && class.Old.Revoking:
		return []es.Event{KeyRollFinished{Class: c.Class, KeyID: c.Key}}, nil
	case slices.Contains(class.Unexpected, c.Key):
		return []es.Event{UnexpectedKeyRevoked{Class: c.Class, KeyID: c.Key}}, nil
	}
	return nil, nil
}
