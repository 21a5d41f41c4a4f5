package service

import (
	"context"

	"baleen/internal/bgp"
	"baleen/internal/bgp/analysis"
	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/resources"
)

// tryAgain is how often an update that was found good is looked at again
// because the CA changed meanwhile.
const tryAgain = 5

// seen gives the announcements; nil if none are known. They are fetched by the
// active node; what is left of an earlier term tells nothing.
func (s *Service) seen() *bgp.Set {
	if s.Announcements == nil || s.Fence.Epoch() < 0 {
		return nil
	}
	return s.Announcements.Set()
}

// AnalyseROAs compares the ROAs of a CA with what is announced; scope narrows
// what is told, nil does not.
func (s *Service) AnalyseROAs(ctx context.Context, handle string, scope *resources.Set) (analysis.Report, error) {
	in := analysis.Input{Scope: scope, Seen: s.seen()}
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error {
		in.ROAs, in.Held = st.SortedROAs(), st.Held()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return analysis.Compare(in).Report(), nil
}

// DryRunROAs tells what an update would lead to, for the prefixes that it is
// about, or refuses it as it would be refused. Nothing changes, and the history
// does not hear of it.
func (s *Service) DryRunROAs(ctx context.Context, handle string, cmd ca.ConfigureROAs) (analysis.Report, error) {
	c, _, err := s.preview(ctx, handle, cmd)
	if err != nil {
		return nil, err
	}
	return c.Report(), nil
}

// preview compares what an update would lead to, from the version that it gives.
func (s *Service) preview(ctx context.Context, handle string, cmd ca.ConfigureROAs) (*analysis.Comparison, int64, error) {
	scope := cmd.Prefixes()
	in := analysis.Input{Scope: &scope, Seen: s.seen()}
	var version int64
	err := s.view(ctx, handle, func(st *ca.State, v int64) error {
		var err error
		in.ROAs, err = cmd.Preview(st, s.Now())
		in.Held, version = st.Held(), v
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return analysis.Compare(in), version, nil
}

// Advice is why an update was not made.
type Advice struct {
	Effect analysis.Report // what it would lead to
	Now    analysis.Report // the same prefixes as they are, from which to suggest something else
}

// TryROAs makes an update unless announcements in its prefixes would be
// invalid: then it gives advice and changes nothing. It is made on the very
// version that was looked at.
func (s *Service) TryROAs(ctx context.Context, actor es.Actor, handle string, cmd ca.ConfigureROAs, ifVersion *int64) (int64, *Advice, error) {
	if err := s.CheckVersion(ctx, handle, ifVersion); err != nil {
		return 0, nil, err
	}
	for tries := 0; ; tries++ {
		c, version, err := s.preview(ctx, handle, cmd)
		if err != nil {
			return 0, nil, err
		}
		if c.InvalidAnnouncements() {
			advice, err := s.advise(ctx, handle, cmd, c)
			return version, advice, err
		}
		at := &version
		if ifVersion != nil {
			if pgstore.VersionIn(*ifVersion) != version {
				return 0, nil, fault.New(fault.Conflict, pgstore.CodeVersionMismatch, "the CA is at another version")
			}
			at = ifVersion
		}
		version, err = s.ConfigureROAs(ctx, actor, handle, cmd, at)
		if fault.Code(err) == pgstore.CodeVersionMismatch && ifVersion == nil && tries < tryAgain {
			continue // it is not known whether it is still good
		}
		return version, nil, err
	}
}

func (s *Service) advise(ctx context.Context, handle string, cmd ca.ConfigureROAs, c *analysis.Comparison) (*Advice, error) {
	scope := cmd.Prefixes()
	now, err := s.AnalyseROAs(ctx, handle, &scope)
	if err != nil {
		return nil, err
	}
	return &Advice{Effect: c.Report(), Now: now}, nil
}
