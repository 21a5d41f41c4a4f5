package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/publisher"
	"baleen/internal/rpki/cert"
	"baleen/internal/tasks"
)

const (
	// revokeTries and leaveTries say how often a peer that was left is asked once more before it is given up.
	revokeTries = 10
	leaveTries  = 5

	// maxAsked is how often a parent that was left may put off a revocation.
	maxAsked = 100

	// farewellPatience is how long a CA that is deleted waits for its peers.
	farewellPatience = 20 * time.Second
)

// RevokeKeys asks a parent that a CA left to revoke what it certified.
type RevokeKeys struct {
	CA      string        `json:"ca"`
	Parent  string        `json:"parent"`
	Contact ca.Parent     `json:"contact"`
	Keys    []ca.KeyClaim `json:"keys"`
}

// LeaveRepos empties the repositories that a CA moved away from.
type LeaveRepos struct {
	CA string `json:"ca"`
}

// EmptyRepo empties the repository of a CA that is no more.
type EmptyRepo struct {
	CA         string `json:"ca"`
	ServiceURI string `json:"service_uri"`
}

// Kind names the task in the queue.
func (RevokeKeys) Kind() string { return "keys_revoke" }

// Key keeps what was certified at different times apart.
func (a RevokeKeys) Key() string {
	if len(a.Keys) == 0 {
		return a.CA + " " + a.Parent
	}
	return a.CA + " " + a.Parent + " " + a.Keys[0].KeyID.String()
}

// Kind names the task in the queue.
func (LeaveRepos) Kind() string { return "repo_leave" }

// Key merges twins of one CA.
func (a LeaveRepos) Key() string { return a.CA }

// Kind names the task in the queue.
func (EmptyRepo) Kind() string { return "repo_empty" }

// Key keeps repositories apart.
func (a EmptyRepo) Key() string { return a.CA + " " + a.ServiceURI }

// RemoveParent ends a CA's relation to a parent. What it certified is withdrawn
// at once, and the parent is asked to revoke it by task.
func (s *Service) RemoveParent(ctx context.Context, actor es.Actor, handle, parent string, ifVersion *int64) error {
	_, err := s.execute(ctx, handle, ca.RemoveParent{Parent: parent}, pgstore.Write{Actor: actor, IfVersion: ifVersion, InTx: func(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
		return s.Rows.ForgetParent(ctx, tx, c.StreamID, parent)
	}})
	return err
}

