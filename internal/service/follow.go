package service

import (
	"context"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/tasks"
)

// Follow is the one table that says which event causes which task. It runs in
// the transaction of the command, so that what was decided cannot be forgotten.
func Follow(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
	if err := keepRows(ctx, tx, c); err != nil {
		return err
	}
	var next []tasks.Scheduled
	for _, e := range c.Events {
		next = append(next, follow(c.Handle, e)...)
	}
	if len(next) == 0 {
		return nil
	}
	return tasks.Enqueue(ctx, tx, c.At, next...)
}

func follow(handle string, e es.Event) []tasks.Scheduled {
	switch e := e.(type) {
	case ca.RepositoryConfigured:
		return now(RefreshCA{CA: handle})
	case ca.ParentAdded:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.ParentUpdated:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.ResourceClassAdded:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.CertificateRequested:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.ResourceClassRemoved:
		return now(PublishCA{CA: handle}, DestroyKeys{CA: handle, Keys: texts(e.Keys)})
	case ca.CertificateReceived:
		return now(IssueCA{CA: handle}, PublishCA{CA: handle})
	case ca.ChildResourcesUpdated:
		return now(IssueCA{CA: handle}, RefreshCA{CA: e.Child})
	case ca.ChildCertificatesIssued, ca.ChildCertificatesRevoked, ca.ROAsIssued:
		return now(PublishCA{CA: handle})
	case ca.ROAsConfigured:
		return now(IssueCA{CA: handle})
	case ca.ChildUnsuspended:
		return now(IssueCA{CA: handle}, RefreshCA{CA: e.Child})
	case ca.RestoreNoted:
		return now(RefreshCA{CA: handle}, IssueCA{CA: handle}, PublishCA{CA: handle, Force: true}, SyncRepo{CA: handle})
	default:
		return followTA(e)
	}
}

func now(args ...tasks.Args) []tasks.Scheduled {
	out := make([]tasks.Scheduled, len(args))
	for i, a := range args {
		out[i] = tasks.Scheduled{Args: a}
	}
	return out
}
