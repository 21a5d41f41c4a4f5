package service

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"strings"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// DelegatedChild is a child as one parent hands it over to another: who it is,
// what it is entitled to, and the key that it has certified.
type DelegatedChild struct {
	Name      string
	IDCert    []byte // DER
	Resources resources.Set
	SIA       ca.SIA
	Key       []byte // DER of its SubjectPublicKeyInfo
	ClassName string // by which the child knows the class; empty: by the parent's own name
}

// ExportChild gives a child of a CA for another parent to take in. The CA must
// have one resource class, and the child one certificate in it.
func (s *Service) ExportChild(ctx context.Context, parent, name string) (DelegatedChild, error) {
	out := DelegatedChild{Name: name}
	var issued ca.IssuedCert
	err := s.view(ctx, parent, func(st *ca.State, _ int64) (err error) {
		if issued, out.ClassName, err = st.ExportedCert(name); err == nil {
			out.IDCert, out.Resources, out.SIA = bytes.Clone(st.Children[name].IDCert), st.Children[name].Resources, issued.SIA
		}
		return err
	})
	if err != nil {
		return out, err
	}
	c, err := s.decoded(ctx, issued.Hash)
	if err != nil {
		return out, err
	}
	out.Key = c.SPKI
	return out, nil
}

// ImportChild takes in a child of another CA: plan, sign with no transaction
// open, record. When it succeeds the child is there with its certificate, and
// all of it is one step in the history.
func (s *Service) ImportChild(ctx context.Context, actor es.Actor, parent string, in DelegatedChild, ifVersion *int64) error {
	key, err := peer.CheckIdentity(in.IDCert, s.Now())
	if err != nil {
		return err
	}
	req, err := s.importedRequest(in)
	if err != nil {
		return err
	}
	cmd := ca.ImportChild{Child: in.Name, IDCert: in.IDCert, IDKey: key, Resources: in.Resources, ClassName: in.ClassName}
	err = s.importChild(ctx, pgstore.Write{Actor: actor, IfVersion: ifVersion}, parent, cmd, req)
	if fault.Of(err) == fault.Conflict && fault.Code(err) == "cert-plan-stale" { // the CA changed meanwhile: decide again, once
		err = s.importChild(ctx, pgstore.Write{Actor: actor, IfVersion: ifVersion}, parent, cmd, req)
	}
	return err
}

func (s *Service) importChild(ctx context.Context, asked pgstore.Write, parent string, cmd ca.ImportChild, req *cert.Request) error {
	var plan ca.PlannedCert
	var rec ca.CertRecord
	refused := s.view(ctx, parent, func(st *ca.State, _ int64) (err error) {
		if plan, err = st.PlanChildImport(cmd, req, s.Now()); err == nil {
			rec = st.Classes[plan.Class].Current.Cert
		}
		return err
	})
	switch {
	case refused != nil && fault.Code(refused) == "ca-unknown":
		return refused
	case refused != nil: // decided once more, so that the history has it
		_, err := s.execute(ctx, parent, cmd, asked)
		if fault.Code(err) == "cert-plan-stale" {
			return refused
		}
		return err
	}
	auth, err := s.maker().Authority(ctx, plan.Key, rec)
	if err != nil {
		return err
	}
	issued, der, err := s.maker().ChildCert(auth, plan, req.PublicKey)
	if err != nil {
		return err
	}
	cmd.Key, cmd.Cert = plan.Key, &issued
	w := s.recording("ca_import", [][]byte{der})
	w.Actor, w.IfVersion = asked.Actor, asked.IfVersion
	_, err = s.execute(ctx, parent, cmd, w)
	return err
}

// importedRequest is what the child would ask for: the same rules hold as for a
// request of its own (RFC 6487 section 6), but that nothing proves here that it
// has the key. The former parent has seen that.
func (s *Service) importedRequest(in DelegatedChild) (*cert.Request, error) {
	pub, err := x509.ParsePKIXPublicKey(in.Key)
	if err != nil {
		return nil, peer.InvalidRequest(err)
	}
	if err := cert.CheckRSAKey(pub); err != nil {
		return nil, peer.InvalidRequest(err)
	}
	id, err := cert.KeyIDOfSPKI(in.Key)
	if err != nil {
		return nil, peer.InvalidRequest(err)
	}
	sia := cert.SIA{Repository: in.SIA.Repository, Manifest: in.SIA.Manifest, Notify: in.SIA.Notify}
	if !strings.HasSuffix(sia.Repository, "/") {
		sia.Repository += "/"
	}
	switch {
	case !cert.IsRsyncURI(sia.Repository) || !cert.IsRsyncURI(sia.Manifest) || strings.HasSuffix(sia.Manifest, "/"):
		return nil, peer.InvalidRequest(errors.New("ca_repository and rpki_manifest must be rsync URIs"))
	case sia.Notify != "" && !cert.IsHTTPSURI(sia.Notify):
		return nil, peer.InvalidRequest(errors.New("rpki_notify must be an https URI"))
	case !s.Config.AnyHost:
		if err := sia.CheckGlobal(); err != nil {
			return nil, peer.InvalidRequest(err)
		}
	}
	return &cert.Request{PublicKey: pub, SPKI: in.Key, KeyID: id, SIA: sia}, nil
}
