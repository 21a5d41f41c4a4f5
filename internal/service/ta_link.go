package service

import (
	"context"
	"fmt"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/ta"
)

// taLink reaches the trust anchor in this server. It answers slowly: a request
// waits for the signer, and the child asks again.
type taLink struct {
	s     *Service
	child string
}

func (l taLink) list(ctx context.Context) (out []ca.Entitlement, err error) {
	err = l.s.viewProxy(ctx, func(st *ta.ProxyState) error {
		offered, err := st.Entitlements(l.child, l.s.Now(), l.s.Config.TA)
		for _, e := range offered {
			c := ca.Entitlement{Class: e.Class, Resources: e.Resources, NotAfter: e.NotAfter, CertURL: e.CertURL, CertHash: ca.Hash(e.CertHash)}
			for _, i := range e.Issued {
				c.Issued = append(c.Issued, ca.ListedCert{URI: i.URI, Hash: ca.Hash(i.Hash)})
			}
			out = append(out, c)
		}
		return err
	})
	return out, err
}

func (l taLink) issue(ctx context.Context, class string, csr []byte) (granted, error) {
	req, err := readRequest(csr)
	if err != nil {
		return granted{}, err
	}
	var answer ta.Answer
	err = l.s.viewProxy(ctx, func(st *ta.ProxyState) (err error) {
		answer, err = st.Answer(l.child, ta.IssueRequest(class, req, ta.Limit{}), l.s.Now())
		return err
	})
	if err != nil {
		return granted{}, err
	}
	if answer.Then != nil {
		if _, err := l.s.Proxy.Execute(ctx, taHandle, answer.Then, pgstore.Write{Actor: es.Actor{Name: "child:" + l.child}}); err != nil {
			return granted{}, err
		}
	}
	switch {
	case answer.Code == ta.CodeScheduled || answer.Code == ta.CodeAlreadyProcessing:
		return granted{}, errScheduled
	case answer.Issued == nil:
		return granted{}, fault.New(fault.Unavailable, "rfc6492-not-performed-response", fmt.Sprintf("RFC 6492 Not Performed: %d %s", answer.Code, answer.Reason))
	}
	der, err := l.s.Rows.DER(ctx, ca.Hash(answer.Issued.Hash))
	if err != nil {
		return granted{}, err
	}
	issuer, err := l.s.TACertificate(ctx)
	return granted{cert: der, uri: answer.Issued.URI, issuer: issuer}, err
}
