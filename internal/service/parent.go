package service

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/profile"
	"baleen/internal/tasks"
)

// granted is what a parent answers to a certificate request.
type granted struct {
	cert   []byte // DER
	uri    string // where the parent publishes it
	issuer []byte // DER of the certificate that signed
}

// errScheduled says that a parent will answer later (RFC 6492 section 3.6,
// codes 1101 and 1104): the request stays open and is sent again.
var errScheduled = errors.New("the parent will answer later")

// parentLink is the provisioning protocol as a child sees it (RFC 6492),
// whether the parent is another process or this one.
type parentLink interface {
	list(ctx context.Context) ([]ca.Entitlement, error)
	issue(ctx context.Context, class string, csr []byte) (granted, error)
}

// local says whether a service URI is one of this server, and gives what
// stands behind the prefix.
func (s *Service) local(uri, prefix string) (handle string, ok bool) {
	rest, ok := strings.CutPrefix(uri, s.Config.ServiceURI+prefix)
	return strings.TrimSuffix(rest, "/"), ok
}

// link gives the way to a parent. Only parents in this server can be reached yet.
func (s *Service) link(p ca.Parent) (parentLink, error) {
	handle, ok := s.local(p.ServiceURI, "rfc6492/")
	switch {
	case !ok:
		return nil, fault.New(fault.Invalid, "sys-not-implemented", "Not yet implemented: parents outside this server ("+p.ServiceURI+")")
	case handle == taHandle:
		return taLink{s: s, child: p.ChildHandle}, nil
	default:
		return localLink{s: s, parent: handle, child: p.ChildHandle}, nil
	}
}

// localLink reaches a parent in this server by function call.
type localLink struct {
	s             *Service
	parent, child string
}

func (l localLink) list(ctx context.Context) (out []ca.Entitlement, err error) {
	err = l.exchange(ctx, func() error {
		return l.s.view(ctx, l.parent, func(st *ca.State, _ int64) (err error) {
			out, err = st.Entitlements(l.child, l.s.Now(), l.s.Config.Policy)
			return err
		})
	})
	return out, err
}

func (l localLink) issue(ctx context.Context, class string, csr []byte) (got granted, err error) {
	err = l.exchange(ctx, func() (err error) {
		got, err = l.certify(ctx, class, csr)
		return err
	})
	return got, err
}

// exchange answers a message of the child, and notes at the parent how it went.
func (l localLink) exchange(ctx context.Context, answer func() error) error {
	if err := l.s.touchChild(ctx, l.parent, l.child, localAgent); err != nil {
		return err
	}
	err := answer()
	note := l.s.noteChild(ctx, l.parent, castore.ChildExchange{Child: l.child, UserAgent: localAgent, Err: err})
	if err == nil {
		err = note
	}
	return err
}

