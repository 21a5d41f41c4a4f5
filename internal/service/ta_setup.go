package service

import (
	"context"
	"crypto/rsa"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
)

// EnsureTA makes what is missing of the testbed's trust anchor.
func (s *Service) EnsureTA(ctx context.Context, t Testbed) error {
	if err := s.ensureProxy(ctx); err != nil {
		return err
	}
	var id ta.Identity
	var repo *ta.Repository
	signer := false
	err := s.viewProxy(ctx, func(st *ta.ProxyState) error {
		id, repo, signer = st.Identity, st.Repository, st.Signer != nil
		return nil
	})
	if err != nil || signer {
		return err
	}
	if repo == nil {
		answer, err := s.repositories().Join(ctx, SystemActor, taHandle, id.Cert)
		if err != nil {
			return err
		}
		repo = &ta.Repository{ServiceURI: answer.ServiceURI, SIABase: answer.SIABase, NotificationURI: answer.NotificationURI, ServerIDCert: answer.IDCert}
		if _, err := s.Proxy.Execute(ctx, taHandle, ta.AddRepository{Repository: *repo}, pgstore.Write{Actor: SystemActor}); err != nil {
			return err
		}
	}
	info, err := s.ensureTASigner(ctx, t, id, *repo)
	if err != nil {
		return err
	}
	_, err = s.Proxy.Execute(ctx, taHandle, ta.AddSigner{Signer: info}, pgstore.Write{Actor: SystemActor})
	return err
}

func (s *Service) ensureProxy(ctx context.Context) error {
	_, err := s.Proxy.StreamID(ctx, taHandle)
	if err == nil || fault.Code(err) != "stream-unknown" {
		return err
	}
	id, err := s.newIdentity(ctx, "identity key of the trust anchor proxy")
	if err != nil {
		return err
	}
	_, err = s.Proxy.Create(ctx, taHandle, ta.InitProxy{Identity: ta.Identity(id)}, pgstore.Write{Actor: SystemActor})
	return err
}

// ensureTASigner gives the embedded signer, made if there is none: its key,
// the self-signed certificate and the first manifest and CRL.
func (s *Service) ensureTASigner(ctx context.Context, t Testbed, proxy ta.Identity, repo ta.Repository) (info ta.Signer, err error) {
	read := func(st *ta.SignerState, _ int64) error { info = st.Info(); return nil }
	if err := s.Signer.View(ctx, taHandle, read); err == nil || fault.Code(err) != "stream-unknown" {
		return info, err
	}
	id, err := s.newIdentity(ctx, "identity key of the trust anchor signer")
	if err != nil {
		return info, err
	}
	root, err := s.buildTA(ctx, t, repo)
	if err != nil {
		return info, err
	}
	plan, err := ta.PlanInit(root.Record, max(1, t.TANumber), s.Now(), s.Config.TA)
	if err != nil {
		return info, err
	}
	made, err := s.signTAWith(ctx, plan, root.DER)
	if err != nil {
		return info, err
	}
	cmd := ta.InitSigner{Identity: ta.Identity(id), ProxyID: proxy, TA: root.Record, TAL: root.TAL, Objects: made.Objects}
	w := s.recording("testbed", append(made.DER(), root.DER))
	w.Actor = SystemActor
	if _, err := s.Signer.Create(ctx, taHandle, cmd, w); err != nil {
		return info, err
	}
	return info, s.Signer.View(ctx, taHandle, read)
}

// taKey makes the trust anchor's key or takes in the one that it had elsewhere,
// once.
func (s *Service) taKey(ctx context.Context, had *rsa.PrivateKey) (cert.KeyID, error) {
	const purpose = "key of the trust anchor"
	if had == nil {
		return s.Keys.Generate(ctx, purpose)
	}
	id, err := cert.KeyIDOf(had.Public())
	if err != nil {
		return id, err
	}
	if there, err := s.Keys.Exists(ctx, id); there || err != nil {
		return id, err
	}
	return s.Keys.Import(ctx, had, purpose)
}

func (s *Service) buildTA(ctx context.Context, t Testbed, repo ta.Repository) (ta.TrustAnchor, error) {
	id, err := s.taKey(ctx, t.TAKey)
	if err != nil {
		return ta.TrustAnchor{}, err
	}
	key, err := s.Keys.Signer(ctx, id)
	if err != nil {
		return ta.TrustAnchor{}, err
	}
	serial, err := cert.NewSerial()
	if err != nil {
		return ta.TrustAnchor{}, err
	}
	root, err := ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
		Repository: repo, HTTPS: []string{t.TAURI}, Rsync: t.TAAIA, Serial: serial, Now: s.Now(), Timing: s.Config.TA,
	}, key)
	if err != nil {
		return root, err
	}
	return root, root.Check(s.Now())
}
