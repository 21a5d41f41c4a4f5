package trustanchor

import (
	"context"
	"time"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/ta"
)

// late is when an exchange with the trust anchor's signer cannot wait any longer.
const late = 7 * 24 * time.Hour

// Figures is what to watch of the trust anchor.
type Figures struct {
	NextUpdate time.Time // of its manifest and CRL: without an exchange nothing is valid after it
	NotAfter   time.Time // of its certificate
	Due        bool      // an exchange with the signer is due, although no child may ask for anything
	Waiting    bool      // children asked for something that is in no request to the signer yet
}

// Figures tells how the trust anchor stands; nil: there is none, or it has no
// signer yet.
func (a Anchor) Figures(ctx context.Context) (*Figures, error) {
	var f *Figures
	err := a.Proxy.View(ctx, ta.Handle, func(st *ta.ProxyState, _ int64) error {
		if st.Signer == nil {
			return nil
		}
		known := ta.SignerState{TA: st.Signer.TA, Objects: st.Signer.Objects}
		f = &Figures{
			NextUpdate: known.Objects.NextUpdate, NotAfter: known.TA.NotAfter,
			Due: known.NeedsRenewal(a.Now(), a.Timing), Waiting: st.WaitsForSigner(),
		}
		return nil
	})
	if fault.Code(err) == pgstore.CodeStreamUnknown {
		return nil, nil
	}
	return f, err
}

// remind says in the log where an exchange with an offline signer is due,
// louder when it is late.
func (a Anchor) remind(ctx context.Context) error {
	f, err := a.Figures(ctx)
	if err != nil || f == nil {
		return err
	}
	switch f.urgency(a.Now()) {
	case manifestOver:
		a.Log.Error("the trust anchor's manifest is over: nothing below it is valid until an exchange with its signer", "next_update", f.NextUpdate)
	case exchangeLate:
		a.Log.Error("an exchange with the trust anchor's signer is late: after its manifest nothing is valid", "next_update", f.NextUpdate)
	case exchangeDue:
		a.Log.Warn("an exchange with the trust anchor's signer is due", "next_update", f.NextUpdate)
	}
	return nil
}
