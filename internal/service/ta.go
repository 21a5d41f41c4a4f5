package service

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/google/uuid"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
	"baleen/internal/tasks"
)

const taHandle = ta.Handle

// SignTA lets the embedded signer answer what the trust anchor's children ask
// for; with Renew also if nobody asks.
type SignTA struct {
	Renew  bool   `json:"renew,omitempty"`
	Number uint64 `json:"number,omitempty"` // the least manifest number to use; 0: the next one
}

// PublishTA brings the trust anchor's repository to what it has issued.
type PublishTA struct{}

// RenewTA looks whether the trust anchor's manifest or certificates come close
// to their end.
type RenewTA struct{}

// Kind names the task in the queue.
func (SignTA) Kind() string { return "ta_sign" }

// Key keeps a renewal apart from what children ask for.
func (a SignTA) Key() string {
	if a.Renew {
		return taHandle + " renew"
	}
	return taHandle
}

// Kind names the task in the queue.
func (PublishTA) Kind() string { return "ta_publish" }

// Key is the same for all: there is one.
func (PublishTA) Key() string { return taHandle }

// Kind names the task in the queue.
func (RenewTA) Kind() string { return "ta_renew" }

// Key is the same for all: there is one.
func (RenewTA) Key() string { return taHandle }

// followTA is the trust anchor's part of the table.
func followTA(e es.Event) []tasks.Scheduled {
	switch e := e.(type) {
	case ta.ChildRequestAdded, ta.SignerRequestMade:
		return now(SignTA{})
	case ta.SignerAdded, ta.SignerUpdated:
		return now(PublishTA{})
	case ta.SignerResponseReceived:
		out := now(PublishTA{})
		for child := range e.Response.Children {
			out = append(out, now(RefreshCA{CA: child})...)
		}
		return out
	default:
		return nil
	}
}

// taMissing turns the store's refusal of an unknown stream into the API's.
func taMissing(err error) error {
	if fault.Code(err) != "stream-unknown" {
		return err
	}
	return &fault.Error{Kind: fault.Invalid, Code: "general-error", Msg: "TA proxy not enabled", Err: err}
}

func (s *Service) viewProxy(ctx context.Context, f func(st *ta.ProxyState) error) error {
	return taMissing(s.Proxy.View(ctx, taHandle, func(st *ta.ProxyState, _ int64) error { return f(st) }))
}

// viewTA reads what the trust anchor's signer last told.
func (s *Service) viewTA(ctx context.Context, f func(signer *ta.Signer) error) error {
	return s.viewProxy(ctx, func(st *ta.ProxyState) error {
		if st.Signer == nil {
			return fault.New(fault.Invalid, "ta-not-initialized", "TrustAnchor was not initialized")
		}
		return f(st.Signer)
	})
}

// TAL gives the trust anchor locator (RFC 8630).
func (s *Service) TAL(ctx context.Context) (text []byte, err error) {
	err = s.viewTA(ctx, func(signer *ta.Signer) error { text = signer.TAL.Encode(); return nil })
	return text, err
}

// TACertificate gives the DER of the trust anchor certificate.
func (s *Service) TACertificate(ctx context.Context) ([]byte, error) {
	var hash ta.Hash
	if err := s.viewTA(ctx, func(signer *ta.Signer) error { hash = signer.TA.Hash; return nil }); err != nil {
		return nil, err
	}
	return s.Rows.DER(ctx, ca.Hash(hash))
}

// taIdentity gives the certificate under which the trust anchor answers a child.
func (s *Service) taIdentity(ctx context.Context, child string) (id []byte, err error) {
	err = s.viewProxy(ctx, func(st *ta.ProxyState) error {
		if st.Children[child] == nil {
			return ca.ChildUnknown(taHandle, child)
		}
		id = st.Identity.Cert
		return nil
	})
	return id, err
}

func (s *Service) addTAChild(ctx context.Context, actor es.Actor, cmd ca.AddChild) error {
	_, err := s.Proxy.Execute(ctx, taHandle, ta.AddChild(cmd), pgstore.Write{Actor: actor})
	return taMissing(err)
}

// taLink reaches the trust anchor in this server. It answers slowly: a request
// waits for the signer, and the child asks again.
type taLink struct {
	s     *Service
	child string
}

func (l taLink) list(ctx context.Context) (out []ca.Entitlement, err error) {
	err = l.s.viewProxy(ctx, func(st *ta.ProxyState) error {
		offered, err := st.Entitlements(l.child, l.s.Now(), l.s.Config.TA)
		for _, e := range offered {
			c := ca.Entitlement{Class: e.Class, Resources: e.Resources, NotAfter: e.NotAfter, CertURL: e.CertURL, CertHash: ca.Hash(e.CertHash)}
			for _, i := range e.Issued {
				c.Issued = append(c.Issued, ca.ListedCert{URI: i.URI, Hash: ca.Hash(i.Hash)})
			}
			out = append(out, c)
		}
		return err
	})
	return out, err
}