// certify certifies a child's key: plan, sign with no transaction open, record.
func (l localLink) certify(ctx context.Context, class string, csr []byte) (granted, error) {
	req, err := readRequest(csr)
	if err != nil {
		return granted{}, err
	}
	var plan ca.PlannedCert
	var rec ca.CertRecord
	err = l.s.view(ctx, l.parent, func(st *ca.State, _ int64) (err error) {
		if plan, err = st.PlanChildCert(l.child, class, req); err == nil {
			rec = st.Classes[class].Current.Cert
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
	w.Actor = es.Actor{Name: "child:" + l.child}
	if _, err := l.s.execute(ctx, l.parent, ca.RecordChildCerts{Class: class, Key: plan.Key, Issued: []ca.IssuedCert{issued}}, w); err != nil {
		return granted{}, err
	}
	return granted{cert: der, uri: issued.URI, issuer: auth.cert.Raw}, nil
}

// readRequest reads a child's certificate request; one that breaks a rule of
// RFC 6487 section 6 is refused.
func readRequest(csr []byte) (*cert.Request, error) {
	req, err := cert.DecodeRequest(csr)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Code: "rfc6492-invalid-csr", Msg: "Invalid CSR received: " + err.Error(), Args: map[string]string{"cause": err.Error()}}
	}
	return req, nil
}

// syncParent lists what a parent offers, opens and closes classes, and fetches
// every certificate that is due. Its outcome is noted as the parent's status.
func (s *Service) syncParent(ctx context.Context, a SyncParent) (tasks.Outcome, error) {
	defer s.locks.lock(a.CA)()
	var contact ca.Parent
	ready := false
	err := s.view(ctx, a.CA, func(st *ca.State, _ int64) error {
		var ok bool
		if contact, ok = st.Parents[a.Parent]; !ok {
			return ca.ParentUnknown(a.CA, a.Parent)
		}
		ready = st.Repository != nil
		return nil
	})
	if err != nil || !ready {
		return tasks.Outcome{}, err
	}
	offered, err := s.syncWith(ctx, a, contact)
	if note := s.noteParent(ctx, a, contact.ServiceURI, offered, err); note != nil && err == nil {
		err = note
	}
	if err != nil {
		return tasks.Outcome{}, askAgain(err)
	}
	jitter, err := upTo(s.Config.Refresh.Jitter)
	return tasks.Outcome{Again: s.Now().Add(s.Config.Refresh.Every + jitter)}, err
}

func (s *Service) syncWith(ctx context.Context, a SyncParent, contact ca.Parent) ([]ca.Entitlement, error) {
	link, err := s.link(contact)
	if err != nil {
		return nil, err
	}
	offered, err := link.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list at parent %s: %w", a.Parent, err)
	}
	if err := s.takeEntitlements(ctx, a, offered); err != nil {
		return offered, err
	}
	var open []ca.CertRequest
	if err := s.view(ctx, a.CA, func(st *ca.State, _ int64) error { open = st.OpenRequests(a.Parent); return nil }); err != nil {
		return offered, err
	}
	for _, r := range open {
		err := s.requestCert(ctx, a, link, r)
		if errors.Is(err, errScheduled) {
			continue
		}
		if err != nil {
			return offered, fmt.Errorf("certificate for class %s: %w", r.Class, err)
		}
	}
	return offered, nil
}

// takeEntitlements makes a key for each new class and records what changed.
func (s *Service) takeEntitlements(ctx context.Context, a SyncParent, offered []ca.Entitlement) error {
	cmd := ca.UpdateEntitlements{Parent: a.Parent, Entitlements: offered, NewKeys: map[string]cert.KeyID{}}
	var fresh []string
	if err := s.view(ctx, a.CA, func(st *ca.State, _ int64) error { fresh = st.NewClasses(a.Parent, offered); return nil }); err != nil {
		return err
	}
	var made []cert.KeyID
	for _, class := range fresh {
		key, err := s.Keys.Generate(ctx, "resource key of CA "+a.CA)
		if err != nil {
			return err
		}
		cmd.NewKeys[class], made = key, append(made, key)
	}
	_, err := s.execute(ctx, a.CA, cmd, pgstore.Write{Actor: taskActor("ca_sync_parent")})
	if err != nil && len(made) > 0 {
		s.dropKeys(ctx, made)
	}
	return err
}

// requestCert asks for one certificate, verifies what comes back, and records it.
func (s *Service) requestCert(ctx context.Context, a SyncParent, link parentLink, r ca.CertRequest) error {
	key, err := s.Keys.Signer(ctx, r.KeyID)
	if err != nil {
		return err
	}
	csr, err := cert.SignRequest(r.SIA, key)
	if err != nil {
		return err
	}
	got, err := link.issue(ctx, r.ParentClass, csr)
	if err != nil {
		return err
	}
	rec, err := s.verifyGranted(got, r, key.Public())
	if err != nil {
		return &fault.Error{Kind: fault.Unavailable, Code: "rfc6492-protocol", Msg: "RFC 6492 Issue: " + err.Error(), Args: map[string]string{"cause": err.Error()}, Err: err}
	}
	_, err = s.execute(ctx, a.CA, ca.ReceiveCertificate{Class: r.Class, Cert: rec}, s.recording("ca_sync_parent", [][]byte{got.cert, got.issuer}))
	return err
}

