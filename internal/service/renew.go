package service

import (
	"context"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/fault"
	"baleen/internal/tasks"
)

// renew looks at the CAs that may have a signed object close to its expiry, one
// after the other, and at no others. Where there is none after all, it puts
// right when to look again.
func (s *Service) renew(ctx context.Context, _ Renew) (tasks.Outcome, error) {
	handles, err := s.Rows.DueRenewals(ctx, s.renewBefore(s.Now())...)
	if err != nil {
		return tasks.Outcome{}, err
	}
	out := tasks.Outcome{Again: s.Now().Add(renewEvery)}
	for _, h := range handles {
		if ctx.Err() != nil {
			return tasks.Outcome{}, ctx.Err()
		}
		due, err := s.renewalDue(ctx, h)
		switch {
		case err != nil && (fault.Of(err) == fault.NotFound || isBroken(err)): // deleted meanwhile, or it stays as it is
		case err != nil:
			return tasks.Outcome{}, err
		case due:
			out.Then = append(out.Then, tasks.Scheduled{Args: IssueCA{CA: h}})
		}
	}
	return out, nil
}

// renewalDue says whether a CA has something to renew.
func (s *Service) renewalDue(ctx context.Context, handle string) (bool, error) {
	stream, err := s.stream(ctx, handle)
	if err != nil {
		return false, err
	}
	var due bool
	var at int64
	var first []castore.Expiry
	err = s.view(ctx, handle, func(st *ca.State, version int64) error {
		now, policy := s.Now(), s.Config.Policy
		due = len(st.PlanROAs(now, policy))+len(st.PlanASPAs(now, policy))+len(st.PlanRouterCerts(now, policy))+len(st.PlanGhostbusters(now, policy)) > 0
		at, first = version, expiries(st)
		return nil
	})
	if err != nil || due {
		return due, err
	}
	return false, s.Rows.SetRenewals(ctx, s.Fence, stream, at, first...)
}
