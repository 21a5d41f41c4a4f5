package pubserver

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/tasks"
	"baleen/internal/testbed"
)

// Server is the publication server.
type Server struct {
	Store *pgstore.Store[State]
	DB    *pgxpool.Pool
	Fence postgres.Fence
	Now   func() time.Time

	// ServiceURI is the public address of this server, ending in a slash: the
	// RFC 8181 service of a publisher is ServiceURI + "rfc8181/" + handle + "/".
	ServiceURI string

	// DeltaInterval is the least time between two serials.
	DeltaInterval time.Duration

	// Wake is called after a commit that scheduled a task; it may be nil.
	Wake func()
}

// InitParams say where the repository is found, and which identity signs its
// RFC 8181 replies.
type InitParams struct {
	RRDPBase  string // https, ends in a slash
	RsyncBase string // rsync, ends in a slash
	KeyID     cert.KeyID
	IDCert    []byte // DER, self-signed by the key
}

// Init opens the repository with an empty first serial. A second time it is
// pub-repo-initialized.
func (s *Server) Init(ctx context.Context, actor es.Actor, p InitParams) error {
	session, err := uuid.NewRandom()
	if err != nil {
		return err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}

	cmd := InitRepository{
		RRDPBase: p.RRDPBase, RsyncBase: p.RsyncBase, Session: session.String(), KeyID: p.KeyID, IDCert: p.IDCert,
	}
	_, err = s.Store.Create(ctx, Repository, cmd, pgstore.Write{Actor: actor, InTx: func(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
		return s.open(ctx, tx, c, session, secret)
	}})
	if fault.Code(err) == "stream-exists" {
		return errInitialized()
	}
	if err == nil {
		s.wake()
	}
	return err
}

// open makes the rows of a new repository.
func (s *Server) open(ctx context.Context, tx pgx.Tx, c pgstore.Commit, session uuid.UUID, secret []byte) error {
	for _, e := range c.Events {
		init, ok := e.(RepositoryInitialized)
		if !ok {
			continue
		}
		last, err := s.q().PubLastRevision(ctx, tx, Repository)
		if err != nil {
			return err
		}
		err = s.q().PubInsertState(ctx, tx, pgq.PubInsertStateParams{
			Repository: Repository, Session: session, Revision: last + 1, LastUpdate: c.At,
			RrdpBaseURI: init.RRDPBase, RsyncBase: init.RsyncBase, Secret: secret,
		})
		if err != nil {
			return err
		}
		err = s.q().PubInsertSerial(ctx, tx, pgq.PubInsertSerialParams{
			Repository: Repository, Session: session, Serial: 1, Revision: last + 1, At: c.At,
		})
		if err != nil {
			return err
		}
	}
	return s.schedule(ctx, tx)
}

// Clear closes the repository. With publishers left it is
// pub-repo-has-publishers. The history of what was published stays. What is to
// be done next is scheduled with it.
func (s *Server) Clear(ctx context.Context, actor es.Actor, next ...tasks.Scheduled) error {
	_, err := s.Store.Delete(ctx, Repository, ClearRepository{}, pgstore.Write{Actor: actor, InTx: func(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
		if err := s.lockExclusive(ctx, tx); err != nil {
			return err
		}
		st, err := s.q().PubGetState(ctx, tx, Repository)
		if err != nil {
			return err
		}
		if _, err := s.freeze(ctx, tx, st, c.At); err != nil {
			return err
		}
		if err := s.q().PubDeleteState(ctx, tx, Repository); err != nil {
			return err
		}
		return tasks.Enqueue(ctx, tx, c.At, next...)
	}})
	if err == nil {
		s.wake()
	}
	return initialized(err)
}

// AddPublisher lets the sender of the request publish, and gives the answer
// for it. The handle "ta" gets the whole repository as its space, others a
// folder of their own, which nobody else may use.
func (s *Server) AddPublisher(ctx context.Context, actor es.Actor, req oob.PublisherRequest) (oob.RepositoryResponse, error) {
	return s.AddPublisherWith(ctx, actor, req, nil)
}

// AddPublisherWith is AddPublisher with rows of the caller that commit with it;
// also may be nil.
func (s *Server) AddPublisherWith(ctx context.Context, actor es.Actor, req oob.PublisherRequest, also pgstore.Listener) (oob.RepositoryResponse, error) {
	cmd := AddPublisher{Handle: req.PublisherHandle, IDCert: req.IDCert}
	_, err := s.Store.Execute(ctx, Repository, cmd, pgstore.Write{Actor: actor, InTx: func(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
		if err := s.insertPublisher(ctx, tx, c); err != nil || also == nil {
			return err
		}
		return also(ctx, tx, c)
	}})
	if err != nil {
		return oob.RepositoryResponse{}, initialized(err)
	}

	res, err := s.Response(ctx, req.PublisherHandle)
	res.Tag = req.Tag
	return res, err
}

