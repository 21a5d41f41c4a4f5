package service

import (
	"context"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
	"baleen/internal/tasks"
	"baleen/internal/trustanchor"
)

// Follow is the one table that says which event causes which task. It runs in
// the transaction of the command, so that what was decided cannot be forgotten.
func Follow(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
	if err := keepRows(ctx, tx, c); err != nil {
		return err
	}
	next, err := followChildren(ctx, tx, c)
	if err != nil {
		return err
	}
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
		return now(RefreshCA{CA: handle}, LeaveRepos{CA: handle})
	case ca.ParentAdded:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.ParentUpdated:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.ResourceClassAdded:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.CertificateRequested:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.ResourceClassRemoved:
		return now(PublishCA{CA: handle}, DestroyKeys{CA: handle, Keys: texts(e.Keys)}, LeaveRepos{CA: handle})
	case ca.CertificateReceived:
		return now(IssueCA{CA: handle}, PublishCA{CA: handle})
	case ca.ChildResourcesUpdated:
		return now(IssueCA{CA: handle}, RefreshCA{CA: e.Child})
	case ca.ChildCertificatesIssued, ca.ChildCertificatesRevoked, ca.ROAsIssued, ca.ASPAsIssued, ca.RouterCertsIssued,
		ca.GhostbustersIssued, ca.ChecklistsRevoked:
		return now(PublishCA{CA: handle})
	case ca.ROAsConfigured, ca.ASPAsConfigured, ca.RouterKeysConfigured, ca.GhostbustersConfigured, ca.ReissueForced, ca.IssuingResumed:
		return now(IssueCA{CA: handle})
	case ca.ChildUnsuspended:
		return now(IssueCA{CA: handle}, RefreshCA{CA: e.Child})
	case ca.RestoreNoted:
		return now(RefreshCA{CA: handle}, IssueCA{CA: handle}, PublishCA{CA: handle, Force: true}, SyncRepo{CA: handle})
	default:
		return followKeys(handle, e)
	}
}

// followKeys is the part of the table for keys and for those who are left.
func followKeys(handle string, e es.Event) []tasks.Scheduled {
	switch e := e.(type) {
	case ca.KeyRollInitiated:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.KeyStaged:
		return now(PublishCA{CA: handle})
	case ca.KeyActivationStarted:
		return now(IssueCA{CA: handle})
	case ca.KeyRollActivated:
		return now(PublishCA{CA: handle}, SyncRepo{CA: handle}, IssueCA{CA: handle})
	case ca.KeyRevocationRequested:
		return now(SyncParent{CA: handle, Parent: e.Parent})
	case ca.KeyRollFinished:
		return now(PublishCA{CA: handle}, DestroyKeys{CA: handle, Keys: texts([]cert.KeyID{e.KeyID})}, LeaveRepos{CA: handle})
	case ca.KeyRollAbandoned:
		return now(PublishCA{CA: handle}, DestroyKeys{CA: handle, Keys: texts([]cert.KeyID{e.KeyID})})
	case ca.ParentRemoved:
		if len(e.Revoke) == 0 {
			return nil
		}
		return now(RevokeKeys{CA: handle, Parent: e.Parent, Contact: e.Contact, Keys: e.Revoke})
	case ca.IdentityRenewed:
		return now(DestroyKeys{CA: handle, Keys: texts([]cert.KeyID{e.OldKey})})
	case ca.Deleted:
		out := now(DestroyKeys{CA: handle, Keys: texts(e.Keys)})
		for _, uri := range e.Repositories {
			out = append(out, now(EmptyRepo{CA: handle, ServiceURI: uri})...)
		}
		return out
	default:
		return followTA(e)
	}
}

// followTA is the trust anchor's part of the table.
func followTA(e es.Event) []tasks.Scheduled {
	switch e := e.(type) {
	case ta.ChildRequestAdded, ta.SignerRequestMade, ta.ChildRemoved:
		return now(trustanchor.Sign{})
	case ta.ChildUpdated:
		return now(RefreshCA{CA: e.Child})
	case ta.SignerAdded, ta.SignerUpdated:
		return now(trustanchor.Publish{})
	case ta.SignerResponseReceived:
		out := now(trustanchor.Publish{})
		for child := range e.Response.Children {
			out = append(out, now(RefreshCA{CA: child})...)
		}
		return out
	default:
		return nil
	}
}

func now(args ...tasks.Args) []tasks.Scheduled {
	out := make([]tasks.Scheduled, len(args))
	for i, a := range args {
		out[i] = tasks.Scheduled{Args: a}
	}
	return out
}
