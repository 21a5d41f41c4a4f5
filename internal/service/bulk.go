package service

import (
	"context"

	"github.com/jackc/pgx/v5"

	"baleen/internal/tasks"
)

// schedule puts tasks into the queue, due now.
func (s *Service) schedule(ctx context.Context, args ...tasks.Args) error {
	if len(args) == 0 {
		return nil
	}
	return s.waking(s.inTx(ctx, func(tx pgx.Tx) error { return tasks.Enqueue(ctx, tx, s.Now(), now(args...)...) }))
}

// waking wakes the workers after a commit that scheduled a task.
func (s *Service) waking(err error) error {
	if err == nil {
		s.Wake()
	}
	return err
}

// Commit runs f in a transaction of this node's term, and wakes the workers for
// what it put into the queue.
func (s *Service) Commit(ctx context.Context, f func(tx pgx.Tx) error) error {
	return s.waking(s.inTx(ctx, f))
}

// SyncParents asks all parents of a CA again, soon, also for what they said they
// would do later.
func (s *Service) SyncParents(ctx context.Context, handle string) error {
	if _, err := s.stream(ctx, handle); err != nil {
		return err
	}
	s.deferrals.forget(handle)
	return s.schedule(ctx, RefreshCA{CA: handle})
}

// SyncRepository compares a CA's repository with what it wants published, soon.
func (s *Service) SyncRepository(ctx context.Context, handle string) error {
	if _, err := s.stream(ctx, handle); err != nil {
		return err
	}
	return s.schedule(ctx, SyncRepo{CA: handle})
}

// RetryTask has a task run now that waits, backs off or is parked.
func (s *Service) RetryTask(ctx context.Context, kind, key string) error {
	return s.waking(s.inTx(ctx, func(tx pgx.Tx) error { return tasks.Retry(ctx, tx, s.Now(), kind, key) }))
}

// forAll schedules one task for every CA.
func (s *Service) forAll(ctx context.Context, task func(handle string) tasks.Args) error {
	handles, err := s.CAs.Handles(ctx)
	if err != nil {
		return err
	}
	args := make([]tasks.Args, len(handles))
	for i, h := range handles {
		args[i] = task(h)
	}
	return s.schedule(ctx, args...)
}

// BulkSyncParents asks the parents of every CA again, soon; of a CA with very
// many those that were not asked for longest.
func (s *Service) BulkSyncParents(ctx context.Context) error {
	s.deferrals.forget("")
	return s.forAll(ctx, func(h string) tasks.Args { return RefreshCA{CA: h, Batch: true} })
}

// BulkSyncRepositories compares every CA's repository with what it wants
// published, soon.
func (s *Service) BulkSyncRepositories(ctx context.Context) error {
	return s.forAll(ctx, func(h string) tasks.Args { return SyncRepo{CA: h} })
}

// BulkPublish re-issues the manifests and CRLs that are due or, if force is
// set, all of them.
func (s *Service) BulkPublish(ctx context.Context, force bool) error {
	return s.forAll(ctx, func(h string) tasks.Args { return PublishCA{CA: h, Force: force} })
}
