// Package trustanchor is the trust anchor of this server (RFC 8630). Its online
// part, the proxy, is what its children ask, what publishes what was issued, and
// what gives out certificate and locator. Its key belongs to its signer, which is
// in this server too or offline: then both tell each other what they have to say
// in signed files (package tafile), and the log says when they should. What
// either decides is in package ta.
//
// It knows nothing of the CAs below it: those who have any ask it through Child,
// and see to it that its events have their tasks.
package trustanchor

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/keylock"
	"baleen/internal/peer"
	"baleen/internal/publisher"
	"baleen/internal/rpki/cert"
	"baleen/internal/signer"
	"baleen/internal/ta"
)

// Anchor is the trust anchor of this server, or what it takes to make one. All
// fields must be set but Supported.
type Anchor struct {
	Supported bool // there can be one in this server
	Timing    ta.Timing

	Proxy        *pgstore.Store[ta.ProxyState]
	Signer       *pgstore.Store[ta.SignerState]
	Objects      *castore.Store
	Keys         *signer.Keys
	OneOff       *signer.Pool
	Repositories publisher.Repositories
	Files        Files
	Log          *slog.Logger
	Now          func() time.Time
	Locks        *keylock.Locks // one exchange with the signer, and one publication, at a time
}

// Files takes the trust anchor certificate (DER) and its TAL (RFC 8630) for all
// who want to trust it; *export.Renderer does.
type Files interface {
	PublishTA(ctx context.Context, cer, tal []byte) error
}

// CheckSupport refuses what needs a trust anchor where there can be none.
func (a Anchor) CheckSupport() error {
	if a.Supported {
		return nil
	}
	return fault.New(fault.Invalid, "general-error", "TA proxy not enabled")
}

// missing turns the store's refusal of an unknown stream into the API's.
func (a Anchor) missing(err error) error {
	if fault.Code(err) != pgstore.CodeStreamUnknown {
		return err
	}
	if off := a.CheckSupport(); off != nil {
		return off
	}
	return &fault.Error{Kind: fault.Invalid, Code: "ta-not-initialized", Msg: "TrustAnchor was not initialized", Err: err}
}

// View reads the online part of the trust anchor; f must not keep the state.
func (a Anchor) View(ctx context.Context, f func(st *ta.ProxyState) error) error {
	return a.missing(a.Proxy.View(ctx, ta.Handle, func(st *ta.ProxyState, _ int64) error { return f(st) }))
}

// viewSigner reads what the trust anchor's signer last told.
func (a Anchor) viewSigner(ctx context.Context, f func(signer *ta.Signer) error) error {
	return a.View(ctx, func(st *ta.ProxyState) error {
		if st.Signer == nil {
			return fault.New(fault.Invalid, "ta-not-initialized", "TrustAnchor was not initialized")
		}
		return f(st.Signer)
	})
}

// SignerIsHere says whether the trust anchor's signer is in this server.
func (a Anchor) SignerIsHere(ctx context.Context) (bool, error) {
	_, err := a.Signer.StreamID(ctx, ta.Handle)
	if fault.Code(err) == pgstore.CodeStreamUnknown {
		return false, nil
	}
	return err == nil, err
}

// TAL gives the trust anchor locator (RFC 8630).
func (a Anchor) TAL(ctx context.Context) (text []byte, err error) {
	err = a.viewSigner(ctx, func(signer *ta.Signer) error { text = signer.TAL.Encode(); return nil })
	return text, err
}

// Certificate gives the DER of the trust anchor certificate.
func (a Anchor) Certificate(ctx context.Context) ([]byte, error) {
	var hash ta.Hash
	if err := a.viewSigner(ctx, func(signer *ta.Signer) error { hash = signer.TA.Hash; return nil }); err != nil {
		return nil, err
	}
	return a.Objects.DER(ctx, ca.Hash(hash))
}

// newIdentity makes a key and a self-signed certificate for the protocols.
func (a Anchor) newIdentity(ctx context.Context, purpose string) (ta.Identity, error) {
	id, err := peer.NewIdentity(ctx, a.Keys, purpose, a.Now())
	return ta.Identity(id), err
}

// dropKey destroys a key that was made in vain.
func (a Anchor) dropKey(ctx context.Context, key cert.KeyID) {
	if err := a.Keys.Discard(ctx, key); err != nil {
		a.Log.Warn("keys that were made in vain could not be destroyed", "keys", []string{key.String()}, "error", err)
	}
}

// recording is how what was signed is stored: the bytes commit with the events
// that name them.
func (a Anchor) recording(actor es.Actor, ders [][]byte) pgstore.Write {
	return pgstore.Write{Actor: actor, InTx: func(ctx context.Context, tx pgx.Tx, _ pgstore.Commit) error {
		return a.Objects.Put(ctx, tx, ders...)
	}}
}
