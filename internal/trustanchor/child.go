package trustanchor

import (
	"context"
	"fmt"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// AddChild makes a CA a child of the trust anchor.
func (a Anchor) AddChild(ctx context.Context, actor es.Actor, cmd ca.AddChild, ifVersion *int64) error {
	_, err := a.Proxy.Execute(ctx, ta.Handle, ta.AddChild(cmd), pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return a.missing(err)
}

// UpdateChild changes the identity certificate or the resources of a child.
func (a Anchor) UpdateChild(ctx context.Context, actor es.Actor, cmd ta.UpdateChild) error {
	if len(cmd.IDCert) > 0 {
		if _, err := peer.CheckIdentity(cmd.IDCert, a.Now()); err != nil {
			return err
		}
	}
	_, err := a.Proxy.Execute(ctx, ta.Handle, cmd, pgstore.Write{Actor: actor})
	return a.missing(err)
}

// RemoveChild removes a child. What it holds is revoked with the next exchange.
func (a Anchor) RemoveChild(ctx context.Context, actor es.Actor, child string) error {
	_, err := a.Proxy.Execute(ctx, ta.Handle, ta.RemoveChild{Child: child}, pgstore.Write{Actor: actor})
	return a.missing(err)
}

// IdentityFor gives the certificate under which the trust anchor answers a
// child.
func (a Anchor) IdentityFor(ctx context.Context, child string) (id []byte, err error) {
	err = a.View(ctx, func(st *ta.ProxyState) error {
		if st.Child(child) == nil {
			return ca.ChildUnknown(ta.Handle, child)
		}
		id = st.Identity.Cert
		return nil
	})
	return id, err
}

// Meet finds the child that sent a message, by name and identity certificate
// (peer.Parents).
func (a Anchor) Meet(ctx context.Context, sender func(child string, idCert []byte) bool) (found peer.Provider, err error) {
	err = a.View(ctx, func(st *ta.ProxyState) error {
		found.Identity = ca.Identity(st.Identity)
		for name, c := range st.Children {
			if !c.Leaving && sender(name, c.IDCert) {
				found.Child, found.IDCert = name, c.IDCert
			}
		}
		return nil
	})
	return found, err
}

// Child is what the trust anchor offers a child, whether that is in this server
// or asked over the network and was authenticated. It answers slowly: a request
// waits for the signer, and the child asks again.
type Child struct {
	a     Anchor
	child string
}

// Child gives a child the way to the trust anchor.
func (a Anchor) Child(handle string) Child { return Child{a: a, child: handle} }

// List gives what the child is entitled to, and holds.
func (c Child) List(ctx context.Context) (out []ca.Entitlement, err error) {
	err = c.a.View(ctx, func(st *ta.ProxyState) error {
		offered, err := st.Entitlements(c.child, c.a.Now(), c.a.Timing)
		for _, e := range offered {
			class := ca.Entitlement{Class: e.Class, Resources: e.Resources, NotAfter: e.NotAfter, CertURL: e.CertURL, CertHash: ca.Hash(e.CertHash), Issued: []ca.ListedCert{}}
			for _, i := range e.Issued {
				class.Issued = append(class.Issued, ca.ListedCert{URI: i.URI, Hash: ca.Hash(i.Hash), KeyID: i.KeyID})
			}
			out = append(out, class)
		}
		return err
	})
	return out, err
}

// Issue asks for a certificate of all that the child is entitled to; the error
// peer.ErrScheduled means that the signer has not answered yet.
func (c Child) Issue(ctx context.Context, class string, csr []byte) (peer.Granted, error) {
	return c.IssueWithin(ctx, class, csr, resources.Limit{})
}

// IssueWithin is Issue within what the child limits itself to (RFC 6492 section
// 3.4.1).
func (c Child) IssueWithin(ctx context.Context, class string, csr []byte, limit resources.Limit) (peer.Granted, error) {
	req, err := peer.ReadRequest(csr)
	if err != nil {
		return peer.Granted{}, err
	}
	answer, err := c.ask(ctx, ta.IssueRequest(class, req, limit))
	if err != nil {
		return peer.Granted{}, err
	}
	if answer.Issued == nil {
		return peer.Granted{}, notPerformed(answer)
	}
	der, err := c.a.Objects.DER(ctx, ca.Hash(answer.Issued.Hash))
	if err != nil {
		return peer.Granted{}, err
	}
	issuer, err := c.a.Certificate(ctx)
	return peer.Granted{Cert: der, URI: answer.Issued.URI, Issuer: issuer}, err
}

// Revoke takes a key out of use, or succeeds if there is nothing to revoke.
func (c Child) Revoke(ctx context.Context, class string, key cert.KeyID) error {
	err := c.RevokeKey(ctx, class, key)
	if peer.NothingToRevoke(err) {
		return nil
	}
	return err
}

// RevokeKey takes a key out of use, or says that there is no such class or key.
func (c Child) RevokeKey(ctx context.Context, class string, key cert.KeyID) error {
	answer, err := c.ask(ctx, ta.RevokeRequest(class, key))
	if err == nil && !answer.Revoked {
		return notPerformed(answer)
	}
	return err
}

// ask gives the trust anchor's answer to a request, or
// peer.ErrScheduled.
func (c Child) ask(ctx context.Context, r ta.ChildRequest) (answer ta.Answer, err error) {
	err = c.a.View(ctx, func(st *ta.ProxyState) error { answer, err = st.Answer(c.child, r, c.a.Now()); return err })
	if err == nil && answer.Then != nil {
		_, err = c.a.Proxy.Execute(ctx, ta.Handle, answer.Then, pgstore.Write{Actor: es.Actor{Name: "child:" + c.child}})
	}
	switch {
	case err == nil && answer.Code == ta.CodeScheduled:
		err = peer.ErrScheduled
	case err == nil && answer.Code == ta.CodeAlreadyProcessing:
		err = peer.ErrProcessing
	}
	return answer, err
}

func notPerformed(a ta.Answer) error {
	return fault.New(fault.Unavailable, "rfc6492-not-performed-response", fmt.Sprintf("RFC 6492 Not Performed: %d %s", a.Code, a.Reason))
}
