package service

import (
	"context"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// neighbour reaches a parent in this server by function call. The parent notes
// how each exchange went, as it does for a child elsewhere.
type neighbour struct{ localLink }

func (n neighbour) list(ctx context.Context) (out []ca.Entitlement, err error) {
	err = n.exchange(ctx, func() (err error) { out, err = n.localLink.list(ctx); return err })
	return out, err
}

func (n neighbour) issue(ctx context.Context, class string, csr []byte) (got granted, err error) {
	err = n.exchange(ctx, func() (err error) { got, err = n.issueWithin(ctx, class, csr, resources.Limit{}); return err })
	return got, err
}

func (n neighbour) revoke(ctx context.Context, class string, key cert.KeyID) error {
	err := n.exchange(ctx, func() error { return n.revokeKey(ctx, class, key) })
	if nothingToRevoke(err) {
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

func (l localLink) list(ctx context.Context) (out []ca.Entitlement, err error) {
	err = l.s.view(ctx, l.parent, func(st *ca.State, _ int64) error {
		out, err = st.Entitlements(l.child, l.s.Now(), l.s.Config.Policy)
		return err
	})
	return out, err
}

// issueWithin certifies a child's key for what it limits itself to: plan, sign
// with no transaction open, record. The class is the child's name for it.
func (l localLink) issueWithin(ctx context.Context, class string, csr []byte, limit resources.Limit) (granted, error) {
	req, err := readRequest(csr)
	if err != nil {
		return granted{}, err
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
		return granted{}, err
	}
	auth, err := l.s.authority(ctx, plan.Key, rec)
	if err != nil {
		return granted{}, err
	}
	issued, der, err := l.s.signChildCert(auth, plan, req.PublicKey)
	if err != nil {
		return granted{}, err
	}
	w := l.s.recording("ca_sync_parent", [][]byte{der})
	w.Actor = l.actor
	if _, err := l.s.execute(ctx, l.parent, ca.RecordChildCerts{Class: plan.Class, Key: plan.Key, Issued: []ca.IssuedCert{issued}}, w); err != nil {
		return granted{}, err
	}
	return granted{cert: der, uri: issued.URI, issuer: auth.cert.Raw}, nil
}

// revokeKey takes a child's key out of use. The class is the child's name for
// it; "rc-unknown" and "key-no-cert" say that there is no such class or key.
func (l localLink) revokeKey(ctx context.Context, class string, key cert.KeyID) error {
	_, err := l.s.execute(ctx, l.parent, ca.RevokeChildKey{Child: l.child, Class: class, Key: key}, pgstore.Write{Actor: l.actor})
	return err
}

// nothingToRevoke says whether a parent refused to revoke a key because it does
// not know it, or its class (RFC 6492 section 3.6, codes 1301 and 1302).
func nothingToRevoke(err error) bool {
	return fault.Of(err) == fault.NotFound && (fault.Code(err) == "rc-unknown" || fault.Code(err) == "key-no-cert")
}

// readRequest reads a child's certificate request; one that breaks a rule of
// RFC 6487 section 6 is refused.
func readRequest(csr []byte) (*cert.Request, error) {
	req, err := cert.DecodeRequest(csr)
	if err != nil {
		return nil, invalidRequest(err)
	}
	return req, nil
}

func invalidRequest(err error) error {
	return &fault.Error{Kind: fault.Invalid, Code: "rfc6492-invalid-csr", Msg: "Invalid CSR received: " + err.Error(), Args: map[string]string{"cause": err.Error()}}
}
