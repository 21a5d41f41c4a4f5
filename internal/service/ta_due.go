package service

import (
	"context"
	"time"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/ta"
)

// late is when an exchange with the trust anchor's signer cannot wait any longer.
const late = 7 * 24 * time.Hour

// TAFigures is what to watch of the trust anchor.
type TAFigures struct {
	NextUpdate time.Time // of its manifest and CRL: without an exchange nothing is valid after it
	NotAfter   time.Time // of its certificate
	Due        bool      // an exchange with the signer is due, although no child may ask for anything
	Waiting    bool      // children asked for something that is in no request to the signer yet
}

// TAFigures tells how the trust anchor stands; nil: there is none, or it has no
// signer yet.
func (s *Service) TAFigures(ctx context.Context) (*TAFigures, error) {
	var f *TAFigures
	err := s.Proxy.View(ctx, taHandle, func(st *ta.ProxyState, _ int64) error {
		if st.Signer == nil {
			return nil
		}
		known := ta.SignerState{TA: st.Signer.TA, Objects: st.Signer.Objects}
		f = &TAFigures{
			NextUpdate: known.Objects.NextUpdate, NotAfter: known.TA.NotAfter,
			Due: known.NeedsRenewal(s.Now(), s.Config.TA), Waiting: st.WaitsForSigner(),
		}
		return nil
	})
	if fault.Code(err) == pgstore.CodeStreamUnknown {
		return nil, nil
	}
	return f, err
}

// remindOfTA says in the log where an exchange with an offline signer is due,
// louder when it is late.
func (s *Service) remindOfTA(ctx context.Context) error {
	f, err := s.TAFigures(ctx)
	if err != nil || f == nil {
		return err
	}
	switch f.urgency(s.Now()) {
	case taManifestOver:
		s.Log.Error("the trust anchor's manifest is over: nothing below it is valid until an exchange with its signer", "next_update", f.NextUpdate)
	case taExchangeLate:
		s.Log.Error("an exchange with the trust anchor's signer is late: after its manifest nothing is valid", "next_update", f.NextUpdate)
	case taExchangeDue:
		s.Log.Warn("an exchange with the trust anchor's signer is due", "next_update", f.NextUpdate)
	}
	return nil
}
