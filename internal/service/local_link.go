package service

import (
	"context"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/peer"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// neighbour reaches a parent in this server by function call. The parent notes
// how each exchange went, as it does for a child elsewhere.
type neighbour struct{ localLink }

func (n neighbour) List(ctx context.Context) (out []ca.Entitlement, err error) {
	err = n.exchange(ctx, func() (err error) { out, err = n.localLink.List(ctx); return err })
	return out, err
}

func (n neighbour) Issue(ctx context.Context, class string, csr []byte) (got peer.Granted, err error) {
	err = n.exchange(ctx, func() (err error) { got, err = n.IssueWithin(ctx, class, csr, resources.Limit{}); return err })
	return got, err
}

func (n neighbour) Revoke(ctx context.Context, class string, key cert.KeyID) error {
	err := n.exchange(ctx, func() error { return n.RevokeKey(ctx, class, key) })
	if peer.NothingToRevoke(err) {
		return nil
	}
	return err
}

// exchange answers a message of the child, and notes at the parent how it went.
func (n neighbour) exchange(ctx context.Context, answer func() error) error {
	if err := n.s.touchChild(ctx, n.parent, n.child, localAgent); err != nil {
		return err
	}
	err := answer()
	note := n.s.noteChild(ctx, n.parent, castore.ChildExchange{Child: n.child, UserAgent: localAgent, Err: err})
	if err == nil {
		err = note
	}
	return err
}

// localLink is what a parent in this server offers a child, whether that is in
// this server too or asks over the network and was authenticated.
type localLink struct {
	s             *Service
	parent, child string
	actor         es.Actor
}

func (l localLink) List(ctx context.Context) (out []ca.Entitlement, err error) {
	err = l.s.view(ctx, l.parent, func(st *ca.State, _ int64) error {
		out, err = st.Entitlements(l.child, l.s.Now(), l.s.Config.Policy)
		return err
	})
	return out, err
}

// issueWithin certifies a child's key for what it limits itself to: plan, sign
// with no transaction open, record. The class is the child's name for it.
func (l localLink) IssueWithin(ctx context.Context, class string, csr []byte, limit resources.Limit) (peer.Granted, error) {
	req, err := peer.ReadRequest(csr)
	if err != nil {
		return peer.Granted{}, err
	}
	var plan ca.PlannedCert
	var rec ca.CertRecord
	err = l.s.view(ctx, l.parent, func(st *ca.State, _ int64) (err error) {
		if plan, err = st.PlanChildCert(l.child, class, req, limit); err == nil {
			rec = st.Classes[plan.Class].Current.Cert
		}
		return err
	})
	if err != nil {
		return peer.Granted{}, err
	}
	auth, err := l.s.maker().Authority(ctx, plan.Key, rec)
	if err != nil {
		return peer.Granted{}, err
	}
	issued, der, err := l.s.maker().ChildCert(auth, plan, req.PublicKey)
	if err != nil {
		return peer.Granted{}, err
	}
	w := l.s.recording("ca_sync_parent", [][]byte{der})
	w.Actor = l.actor
	if _, err := l.s.execute(ctx, l.parent, ca.RecordChildCerts{Class: plan.Class, Key: plan.Key, Issued: []ca.IssuedCert{issued}}, w); err != nil {
		return peer.Granted{}, err
	}
	return peer.Granted{Cert: der, URI: issued.URI, Issuer: auth.Cert.Raw}, nil
}

// revokeKey takes a child's key out of use. The class is the child's name for
// it; "rc-unknown" and "key-no-cert" say that there is no such class or key.
func (l localLink) RevokeKey(ctx context.Context, class string, key cert.KeyID) error {
	_, err := l.s.execute(ctx, l.parent, ca.RevokeChildKey{Child: l.child, Class: class, Key: key}, pgstore.Write{Actor: l.actor})
	return err
}
