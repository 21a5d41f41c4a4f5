package service

import (
	"context"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
)

// ConfigureGhostbusters adds, replaces and removes Ghostbusters records. It
// answers once the intent is committed; the objects follow by task.
func (s *Service) ConfigureGhostbusters(ctx context.Context, actor es.Actor, handle string, cmd ca.ConfigureGhostbusters, ifVersion *int64) (int64, error) {
	r, err := s.execute(ctx, handle, cmd, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return r.Version, err
}

// issueGhostbusters carries out the plans for Ghostbusters records.
func (s *Service) issueGhostbusters(ctx context.Context, handle string) error {
	var plans []ca.GhostbustersPlan
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error { plans = st.PlanGhostbusters(s.Now(), s.Config.Policy); return nil })
	if err != nil {
		return err
	}
	return kind[ca.Ghostbusters, ca.IssuedGhostbusters, string]{
		name: "Ghostbusters records", sign: s.maker().Ghostbusters,
		record: func(p ca.GhostbustersPlan, issued []ca.IssuedGhostbusters, withdrawn []string) es.Command[ca.State] {
			return ca.RecordGhostbusters{Class: p.Class, Key: p.Key, Issued: issued, Withdrawn: withdrawn}
		},
	}.issue(ctx, s, handle, plans)
}
