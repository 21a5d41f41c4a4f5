package trustanchor

import (
	"context"
	"crypto/rsa"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
)

// Root says where the certificate of a trust anchor is found whose signer is in
// this server, and from where it goes on.
type Root struct {
	Rsync, HTTPS string          // URIs of the certificate
	Key          *rsa.PrivateKey // nil: a new one
	Number       uint64          // of its first manifest; 0: 1
}

// Ensure makes what is missing of a trust anchor that publishes and signs in
// this server. Run again, after a crash at any step, it goes on where it was.
func (a Anchor) Ensure(ctx context.Context, actor es.Actor, root Root) error {
	if err := a.ensureProxy(ctx, actor); err != nil {
		return err
	}
	var id ta.Identity
	var repo *ta.Repository
	signer := false
	err := a.View(ctx, func(st *ta.ProxyState) error {
		id, repo, signer = st.Identity, st.Repository, st.Signer != nil
		return nil
	})
	if err != nil || signer {
		return err
	}
	if repo == nil {
		answer, err := a.Repositories.Join(ctx, actor, ta.Handle, id.Cert)
		if err != nil {
			return err
		}
		repo = &ta.Repository{ServiceURI: answer.ServiceURI, SIABase: answer.SIABase, NotificationURI: answer.NotificationURI, ServerIDCert: answer.IDCert}
		if _, err := a.Proxy.Execute(ctx, ta.Handle, ta.AddRepository{Repository: *repo}, pgstore.Write{Actor: actor}); err != nil {
			return err
		}
	}
	info, err := a.ensureSigner(ctx, actor, root, ta.ProxyState{Identity: id, Repository: repo})
	if err != nil {
		return err
	}
	_, err = a.Proxy.Execute(ctx, ta.Handle, ta.AddSigner{Signer: info}, pgstore.Write{Actor: actor})
	return err
}

func (a Anchor) ensureProxy(ctx context.Context, actor es.Actor) error {
	_, err := a.Proxy.StreamID(ctx, ta.Handle)
	if err == nil || fault.Code(err) != pgstore.CodeStreamUnknown {
		return err
	}
	id, err := a.newIdentity(ctx, proxyPurpose)
	if err != nil {
		return err
	}
	_, err = a.Proxy.Create(ctx, ta.Handle, ta.InitProxy{Identity: id}, pgstore.Write{Actor: actor})
	return err
}

// ensureSigner gives the embedded signer, made if there is none: its key, the
// self-signed certificate and the first manifest and CRL.
func (a Anchor) ensureSigner(ctx context.Context, actor es.Actor, r Root, proxy ta.ProxyState) (info ta.Signer, err error) {
	read := func(st *ta.SignerState, _ int64) error { info = st.Info(); return nil }
	if err := a.Signer.View(ctx, ta.Handle, read); err == nil || fault.Code(err) != pgstore.CodeStreamUnknown {
		return info, err
	}
	id, err := a.newIdentity(ctx, "identity key of the trust anchor signer")
	if err != nil {
		return info, err
	}
	root, err := a.build(ctx, r, *proxy.Repository)
	if err != nil {
		return info, err
	}
	plan, err := ta.PlanInit(root.Record, max(1, r.Number), a.Now(), a.Timing)
	if err != nil {
		return info, err
	}
	made, err := a.signWith(ctx, plan, root.DER)
	if err != nil {
		return info, err
	}
	cmd := ta.InitSigner{Identity: id, ProxyID: proxy.Identity, TA: root.Record, TAL: root.TAL, Objects: made.Objects}
	if _, err := a.Signer.Create(ctx, ta.Handle, cmd, a.recording(actor, append(made.DER(), root.DER))); err != nil {
		return info, err
	}
	return info, a.Signer.View(ctx, ta.Handle, read)
}

// key makes the trust anchor's key or takes in the one that it had elsewhere,
// once.
func (a Anchor) key(ctx context.Context, had *rsa.PrivateKey) (cert.KeyID, error) {
	const purpose = "key of the trust anchor"
	if had == nil {
		return a.Keys.Generate(ctx, purpose)
	}
	id, err := cert.KeyIDOf(had.Public())
	if err != nil {
		return id, err
	}
	if there, err := a.Keys.Exists(ctx, id); there || err != nil {
		return id, err
	}
	return a.Keys.Import(ctx, had, purpose)
}

// build makes the self-signed certificate.
func (a Anchor) build(ctx context.Context, r Root, repo ta.Repository) (ta.TrustAnchor, error) {
	id, err := a.key(ctx, r.Key)
	if err != nil {
		return ta.TrustAnchor{}, err
	}
	key, err := a.Keys.Signer(ctx, id)
	if err != nil {
		return ta.TrustAnchor{}, err
	}
	serial, err := cert.NewSerial()
	if err != nil {
		return ta.TrustAnchor{}, err
	}
	root, err := ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
		Repository: repo, HTTPS: []string{r.HTTPS}, Rsync: r.Rsync, Serial: serial, Now: a.Now(), Timing: a.Timing,
	}, key)
	if err != nil {
		return root, err
	}
	return root, root.Check(a.Now())
}
