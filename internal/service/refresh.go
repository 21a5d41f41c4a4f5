package service

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/fault"
	"baleen/internal/tasks"
)

// refreshCA asks the parents of a CA.
func (s *Service) refreshCA(ctx context.Context, a RefreshCA) (tasks.Outcome, error) {
	var parents []string
	err := s.view(ctx, a.CA, func(st *ca.State, _ int64) error {
		parents = slices.Sorted(maps.Keys(st.Parents))
		return nil
	})
	if fault.Code(err) == "ca-unknown" { // a child elsewhere asks by itself
		return tasks.Outcome{}, nil
	}
	if err != nil {
		return tasks.Outcome{}, err
	}
	if limit := cmp.Or(s.Config.RefreshBatch, refreshBatch); a.Batch && len(parents) > limit {
		status, err := s.ParentStatuses(ctx, a.CA)
		if err != nil {
			return tasks.Outcome{}, err
		}
		parents = longestUnasked(parents, status)[:limit]
	}
	var out tasks.Outcome
	for _, name := range parents {
		out.Then = append(out.Then, now(SyncParent{CA: a.CA, Parent: name})...)
	}
	return out, nil
}

// longestUnasked sorts parents: first those that were never asked, then by the
// minute of the last exchange and, within a minute, those that failed first.
func longestUnasked(parents []string, status []castore.ParentStatus) []string {
	last := map[string]castore.ParentStatus{}
	for _, st := range status {
		last[st.Parent] = st
	}
	failed := func(st castore.ParentStatus) int {
		if st.Fault != nil {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(parents, func(a, b string) int {
		x, y := last[a], last[b]
		return cmp.Or(x.At.Truncate(time.Minute).Compare(y.At.Truncate(time.Minute)), cmp.Compare(failed(x), failed(y)))
	})
	return parents
}
