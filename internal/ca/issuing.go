package ca

import (
	"time"

	"baleen/internal/es"
)

// An operator can hold a large job of a CA: while its issuing is paused, no ROA
// is signed for a route that none authorises yet. Everything else goes on, so
// that a pause that is forgotten harms nobody: what is issued is renewed, what is
// no longer wanted is withdrawn, keys roll with what there is.

// IssuingPaused holds back new ROAs.
type IssuingPaused struct{}

// IssuingResumed lets them be signed again.
type IssuingResumed struct{}

// EventName names the event in the log.
func (IssuingPaused) EventName() string { return "issuing_paused/1" }

// EventName names the event in the log.
func (IssuingResumed) EventName() string { return "issuing_resumed/1" }

// PauseIssuing holds back new ROAs until they are let go again.
type PauseIssuing struct{}

// CommandName names the command in the log.
func (PauseIssuing) CommandName() string { return "pause_issuing" }

// Process does nothing where issuing is paused.
func (PauseIssuing) Process(s *State, _ time.Time) ([]es.Event, error) {
	if s.IssuingPaused {
		return nil, nil
	}
	return []es.Event{IssuingPaused{}}, nil
}

// ResumeIssuing lets new ROAs be signed again.
type ResumeIssuing struct{}

// CommandName names the command in the log.
func (ResumeIssuing) CommandName() string { return "resume_issuing" }

// Process does nothing where issuing is not paused.
func (ResumeIssuing) Process(s *State, _ time.Time) ([]es.Event, error) {
	if !s.IssuingPaused {
		return nil, nil
	}
	return []es.Event{IssuingResumed{}}, nil
}

// Progress is how far a CA is with its ROA objects.
type Progress struct {
	Paused   bool
	Wanted   int // objects that its current keys should have
	Issued   int // those of them that they have
	Withdraw int // objects that they have and should not
}

// Progress tells how far the CA is, be its issuing paused or not.
func (s *State) Progress(now time.Time, p Policy) Progress {
	out := Progress{Paused: s.IssuingPaused}
	running := *s
	running.IssuingPaused = false
	for _, c := range s.Classes {
		if c.Current == nil {
			continue
		}
		plan := running.planROAs(c, c.Current, c.ROAs, now, p)
		out.Wanted += plan.Wanted
		out.Issued += plan.Wanted - len(plan.Issue)
		out.Withdraw += len(plan.Withdraw)
	}
	return out
}
