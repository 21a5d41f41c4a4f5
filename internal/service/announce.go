package service

import (
	"context"

	"baleen/internal/tasks"
)

// RefreshAnnouncements fetches the routes that are seen announced, if that is
// due.
type RefreshAnnouncements struct{}

// Kind names the task in the queue.
func (RefreshAnnouncements) Kind() string { return "bgp_refresh" }

// Key is the same for all: there is one.
func (RefreshAnnouncements) Key() string { return "all" }

// refreshAnnouncements looks whether the announcements are due. What could not
// be fetched is due the next time; until then the former ones are used.
func (s *Service) refreshAnnouncements(ctx context.Context, _ RefreshAnnouncements) (tasks.Outcome, error) {
	if s.Announcements == nil {
		return tasks.Outcome{}, nil
	}
	got, ok, err := s.Announcements.Refresh(ctx)
	switch {
	case ctx.Err() != nil:
		return tasks.Outcome{}, ctx.Err()
	case err != nil:
		s.Log.Warn("route announcements cannot be fetched", "error", err)
	case ok:
		s.Log.Info("route announcements fetched", "ipv4", got.V4, "ipv6", got.V6, "left_out", got.Skipped, "unreadable", got.Junk)
	}
	return tasks.Outcome{Again: s.Now().Add(announceEvery)}, nil
}
