package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/postgres"
	"baleen/internal/publisher"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/oob"
	"baleen/internal/tasks"
)

func (s *Service) inTx(ctx context.Context, f func(tx pgx.Tx) error) error {
	return postgres.InFencedTx(ctx, s.DB, s.Fence, f)
}

// ConfigureRepository says where a CA publishes. The repository is asked
// first: one that does not answer is not taken. For a CA that publishes
// elsewhere this is a key roll in every class.
func (s *Service) ConfigureRepository(ctx context.Context, actor es.Actor, handle string, r oob.RepositoryResponse, ifVersion *int64) error {
	repo := ca.Repository{ServiceURI: r.ServiceURI, SIABase: r.SIABase, NotificationURI: r.NotificationURI, ServerIDCert: r.IDCert}
	var id ca.Identity
	if err := s.view(ctx, handle, func(st *ca.State, _ int64) error { id = st.Identity; return nil }); err != nil {
		return err
	}
	if err := s.repositories().Check(ctx, publisher.Publisher{Handle: handle, Identity: id, Repository: repo}); err != nil {
		return &fault.Error{
			Kind: fault.Invalid, Code: "ca-repo-issue", Args: map[string]string{"ca": handle, "cause": err.Error()}, Err: err,
			Msg: "CA '" + handle + "' cannot get response from repository '" + err.Error() + "'. Is the 'service_uri' in the XML reachable? " +
				"Note that when upgrading Krill you should re-use existing configuration and data. For a fresh re-install of Krill you will need " +
				"to send XML to all other parties again: parent(s), children, and repository",
		}
	}
	return s.moveTo(ctx, pgstore.Write{Actor: actor, IfVersion: ifVersion}, handle, repo)
}

// syncRepo compares what the repository has with what the CA wants published
// and sends the difference as one message, so that the repository is never
// half-updated. A CA that moves has two repositories: the new one comes first,
// so that nothing leaves the old one before it is there. With what is published
// there now, old keys can go.
func (s *Service) syncRepo(ctx context.Context, a SyncRepo) (tasks.Outcome, error) {
	return s.syncRepository(ctx, a.CA, false)
}

// sendRepo is syncRepo where the repository is outside this server.
func (s *Service) sendRepo(ctx context.Context, a SendRepo) (tasks.Outcome, error) {
	return s.syncRepository(ctx, a.CA, true)
}

func (s *Service) syncRepository(ctx context.Context, handle string, patient bool) (tasks.Outcome, error) {
	var id ca.Identity
	var repos []ca.Repository
	var retired []ca.RequestRevocation
	var points []ca.Point
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error {
		id, repos, retired = st.Identity, st.Repositories(), st.RetiredKeys()
		if len(retired) > 0 {
			points = st.Points(s.Now())
		}
		return nil
	})
	if err != nil || len(repos) == 0 {
		return tasks.Outcome{}, err
	}
	if !patient && slices.ContainsFunc(repos, func(r ca.Repository) bool { _, here := s.repositories().Local(r.ServiceURI); return !here }) {
		return tasks.Outcome{Then: now(SendRepo{CA: handle})}, nil
	}
	leave, wait := s.visit(repos)
	if leave == nil {
		return tasks.Outcome{Again: s.Now().Add(wait)}, nil
	}
	defer leave()
	defer s.locks.Lock("repo " + handle)()
	stream, err := s.CAs.StreamID(ctx, handle)
	if err != nil {
		return tasks.Outcome{}, err
	}
	wanted, err := s.Rows.Objects(ctx, stream)
	if err != nil {
		return tasks.Outcome{}, err
	}
	err = s.repositories().Bring(ctx, publisher.Publisher{Handle: handle, Identity: id, Repository: repos[0]}, castore.WantedAt(wanted, repos[0].ServiceURI, true))
	if note := s.Rows.NoteRepo(ctx, s.Fence, stream, castore.Exchanged{URI: repos[0].ServiceURI, At: s.Now(), Err: err}); note != nil && err == nil {
		err = note
	}
	if err == nil {
		err = s.releaseKeys(ctx, handle, retired, points, wanted)
	} else if len(retired) > 0 {
		return tasks.Outcome{}, untilAnswered(err)
	}
	for _, old := range repos[1:] {
		err = errors.Join(err, s.repositories().Bring(ctx, publisher.Publisher{Handle: handle, Identity: id, Repository: old}, castore.WantedAt(wanted, old.ServiceURI, false)))
	}
	if err != nil {
		return tasks.Outcome{}, untilAnswered(err)
	}
	return tasks.Outcome{}, nil
}

// updateRRDP freezes what was staged into the next serial and makes its files.
// The files are always made, so that what a crash left undone is done.
func (s *Service) updateRRDP(ctx context.Context, _ pubserver.UpdateRRDP) (tasks.Outcome, error) {
	if wait := s.calm.wait(calmRepository, s.Now()); wait > 0 {
		return tasks.Outcome{Again: s.Now().Add(wait)}, nil
	}
	frozen, err := s.Pubs.Update(ctx)
	if fault.Code(err) == "pub-repo-not-initialized" { // this server only publishes elsewhere
		return tasks.Outcome{}, nil
	}
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

// visit is enter for the first of the repositories that is outside this server.
func (s *Service) visit(repos []ca.Repository) (leave func(), wait time.Duration) {
	for _, r := range repos {
		if _, here := s.repositories().Local(r.ServiceURI); !here {
			return s.crowd.Enter(peer.ServerOf(r.ServiceURI), s.Now())
		}
	}
	return func() {}, 0
}

// repositories are where CAs publish, in this server and elsewhere.
func (s *Service) repositories() publisher.Repositories {
	return publisher.Repositories{ServiceURI: s.Config.ServiceURI, Pubs: s.Pubs, Objects: s.Rows, Speaker: s.speaker()}
}
