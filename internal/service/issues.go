package service

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es/pgstore"
)

// CAIssues is what keeps a CA from being well.
type CAIssues struct {
	CA      string
	Repo    *castore.Fault  // the last exchange with its repository failed
	Parents []castore.Issue // the last exchanges with these failed, by name
	Broken  *pgstore.Broken // its log cannot be read
}

// AllIssues gives the issues of every CA that has any, sorted by handle, of
// those that are chosen. It reads the exchanges that failed and looks into no
// CA: that a log is broken is known of those that somebody tried to read.
func (s *Service) AllIssues(ctx context.Context, choose func(handle string) bool) ([]CAIssues, error) {
	list, err := s.Rows.Issues(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]*CAIssues{}
	of := func(handle string) *CAIssues {
		if all[handle] == nil {
			all[handle] = &CAIssues{CA: handle}
		}
		return all[handle]
	}
	for _, i := range list {
		if i.Peer == "" {
			of(i.CA).Repo = &i.Fault
		} else {
			of(i.CA).Parents = append(of(i.CA).Parents, i)
		}
	}
	for _, b := range s.CAs.Broken() {
		of(b.Handle).Broken = &b
	}
	out := []CAIssues{}
	for _, handle := range slices.Sorted(maps.Keys(all)) {
		if choose(handle) {
			out = append(out, *all[handle])
		}
	}
	return out, nil
}

// Issues gives the issues of one CA.
func (s *Service) Issues(ctx context.Context, handle string) (CAIssues, error) {
	out := CAIssues{CA: handle}
	parents := map[string]bool{}
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error {
		for name := range st.Parents {
			parents[name] = true
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	statuses, err := s.ParentStatuses(ctx, handle)
	if err != nil {
		return out, err
	}
	for _, st := range statuses {
		if st.Fault != nil && parents[st.Parent] {
			out.Parents = append(out.Parents, castore.Issue{CA: handle, Peer: st.Parent, Fault: *st.Fault})
		}
	}
	stream, err := s.stream(ctx, handle)
	if err != nil {
		return out, err
	}
	x, contacted, err := s.Rows.RepoStatus(ctx, stream)
	if err == nil && contacted {
		out.Repo = x.Fault
	}
	return out, err
}

// forgetLeft drops the outcome of an exchange with a parent that was left while
// it was asked: it was noted after all others had been forgotten.
func (s *Service) forgetLeft(ctx context.Context, handle, parent string) error {
	known := false
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error { _, known = st.Parents[parent]; return nil })
	if err != nil || known {
		return err
	}
	stream, err := s.stream(ctx, handle)
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.Rows.ForgetParent(ctx, tx, stream, parent) })
}