func (s *Server) insertPublisher(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
	if err := s.lockExclusive(ctx, tx); err != nil {
		return err
	}
	for _, e := range c.Events {
		added, ok := e.(PublisherAdded)
		if !ok {
			continue
		}
		if err := s.checkRoom(ctx, tx, added); err != nil {
			return err
		}
		err := s.q().PubInsertPublisher(ctx, tx, pgq.PubInsertPublisherParams{
			Repository: Repository, Handle: added.Handle, BaseURI: added.BaseURI,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRoom refuses a publisher where another, whose space is around it, has
// published already.
func (s *Server) checkRoom(ctx context.Context, tx pgx.Tx, added PublisherAdded) error {
	around, err := s.q().PubPublishersAround(ctx, tx, pgq.PubPublishersAroundParams{Repository: Repository, URI: added.BaseURI})
	if err != nil || len(around) == 0 {
		return err
	}

	above := folders(added.BaseURI + "x")
	for i := range above {
		above[i] = strings.TrimSuffix(above[i], "/")
	}
	blocking, err := s.q().PubBlocking(ctx, tx, pgq.PubBlockingParams{
		Repository: Repository, Publishers: around, Folder: added.BaseURI, Above: above,
	})
	if err != nil || len(blocking) == 0 {
		return err
	}
	return errBlocked(added.Handle, blocking[0])
}

// RemovePublisher ends the publisher's right and withdraws all it published.
func (s *Server) RemovePublisher(ctx context.Context, actor es.Actor, handle string) error {
	_, err := s.Store.Execute(ctx, Repository, RemovePublisher{Handle: handle}, pgstore.Write{Actor: actor, InTx: func(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
		for _, e := range c.Events {
			if removed, ok := e.(PublisherRemoved); ok {
				if err := s.deletePublisher(ctx, tx, removed.Handle, c.At); err != nil {
					return err
				}
			}
		}
		return s.schedule(ctx, tx)
	}})
	if err == nil {
		s.wake()
	}
	return initialized(err)
}

func (s *Server) deletePublisher(ctx context.Context, tx pgx.Tx, handle string, at time.Time) error {
	if err := s.lockShared(ctx, tx); err != nil {
		return err
	}
	base, err := s.q().PubLockPublisher(ctx, tx, pgq.PubLockPublisherParams{Repository: Repository, Handle: handle})
	if err != nil {
		return err
	}
	if err := s.withdraw(ctx, tx, base, []string{handle}); err != nil {
		return err
	}
	if err := s.q().PubDeletePublisher(ctx, tx, pgq.PubDeletePublisherParams{Repository: Repository, Handle: handle}); err != nil {
		return err
	}
	return testbed.End(ctx, tx, testbed.Publisher, handle, at)
}

// WithdrawAt withdraws the object with this URI, or all below it if it ends in
// a slash, whoever published it. Publishers that still want an object will see
// that it is missing and publish it again.
func (s *Server) WithdrawAt(ctx context.Context, uri string) error {
	canonical, _, err := splitURI(uri)
	if err != nil {
		return errBadURI(err)
	}

	err = postgres.InFencedTx(ctx, s.DB, s.Fence, func(tx pgx.Tx) error {
		if err := s.lockShared(ctx, tx); err != nil {
			return err
		}
		if _, err := s.state(ctx, tx); err != nil {
			return err
		}
		near, err := s.q().PubPublishersNear(ctx, tx, pgq.PubPublishersNearParams{Repository: Repository, URI: canonical})
		if err != nil {
			return err
		}
		if err := s.withdraw(ctx, tx, canonical, near); err != nil {
			return err
		}
		return s.schedule(ctx, tx)
	})
	if err == nil {
		s.wake()
	}
	return err
}

// withdraw takes away what publishers have at or below a URI.
func (s *Server) withdraw(ctx context.Context, tx pgx.Tx, uri string, publishers []string) error {
	_, err := s.q().PubDropStaged(ctx, tx, pgq.PubDropStagedParams{Repository: Repository, Publishers: publishers, URI: uri})
	if err != nil {
		return err
	}
	_, err = s.q().PubWithdraw(ctx, tx, pgq.PubWithdrawParams{Repository: Repository, Publishers: publishers, URI: uri})
	if err != nil {
		return err
	}
	return s.q().PubRecount(ctx, tx, pgq.PubRecountParams{Repository: Repository, Publishers: publishers})
}

// initialized turns the event store's words for "no such stream" into ours.
func initialized(err error) error {
	if fault.Code(err) == "stream-unknown" {
		return errNotInitialized()
	}
	return err
}

func (s *Server) q() *pgq.Queries { return pgq.New() }

func (s *Server) lockShared(ctx context.Context, tx pgx.Tx) error {
	return s.q().PubLockShared(ctx, tx, pgq.PubLockSharedParams{Class: lockClass, RepositoryKey: lockKey(Repository)})
}

func (s *Server) lockExclusive(ctx context.Context, tx pgx.Tx) error {
	return s.q().PubLockExclusive(ctx, tx, pgq.PubLockExclusiveParams{Class: lockClass, RepositoryKey: lockKey(Repository)})
}
