package ca

import (
	"time"

	"baleen/internal/es"
)

// applyASObjects takes in what happened to ASPAs and router keys.
func (s *State) applyASObjects(at time.Time, e es.Event) {
	switch e := e.(type) {
	case ASPAsConfigured:
		s.configureASPAs(at, e)
	case ASPAsIssued:
		if c := s.Classes[e.Class]; c != nil {
			c.aspasIssued(at, e)
		}
	case RouterKeysConfigured:
		s.configureRouterKeys(at, e)
	case RouterCertsIssued:
		if c := s.Classes[e.Class]; c != nil {
			c.routerCertsIssued(at, e)
		}
	}
}
