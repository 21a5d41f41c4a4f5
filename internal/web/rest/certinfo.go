package rest

import (
	"context"
	"errors"
	"path"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

var errNotCertificate = errors.New("a stored certificate cannot be read")

// subjectAndKey gives the DER of a certificate's subject and of its
// SubjectPublicKeyInfo (RFC 5280 section 4.1). It looks at nothing else: the
// certificate was checked when it came in, and may have expired since.
func subjectAndKey(der []byte) (subject, spki []byte, err error) {
	in := cryptobyte.String(der)
	var outer, tbs, subj, key cryptobyte.String
	ok := in.ReadASN1(&outer, asn1.SEQUENCE) &&
		outer.ReadASN1(&tbs, asn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) && // version
		tbs.SkipASN1(asn1.INTEGER) && // serialNumber
		tbs.SkipASN1(asn1.SEQUENCE) && // signature
		tbs.SkipASN1(asn1.SEQUENCE) && // issuer
		tbs.SkipASN1(asn1.SEQUENCE) && // validity
		tbs.ReadASN1Element(&subj, asn1.SEQUENCE) &&
		tbs.ReadASN1Element(&key, asn1.SEQUENCE)
	if !ok {
		return nil, nil, errNotCertificate
	}
	return subj, key, nil
}

// idCertInfo describes an identity certificate.
func idCertInfo(der []byte) (api.IDCertInfo, error) {
	_, key, err := subjectAndKey(der)
	if err != nil {
		return api.IDCertInfo{}, err
	}
	return api.IDCertInfo{PublicKey: key, Base64: der, Hash: ca.HashOf(der).String()}, nil
}

// certInfo describes a CA certificate.
func certInfo(r ca.CertRecord, der []byte) (api.CertInfo, error) {
	subject, key, err := subjectAndKey(der)
	if err != nil {
		return api.CertInfo{}, err
	}
	return api.CertInfo{
		URI: r.URI, Name: path.Base(r.URI), Resources: r.Resources, Subject: subject, Validity: validity(r.NotBefore, r.NotAfter),
		Serial: r.Serial, CARepository: r.SIA.Repository, RPKIManifest: r.SIA.Manifest, RPKINotify: optional(r.SIA.Notify),
		Key: key, Base64: der, Hash: r.Hash.String(),
	}, nil
}

func validity(from, to time.Time) api.Validity {
	return api.Validity{NotBefore: api.Time{Time: from}, NotAfter: api.Time{Time: to}}
}

// optional gives nil for what is empty, so that it is written as null.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// checkIdentity refuses an identity certificate that cannot be used now
// (RFC 8183 section 5.1).
func (d *Deps) checkIdentity(der []byte) error {
	_, err := cert.DecodeIdentity(der, d.Now())
	return err
}

// objects gives the DER of what a state or an event names by hash.
func (d *Deps) objects(ctx context.Context, hashes []ca.Hash) (map[ca.Hash][]byte, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	return d.Service.Objects(ctx, hashes)
}

func repoInfo(r *ca.Repository) api.RepoInfo {
	return api.RepoInfo{SIABase: r.SIABase, NotificationURI: optional(r.NotificationURI)}
}

// repositoryContact describes where and how a CA publishes.
func repositoryContact(r *ca.Repository) (api.RepositoryContact, error) {
	_, key, err := subjectAndKey(r.ServerIDCert)
	if err != nil {
		return api.RepositoryContact{}, err
	}
	return api.RepositoryContact{RepoInfo: repoInfo(r), ServerInfo: api.RepoServerInfo{PublicKey: key, ServiceURI: r.ServiceURI}}, nil
}

// parentKind is the only kind of parent there is.
const parentKind = "rfc6492"

// parentContact describes how a CA reaches a parent.
func parentContact(p ca.Parent) (api.ParentContact, error) {
	id, err := idCertInfo(p.IDCert)
	if err != nil {
		return api.ParentContact{}, err
	}
	return api.ParentContact{
		Type: parentKind, ServiceURI: p.ServiceURI, ParentHandle: p.ParentHandle, ChildHandle: p.ChildHandle, IDCert: id,
	}, nil
}

// union gives all resources of several classes.
func union(sets []resources.Set) resources.Set {
	var all resources.Set
	for _, s := range sets {
		all = all.Union(s)
	}
	return all
}