// RemoveChild ends a CA's relation to a child: its certificates are revoked.
func (s *Service) RemoveChild(ctx context.Context, actor es.Actor, handle, child string, ifVersion *int64) error {
	_, err := s.execute(ctx, handle, ca.RemoveChild{Child: child}, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return err
}

// RenewIdentity gives a CA a new key and certificate for the protocols, and
// destroys the old key. Peers outside this server must be told (RFC 8183)
// before they can be spoken to again.
func (s *Service) RenewIdentity(ctx context.Context, actor es.Actor, handle string, ifVersion *int64) error {
	if _, err := s.stream(ctx, handle); err != nil {
		return err
	}
	id, err := s.newIdentity(ctx, "identity key of CA "+handle)
	if err != nil {
		return err
	}
	_, err = s.execute(ctx, handle, ca.RenewIdentity{Identity: id}, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	if err != nil {
		s.dropKeys(ctx, []cert.KeyID{id.KeyID})
	}
	return err
}

// DeleteCA ends a CA. Its parents are asked to revoke what they certified, and
// its repositories are emptied, as far as they answer; then its keys are
// destroyed and its name is free. Its children, and what is known of it as a
// child or publisher, stay. A CA that is not at the version asked for is left
// alone; one that moved on while its peers were told stays too, and is given
// back what they took.
func (s *Service) DeleteCA(ctx context.Context, actor es.Actor, handle string, ifVersion *int64) error {
	var parents map[string]ca.Parent
	var claims map[string][]ca.KeyClaim
	var repos []ca.Repository
	var id ca.Identity
	err := s.viewAt(ctx, handle, ifVersion, func(st *ca.State, _ int64) error {
		parents, claims, repos, id = map[string]ca.Parent{}, st.Claims(), st.Repositories(), st.Identity
		for name := range claims {
			parents[name] = st.Parents[name]
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.sayFarewell(ctx, farewell{ca: handle, identity: id, parents: parents, claims: claims, repos: repos})
	_, err = s.CAs.Delete(ctx, handle, ca.Delete{}, pgstore.Write{Actor: actor, IfVersion: ifVersion, InTx: func(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
		return s.Rows.Forget(ctx, tx, c.StreamID)
	}})
	if fault.Code(err) == pgstore.CodeVersionMismatch {
		return errors.Join(err, s.schedule(ctx, RefreshCA{CA: handle}, SyncRepo{CA: handle}))
	}
	return caUnknown(handle, err)
}

// sayFarewell tells the peers of a CA that it ends. One that does not answer
// does not keep it.
func (s *Service) sayFarewell(ctx context.Context, f farewell) {
	ctx, cancel := context.WithTimeout(ctx, farewellPatience)
	defer cancel()
	for name, list := range f.claims {
		if err := s.revokeClaims(ctx, f.ca, f.parents[name], list); err != nil {
			s.Log.Warn("a parent did not revoke the keys of a CA that is deleted", "ca", f.ca, "parent", name, "error", err)
		}
	}
	for _, r := range f.repos {
		if err := s.repositories().Bring(ctx, publisher.Publisher{Handle: f.ca, Identity: f.identity, Repository: r}, nil); err != nil {
			s.Log.Warn("a repository of a CA that is deleted was not emptied", "ca", f.ca, "repository", r.ServiceURI, "error", err)
		}
	}
}

// farewell is whom a CA leaves that ends, and what it has there.
type farewell struct {
	ca       string
	identity ca.Identity
	parents  map[string]ca.Parent
	claims   map[string][]ca.KeyClaim // by parent
	repos    []ca.Repository
}

// revokeClaims asks a parent to revoke keys; one that does not know the child
// any more has nothing to revoke.
func (s *Service) revokeClaims(ctx context.Context, handle string, contact ca.Parent, list []ca.KeyClaim) error {
	link, err := s.link(ctx, handle, contact)
	if err != nil {
		return err
	}
	var failed error
	for _, k := range list {
		err := link.Revoke(ctx, k.Class, k.KeyID)
		if err != nil && fault.Of(err) != fault.NotFound {
			failed = errors.Join(failed, fmt.Errorf("revoke key %s: %w", k.KeyID, err))
		}
	}
	return failed
}

// revokeKeys asks a parent that a CA left, until it has revoked the keys or was
// asked often enough.
func (s *Service) revokeKeys(ctx context.Context, a RevokeKeys) (tasks.Outcome, error) {
	err := s.revokeClaims(ctx, a.CA, a.Contact, a.Keys)
	job := tasks.JobFrom(ctx)
	switch {
	case err == nil:
		return tasks.Outcome{}, nil
	case job != nil && (job.Failures >= revokeTries-1 || job.Attempt >= maxAsked):
		s.Log.Warn("given up: a parent that was left does not revoke", "ca", a.CA, "parent", a.Parent, "keys", len(a.Keys), "error", err)
		return tasks.Outcome{}, nil
	case errors.Is(err, peer.ErrScheduled):
		return tasks.Outcome{Again: s.Now().Add(askAgain)}, nil
	default:
		return tasks.Outcome{}, untilAnswered(err)
	}
}

// leaveRepos empties the former repositories of a CA where none of its keys
// publishes, and then forgets them; after some tries also those that could not
// be emptied.
func (s *Service) leaveRepos(ctx context.Context, a LeaveRepos) (tasks.Outcome, error) {
	defer s.locks.Lock("repo " + a.CA)()
	var left []ca.Repository
	var id ca.Identity
	var current string
	err := s.view(ctx, a.CA, func(st *ca.State, _ int64) error {
		left, id = st.AbandonedRepositories(), st.Identity
		if st.Repository != nil {
			current = st.Repository.ServiceURI
		}
		return nil
	})
	if err != nil {
		return tasks.Outcome{}, err
	}
	leave, wait := s.visit(left)
	if leave == nil {
		return tasks.Outcome{Again: s.Now().Add(wait)}, nil
	}
	defer leave()
	job := tasks.JobFrom(ctx)
	var failed error
	for _, r := range left {
		cmd := ca.LeaveRepository{ServiceURI: r.ServiceURI, SIABase: r.SIABase}
		var err error
		if r.ServiceURI != current { // else the next publication takes care of it
			err = s.repositories().Bring(ctx, publisher.Publisher{Handle: a.CA, Identity: id, Repository: r}, nil)
		}
		if err != nil && (job == nil || job.Failures < leaveTries-1) {
			failed = errors.Join(failed, fmt.Errorf("empty repository %s: %w", r.ServiceURI, err))
			continue
		}
		if err != nil {
			cmd.GivenUp = true
			s.Log.Warn("given up: a repository that was left cannot be emptied", "ca", a.CA, "repository", r.ServiceURI, "error", err)
		}
		if _, err := s.execute(ctx, a.CA, cmd, pgstore.Write{Actor: taskActor("repo_leave")}); err != nil {
			return tasks.Outcome{}, err
		}
	}
	if failed != nil {
		return tasks.Outcome{}, untilAnswered(failed)
	}
	return tasks.Outcome{}, nil
}

// emptyRepo withdraws what a deleted CA left in a repository of this server. If
// there is a CA of that name again, what is published is that one's affair.
func (s *Service) emptyRepo(ctx context.Context, a EmptyRepo) (tasks.Outcome, error) {
	defer s.locks.Lock("repo " + a.CA)()
	if _, err := s.CAs.StreamID(ctx, a.CA); err == nil || fault.Code(err) != "stream-unknown" {
		return tasks.Outcome{}, err
	}
	if _, ok := s.repositories().Local(a.ServiceURI); !ok {
		return tasks.Outcome{}, nil // its identity is gone: nobody there would listen
	}
	return tasks.Outcome{}, s.repositories().Bring(ctx, publisher.Publisher{Handle: a.CA, Repository: ca.Repository{ServiceURI: a.ServiceURI}}, nil)
}

// untilAnswered makes any refusal of a peer one after which it is asked again:
// what stands in its way may be removed there.
func untilAnswered(err error) error {
	switch fault.Of(err) {
	case fault.Conflict, fault.Unavailable, fault.Internal:
		return err
	}
	return &fault.Error{Kind: fault.Unavailable, Code: fault.Code(err), Msg: err.Error(), Err: err}
}
