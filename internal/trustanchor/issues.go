package trustanchor

import (
	"context"
	"time"

	"baleen/internal/castore"
	"baleen/internal/ta"
)

// The labels of what keeps a trust anchor from being well.
const (
	hasNoSigner     = "ta-has-no-signer"
	manifestOver    = "ta-manifest-over"
	exchangeLate    = "ta-exchange-late"
	exchangeDue     = "ta-exchange-due"
	childrenWaiting = "ta-children-waiting"
)

// Issues is what keeps the trust anchor from being well, the worst first. The
// times are zero as long as it has no signer.
type Issues struct {
	NextUpdate time.Time // of its manifest and CRL: without an exchange nothing is valid after it
	NotAfter   time.Time // of its certificate
	Issues     []castore.Fault
}

// Issues tells what the trust anchor waits for.
func (a Anchor) Issues(ctx context.Context) (Issues, error) {
	if err := a.View(ctx, func(*ta.ProxyState) error { return nil }); err != nil {
		return Issues{}, err
	}
	f, err := a.Figures(ctx)
	if err != nil {
		return Issues{}, err
	}
	if f == nil {
		return Issues{Issues: []castore.Fault{{Label: hasNoSigner, Msg: "The trust anchor has no signer yet: nothing is signed", Args: map[string]string{}}}}, nil
	}
	out := Issues{NextUpdate: f.NextUpdate, NotAfter: f.NotAfter}
	next := map[string]string{"next_update": f.NextUpdate.UTC().Format(time.RFC3339)}
	switch label := f.urgency(a.Now()); label {
	case manifestOver:
		out.add(label, "The trust anchor's manifest is over: nothing below it is valid until an exchange with its signer", next)
	case exchangeLate:
		out.add(label, "An exchange with the trust anchor's signer is late: after its manifest nothing is valid", next)
	case exchangeDue:
		out.add(label, "An exchange with the trust anchor's signer is due", next)
	}
	here, err := a.SignerIsHere(ctx)
	if f.Waiting && !here && err == nil {
		out.add(childrenWaiting, "Children wait for the trust anchor's signer: what they asked for is in no request yet", map[string]string{})
	}
	return out, err
}

func (i *Issues) add(label, msg string, args map[string]string) {
	i.Issues = append(i.Issues, castore.Fault{Label: label, Msg: msg, Args: args})
}

// urgency says how urgent an exchange with the signer is; empty: none is due.
func (f Figures) urgency(now time.Time) string {
	switch left := f.NextUpdate.Sub(now); {
	case left <= 0:
		return manifestOver
	case !f.Due:
		return ""
	case left < late:
		return exchangeLate
	default:
		return exchangeDue
	}
}
