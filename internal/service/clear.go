package service

import (
	"context"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/tasks"
)

// ClearRepository removes the files of a repository that was closed, and the key
// that signed its answers.
type ClearRepository struct {
	KeyID cert.KeyID `json:"key_id"`
}

// Kind names the task in the queue.
func (ClearRepository) Kind() string { return "pub_clear" }

// Key is that of the one repository.
func (ClearRepository) Key() string { return pubserver.Repository }

// ClearPublicationServer closes the publication server, which must have no
// publishers any more. Its files are gone when this returns or, where they cannot
// be removed now, by task.
func (s *Service) ClearPublicationServer(ctx context.Context, actor es.Actor) error {
	key, _, err := s.Pubs.Identity(ctx)
	if err != nil {
		return err
	}
	if err := s.Pubs.Clear(ctx, actor, now(ClearRepository{KeyID: key})...); err != nil {
		return err
	}
	if err := s.Export.Clear(ctx); err != nil {
		s.Log.Warn("the files of the closed repository cannot be removed now", "error", err)
	}
	return nil
}

// clearRepository does nothing to the files of a repository that was opened
// since: what nothing leads to there is removed when its grace is over.
func (s *Service) clearRepository(ctx context.Context, a ClearRepository) (tasks.Outcome, error) {
	if _, err := s.Pubs.Publishers(ctx); fault.Code(err) == "pub-repo-not-initialized" {
		if err := s.Export.Clear(ctx); err != nil {
			return tasks.Outcome{}, err
		}
	} else if err != nil {
		return tasks.Outcome{}, err
	}
	s.dropKeys(ctx, []cert.KeyID{a.KeyID})
	var out tasks.Outcome
	if _, err := s.Pubs.Publishers(ctx); err == nil { // opened meanwhile: its files must be there
		out.Then = now(pubserver.UpdateRRDP{Repository: pubserver.Repository})
	}
	return out, nil
}