// verifyGranted checks a received certificate before it is used: profile,
// signature, validity, resources, and that it is for the key we asked with.
func (s *Service) verifyGranted(got granted, r ca.CertRequest, pub crypto.PublicKey) (ca.CertRecord, error) {
	issuer, err := cert.Decode(got.issuer)
	if err != nil {
		return ca.CertRecord{}, fmt.Errorf("the parent's certificate: %w", err)
	}
	if err := profile.CheckCACertificate(got.cert, issuer, s.Now()); err != nil {
		return ca.CertRecord{}, err
	}
	c, err := cert.Decode(got.cert)
	if err != nil {
		return ca.CertRecord{}, err
	}
	want, err := cert.KeyIDOf(pub)
	if err != nil {
		return ca.CertRecord{}, err
	}
	if c.KeyID != want || c.SIA.Repository != r.SIA.Repository || c.SIA.Manifest != r.SIA.Manifest {
		return ca.CertRecord{}, fmt.Errorf("the certificate is not the one that was requested (key %s at %s)", want, r.SIA.Repository)
	}
	return ca.CertRecord{
		URI: got.uri, Hash: ca.HashOf(got.cert), Serial: c.Serial.String(), KeyID: c.KeyID, Resources: c.Resources.Set,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, SIA: ca.SIA{Repository: c.SIA.Repository, Manifest: c.SIA.Manifest, Notify: c.SIA.Notify},
	}, nil
}

// dropKeys destroys keys that were made in vain.
func (s *Service) dropKeys(ctx context.Context, keys []cert.KeyID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.inTx(ctx, func(tx pgx.Tx) error { return s.Keys.Destroy(ctx, tx, keys...) }); err != nil {
		s.Log.Warn("keys that were made in vain could not be destroyed", "keys", texts(keys), "error", err)
	}
}

func texts(keys []cert.KeyID) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.String()
	}
	return out
}

// destroyKeys destroys the keys of a class that is gone.
func (s *Service) destroyKeys(ctx context.Context, a DestroyKeys) (tasks.Outcome, error) {
	var ids []cert.KeyID
	for _, k := range a.Keys {
		id, err := cert.ParseKeyID(k)
		if err != nil {
			return tasks.Outcome{}, fault.New(fault.Invalid, "task-args", err.Error())
		}
		ids = append(ids, id)
	}
	return tasks.Outcome{}, s.inTx(ctx, func(tx pgx.Tx) error { return s.Keys.Destroy(ctx, tx, ids...) })
}

// SetParent adds a parent to a CA, or changes its contact. The parent is asked
// first: one that does not answer is not added.
func (s *Service) SetParent(ctx context.Context, actor es.Actor, handle, name string, r oob.ParentResponse) error {
	contact := ca.Parent{ServiceURI: r.ServiceURI, ParentHandle: r.ParentHandle, ChildHandle: r.ChildHandle, IDCert: r.IDCert}
	if err := oob.CheckHandle(name); err != nil {
		return fault.New(fault.Invalid, "general-error", "parent name: "+err.Error())
	}
	if err := s.view(ctx, handle, func(*ca.State, int64) error { return nil }); err != nil {
		return err
	}
	link, err := s.link(contact)
	if err != nil {
		return err
	}
	if _, err := link.list(ctx); err != nil {
		return fmt.Errorf("list at parent %s: %w", name, err)
	}
	_, err = s.execute(ctx, handle, ca.SetParent{Parent: name, Contact: contact}, pgstore.Write{Actor: actor})
	return err
}
