package trustanchor

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

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

// proxyPurpose is what the table of keys says of the identity key.
const proxyPurpose = "identity key of the trust anchor proxy"

// Init makes the online part of a trust anchor, with an identity of its own.
func (a Anchor) Init(ctx context.Context, actor es.Actor) error {
	if _, err := a.Proxy.StreamID(ctx, ta.Handle); err == nil {
		return errInitialized()
	} else if fault.Code(err) != pgstore.CodeStreamUnknown {
		return err
	}
	id, err := a.newIdentity(ctx, proxyPurpose)
	if err != nil {
		return err
	}
	_, err = a.Proxy.Create(ctx, ta.Handle, ta.InitProxy{Identity: id}, pgstore.Write{Actor: actor})
	if err != nil {
		a.dropKey(ctx, id.KeyID)
	}
	if fault.Code(err) == "stream-exists" {
		return errInitialized()
	}
	return err
}

func errInitialized() error {
	return fault.New(fault.Exists, "ta-initialized", "TrustAnchor was already initialized")
}

// Repository gives where the trust anchor publishes.
func (a Anchor) Repository(ctx context.Context) (repo ta.Repository, err error) {
	err = a.View(ctx, func(st *ta.ProxyState) error {
		if st.Repository == nil {
			return fault.New(fault.Invalid, "ta-has-no-repository", "Trust Anchor Proxy has no repository")
		}
		repo = *st.Repository
		repo.ServerIDCert = slices.Clone(repo.ServerIDCert)
		return nil
	})
	return repo, err
}

// Identity gives the identity certificate of the trust anchor's online part.
func (a Anchor) Identity(ctx context.Context) (id ta.Identity, err error) {
	err = a.View(ctx, func(st *ta.ProxyState) error {
		id = ta.Identity{KeyID: st.Identity.KeyID, Cert: slices.Clone(st.Identity.Cert)}
		return nil
	})
	return id, err
}

// SetRepository says where the trust anchor publishes, for good: the
// repository is asked first, and one that does not answer is not taken.
func (a Anchor) SetRepository(ctx context.Context, actor es.Actor, r oob.RepositoryResponse) error {
	cmd := ta.AddRepository{Repository: ta.Repository{ServiceURI: r.ServiceURI, SIABase: r.SIABase, NotificationURI: r.NotificationURI, ServerIDCert: r.IDCert}}
	id, err := a.Identity(ctx)
	if err != nil {
		return err
	}
	err = a.View(ctx, func(st *ta.ProxyState) error { _, err := cmd.Process(st, a.Now()); return err })
	if err != nil {
		return err
	}
	if err := a.Repositories.Check(ctx, publisherOf(id, cmd.Repository)); err != nil {
		return &fault.Error{
			Kind: fault.Invalid, Code: "ca-repo-issue", Args: map[string]string{"ca": ta.Handle, "cause": err.Error()}, Err: err,
			Msg: "CA '" + ta.Handle + "' cannot get response from repository '" + err.Error() + "'. Is the 'service_uri' in the XML reachable?",
		}
	}
	_, err = a.Proxy.Execute(ctx, ta.Handle, cmd, pgstore.Write{Actor: actor})
	return err
}

