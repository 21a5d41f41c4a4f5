package service

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

// taLink reaches the trust anchor in this server. It answers slowly: a request
// waits for the signer, and the child asks again.
type taLink struct {
	s     *Service
	child string
}

func (l taLink) List(ctx context.Context) (out []ca.Entitlement, err error) {
	err = l.s.viewProxy(ctx, func(st *ta.ProxyState) error {
		offered, err := st.Entitlements(l.child, l.s.Now(), l.s.Config.TA)
		for _, e := range offered {
			c := ca.Entitlement{Class: e.Class, Resources: e.Resources, NotAfter: e.NotAfter, CertURL: e.CertURL, CertHash: ca.Hash(e.CertHash), Issued: []ca.ListedCert{}}
			for _, i := range e.Issued {
				c.Issued = append(c.Issued, ca.ListedCert{URI: i.URI, Hash: ca.Hash(i.Hash), KeyID: i.KeyID})
			}
			out = append(out, c)
		}
		return err
	})
	return out, err
}

func (l taLink) Issue(ctx context.Context, class string, csr []byte) (peer.Granted, error) {
	return l.IssueWithin(ctx, class, csr, resources.Limit{})
}

func (l taLink) IssueWithin(ctx context.Context, class string, csr []byte, limit resources.Limit) (peer.Granted, error) {
	req, err := peer.ReadRequest(csr)
	if err != nil {
		return peer.Granted{}, err
	}
	answer, err := l.ask(ctx, ta.IssueRequest(class, req, limit))
	if err != nil {
		return peer.Granted{}, err
	}
	if answer.Issued == nil {
		return peer.Granted{}, notPerformed(answer)
	}
	der, err := l.s.Rows.DER(ctx, ca.Hash(answer.Issued.Hash))
	if err != nil {
		return peer.Granted{}, err
	}
	issuer, err := l.s.TACertificate(ctx)
	return peer.Granted{Cert: der, URI: answer.Issued.URI, Issuer: issuer}, err
}

func (l taLink) Revoke(ctx context.Context, class string, key cert.KeyID) error {
	err := l.RevokeKey(ctx, class, key)
	if peer.NothingToRevoke(err) {
		return nil
	}
	return err
}

func (l taLink) RevokeKey(ctx context.Context, class string, key cert.KeyID) error {
	answer, err := l.ask(ctx, ta.RevokeRequest(class, key))
	if err == nil && !answer.Revoked {
		return notPerformed(answer)
	}
	return err
}

// ask gives the trust anchor's answer to a request, or peer.ErrScheduled.
func (l taLink) ask(ctx context.Context, r ta.ChildRequest) (answer ta.Answer, err error) {
	err = l.s.viewProxy(ctx, func(st *ta.ProxyState) error { answer, err = st.Answer(l.child, r, l.s.Now()); return err })
	if err == nil && answer.Then != nil {
		_, err = l.s.Proxy.Execute(ctx, taHandle, answer.Then, pgstore.Write{Actor: es.Actor{Name: "child:" + l.child}})
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
