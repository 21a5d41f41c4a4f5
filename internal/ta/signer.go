package ta

import (
	"fmt"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

// SignerState is what the signer of a trust anchor is and has signed, as the
// fold of its events.
type SignerState struct {
	Identity  Identity                              `json:"identity"`
	ProxyID   Identity                              `json:"proxy_id"` // whose requests it takes
	TA        CertRecord                            `json:"ta"`       // the trust anchor certificate; TA.KeyID is the key that signs
	TAL       TAL                                   `json:"tal"`
	Objects   Objects                               `json:"objects"`
	Answers   map[string]map[cert.KeyID]KeyResponse `json:"answers"`   // of the last exchange
	Exchanges []Exchange                            `json:"exchanges"` // oldest first, the last maxExchanges of them

	Announcement *Announcement `json:"announcement,omitempty"` // what to say of the keys; nil: nothing
}

// Exchange sums up a request that was answered.
type Exchange struct {
	Nonce         string    `json:"nonce"`
	RequestMadeAt time.Time `json:"request_made_at"`
	At            time.Time `json:"at"` // when it was answered
	ResponseHash  Hash      `json:"response_hash"`
}

// maxExchanges bounds the list of exchanges. An older request than those listed
// is refused by its time.
const maxExchanges = 100

// Info gives what the proxy must know of the signer.
func (s *SignerState) Info() Signer {
	return Signer{Identity: s.Identity, TA: s.TA, TAL: s.TAL, Objects: s.Objects}
}

// ResponseTo gives the last response again if it answers the request with this
// nonce: the proxy may not have got it the first time.
func (s *SignerState) ResponseTo(nonce string) (Response, bool) {
	n := len(s.Exchanges)
	if n == 0 || s.Exchanges[n-1].Nonce != nonce {
		return Response{}, false
	}
	return Response{Nonce: nonce, Objects: s.Objects, Children: s.Answers}, true
}

// applySigner takes a fact in. It cannot fail.
func applySigner(s *SignerState, m es.Meta, e es.Event) {
	switch e := e.(type) {
	case SignerInitialized:
		*s = SignerState{
			Identity: e.Identity, ProxyID: e.ProxyID, TA: e.TA, TAL: e.TAL, Objects: e.Objects,
			Answers: map[string]map[cert.KeyID]KeyResponse{}, Exchanges: []Exchange{},
		}
	case RequestProcessed:
		s.Objects, s.Answers = e.Response.Objects, e.Response.Children
		s.Exchanges = append(s.Exchanges, Exchange{
			Nonce: e.Response.Nonce, RequestMadeAt: e.RequestMadeAt, At: m.At, ResponseHash: e.ResponseHash,
		})
		s.Exchanges = slices.Delete(s.Exchanges, 0, max(0, len(s.Exchanges)-maxExchanges))
	case TAReissued:
		s.TA, s.TAL, s.ProxyID = e.TA, e.TAL, e.ProxyID
	case KeysAnnounced:
		s.Announcement = e.Announcement
	case ObjectsRecovered:
		s.recovered(e, m.At)
	}
}

// InitSigner creates the signer with what BuildTrustAnchor and the plan of
// PlanInit made.
type InitSigner struct {
	Identity Identity   `json:"identity"`
	ProxyID  Identity   `json:"proxy_id"`
	TA       CertRecord `json:"ta"`
	TAL      TAL        `json:"tal"`
	Objects  Objects    `json:"objects"`
}

// CommandName names the command in the log.
func (InitSigner) CommandName() string { return "init_signer" }

// Process takes only the first trust anchor.
func (c InitSigner) Process(s *SignerState, _ time.Time) ([]es.Event, error) {
	switch {
	case len(s.Identity.Cert) > 0:
		return nil, initialized()
	case c.Objects.Number == 0 || len(c.Objects.Issued) > 0:
		return nil, general("a trust anchor starts with a numbered manifest and no certificates")
	}
	return []es.Event{SignerInitialized(c)}, nil
}

// ProcessRequest records what was signed for a request.
type ProcessRequest struct {
	Request  Request  `json:"request"`
	Response Response `json:"response"`
	After    uint64   `json:"after"` // manifest number that the plan started from
}

// CommandName names the command in the log.
func (ProcessRequest) CommandName() string { return "process_request" }

// Process refuses a request that was answered before or comes late, and gives
// Conflict if something else was signed since the plan.
func (c ProcessRequest) Process(s *SignerState, now time.Time) ([]es.Event, error) {
	if err := s.checkRequest(c.Request, now); err != nil {
		return nil, err
	}
	if s.Objects.Number != c.After {
		return nil, fault.New(fault.Conflict, "ta-plan-stale", "the trust anchor signed something else meanwhile")
	}
	if c.Response.Nonce != c.Request.Nonce || c.Response.Objects.Number <= c.After {
		return nil, fmt.Errorf("record response %s number %d: it does not answer request %s after number %d",
			c.Response.Nonce, c.Response.Objects.Number, c.Request.Nonce, c.After)
	}
	hash, err := c.Response.Hash()
	if err != nil {
		return nil, err
	}
	return []es.Event{RequestProcessed{RequestMadeAt: c.Request.MadeAt, Response: c.Response, ResponseHash: hash}}, nil
}

// checkRequest refuses what must not be signed: a nonce a second time, a
// request older than the last one answered, and one from the future, after
// which no honest one could come. Where the clock went back that is later than
// the last one, not than now.
func (s *SignerState) checkRequest(r Request, now time.Time) error {
	args := map[string]string{"nonce": r.Nonce}
	if slices.ContainsFunc(s.Exchanges, func(x Exchange) bool { return x.Nonce == r.Nonce }) {
		return &fault.Error{
			Kind: fault.Exists, Code: "ta-request-replayed", Args: args,
			Msg: "Trust Anchor Request with nonce '" + r.Nonce + "' was already processed",
		}
	}
	var last time.Time
	if n := len(s.Exchanges); n > 0 {
		last = s.Exchanges[n-1].RequestMadeAt
	}
	if r.MadeAt.Before(last) {
		return &fault.Error{
			Kind: fault.Invalid, Code: "ta-request-out-of-order", Args: args,
			Msg: "Trust Anchor Request with nonce '" + r.Nonce + "' was made before the last one that was processed",
		}
	}
	if r.MadeAt.After(later(now, last).Add(clockSkew)) {
		return &fault.Error{
			Kind: fault.Invalid, Code: "ta-request-from-future", Args: args,
			Msg: "Trust Anchor Request with nonce '" + r.Nonce + "' was made in the future; check the clocks of proxy and signer",
		}
	}
	if r.Nonce == "" {
		return general("a signer request needs a nonce")
	}
	seen := map[string]bool{}
	for _, c := range r.Children {
		if seen[c.Child] {
			return general("child '" + c.Child + "' appears twice in the signer request")
		}
		seen[c.Child] = true
	}
	return nil
}
