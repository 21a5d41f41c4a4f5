package service

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/pubserver"
	"baleen/internal/tasks"
	"baleen/internal/trustanchor"
)

// StartCAs looks, after a start, at a page of the CAs: what should come by
// itself and does not, because its task was lost or parked, is scheduled.
type StartCAs struct {
	After string `json:"after,omitempty"` // handle of the last CA of the page before
}

// Kind names the task in the queue.
func (StartCAs) Kind() string { return "queue_start" }

// Key is the same for all: there is one.
func (StartCAs) Key() string { return "all" }

// ScheduleStart begins a term as the active node: it puts the recurring tasks
// into the queue if they are not there, and makes sure that the repository's
// files, manifests that are about to end, the route announcements and the CAs are
// looked at at once. It takes as
// long for one CA as for many: the rest is for tasks.
func (s *Service) ScheduleStart(ctx context.Context) error {
	begin := s.Now()
	s.activeSince.Store(&begin)
	return s.waking(s.inTx(ctx, func(tx pgx.Tx) error {
		recurring := now(Renew{}, trustanchor.Renew{}, SnapshotLog{}, ArchiveLog{})
		if s.Config.Testbed.Enabled {
			recurring = append(recurring, now(ExpireTestbed{})...)
		}
		if s.Config.SuspendAfter > 0 {
			recurring = append(recurring, now(SuspendSilent{})...)
		}
		if err := tasks.EnqueueMissing(ctx, tx, begin, recurring...); err != nil {
			return err
		}
		once := now(StartCAs{}, Republish{}, pubserver.UpdateRRDP{Repository: pubserver.Repository})
		if s.Announcements != nil {
			once = append(once, now(RefreshAnnouncements{})...)
		}
		return tasks.Enqueue(ctx, tx, begin, once...)
	}))
}

// startCAs makes sure that the CAs of a page ask their parents: at once where
// there are few CAs, otherwise spread over the time by which refreshes are
// spread. A task that waits already keeps its time. Where there are very few
// CAs their repositories are compared too.
func (s *Service) startCAs(ctx context.Context, a StartCAs) (tasks.Outcome, error) {
	total, err := s.Rows.CountCAs(ctx)
	if err != nil {
		return tasks.Outcome{}, err
	}
	page, err := s.Rows.PageOfCAs(ctx, []string{RefreshCA{}.Kind(), SyncParent{}.Kind(), AskParent{}.Kind()}, a.After, startPage)
	if err != nil {
		return tasks.Outcome{}, err
	}
	var out tasks.Outcome
	var missing []tasks.Scheduled
	for _, c := range page {
		at, err := s.startAt(total)
		if err != nil {
			return tasks.Outcome{}, err
		}
		if c.Silent {
			out.Then = append(out.Then, tasks.Scheduled{Args: RefreshCA{CA: c.CA}, At: at})
		}
		for _, parent := range c.Missing {
			out.Then = append(out.Then, tasks.Scheduled{Args: SyncParent{CA: c.CA, Parent: parent}, At: at})
		}
		if total <= syncReposUpTo {
			missing = append(missing, now(SyncRepo{CA: c.CA})...)
		}
	}
	if len(page) == startPage {
		out.Then = append(out.Then, now(StartCAs{After: page[len(page)-1].CA})...)
	}
	return out, s.inTx(ctx, func(tx pgx.Tx) error { return tasks.EnqueueMissing(ctx, tx, s.Now(), missing...) })
}

// startAt says when a CA asks its parents after a start.
func (s *Service) startAt(total int) (time.Time, error) {
	if total < spreadFrom {
		return s.Now(), nil
	}
	jitter, err := upTo(s.Config.Refresh.Jitter)
	return s.Now().Add(jitter), err
}