func (l taLink) issue(ctx context.Context, class string, csr []byte) (granted, error) {
	req, err := cert.DecodeRequest(csr)
	if err != nil {
		return granted{}, &fault.Error{Kind: fault.Invalid, Code: "rfc6492-invalid-csr", Msg: "Invalid CSR received: " + err.Error(), Args: map[string]string{"cause": err.Error()}}
	}
	var answer ta.Answer
	err = l.s.viewProxy(ctx, func(st *ta.ProxyState) (err error) {
		answer, err = st.Answer(l.child, ta.IssueRequest(class, req, ta.Limit{}), l.s.Now())
		return err
	})
	if err != nil {
		return granted{}, err
	}
	if answer.Then != nil {
		if _, err := l.s.Proxy.Execute(ctx, taHandle, answer.Then, pgstore.Write{Actor: es.Actor{Name: "child:" + l.child}}); err != nil {
			return granted{}, err
		}
	}
	switch {
	case answer.Code == ta.CodeScheduled || answer.Code == ta.CodeAlreadyProcessing:
		return granted{}, errScheduled
	case answer.Issued == nil:
		return granted{}, fault.New(fault.Unavailable, "rfc6492-not-performed-response", fmt.Sprintf("RFC 6492 Not Performed: %d %s", answer.Code, answer.Reason))
	}
	der, err := l.s.Rows.DER(ctx, ca.Hash(answer.Issued.Hash))
	if err != nil {
		return granted{}, err
	}
	issuer, err := l.s.TACertificate(ctx)
	return granted{cert: der, uri: answer.Issued.URI, issuer: issuer}, err
}

// signTA plays one exchange between proxy and embedded signer: request, sign,
// record at the signer, response. After a crash at any step it goes on there.
func (s *Service) signTA(ctx context.Context, a SignTA) (tasks.Outcome, error) {
	defer s.locks.lock("ta_sign")()
	var req *ta.Request
	waiting := false
	err := s.viewProxy(ctx, func(st *ta.ProxyState) error { req, waiting = st.OpenRequest, st.WaitsForSigner(); return nil })
	if err != nil {
		return tasks.Outcome{}, err
	}
	if req == nil {
		if !waiting && !a.Renew {
			return tasks.Outcome{}, nil
		}
		_, err := s.Proxy.Execute(ctx, taHandle, ta.MakeSignerRequest{Nonce: uuid.NewString()}, pgstore.Write{Actor: taskActor("ta_sign")})
		if err != nil {
			return tasks.Outcome{}, err
		}
		if err := s.viewProxy(ctx, func(st *ta.ProxyState) error { req = st.OpenRequest; return nil }); err != nil || req == nil {
			return tasks.Outcome{}, err
		}
	}
	response, err := s.answerTA(ctx, *req, a.Number)
	if err != nil {
		return tasks.Outcome{}, err
	}
	_, err = s.Proxy.Execute(ctx, taHandle, ta.ProcessSignerResponse{Response: response}, pgstore.Write{Actor: taskActor("ta_sign")})
	return tasks.Outcome{}, err
}

// answerTA gives the embedded signer's response to a request: the one it gave
// already, or a new one whose manifest number is at least the given one.
func (s *Service) answerTA(ctx context.Context, req ta.Request, number uint64) (ta.Response, error) {
	var plan ta.Plan
	var done *ta.Response
	err := s.Signer.View(ctx, taHandle, func(st *ta.SignerState, _ int64) (err error) {
		if r, ok := st.ResponseTo(req.Nonce); ok {
			done = &r
			return nil
		}
		if plan, err = st.PlanRequest(req, s.Now(), s.Config.TA); err == nil && plan.Number < number {
			plan, err = plan.WithNumber(number)
		}
		return err
	})
	if err != nil {
		return ta.Response{}, taMissing(err)
	}
	if done != nil {
		return *done, nil
	}
	made, err := s.signTAPlan(ctx, plan)
	if err != nil {
		return ta.Response{}, err
	}
	_, err = s.Signer.Execute(ctx, taHandle, made.Command(), s.recording("ta_sign", made.DER()))
	return made.Response(), err
}

// signTAPlan signs what was planned and checks it as a relying party would.
func (s *Service) signTAPlan(ctx context.Context, plan ta.Plan) (ta.Signed, error) {
	der, err := s.Rows.DER(ctx, ca.Hash(plan.TA.Hash))
	if err != nil {
		return ta.Signed{}, err
	}
	return s.signTAWith(ctx, plan, der)
}

