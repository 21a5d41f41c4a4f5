package service

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/oob"
	"baleen/internal/tasks"
	"baleen/internal/testbed"
)

// TestbedConfig says what everybody may do with the testbed.
type TestbedConfig struct {
	Enabled bool
	Limits  testbed.Limits
	Expire  time.Duration // how long what registered itself stays; 0: for ever
}

// visitor stands in the log for whoever uses the open API.
var visitor = es.Actor{Name: "anonymous"}

// ExpireTestbed removes what registered itself long ago.
type ExpireTestbed struct{}

// Kind names the task in the queue.
func (ExpireTestbed) Kind() string { return "testbed_expire" }

// Key is the same for all: there is one.
func (ExpireTestbed) Key() string { return testbedHandle }

const (
	expireEvery = time.Hour
	expireBatch = 200 // in one run of the task
)

func (s *Service) registrations() testbed.Registrations {
	return testbed.Registrations{DB: s.DB, Pseudonym: s.Keys.Master.Pseudonym}
}

// RegisterChild makes a stranger's CA a child of the testbed. What would be
// refused leaves no trace in the log, so that strangers cannot fill it.
func (s *Service) RegisterChild(ctx context.Context, from netip.Addr, cmd ca.AddChild) (oob.ParentResponse, error) {
	defer s.locks.Lock("testbed")()
	key, err := peer.CheckIdentity(cmd.IDCert, s.Now())
	if err != nil {
		return oob.ParentResponse{}, err
	}
	cmd.IDKey = key
	v := testbed.Visit{Kind: testbed.Child, Handle: cmd.Child, From: from, At: s.Now()}
	if err := s.registrations().Check(ctx, v, s.Config.Testbed.Limits); err != nil {
		return oob.ParentResponse{}, err
	}
	err = s.view(ctx, testbedHandle, func(st *ca.State, _ int64) error { _, err := cmd.Process(st, v.At); return err })
	if err != nil {
		return oob.ParentResponse{}, err
	}
	if _, err := s.execute(ctx, testbedHandle, cmd, pgstore.Write{Actor: visitor, InTx: s.noting(v)}); err != nil {
		return oob.ParentResponse{}, err
	}
	return s.ParentResponse(ctx, testbedHandle, cmd.Child)
}

// RegisterPublisher lets a stranger publish in the testbed's repository.
func (s *Service) RegisterPublisher(ctx context.Context, from netip.Addr, req oob.PublisherRequest) (oob.RepositoryResponse, error) {
	defer s.locks.Lock("testbed")()
	v := testbed.Visit{Kind: testbed.Publisher, Handle: req.PublisherHandle, From: from, At: s.Now()}
	if err := s.registrations().Check(ctx, v, s.Config.Testbed.Limits); err != nil {
		return oob.RepositoryResponse{}, err
	}
	cmd := pubserver.AddPublisher{Handle: req.PublisherHandle, IDCert: req.IDCert}
	err := s.Pubs.Store.View(ctx, pubserver.Repository, func(st *pubserver.State, _ int64) error { _, err := cmd.Process(st, v.At); return err })
	if err != nil {
		return oob.RepositoryResponse{}, err
	}
	return s.Pubs.AddPublisherWith(ctx, visitor, req, s.noting(v))
}

// noting keeps a visit with the command that carries it out.
func (s *Service) noting(v testbed.Visit) pgstore.Listener {
	return func(ctx context.Context, tx pgx.Tx, _ pgstore.Commit) error {
		return s.registrations().Note(ctx, tx, v)
	}
}

// UnregisterChild removes a child of the testbed that registered itself.
func (s *Service) UnregisterChild(ctx context.Context, child string) error {
	defer s.locks.Lock("testbed")()
	if _, err := s.ParentResponse(ctx, testbedHandle, child); err != nil {
		return err
	}
	if err := s.mustHaveRegistered(ctx, testbed.Child, child); err != nil {
		return err
	}
	return s.RemoveChild(ctx, visitor, testbedHandle, child, AnyVersion)
}

// UnregisterPublisher removes a publisher that registered itself, with all that
// it published.
func (s *Service) UnregisterPublisher(ctx context.Context, publisher string) error {
	defer s.locks.Lock("testbed")()
	if _, err := s.Pubs.Publisher(ctx, publisher); err != nil {
		return err
	}
	if err := s.mustHaveRegistered(ctx, testbed.Publisher, publisher); err != nil {
		return err
	}
	return s.Pubs.RemovePublisher(ctx, visitor, publisher)
}

func (s *Service) mustHaveRegistered(ctx context.Context, k testbed.Kind, handle string) error {
	ok, err := s.registrations().Has(ctx, k, handle)
	if err != nil || ok {
		return err
	}
	return &fault.Error{
		Kind: fault.Denied, Code: "testbed-not-registered", Args: map[string]string{string(k): handle},
		Msg: fmt.Sprintf("The %s '%s' was not registered through the testbed, and cannot be removed through it", k, handle),
	}
}

// expireTestbed removes what registered itself long ago, with all that it had,
// and forgets what does not count any more.
func (s *Service) expireTestbed(ctx context.Context, _ ExpireTestbed) (tasks.Outcome, error) {
	again := tasks.Outcome{Again: s.Now().Add(expireEvery)}
	if after := s.Config.Testbed.Expire; after > 0 {
		old, err := s.registrations().Old(ctx, s.Now().Add(-after), expireBatch)
		if err != nil {
			return again, err
		}
		for _, r := range old {
			if err := s.expire(ctx, r); err != nil {
				return again, err
			}
		}
		if len(old) > 0 {
			s.Log.Info("registrations of the testbed expired", "registrations", len(old))
		}
		if len(old) == expireBatch {
			again.Again = s.Now()
		}
	}
	return again, s.inTx(ctx, func(tx pgx.Tx) error { return s.registrations().Forget(ctx, tx, s.Now()) })
}

func (s *Service) expire(ctx context.Context, r testbed.Registration) error {
	var err error
	switch r.Kind {
	case testbed.Child:
		err = s.RemoveChild(ctx, taskActor("testbed_expire"), testbedHandle, r.Handle, AnyVersion)
	case testbed.Publisher:
		err = s.Pubs.RemovePublisher(ctx, taskActor("testbed_expire"), r.Handle)
	}
	if fault.Of(err) == fault.NotFound { // gone meanwhile
		return s.inTx(ctx, func(tx pgx.Tx) error { return testbed.End(ctx, tx, r.Kind, r.Handle, s.Now()) })
	}
	return err
}
