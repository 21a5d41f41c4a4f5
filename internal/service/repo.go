package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/oob"
	"baleen/internal/tasks"
)

func (s *Service) inTx(ctx context.Context, f func(tx pgx.Tx) error) error {
	return postgres.InFencedTx(ctx, s.DB, s.Fence, f)
}

// publisherOf gives the name under which a repository of this server knows a
// CA. Only repositories in this server can be reached yet.
func (s *Service) publisherOf(serviceURI string) (string, error) {
	handle, ok := s.local(serviceURI, "rfc8181/")
	if !ok {
		return "", fault.New(fault.Invalid, "sys-not-implemented", "Not yet implemented: repositories outside this server ("+serviceURI+")")
	}
	return handle, nil
}

// ConfigureRepository says where a CA publishes. The repository is asked
// first: one that does not answer is not taken.
func (s *Service) ConfigureRepository(ctx context.Context, actor es.Actor, handle string, r oob.RepositoryResponse) error {
	repo := ca.Repository{ServiceURI: r.ServiceURI, SIABase: r.SIABase, NotificationURI: r.NotificationURI, ServerIDCert: r.IDCert}
	if err := s.view(ctx, handle, func(*ca.State, int64) error { return nil }); err != nil {
		return err
	}
	publisher, err := s.publisherOf(repo.ServiceURI)
	if err != nil {
		return err
	}
	if err := s.askRepo(ctx, publisher, repo.SIABase); err != nil {
		return &fault.Error{
			Kind: fault.Invalid, Code: "ca-repo-issue", Args: map[string]string{"ca": handle, "cause": err.Error()}, Err: err,
			Msg: "CA '" + handle + "' cannot get response from repository '" + err.Error() + "'. Is the 'service_uri' in the XML reachable? " +
				"Note that when upgrading Krill you should re-use existing configuration and data. For a fresh re-install of Krill you will need " +
				"to send XML to all other parties again: parent(s), children, and repository",
		}
	}
	_, err = s.execute(ctx, handle, ca.ConfigureRepository{Repository: repo}, pgstore.Write{Actor: actor})
	return err
}

// askRepo says whether the repository knows the publisher under this base.
func (s *Service) askRepo(ctx context.Context, publisher, base string) error {
	r, err := s.Pubs.Response(ctx, publisher)
	if err != nil {
		return err
	}
	if r.SIABase != base {
		return fmt.Errorf("the repository lets publisher %s publish below %s, not %s", publisher, r.SIABase, base)
	}
	_, err = s.Pubs.List(ctx, publisher)
	return err
}

// syncRepo compares what the repository has with what the CA wants published
// and sends the difference as one message, so that the repository is never
// half-updated.
func (s *Service) syncRepo(ctx context.Context, a SyncRepo) (tasks.Outcome, error) {
	defer s.locks.lock("repo " + a.CA)()
	stream, err := s.CAs.StreamID(ctx, a.CA)
	if err != nil {
		return tasks.Outcome{}, err
	}
	var repo *ca.Repository
	if err := s.view(ctx, a.CA, func(st *ca.State, _ int64) error { repo = st.Repository; return nil }); err != nil {
		return tasks.Outcome{}, err
	}
	if repo == nil {
		return tasks.Outcome{}, nil
	}
	wanted, err := s.Rows.Objects(ctx, stream)
	if err != nil {
		return tasks.Outcome{}, err
	}
	err = s.publishDifference(ctx, repo.ServiceURI, wanted)
	if note := s.Rows.NoteRepo(ctx, s.Fence, stream, castore.Exchanged{URI: repo.ServiceURI, At: s.Now(), Err: err}); note != nil && err == nil {
		err = note
	}
	return tasks.Outcome{}, askAgain(err)
}

// publishDifference makes the repository hold exactly what is wanted.
func (s *Service) publishDifference(ctx context.Context, serviceURI string, wanted map[string]ca.Hash) error {
	publisher, err := s.publisherOf(serviceURI)
	if err != nil {
		return err
	}
	have, err := s.Pubs.List(ctx, publisher)
	if err != nil {
		return err
	}
	changes, fresh := difference(wanted, have)
	if len(changes) == 0 {
		return nil
	}
	ders, err := s.Rows.DERs(ctx, fresh)
	if err != nil {
		return err
	}
	for i := range changes {
		if h, ok := wanted[changes[i].URI]; ok {
			changes[i].Content = ders[h]
		}
	}
	return s.Pubs.Publish(ctx, publisher, changes)
}

// difference gives the changes that turn what the repository has into what is
// wanted, ordered by URI, and the objects that are needed for them.
func difference(wanted map[string]ca.Hash, have []pubserver.Object) (changes []pubserver.Change, fresh []ca.Hash) {
	seen := make(map[string]bool, len(have))
	for _, o := range have {
		seen[o.URI] = true
		h, ok := wanted[o.URI]
		if ok && h == ca.Hash(o.Hash) {
			continue
		}
		old := o.Hash
		changes = append(changes, pubserver.Change{URI: o.URI, Old: &old})
		if ok {
			fresh = append(fresh, h)
		}
	}
	for uri, h := range wanted {
		if !seen[uri] {
			changes, fresh = append(changes, pubserver.Change{URI: uri}), append(fresh, h)
		}
	}
	slices.SortFunc(changes, func(a, b pubserver.Change) int { return strings.Compare(a.URI, b.URI) })
	return changes, fresh
}

// updateRRDP freezes what was staged into the next serial and makes its files.
// The files are always made, so that what a crash left undone is done.
func (s *Service) updateRRDP(ctx context.Context, _ pubserver.UpdateRRDP) (tasks.Outcome, error) {
	frozen, err := s.Pubs.Update(ctx)
	if err != nil {
		return tasks.Outcome{}, err
	}
	if err := s.Export.Render(ctx); err != nil {
		return tasks.Outcome{}, fmt.Errorf("repository files: %w", err)
	}
	if s.Published != nil && frozen.Serial > 0 {
		s.Published(frozen.Session, frozen.Serial)
	}
	return tasks.Outcome{Again: sooner(frozen.NextAt, s.Export.Next())}, nil
}

// sooner gives the earlier of two times, where the zero time means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
