package service

import (
	"context"
	"fmt"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/testbed"
)

// testbedHandle is the CA under which everybody can play.
const testbedHandle = testbed.Handle

// Testbed says where the testbed's trust anchor and repository are found.
type Testbed struct {
	TAAIA       string // rsync URI of the trust anchor certificate
	TAURI       string // https URI of it
	RRDPBaseURI string // https, ends in a slash
	RsyncJail   string // rsync, ends in a slash
}

// InitPublicationServer starts the publication server with an identity of its
// own.
func (s *Service) InitPublicationServer(ctx context.Context, actor es.Actor, rrdpBase, rsyncBase string) error {
	id, err := s.newIdentity(ctx, "identity key of the publication server")
	if err != nil {
		return err
	}
	err = s.Pubs.Init(ctx, actor, pubserver.InitParams{
		RRDPBase: rrdpBase, RsyncBase: rsyncBase, KeyID: id.KeyID, IDCert: id.Cert,
	})
	if pgstore.Undone(err) {
		s.dropKeys(ctx, []cert.KeyID{id.KeyID})
	}
	return err
}

// EnsureTestbed makes what is missing of a testbed: publication server, trust
// anchor and a CA that holds all resources. Run again, after a crash at any
// step, it goes on where it was.
func (s *Service) EnsureTestbed(ctx context.Context, t Testbed) error {
	steps := []struct {
		what string
		do   func(ctx context.Context, t Testbed) error
	}{
		{"publication server", s.ensurePublicationServer},
		{"trust anchor", s.ensureTA},
		{"CA testbed", s.ensureTestbedCA},
	}
	for _, step := range steps {
		if err := step.do(ctx, t); err != nil {
			return fmt.Errorf("testbed: %s: %w", step.what, err)
		}
	}
	return nil
}

func (s *Service) ensurePublicationServer(ctx context.Context, t Testbed) error {
	_, err := s.Pubs.Publishers(ctx)
	if fault.Code(err) == "pub-repo-not-initialized" {
		return s.InitPublicationServer(ctx, SystemActor, t.RRDPBaseURI, t.RsyncJail)
	}
	return err
}

func (s *Service) ensureTestbedCA(ctx context.Context, _ Testbed) error {
	if err := s.CreateCA(ctx, SystemActor, testbedHandle); err != nil && fault.Code(err) != "ca-duplicate" {
		return err
	}
	var id []byte
	var repo, parent bool
	err := s.view(ctx, testbedHandle, func(st *ca.State, _ int64) error {
		id, repo = st.Identity.Cert, st.Repository != nil
		_, parent = st.Parents[taHandle]
		return nil
	})
	if err != nil {
		return err
	}
	if !repo {
		if err := s.publishLocally(ctx, testbedHandle, id); err != nil {
			return err
		}
	}
	if parent {
		return nil
	}
	answer, err := s.AddChild(ctx, SystemActor, taHandle, ca.AddChild{Child: testbedHandle, IDCert: id, Resources: resources.AllResources()}, AnyVersion)
	if fault.Code(err) == "ca-child-duplicate" {
		answer, err = s.ParentResponse(ctx, taHandle, testbedHandle)
	}
	if err != nil {
		return err
	}
	return s.SetParent(ctx, SystemActor, testbedHandle, taHandle, answer, AnyVersion)
}

// publishLocally makes a CA a publisher of this server's repository.
func (s *Service) publishLocally(ctx context.Context, handle string, idCert []byte) error {
	answer, err := s.repositories().Join(ctx, SystemActor, handle, idCert)
	if err != nil {
		return err
	}
	return s.ConfigureRepository(ctx, SystemActor, handle, answer, AnyVersion)
}

// WaitForTestbed waits until the testbed's CA holds resources, asking ten times
// a second: its certificate comes by task.
func (s *Service) WaitForTestbed(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ready := false
		if err := s.view(ctx, testbedHandle, func(st *ca.State, _ int64) error { ready = !st.Held().IsEmpty(); return nil }); err != nil {
			return err
		}
		if ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
