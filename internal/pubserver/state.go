// Package pubserver is the publication server (RFC 8181, 8182). Who may
// publish is event-sourced: the aggregate "repository". What is published are
// rows: each message stages its changes, and a serial freezes everything that
// was staged in one step, so that no message is ever split over two serials.
// A row that is in the past stays: what was published at a time is one query.
package pubserver

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
)

// Repository is the handle of the one repository of a publication server.
const Repository = "0"

// trustAnchor is the publisher whose space is the whole repository.
const trustAnchor = "ta"

// State is what the events of a repository add up to.
type State struct {
	RRDPBase   string               `json:"rrdp_base_uri"`
	RsyncBase  string               `json:"rsync_base"`
	KeyID      cert.KeyID           `json:"key_id"`
	IDCert     []byte               `json:"id_cert"`
	Publishers map[string]Publisher `json:"publishers"`
}

// Publisher is who may publish, and where.
type Publisher struct {
	IDCert  []byte `json:"id_cert"` // DER, as in the publisher_request
	BaseURI string `json:"base_uri"`
}

// Type describes the aggregate to the event store.
func Type() es.Type[State] {
	return es.Type[State]{Kind: "repository", Apply: (*State).apply, End: RepositoryCleared{}.EventName(), Codec: es.Codec{
		"repository_initialized/1": es.JSON[RepositoryInitialized],
		"repository_cleared/1":     es.JSON[RepositoryCleared],
		"publisher_added/1":        es.JSON[PublisherAdded],
		"publisher_removed/1":      es.JSON[PublisherRemoved],
	}}
}

// RepositoryInitialized opens the repository.
type RepositoryInitialized struct {
	RRDPBase  string     `json:"rrdp_base_uri"`
	RsyncBase string     `json:"rsync_base"`
	Session   string     `json:"session"`
	KeyID     cert.KeyID `json:"key_id"`
	IDCert    []byte     `json:"id_cert"`
}

// RepositoryCleared closes the repository for good.
type RepositoryCleared struct{}

// PublisherAdded lets somebody publish below a URI.
type PublisherAdded struct {
	Handle  string `json:"handle"`
	IDCert  []byte `json:"id_cert"`
	BaseURI string `json:"base_uri"`
}

// PublisherRemoved ends that, and withdraws what they published.
type PublisherRemoved struct {
	Handle string `json:"handle"`
}

// EventName names the frozen form.
func (RepositoryInitialized) EventName() string { return "repository_initialized/1" }

// EventName names the frozen form.
func (RepositoryCleared) EventName() string { return "repository_cleared/1" }

// EventName names the frozen form.
func (PublisherAdded) EventName() string { return "publisher_added/1" }

// EventName names the frozen form.
func (PublisherRemoved) EventName() string { return "publisher_removed/1" }

func (s *State) apply(_ es.Meta, e es.Event) {
	switch e := e.(type) {
	case RepositoryInitialized:
		*s = State{
			RRDPBase: e.RRDPBase, RsyncBase: e.RsyncBase, KeyID: e.KeyID, IDCert: e.IDCert,
			Publishers: map[string]Publisher{},
		}
	case RepositoryCleared:
		*s = State{}
	case PublisherAdded:
		if s.Publishers == nil {
			s.Publishers = map[string]Publisher{}
		}
		s.Publishers[e.Handle] = Publisher{IDCert: e.IDCert, BaseURI: e.BaseURI}
	case PublisherRemoved:
		delete(s.Publishers, e.Handle)
	}
}

func (s *State) initialized() bool { return s.RsyncBase != "" }

func (s *State) handles() []string { return slices.Sorted(maps.Keys(s.Publishers)) }

// baseURI is where a publisher publishes.
func (s *State) baseURI(publisher string) string {
	if publisher == trustAnchor {
		return s.RsyncBase
	}
	return s.RsyncBase + publisher + "/"
}

// InitRepository opens the repository.
type InitRepository struct {
	RRDPBase  string     `json:"rrdp_base_uri"`
	RsyncBase string     `json:"rsync_base"`
	Session   string     `json:"session"`
	KeyID     cert.KeyID `json:"key_id"`
	IDCert    []byte     `json:"id_cert"`
}

// CommandName names the command in the log.
func (InitRepository) CommandName() string { return "init_repository" }

// Process refuses a second time and base URIs of the wrong form.
func (c InitRepository) Process(s *State, _ time.Time) ([]es.Event, error) {
	if s.initialized() {
		return nil, errInitialized()
	}
	rsync, err := parseBase(c.RsyncBase)
	if err != nil {
		return nil, errBadURI(err)
	}
	rrdp, err := parseRRDPBase(c.RRDPBase)
	if err != nil {
		return nil, errBadURI(err)
	}
	return []es.Event{RepositoryInitialized{
		RRDPBase: rrdp, RsyncBase: rsync, Session: c.Session, KeyID: c.KeyID, IDCert: c.IDCert,
	}}, nil
}

// ClearRepository closes the repository.
type ClearRepository struct{}

// CommandName names the command in the log.
func (ClearRepository) CommandName() string { return "clear_repository" }

// Process refuses while there are publishers.
func (ClearRepository) Process(s *State, _ time.Time) ([]es.Event, error) {
	switch {
	case !s.initialized():
		return nil, errNotInitialized()
	case len(s.Publishers) > 0:
		return nil, errHasPublishers()
	}
	return []es.Event{RepositoryCleared{}}, nil
}

// AddPublisher lets somebody publish.
type AddPublisher struct {
	Handle string `json:"handle"`
	IDCert []byte `json:"id_cert"`
}

// CommandName names the command in the log.
func (AddPublisher) CommandName() string { return "add_publisher" }

// Process refuses a handle that is taken or cannot be part of a URI, and an
// identity certificate that is not valid now.
func (c AddPublisher) Process(s *State, now time.Time) ([]es.Event, error) {
	if !s.initialized() {
		return nil, errNotInitialized()
	}
	if _, taken := s.Publishers[c.Handle]; taken {
		return nil, errDuplicate(c.Handle)
	}
	if err := oob.CheckHandle(c.Handle); err != nil {
		return nil, errBadRequest(err)
	}
	base, err := parseBase(s.baseURI(c.Handle))
	if err != nil {
		return nil, errBadRequest(err)
	}
	if _, err := cert.DecodeIdentity(c.IDCert, now); err != nil {
		return nil, errBadRequest(err)
	}
	return []es.Event{PublisherAdded{Handle: c.Handle, IDCert: c.IDCert, BaseURI: base}}, nil
}

// RemovePublisher ends a publisher's right to publish.
type RemovePublisher struct {
	Handle string `json:"handle"`
}

// CommandName names the command in the log.
func (RemovePublisher) CommandName() string { return "remove_publisher" }

// Process refuses an unknown publisher.
func (c RemovePublisher) Process(s *State, _ time.Time) ([]es.Event, error) {
	if !s.initialized() {
		return nil, errNotInitialized()
	}
	if _, ok := s.Publishers[c.Handle]; !ok {
		return nil, errUnknown(c.Handle)
	}
	return []es.Event{PublisherRemoved(c)}, nil
}
