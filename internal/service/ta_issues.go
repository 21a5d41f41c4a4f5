package service

import (
	"context"
	"time"

	"baleen/internal/castore"
	"baleen/internal/ta"
)

// The labels of what keeps a trust anchor from being well.
const (
	taHasNoSigner     = "ta-has-no-signer"
	taManifestOver    = "ta-manifest-over"
	taExchangeLate    = "ta-exchange-late"
	taExchangeDue     = "ta-exchange-due"
	taChildrenWaiting = "ta-children-waiting"
)

// TAIssues is what keeps the trust anchor from being well, the worst first. The
// times are zero as long as it has no signer.
type TAIssues struct {
	NextUpdate time.Time // of its manifest and CRL: without an exchange nothing is valid after it
	NotAfter   time.Time // of its certificate
	Issues     []castore.Fault
}

// TAIssues tells what the trust anchor waits for.
func (s *Service) TAIssues(ctx context.Context) (TAIssues, error) {
	if err := s.viewProxy(ctx, func(*ta.ProxyState) error { return nil }); err != nil {
		return TAIssues{}, err
	}
	f, err := s.TAFigures(ctx)
	if err != nil {
		return TAIssues{}, err
	}
	if f == nil {
		return TAIssues{Issues: []castore.Fault{{Label: taHasNoSigner, Msg: "The trust anchor has no signer yet: nothing is signed", Args: map[string]string{}}}}, nil
	}
	out := TAIssues{NextUpdate: f.NextUpdate, NotAfter: f.NotAfter}
	next := map[string]string{"next_update": f.NextUpdate.UTC().Format(time.RFC3339)}
	switch label := f.urgency(s.Now()); label {
	case taManifestOver:
		out.add(label, "The trust anchor's manifest is over: nothing below it is valid until an exchange with its signer", next)
	case taExchangeLate:
		out.add(label, "An exchange with the trust anchor's signer is late: after its manifest nothing is valid", next)
	case taExchangeDue:
		out.add(label, "An exchange with the trust anchor's signer is due", next)
	}
	here, err := s.signerIsHere(ctx)
	if f.Waiting && !here && err == nil {
		out.add(taChildrenWaiting, "Children wait for the trust anchor's signer: what they asked for is in no request yet", map[string]string{})
	}
	return out, err
}

func (i *TAIssues) add(label, msg string, args map[string]string) {
	i.Issues = append(i.Issues, castore.Fault{Label: label, Msg: msg, Args: args})
}

// urgency says how urgent an exchange with the signer is; empty: none is due.
func (f TAFigures) urgency(now time.Time) string {
	switch left := f.NextUpdate.Sub(now); {
	case left <= 0:
		return taManifestOver
	case !f.Due:
		return ""
	case left < late:
		return taExchangeLate
	default:
		return taExchangeDue
	}
}
