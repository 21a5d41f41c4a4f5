package service

import (
	"context"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
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
	case ta.ChildRequestAdded, ta.SignerRequestMade, ta.ChildRemoved:
		return now(SignTA{})
	case ta.ChildUpdated:
		return now(RefreshCA{CA: e.Child})
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
func (s *Service) taMissing(err error) error {
	if fault.Code(err) != pgstore.CodeStreamUnknown {
		return err
	}
	if off := s.CheckTASupport(); off != nil {
		return off
	}
	return &fault.Error{Kind: fault.Invalid, Code: "ta-not-initialized", Msg: "TrustAnchor was not initialized", Err: err}
}

// CheckTASupport refuses what needs a trust anchor where there can be none.
func (s *Service) CheckTASupport() error {
	if s.Config.TASupport {
		return nil
	}
	return fault.New(fault.Invalid, "general-error", "TA proxy not enabled")
}

func (s *Service) viewProxy(ctx context.Context, f func(st *ta.ProxyState) error) error {
	return s.taMissing(s.Proxy.View(ctx, taHandle, func(st *ta.ProxyState, _ int64) error { return f(st) }))
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
		if st.Child(child) == nil {
			return ca.ChildUnknown(taHandle, child)
		}
		id = st.Identity.Cert
		return nil
	})
	return id, err
}

func (s *Service) addTAChild(ctx context.Context, actor es.Actor, cmd ca.AddChild, ifVersion *int64) error {
	_, err := s.Proxy.Execute(ctx, taHandle, ta.AddChild(cmd), pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return s.taMissing(err)
}
