package service

import (
	"context"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
)

// PauseIssuing holds back the ROAs of a CA for routes that none authorises yet,
// such as the rest of a large job. None is recorded once it has answered.
func (s *Service) PauseIssuing(ctx context.Context, actor es.Actor, handle string, ifVersion *int64) error {
	_, err := s.execute(ctx, handle, ca.PauseIssuing{}, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return err
}

// ResumeIssuing lets a job go on that was held.
func (s *Service) ResumeIssuing(ctx context.Context, actor es.Actor, handle string, ifVersion *int64) error {
	_, err := s.execute(ctx, handle, ca.ResumeIssuing{}, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return err
}

// Progress tells how far a CA is with its ROAs.
func (s *Service) Progress(ctx context.Context, handle string) (ca.Progress, error) {
	var p ca.Progress
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error {
		p = st.Progress(s.Now(), s.Config.Policy)
		return nil
	})
	return p, err
}
