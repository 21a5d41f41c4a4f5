package service

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/ta"
	"baleen/internal/tafile"
)

// InitTA makes the online part of a trust anchor, with an identity of its own.
func (s *Service) InitTA(ctx context.Context, actor es.Actor) error {
	if _, err := s.Proxy.StreamID(ctx, taHandle); err == nil {
		return errTAInitialized()
	} else if fault.Code(err) != pgstore.CodeStreamUnknown {
		return err
	}
	id, err := s.newIdentity(ctx, "identity key of the trust anchor proxy")
	if err != nil {
		return err
	}
	_, err = s.Proxy.Create(ctx, taHandle, ta.InitProxy{Identity: ta.Identity(id)}, pgstore.Write{Actor: actor})
	if inVain(err) {
		s.dropKeys(ctx, []cert.KeyID{id.KeyID})
	}
	if fault.Code(err) == "stream-exists" {
		return errTAInitialized()
	}
	return err
}

func errTAInitialized() error {
	return fault.New(fault.Exists, "ta-initialized", "TrustAnchor was already initialized")
}

// ViewTA reads the online part of the trust anchor; f must not keep the state.
func (s *Service) ViewTA(ctx context.Context, f func(st *ta.ProxyState) error) error {
	return s.viewProxy(ctx, f)
}

// TARepository gives where the trust anchor publishes.
func (s *Service) TARepository(ctx context.Context) (repo ta.Repository, err error) {
	err = s.viewProxy(ctx, func(st *ta.ProxyState) error {
		if st.Repository == nil {
			return fault.New(fault.Invalid, "ta-has-no-repository", "Trust Anchor Proxy has no repository")
		}
		repo = *st.Repository
		repo.ServerIDCert = slices.Clone(repo.ServerIDCert)
		return nil
	})
	return repo, err
}

// TAIdentity gives the identity certificate of the trust anchor's online part.
func (s *Service) TAIdentity(ctx context.Context) (id ta.Identity, err error) {
	err = s.viewProxy(ctx, func(st *ta.ProxyState) error {
		id = ta.Identity{KeyID: st.Identity.KeyID, Cert: slices.Clone(st.Identity.Cert)}
		return nil
	})
	return id, err
}

// SetTARepository says where the trust anchor publishes, for good: the
// repository is asked first, and one that does not answer is not taken.
func (s *Service) SetTARepository(ctx context.Context, actor es.Actor, r oob.RepositoryResponse) error {
	cmd := ta.AddRepository{Repository: ta.Repository{ServiceURI: r.ServiceURI, SIABase: r.SIABase, NotificationURI: r.NotificationURI, ServerIDCert: r.IDCert}}
	id, err := s.TAIdentity(ctx)
	if err != nil {
		return err
	}
	err = s.viewProxy(ctx, func(st *ta.ProxyState) error { _, err := cmd.Process(st, s.Now()); return err })
	if err != nil {
		return err
	}
	repo := ca.Repository(cmd.Repository)
	if err := s.askRepo(ctx, s.repoLink(taHandle, ca.Identity(id), repo), repo.SIABase); err != nil {
		return &fault.Error{
			Kind: fault.Invalid, Code: "ca-repo-issue", Args: map[string]string{"ca": taHandle, "cause": err.Error()}, Err: err,
			Msg: "CA '" + taHandle + "' cannot get response from repository '" + err.Error() + "'. Is the 'service_uri' in the XML reachable?",
		}
	}
	_, err = s.Proxy.Execute(ctx, taHandle, cmd, pgstore.Write{Actor: actor})
	return err
}

// TASigner gives what the trust anchor knows of its signer, in the form in which
// the signer tells it of itself: one that was restored from an old copy can take
// back from it what it lacks.
func (s *Service) TASigner(ctx context.Context) (api.TASignerInfo, error) {
	var signer ta.Signer
	err := s.viewProxy(ctx, func(st *ta.ProxyState) error {
		if st.Signer == nil {
			return errNoSigner()
		}
		signer = *st.Signer
		signer.Objects = st.Owned(signer.Objects)
		return nil
	})
	if err != nil {
		return api.TASignerInfo{}, err
	}
	hashes := []ca.Hash{ca.Hash(signer.TA.Hash)}
	for _, f := range signer.Objects.Published() {
		hashes = append(hashes, ca.Hash(f.Hash))
	}
	found, err := s.Rows.DERs(ctx, hashes)
	if err != nil {
		return api.TASignerInfo{}, err
	}
	objects := make(tafile.DER, len(found))
	for hash, der := range found {
		objects[ta.Hash(hash)] = der
	}
	return tafile.EncodeSigner(signer, objects)
}

// AddTASigner ties the trust anchor to the signer that wrote this file about
// itself (api.TASignerInfo). Everything in it is verified first.
func (s *Service) AddTASigner(ctx context.Context, actor es.Actor, file []byte) error {
	return s.takeSigner(ctx, actor, file, func(signer ta.Signer) es.Command[ta.ProxyState] { return ta.AddSigner{Signer: signer} })
}

// UpdateTASigner takes over what changed at the signer outside an exchange, from
// such a file.
func (s *Service) UpdateTASigner(ctx context.Context, actor es.Actor, file []byte) error {
	return s.takeSigner(ctx, actor, file, func(signer ta.Signer) es.Command[ta.ProxyState] { return ta.UpdateSigner{Signer: signer} })
}