func (s *Service) signTAWith(ctx context.Context, plan ta.Plan, der []byte) (ta.Signed, error) {
	root, err := cert.Decode(der)
	if err != nil {
		return ta.Signed{}, err
	}
	keys := ta.Keys{TA: root}
	if keys.Signer, err = s.Keys.Signer(ctx, plan.TA.KeyID); err != nil {
		return ta.Signed{}, err
	}
	if keys.Manifest, err = s.OneOff.Take(ctx); err != nil {
		return ta.Signed{}, err
	}
	for range plan.Serials() {
		n, err := cert.NewSerial()
		if err != nil {
			return ta.Signed{}, err
		}
		keys.Serials = append(keys.Serials, n)
	}
	made, err := plan.Sign(keys)
	if err != nil {
		return ta.Signed{}, err
	}
	return made, made.Check(root, s.Now())
}

// publishTA sends what the trust anchor has issued to its repository, and
// leaves its certificate and locator beside the published files.
func (s *Service) publishTA(ctx context.Context, _ PublishTA) (tasks.Outcome, error) {
	defer s.locks.lock("ta_publish")()
	var uri string
	var locator []byte
	wanted := map[string]ca.Hash{}
	err := s.viewProxy(ctx, func(st *ta.ProxyState) error {
		if st.Repository == nil || st.Signer == nil {
			return nil
		}
		uri, locator = st.Repository.ServiceURI, st.Signer.TAL.Encode()
		for _, p := range st.Published() {
			wanted[st.Repository.SIABase+p.Name] = p.Hash
		}
		return nil
	})
	if err != nil || uri == "" {
		return tasks.Outcome{}, err
	}
	cer, err := s.TACertificate(ctx)
	if err != nil {
		return tasks.Outcome{}, err
	}
	if err := s.Export.PublishTA(ctx, cer, locator); err != nil {
		return tasks.Outcome{}, err
	}
	return tasks.Outcome{}, s.publishDifference(ctx, uri, wanted)
}

// renewTA starts an exchange where one is due although no child asks.
func (s *Service) renewTA(ctx context.Context, _ RenewTA) (tasks.Outcome, error) {
	due := false
	err := s.Signer.View(ctx, taHandle, func(st *ta.SignerState, _ int64) error {
		due = st.NeedsRenewal(s.Now(), s.Config.TA)
		return nil
	})
	if fault.Code(err) == "stream-unknown" {
		err = nil
	}
	if err != nil {
		return tasks.Outcome{}, err
	}
	out := tasks.Outcome{Again: s.Now().Add(24 * time.Hour)}
	if due {
		out.Then = now(SignTA{Renew: true})
	}
	return out, nil
}

// ensureTA makes what is missing of the testbed's trust anchor.
func (s *Service) ensureTA(ctx context.Context, t Testbed) error {
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
		answer, err := s.ensurePublisher(ctx, taHandle, id.Cert)
		if err != nil {
			return err
		}
		repo = &ta.Repository{ServiceURI: answer.ServiceURI, SIABase: answer.SIABase, NotificationURI: answer.NotificationURI, ServerIDCert: answer.IDCert}
		if _, err := s.Proxy.Execute(ctx, taHandle, ta.AddRepository{Repository: *repo}, pgstore.Write{Actor: systemActor}); err != nil {
			return err
		}
	}
	info, err := s.ensureTASigner(ctx, t, id, *repo)
	if err != nil {
		return err
	}
	_, err = s.Proxy.Execute(ctx, taHandle, ta.AddSigner{Signer: info}, pgstore.Write{Actor: systemActor})
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
	_, err = s.Proxy.Create(ctx, taHandle, ta.InitProxy{Identity: ta.Identity(id)}, pgstore.Write{Actor: systemActor})
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
	plan, err := ta.PlanInit(root.Record, 1, s.Now(), s.Config.TA)
	if err != nil {
		return info, err
	}
	made, err := s.signTAWith(ctx, plan, root.DER)
	if err != nil {
		return info, err
	}
	cmd := ta.InitSigner{Identity: ta.Identity(id), ProxyID: proxy, TA: root.Record, TAL: root.TAL, Objects: made.Objects}
	w := s.recording("testbed", append(made.DER(), root.DER))
	w.Actor = systemActor
	if _, err := s.Signer.Create(ctx, taHandle, cmd, w); err != nil {
		return info, err
	}
	return info, s.Signer.View(ctx, taHandle, read)
}

func (s *Service) buildTA(ctx context.Context, t Testbed, repo ta.Repository) (ta.TrustAnchor, error) {
	id, err := s.Keys.Generate(ctx, "key of the trust anchor")
	if err != nil {
		return ta.TrustAnchor{}, err
	}
	key, err := s.Keys.Signer(ctx, id)
	if err != nil {
		return ta.TrustAnchor{}, err
	}
	var serial *big.Int
	if serial, err = cert.NewSerial(); err != nil {
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