// SignerInfo gives what the trust anchor knows of its signer, in the form in which
// the signer tells it of itself: one that was restored from an old copy can take
// back from it what it lacks.
func (a Anchor) SignerInfo(ctx context.Context) (api.TASignerInfo, error) {
	var signer ta.Signer
	err := a.View(ctx, func(st *ta.ProxyState) error {
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
	found, err := a.Objects.DERs(ctx, hashes)
	if err != nil {
		return api.TASignerInfo{}, err
	}
	objects := make(tafile.DER, len(found))
	for hash, der := range found {
		objects[ta.Hash(hash)] = der
	}
	return tafile.EncodeSigner(signer, objects)
}

// AddSigner ties the trust anchor to the signer that wrote this file about
// itself (api.TASignerInfo). Everything in it is verified first.
func (a Anchor) AddSigner(ctx context.Context, actor es.Actor, file []byte) error {
	return a.takeSigner(ctx, actor, file, func(signer ta.Signer) es.Command[ta.ProxyState] { return ta.AddSigner{Signer: signer} })
}

// UpdateSigner takes over what changed at the signer outside an exchange, from
// such a file.
func (a Anchor) UpdateSigner(ctx context.Context, actor es.Actor, file []byte) error {
	return a.takeSigner(ctx, actor, file, func(signer ta.Signer) es.Command[ta.ProxyState] { return ta.UpdateSigner{Signer: signer} })
}

func (a Anchor) takeSigner(ctx context.Context, actor es.Actor, file []byte, command func(ta.Signer) es.Command[ta.ProxyState]) error {
	told, err := tafile.DecodeSigner(file, a.Now())
	if err != nil {
		return err
	}
	err = a.View(ctx, func(st *ta.ProxyState) error {
		told.Objects = st.Owned(told.Objects)
		if st.Signer == nil || st.Signer.TA.KeyID != told.TA.KeyID { // the command decides
			return nil
		}
		return st.CheckFollows(told.Objects, a.Now())
	})
	if err != nil {
		return err
	}
	return a.takes(ctx, actor, command(told.Signer), told.DER)
}

// takes records what came from the signer, with the objects in it.
func (a Anchor) takes(ctx context.Context, actor es.Actor, cmd es.Command[ta.ProxyState], objects tafile.DER) error {
	ders := make([][]byte, 0, len(objects))
	for _, der := range objects {
		ders = append(ders, der)
	}
	_, err := a.Proxy.Execute(ctx, ta.Handle, cmd, a.recording(actor, ders))
	return err
}

// MakeRequest asks the signer for all that the children asked for: from now on
// the request is open.
func (a Anchor) MakeRequest(ctx context.Context, actor es.Actor) error {
	_, err := a.Proxy.Execute(ctx, ta.Handle, ta.MakeSignerRequest{Nonce: uuid.NewString()}, pgstore.Write{Actor: actor})
	return a.missing(err)
}

// Request gives the open request, signed now, for the signer.
func (a Anchor) Request(ctx context.Context) (api.TASignedRequest, error) {
	var described api.TASignedRequest
	sealer := tafile.Sealer{Now: a.Now(), Timing: a.Timing}
	err := a.View(ctx, func(st *ta.ProxyState) (err error) {
		if st.OpenRequest == nil {
			return errNoRequest()
		}
		sealer.By = st.Identity
		described, err = tafile.DescribeRequest(st, a.Timing)
		return err
	})
	if err != nil {
		return described, err
	}
	if sealer.Key, err = a.Keys.Signer(ctx, sealer.By.KeyID); err != nil {
		return described, err
	}
	if sealer.OneOff, err = a.OneOff.Take(ctx); err != nil {
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

// TakeResponse takes in the signer's answer to the open request, from a file
// (api.TASignedResponse): its signature, and all objects in it, are verified
// first.
func (a Anchor) TakeResponse(ctx context.Context, actor es.Actor, file []byte) error {
	var from ta.Identity
	var root ta.Hash
	err := a.View(ctx, func(st *ta.ProxyState) error {
		if err := checkAwaited(st, file); err != nil {
			return err
		}
		from, root = st.Signer.Identity, st.Signer.TA.Hash
		return nil
	})
	if err != nil {
		return err
	}
	own, err := a.Objects.DER(ctx, ca.Hash(root))
	if err != nil {
		return err
	}
	r, err := tafile.Opener{From: from, Now: a.Now()}.Response(file, own)
	if err != nil {
		return err
	}
	err = a.View(ctx, func(st *ta.ProxyState) error {
		r.Objects = st.Owned(r.Objects)
		return st.CheckResponse(r.Response, a.Now())
	})
	if err != nil {
		return err
	}
	return a.takes(ctx, actor, ta.ProcessSignerResponse{Response: r.Response}, r.DER)
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
