package service

import (
	"context"
	"time"

	"baleen/internal/tasks"
)

// NextParents says when a CA will ask its parents next, by the CA's name for
// them; one that is not to be asked is not in it.
func (s *Service) NextParents(ctx context.Context, handle string, parents []string) (map[string]time.Time, error) {
	keys := make([]string, len(parents))
	for i, p := range parents {
		keys[i] = SyncParent{CA: handle, Parent: p}.Key()
	}
	at, err := tasks.Next(ctx, s.DB, s.Now(), []string{SyncParent{}.Kind(), AskParent{}.Kind()}, keys)
	if err != nil {
		return nil, err
	}
	out := make(map[string]time.Time, len(at))
	for i, p := range parents {
		if t, ok := at[keys[i]]; ok {
			out[p] = t
		}
	}
	return out, nil
}

// NextRepo says when a CA will send its repository something next; the zero
// time: when something changes.
func (s *Service) NextRepo(ctx context.Context, handle string) (time.Time, error) {
	key := SyncRepo{CA: handle}.Key()
	at, err := tasks.Next(ctx, s.DB, s.Now(), []string{SyncRepo{}.Kind(), SendRepo{}.Kind()}, []string{key})
	return at[key], err
}
