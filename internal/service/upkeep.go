package service

import (
	"context"
	"errors"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/tasks"
)

// SnapshotLog takes snapshots of the streams whose log has grown enough.
type SnapshotLog struct{}

// ArchiveLog moves the old part of the log to the archive, where that is wanted.
type ArchiveLog struct{}

// Kind names the task in the queue.
func (SnapshotLog) Kind() string { return "log_snapshot" }

// Key is the same for all: there is one.
func (SnapshotLog) Key() string { return "all" }

// Kind names the task in the queue.
func (ArchiveLog) Kind() string { return "log_archive" }

// Key is the same for all: there is one.
func (ArchiveLog) Key() string { return "all" }

// logStore is what all kinds of streams have in common.
type logStore interface {
	Worthy(ctx context.Context) ([]string, error)
	Snapshot(ctx context.Context, handle string) (taken bool, err error)
	Recover(ctx context.Context) (pgstore.Recovered, error)
	Broken() []pgstore.Broken
	Forget()
}

// stores gives the streams of every kind.
func (s *Service) stores() []logStore { return []logStore{s.CAs, s.Proxy, s.Signer, s.Pubs.Store} }

// snapshotLog takes the snapshots that pay; the database says which, and no other
// stream is loaded. One that is broken, or whose snapshot fails, does not hold up
// the others.
func (s *Service) snapshotLog(ctx context.Context, _ SnapshotLog) (tasks.Outcome, error) {
	var failed error
	taken := 0
	for _, st := range s.stores() {
		handles, err := st.Worthy(ctx)
		if err != nil {
			return tasks.Outcome{}, err
		}
		for _, h := range handles {
			if ctx.Err() != nil {
				return tasks.Outcome{}, ctx.Err()
			}
			ok, err := st.Snapshot(ctx, h)
			switch {
			case err == nil && ok:
				taken++
			case err != nil && fault.Of(err) != fault.NotFound && !isBroken(err):
				failed = errors.Join(failed, err)
			}
		}
	}
	if taken > 0 {
		s.Log.Info("snapshots taken", "streams", taken)
	}
	return tasks.Outcome{Again: s.Now().Add(upkeepEvery)}, failed
}

// archiveLog moves what is older than the threshold, and forgets exchanges with
// peers and logins that are too old.
func (s *Service) archiveLog(ctx context.Context, _ ArchiveLog) (tasks.Outcome, error) {
	again := tasks.Outcome{Again: s.Now().Add(upkeepEvery)}
	if s.Config.ExchangeKeep > 0 {
		if _, err := s.Exchanges.Forget(ctx, s.Now().Add(-s.Config.ExchangeKeep)); err != nil {
			return again, err
		}
	}
	if s.ForgetLogins != nil {
		if err := s.ForgetLogins(ctx); err != nil {
			return again, err
		}
	}
	if s.Config.ArchiveAfter == 0 {
		return again, nil
	}
	done, err := pgstore.Archiver{DB: s.DB, Fence: s.Fence}.Archive(ctx, s.Now().Add(-s.Config.ArchiveAfter))
	if done.Commands > 0 {
		s.Log.Info("old commands archived", "streams", done.Streams, "commands", done.Commands)
	}
	return again, err
}

// isBroken says whether an error means that the log of one stream is broken:
// that stream stops, and all else goes on.
func isBroken(err error) bool { return fault.Code(err) == pgstore.CodeStreamBroken }

// Broken lists the streams whose log could not be read.
func (s *Service) Broken() []pgstore.Broken {
	var out []pgstore.Broken
	for _, st := range s.stores() {
		out = append(out, st.Broken()...)
	}
	return out
}
