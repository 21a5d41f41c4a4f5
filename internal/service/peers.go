package service

import (
	"context"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/peer"
	"baleen/internal/rpki/cert"
)

// speaker says what this server has to say to peers.
func (s *Service) speaker() peer.Speaker {
	return peer.Speaker{Keys: s.Keys, OneOff: s.OneOff, Peers: s.Peers, Exchanges: s.Exchanges, Voices: &s.voices, Log: s.Log, Now: s.Now}
}

// keep stores signed objects of others, so that they can be named by hash.
func (s *Service) keep(ctx context.Context, ders ...[]byte) error {
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.Rows.Put(ctx, tx, ders...) })
}

// Provision answers a message of a child outside this server (RFC 6492).
func (s *Service) Provision(ctx context.Context, parent string, q peer.Query) ([]byte, error) {
	return s.answers().Provision(ctx, parent, q)
}

// Publication answers a message of a publisher outside this server (RFC 8181).
func (s *Service) Publication(ctx context.Context, publisher string, q peer.Query) ([]byte, error) {
	return s.answers().Publication(ctx, publisher, q)
}

func (s *Service) answers() peer.Server {
	return peer.Server{Speaker: s.speaker(), Parents: parents{s}, Pubs: s.Pubs, Objects: s.Rows, AnyHost: s.Config.AnyHost}
}

// parents are the CAs of this server, and its trust anchor, as their children
// elsewhere find them.
type parents struct{ s *Service }

// Meet finds a parent, and its child that sent a message.
func (p parents) Meet(ctx context.Context, handle string, sender func(child string, idCert []byte) bool) (found peer.Provider, err error) {
	if handle == taHandle {
		return p.s.TA().Meet(ctx, sender)
	}
	err = p.s.view(ctx, handle, func(st *ca.State, _ int64) error {
		found.Identity = st.Identity
		for name, c := range st.Children {
			if sender(name, c.IDCert) {
				found.Child, found.IDCert = name, c.IDCert
			}
		}
		return nil
	})
	return found, err
}

// Hear ends that a child is suspended, and gives what it is offered. The trust
// anchor suspends nobody.
func (p parents) Hear(ctx context.Context, handle, child, userAgent string, key cert.KeyID) (peer.ChildSide, error) {
	if handle == taHandle {
		return p.s.TA().Child(child), nil
	}
	actor := es.Actor{Name: "child:" + child, KeyID: key.String()}
	return localLink{s: p.s, parent: handle, child: child, actor: actor}, p.s.touchChild(ctx, handle, child, userAgent)
}

// Heard notes how the exchange with a child went.
func (p parents) Heard(ctx context.Context, handle string, x castore.ChildExchange) error {
	if handle == taHandle {
		return nil
	}
	return p.s.noteChild(ctx, handle, x)
}