func (s *Service) takeSigner(ctx context.Context, actor es.Actor, file []byte, command func(ta.Signer) es.Command[ta.ProxyState]) error {
	told, err := tafile.DecodeSigner(file, s.Now())
	if err != nil {
		return err
	}
	err = s.viewProxy(ctx, func(st *ta.ProxyState) error {
		told.Objects = st.Owned(told.Objects)
		if st.Signer == nil || st.Signer.TA.KeyID != told.TA.KeyID { // the command decides
			return nil
		}
		return st.CheckFollows(told.Objects, s.Now())
	})
	if err != nil {
		return err
	}
	return s.proxyTakes(ctx, actor, command(told.Signer), told.DER)
}

// proxyTakes records what came from the signer, with the objects in it.
func (s *Service) proxyTakes(ctx context.Context, actor es.Actor, cmd es.Command[ta.ProxyState], objects tafile.DER) error {
	_, err := s.Proxy.Execute(ctx, taHandle, cmd, pgstore.Write{Actor: actor, InTx: func(ctx context.Context, tx pgx.Tx, _ pgstore.Commit) error {
		ders := make([][]byte, 0, len(objects))
		for _, der := range objects {
			ders = append(ders, der)
		}
		return s.Rows.Put(ctx, tx, ders...)
	}})
	return err
}

// MakeTARequest asks the signer for all that the children asked for: from now on
// the request is open.
func (s *Service) MakeTARequest(ctx context.Context, actor es.Actor) error {
	_, err := s.Proxy.Execute(ctx, taHandle, ta.MakeSignerRequest{Nonce: uuid.NewString()}, pgstore.Write{Actor: actor})
	return s.taMissing(err)
}

// TARequest gives the open request, signed now, for the signer.
func (s *Service) TARequest(ctx context.Context) (api.TASignedRequest, error) {
	var described api.TASignedRequest
	sealer := tafile.Sealer{Now: s.Now(), Timing: s.Config.TA}
	err := s.viewProxy(ctx, func(st *ta.ProxyState) (err error) {
		if st.OpenRequest == nil {
			return errNoRequest()
		}
		sealer.By = st.Identity
		described, err = tafile.DescribeRequest(st, s.Config.TA)
		return err
	})
	if err != nil {
		return described, err
	}
	if sealer.Key, err = s.Keys.Signer(ctx, sealer.By.KeyID); err != nil {
		return described, err
	}
	if sealer.OneOff, err = s.OneOff.Take(ctx); err != nil {
		return described, err
	}
	if sealer.Serial, err = cert.NewSerial(); err != nil {
		return described, err
	}
	return sealer.Request(described)
}

func errNoSigner() error {
	return fault.New(fault.Invalid, "ta-has-no-signer", "Trust Anchor Proxy has no associated signer")
}

func errNoRequest() error {
	return fault.New(fault.Invalid, "ta-has-no-signer-req", "Trust Anchor Proxy has no signer request")
}

// TakeTAResponse takes in the signer's answer to the open request, from a file
// (api.TASignedResponse): its signature, and all objects in it, are verified
// first.
func (s *Service) TakeTAResponse(ctx context.Context, actor es.Actor, file []byte) error {
	var from ta.Identity
	var root ta.Hash
	err := s.viewProxy(ctx, func(st *ta.ProxyState) error {
		if err := checkAwaited(st, file); err != nil {
			return err
		}
		from, root = st.Signer.Identity, st.Signer.TA.Hash
		return nil
	})
	if err != nil {
		return err
	}
	own, err := s.Rows.DER(ctx, ca.Hash(root))
	if err != nil {
		return err
	}
	r, err := tafile.Opener{From: from, Now: s.Now()}.Response(file, own)
	if err != nil {
		return err
	}
	err = s.viewProxy(ctx, func(st *ta.ProxyState) error {
		r.Objects = st.Owned(r.Objects)
		return st.CheckResponse(r.Response, s.Now())
	})
	if err != nil {
		return err
	}
	return s.proxyTakes(ctx, actor, ta.ProcessSignerResponse{Response: r.Response}, r.DER)
}

// checkAwaited refuses a response that nobody waits for, before anything in it
// is looked at.
func checkAwaited(st *ta.ProxyState, file []byte) error {
	var said struct {
		Response struct {
			Nonce string `json:"nonce"`
		} `json:"response"`
	}
	switch readable := json.Unmarshal(file, &said) == nil; {
	case st.OpenRequest == nil:
		return errNoRequest()
	case readable && said.Response.Nonce != "" && said.Response.Nonce != st.OpenRequest.Nonce:
		_, err := ta.ProcessSignerResponse{Response: ta.Response{Nonce: said.Response.Nonce}}.Process(st, st.LastRequest)
		return err
	case st.Signer == nil:
		return errNoSigner()
	}
	return nil
}

// UpdateTAChild changes the identity certificate or the resources of a child of
// the trust anchor.
func (s *Service) UpdateTAChild(ctx context.Context, actor es.Actor, cmd ta.UpdateChild) error {
	if len(cmd.IDCert) > 0 {
		if _, err := cert.DecodeIdentity(cmd.IDCert, s.Now()); err != nil {
			return badIdentity(err)
		}
	}
	_, err := s.Proxy.Execute(ctx, taHandle, cmd, pgstore.Write{Actor: actor})
	return s.taMissing(err)
}

// RemoveTAChild removes a child of the trust anchor. What it holds is revoked
// with the next exchange.
func (s *Service) RemoveTAChild(ctx context.Context, actor es.Actor, child string) error {
	_, err := s.Proxy.Execute(ctx, taHandle, ta.RemoveChild{Child: child}, pgstore.Write{Actor: actor})
	return s.taMissing(err)
}
