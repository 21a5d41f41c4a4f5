package service

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/leader"
	"baleen/internal/tasks"
)

// Overtake is called when a node becomes active and finds that the database was
// restored, moved or went back: commits may be missing that the world has seen.
// It opens a new RRDP session, makes the numbers of manifests and CRLs jump to
// the Unix time, and has everything issued again and every parent and
// repository asked. Each CA's history says so. No task may run before it
// returns, so that nothing is published with numbers that were seen already. A
// crash in between leaves the finding, and the next active node begins again.
func (s *Service) Overtake(ctx context.Context, epoch int64, reason string) error {
	s.Log.Warn("the database went back or moved: a new RRDP session begins, and everything is issued again", "reason", reason, "epoch", epoch)
	at := s.Now().UTC().Truncate(time.Second)
	s.CAs.Forget()
	s.Proxy.Forget()
	s.Signer.Forget()
	s.Pubs.Store.Forget()
	if err := s.Pubs.SessionReset(ctx); err != nil && fault.Code(err) != "pub-repo-not-initialized" {
		return err
	}
	handles, err := s.CAs.Handles(ctx)
	if err != nil {
		return err
	}
	for _, h := range handles {
		if err := s.overtakeCA(ctx, h, ca.NoteRestore{Epoch: epoch, Reason: reason}, at); err != nil {
			return fmt.Errorf("CA %s: %w", h, err)
		}
	}
	next, err := s.TA().Overtake(ctx, at)
	if err != nil {
		return err
	}
	s.Log.Info("what the world may have seen is overtaken", "cas", len(handles))
	return s.waking(s.inTx(ctx, func(tx pgx.Tx) error {
		if err := leader.SettleMoved(ctx, tx); err != nil {
			return err
		}
		return tasks.Enqueue(ctx, tx, s.Now(), next...)
	}))
}

// overtakeCA notes the restore in a CA's history. The tasks that follow from
// that event, and the jump of its numbers, commit with it.
func (s *Service) overtakeCA(ctx context.Context, handle string, cmd ca.NoteRestore, at time.Time) error {
	_, err := s.CAs.Execute(ctx, handle, cmd, pgstore.Write{Actor: SystemActor, InTx: func(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
		return s.Rows.Jump(ctx, tx, c.StreamID, at)
	}})
	if err != nil && (fault.Of(err) == fault.NotFound || isBroken(err)) { // deleted meanwhile, or it stays as it is
		return nil
	}
	return err
}
