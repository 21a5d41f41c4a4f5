package ca

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

// ConfigureRepository says where the CA publishes. Where it publishes already
// this is a key roll: new keys publish at the new repository, and the current
// ones stay at the old until they are gone. NewKeys holds a fresh key for each
// class that can be rolled.
type ConfigureRepository struct {
	Repository Repository            `json:"repository"`
	NewKeys    map[string]cert.KeyID `json:"new_keys,omitempty"` // by class
}

// CommandName names the command in the log.
func (ConfigureRepository) CommandName() string { return "configure_repository" }

// Process refuses the repository that the CA has, and any other while a key
// roll is under way.
func (c ConfigureRepository) Process(s *State, _ time.Time) ([]es.Event, error) {
	moved := RepositoryConfigured{Repository: c.Repository}
	if s.Repository == nil {
		return []es.Event{moved}, nil
	}
	if s.Repository.same(c.Repository) {
		return nil, &fault.Error{Kind: fault.Invalid, Code: "ca-repo-same", Msg: "CA '" + s.Handle + "' already uses this repository", Args: map[string]string{"ca": s.Handle}}
	}
	for _, class := range s.Classes {
		if class.rolling() {
			return nil, fault.New(fault.Invalid, "key-roll-disallowed", "Key roll in progress")
		}
	}
	events, err := s.initiateRolls(c.NewKeys)
	if err != nil {
		return nil, err
	}
	return append(events, moved), nil
}

func (r Repository) same(o Repository) bool {
	return r.samePlace(o) && r.NotificationURI == o.NotificationURI
}

func (r Repository) samePlace(o Repository) bool {
	return r.ServiceURI == o.ServiceURI && r.SIABase == o.SIABase
}

// repositoryOf gives where a key publishes; nil if nowhere yet.
func (s *State) repositoryOf(k *CertifiedKey) *Repository {
	if k.Repository != nil {
		return k.Repository
	}
	return s.Repository
}

// Repositories gives where the CA publishes: the configured one, and before a
// migration is finished those where old keys publish still.
func (s *State) Repositories() []Repository {
	var out []Repository
	add := func(r *Repository) {
		if r != nil && !slices.ContainsFunc(out, func(have Repository) bool { return have.ServiceURI == r.ServiceURI }) {
			out = append(out, *r)
		}
	}
	add(s.Repository)
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current != nil {
			add(c.Current.Repository)
		}
		if c.Old != nil {
			add(c.Old.Repository)
		}
	}
	return out
}

// AbandonedRepositories gives the former repositories where no key publishes
// any more: what is left there is to be withdrawn.
func (s *State) AbandonedRepositories() []Repository {
	used := s.Repositories()
	return slices.DeleteFunc(slices.Clone(s.Former), func(f Repository) bool {
		return slices.ContainsFunc(used, func(r Repository) bool {
			return r.ServiceURI == f.ServiceURI && (s.Repository == nil || r.ServiceURI != s.Repository.ServiceURI)
		})
	})
}

// LeaveRepository notes that a former repository was emptied, or that this was
// tried often enough.
type LeaveRepository struct {
	ServiceURI string `json:"service_uri"`
	SIABase    string `json:"sia_base"`
	GivenUp    bool   `json:"given_up,omitempty"`
}

// CommandName names the command in the log.
func (LeaveRepository) CommandName() string { return "leave_repository" }

// Process decides nothing for a repository that is not abandoned.
func (c LeaveRepository) Process(s *State, _ time.Time) ([]es.Event, error) {
	for _, r := range s.AbandonedRepositories() {
		if r.ServiceURI == c.ServiceURI && r.SIABase == c.SIABase {
			return []es.Event{RepositoryLeft(c)}, nil
		}
	}
	return nil, nil
}
