package service

import (
	"context"
	"fmt"
	"slices"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/tasks"
)

// ForceReissue tells a page of the CAs, and then the rest, to sign again all that
// they issued.
type ForceReissue struct {
	Actor es.Actor `json:"actor"`
	After string   `json:"after,omitempty"` // handle of the last CA of the page before
}

// Kind names the task in the queue.
func (ForceReissue) Kind() string { return "cas_reissue" }

// Key is the same for all: there is one.
func (ForceReissue) Key() string { return "all" }

// reissuePage is how many CAs are told at once: behind the last of them a
// restart goes on.
const reissuePage = 100

// ForceReissueCA has a CA sign again all that it issued. It answers once the
// intent is committed; the objects follow by task.
func (s *Service) ForceReissueCA(ctx context.Context, actor es.Actor, handle string, ifVersion *int64) error {
	_, err := s.execute(ctx, handle, ca.ForceReissue{}, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return err
}

// BulkForceReissue has every CA sign again all that it issued.
func (s *Service) BulkForceReissue(ctx context.Context, actor es.Actor) error {
	return s.schedule(ctx, ForceReissue{Actor: actor})
}

func (s *Service) forceReissue(ctx context.Context, a ForceReissue) (tasks.Outcome, error) {
	handles, err := s.CAs.Handles(ctx)
	if err != nil {
		return tasks.Outcome{}, err
	}
	slices.Sort(handles)
	start, found := slices.BinarySearch(handles, a.After)
	if found {
		start++
	}
	page := handles[start:min(start+reissuePage, len(handles))]
	for _, h := range page {
		err := s.ForceReissueCA(ctx, a.Actor, h, AnyVersion)
		if err != nil && fault.Of(err) != fault.NotFound && !isBroken(err) { // deleted meanwhile, or it stays as it is
			return tasks.Outcome{}, fmt.Errorf("CA %s: %w", h, err)
		}
	}
	if start+len(page) == len(handles) {
		return tasks.Outcome{}, nil
	}
	return tasks.Outcome{Then: now(ForceReissue{Actor: a.Actor, After: page[len(page)-1]})}, nil
}
