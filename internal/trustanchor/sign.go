package trustanchor

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

// sign plays one exchange between proxy and embedded signer: request, sign,
// record at the signer, response. After a crash at any step it goes on there.
func (a Anchor) sign(ctx context.Context, t Sign) (tasks.Outcome, error) {
	defer a.Locks.Lock("ta_sign")()
	var req *ta.Request
	waiting := false
	err := a.View(ctx, func(st *ta.ProxyState) error { req, waiting = st.OpenRequest, st.WaitsForSigner(); return nil })
	if err != nil {
		return tasks.Outcome{}, err
	}
	if embedded, err := a.SignerIsHere(ctx); err != nil || !embedded {
		if waiting && req == nil {
			a.Log.Warn("children wait for the trust anchor's signer: an exchange is needed")
		}
		return tasks.Outcome{}, err
	}
	if req == nil {
		if !waiting && !t.Renew {
			return tasks.Outcome{}, nil
		}
		_, err := a.Proxy.Execute(ctx, ta.Handle, ta.MakeSignerRequest{Nonce: uuid.NewString()}, pgstore.Write{Actor: signActor})
		if err != nil {
			return tasks.Outcome{}, err
		}
		if err := a.View(ctx, func(st *ta.ProxyState) error { req = st.OpenRequest; return nil }); err != nil || req == nil {
			return tasks.Outcome{}, err
		}
	}
	response, err := a.answer(ctx, *req, t.Number)
	if err != nil {
		return tasks.Outcome{}, err
	}
	_, err = a.Proxy.Execute(ctx, ta.Handle, ta.ProcessSignerResponse{Response: response}, pgstore.Write{Actor: signActor})
	return tasks.Outcome{}, err
}

// answer gives the embedded signer's response to a request: the one it gave
// already, or a new one whose manifest number is at least the given one.
func (a Anchor) answer(ctx context.Context, req ta.Request, number uint64) (ta.Response, error) {
	var plan ta.Plan
	var done *ta.Response
	err := a.Signer.View(ctx, ta.Handle, func(st *ta.SignerState, _ int64) (err error) {
		if r, ok := st.ResponseTo(req.Nonce); ok {
			done = &r
			return nil
		}
		if plan, err = st.PlanRequest(req, a.Now(), a.Timing); err == nil && plan.Number < number {
			plan, err = plan.WithNumber(number)
		}
		return err
	})
	if err != nil {
		return ta.Response{}, a.missing(err)
	}
	if done != nil {
		return *done, nil
	}
	made, err := a.signPlan(ctx, plan)
	if err != nil {
		return ta.Response{}, err
	}
	_, err = a.Signer.Execute(ctx, ta.Handle, made.Command(), a.recording(signActor, made.DER()))
	return made.Response(), err
}

// signPlan signs what was planned and checks it as a relying party would.
func (a Anchor) signPlan(ctx context.Context, plan ta.Plan) (ta.Signed, error) {
	der, err := a.Objects.DER(ctx, ca.Hash(plan.TA.Hash))
	if err != nil {
		return ta.Signed{}, err
	}
	return a.signWith(ctx, plan, der)
}

func (a Anchor) signWith(ctx context.Context, plan ta.Plan, der []byte) (ta.Signed, error) {
	root, err := cert.Decode(der)
	if err != nil {
		return ta.Signed{}, err
	}
	keys := ta.Keys{TA: root}
	if keys.Signer, err = a.Keys.Signer(ctx, plan.TA.KeyID); err != nil {
		return ta.Signed{}, err
	}
	if keys.Manifest, err = a.OneOff.Take(ctx); err != nil {
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
	return made, made.Check(root, a.Now())
}

// publish sends what the trust anchor has issued to its repository, and leaves
// its certificate and locator beside the published files.
func (a Anchor) publish(ctx context.Context) error {
	defer a.Locks.Lock("ta_publish")()
	var to publisher.Publisher
	var locator []byte
	wanted := map[string]ca.Hash{}
	err := a.View(ctx, func(st *ta.ProxyState) error {
		if st.Repository == nil || st.Signer == nil {
			return nil
		}
		to, locator = publisherOf(st.Identity, *st.Repository), st.Signer.TAL.Encode()
		for _, p := range st.Published() {
			wanted[st.Repository.SIABase+p.Name] = p.Hash
		}
		return nil
	})
	if err != nil || to.Repository.ServiceURI == "" {
		return err
	}
	cer, err := a.Certificate(ctx)
	if err != nil {
		return err
	}
	if err := a.Files.PublishTA(ctx, cer, locator); err != nil {
		return err
	}
	return a.Repositories.Bring(ctx, to, wanted)
}

// publisherOf is the trust anchor as a publisher.
func publisherOf(id ta.Identity, repo ta.Repository) publisher.Publisher {
	return publisher.Publisher{Handle: ta.Handle, Identity: ca.Identity(id), Repository: ca.Repository(repo)}
}

// renew starts an exchange where one is due although no child asks.
func (a Anchor) renew(ctx context.Context) (tasks.Outcome, error) {
	due := false
	err := a.Signer.View(ctx, ta.Handle, func(st *ta.SignerState, _ int64) error {
		due = st.NeedsRenewal(a.Now(), a.Timing)
		return nil
	})
	if fault.Code(err) == pgstore.CodeStreamUnknown {
		err = a.remind(ctx)
	}
	if err != nil {
		return tasks.Outcome{}, err
	}
	out := tasks.Outcome{Again: a.Now().Add(24 * time.Hour)}
	if due {
		out.Then = now(Sign{Renew: true})
	}
	return out, nil
}

// Overtake gives the tasks that go beyond what the world may have seen before
// the database was restored. An embedded signer signs at once, and its manifest
// number jumps to the given time. What an offline signer told last is published
// again; it may have told more than is known here: only the operator can bring
// it.
func (a Anchor) Overtake(ctx context.Context, at time.Time) ([]tasks.Scheduled, error) {
	here, err := a.SignerIsHere(ctx)
	if err != nil {
		return nil, err
	}
	if here {
		return now(Sign{Renew: true, Number: uint64(at.Unix())}, Publish{}), nil
	}
	_, err = a.Proxy.StreamID(ctx, ta.Handle)
	switch {
	case fault.Code(err) == pgstore.CodeStreamUnknown:
		return nil, nil
	case err != nil:
		return nil, err
	}
	a.Log.Warn("the trust anchor's signer may have issued more than this database knows: give what it tells about itself to `baleenctl ta proxy signer update`")
	return now(Publish{}), nil
}
