package ca

import (
	"time"

	"baleen/internal/es"
)

// ForceReissue has everything signed again that a CA issued: ROAs, ASPAs, router
// certificates, Ghostbusters records and the certificates of its children. The new objects take the
// places of the old ones, whose certificates are revoked.
type ForceReissue struct{}

// CommandName names the command in the log.
func (ForceReissue) CommandName() string { return "force_reissue" }

// Process decides nothing for a CA that issued nothing.
func (ForceReissue) Process(s *State, _ time.Time) ([]es.Event, error) {
	for _, c := range s.Classes {
		if !c.Objects.none() || c.New != nil && !c.New.none() {
			return []es.Event{ReissueForced{}}, nil
		}
	}
	return nil, nil
}

// ReissueForced marks every object that the CA has issued by then: each is
// signed again, and loses the mark when its successor is recorded.
type ReissueForced struct{}

// EventName names the event in the log.
func (ReissueForced) EventName() string { return "reissue_forced/1" }

func (s *State) markForReissue() {
	for _, c := range s.Classes {
		c.mark()
		if c.New != nil {
			c.New.mark()
		}
	}
}

func (o Objects) none() bool {
	return len(o.ROAs)+len(o.Certs)+len(o.ASPAs)+len(o.RouterCerts)+len(o.Ghostbusters) == 0
}

// mark says of all objects that they are to be signed again.
func (o Objects) mark() {
	for name, issued := range o.ROAs {
		issued.Again = true
		o.ROAs[name] = issued
	}
	for key, issued := range o.Certs {
		issued.Again = true
		o.Certs[key] = issued
	}
	for customer, issued := range o.ASPAs {
		issued.Again = true
		o.ASPAs[customer] = issued
	}
	for router, issued := range o.RouterCerts {
		issued.Again = true
		o.RouterCerts[router] = issued
	}
	for name, issued := range o.Ghostbusters {
		issued.Again = true
		o.Ghostbusters[name] = issued
	}
}
