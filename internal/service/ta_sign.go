package service

import (
	"context"
	"time"

	"github.com/google/uuid"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/publisher"
	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
	"baleen/internal/tasks"
)

// signTA plays one exchange between proxy and embedded signer: request, sign,
// record at the signer, response. After a crash at any step it goes on there.
func (s *Service) signTA(ctx context.Context, a SignTA) (tasks.Outcome, error) {
	defer s.locks.Lock("ta_sign")()
	var req *ta.Request
	waiting := false
	err := s.viewProxy(ctx, func(st *ta.ProxyState) error { req, waiting = st.OpenRequest, st.WaitsForSigner(); return nil })
	if err != nil {
		return tasks.Outcome{}, err
	}
	if embedded, err := s.signerIsHere(ctx); err != nil || !embedded {
		if waiting && req == nil {
			s.Log.Warn("children wait for the trust anchor's signer: an exchange is needed")
		}
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

// signerIsHere says whether the trust anchor's signer is in this server.
func (s *Service) signerIsHere(ctx context.Context) (bool, error) {
	_, err := s.Signer.StreamID(ctx, taHandle)
	if fault.Code(err) == pgstore.CodeStreamUnknown {
		return false, nil
	}
	return err == nil, err
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
		return ta.Response{}, s.taMissing(err)
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
	defer s.locks.Lock("ta_publish")()
	var repo ca.Repository
	var id ca.Identity
	var locator []byte
	wanted := map[string]ca.Hash{}
	err := s.viewProxy(ctx, func(st *ta.ProxyState) error {
		if st.Repository == nil || st.Signer == nil {
			return nil
		}
		repo, id, locator = ca.Repository(*st.Repository), ca.Identity(st.Identity), st.Signer.TAL.Encode()
		for _, p := range st.Published() {
			wanted[st.Repository.SIABase+p.Name] = p.Hash
		}
		return nil
	})
	if err != nil || repo.ServiceURI == "" {
		return tasks.Outcome{}, err
	}
	cer, err := s.TACertificate(ctx)
	if err != nil {
		return tasks.Outcome{}, err
	}
	if err := s.Export.PublishTA(ctx, cer, locator); err != nil {
		return tasks.Outcome{}, err
	}
	return tasks.Outcome{}, s.repositories().Bring(ctx, publisher.Publisher{Handle: taHandle, Identity: id, Repository: repo}, wanted)
}

// renewTA starts an exchange where one is due although no child asks.
func (s *Service) renewTA(ctx context.Context, _ RenewTA) (tasks.Outcome, error) {
	due := false
	err := s.Signer.View(ctx, taHandle, func(st *ta.SignerState, _ int64) error {
		due = st.NeedsRenewal(s.Now(), s.Config.TA)
		return nil
	})
	if fault.Code(err) == pgstore.CodeStreamUnknown {
		err = s.remindOfTA(ctx)
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

// republishTA gives the task that publishes again what an offline signer told
// last. It may have told more than is known here: only the operator can bring it.
func (s *Service) republishTA(ctx context.Context) ([]tasks.Scheduled, error) {
	_, err := s.Proxy.StreamID(ctx, taHandle)
	switch {
	case fault.Code(err) == pgstore.CodeStreamUnknown:
		return nil, nil
	case err != nil:
		return nil, err
	}
	s.Log.Warn("the trust anchor's signer may have issued more than this database knows: give what it tells about itself to `baleenctl ta proxy signer update`")
	return now(PublishTA{}), nil
}
