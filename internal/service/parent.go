package service

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/profile"
	"baleen/internal/tasks"
)

// parentLink is the provisioning protocol as a child sees it (RFC 6492),
// whether the parent is another process or this one.
type parentLink interface {
	List(ctx context.Context) ([]ca.Entitlement, error)

	// Issue asks for a certificate. A refusal that is for good has the code "rc-unknown" (1201), "rc-missing-resources"
	// (1202) or "key-re-use" (1204); errScheduled means that the parent will answer later.
	Issue(ctx context.Context, class string, csr []byte) (peer.Granted, error)

	// Revoke takes a key out of use. It succeeds also where the parent says that it knows no such class or key (codes 1301
	// and 1302): then nothing is left to revoke. errScheduled means that the parent will answer later.
	Revoke(ctx context.Context, class string, key cert.KeyID) error
}

// local says whether a service URI is one of this server, and which parent has
// it.
func (s *Service) local(uri string) (handle string, ok bool) {
	rest, ok := strings.CutPrefix(uri, s.Config.ServiceURI+"rfc6492/")
	return strings.TrimSuffix(rest, "/"), ok
}

// link gives a CA the way to a parent.
func (s *Service) link(ctx context.Context, child string, p ca.Parent) (parentLink, error) {
	handle, ok := s.local(p.ServiceURI)
	switch {
	case !ok:
		l := peer.ParentLink{Speaker: s.speaker(), CA: child, Parent: p, Keep: s.keep}
		err := s.view(ctx, child, func(st *ca.State, _ int64) error { l.Identity = st.Identity; return nil })
		return l, err
	case handle == taHandle:
		return s.TA().Child(p.ChildHandle), nil
	default:
		return neighbour{localLink{s: s, parent: handle, child: p.ChildHandle, actor: es.Actor{Name: "child:" + p.ChildHandle}}}, nil
	}
}

// syncParent lists what a parent offers, opens and closes classes, and fetches
// every certificate that is due. Its outcome is noted as the parent's status.
func (s *Service) syncParent(ctx context.Context, a SyncParent) (tasks.Outcome, error) {
	defer s.locks.Lock(a.CA)()
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
	if _, here := s.local(contact.ServiceURI); !here {
		return tasks.Outcome{Then: now(AskParent(a))}, nil
	}
	return s.syncNow(ctx, a, contact)
}

// AskParentNow has a CA ask a parent in this server at once.
func (s *Service) AskParentNow(ctx context.Context, handle, parent string) error {
	_, err := s.syncParent(ctx, SyncParent{CA: handle, Parent: parent})
	return err
}

// syncNow asks the parent and notes the outcome.
func (s *Service) syncNow(ctx context.Context, a SyncParent, contact ca.Parent) (tasks.Outcome, error) {
	x := &parentSync{s: s, a: a}
	err := x.sync(ctx, contact)
	if note := s.noteParent(ctx, a, contact.ServiceURI, x.offered, err); note != nil && err == nil {
		err = note
	}
	if err != nil {
		return tasks.Outcome{}, untilAnswered(err)
	}
	if x.waiting {
		return tasks.Outcome{Again: s.Now().Add(min(askAgain, s.Config.Refresh.Every))}, nil
	}
	jitter, err := upTo(s.Config.Refresh.Jitter)
	return tasks.Outcome{Again: s.Now().Add(s.Config.Refresh.Every + jitter)}, err
}

// sync asks the parent what it offers, and for what follows from that.
func (x *parentSync) sync(ctx context.Context, contact ca.Parent) (err error) {
	if x.link, err = x.s.link(ctx, x.a.CA, contact); err != nil {
		return err
	}
	return x.talk(ctx)
}

func (x *parentSync) talk(ctx context.Context) error {
	offered, err := x.link.List(ctx)
	if err != nil {
		return fmt.Errorf("list at parent %s: %w", x.a.Parent, err)
	}
	x.offered = offered
	if err := x.s.takeEntitlements(ctx, x.a, offered); err != nil {
		return err
	}
	return x.run(ctx)
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

// verifyGranted checks a received certificate before it is used: profile,
// signature, validity, resources, and that it is for the key we asked with.
func (s *Service) verifyGranted(got peer.Granted, r ca.CertRequest, pub crypto.PublicKey) (ca.CertRecord, error) {
	issuer, err := cert.Decode(got.Issuer)
	if err != nil {
		return ca.CertRecord{}, fmt.Errorf("the parent's certificate: %w", err)
	}
	if err := profile.CheckCACertificate(got.Cert, issuer, s.Now()); err != nil {
		return ca.CertRecord{}, err
	}
	c, err := cert.Decode(got.Cert)
	switch {
	case err != nil:
		return ca.CertRecord{}, err
	case c.Resources.Inherits():
		return ca.CertRecord{}, errors.New("the certificate inherits resources instead of naming them")
	case !cert.IsRsyncURI(got.URI): // it goes into all that is signed with the key (RFC 6487 section 4.8.7)
		return ca.CertRecord{}, fmt.Errorf("the parent publishes the certificate at %q, which is no rsync URI", got.URI)
	}
	want, err := cert.KeyIDOf(pub)
	if err != nil {
		return ca.CertRecord{}, err
	}
	if c.KeyID != want || c.SIA.Repository != r.SIA.Repository || c.SIA.Manifest != r.SIA.Manifest {
		return ca.CertRecord{}, fmt.Errorf("the certificate is not the one that was requested (key %s at %s)", want, r.SIA.Repository)
	}
	return ca.CertRecord{
		URI: got.URI, Hash: ca.HashOf(got.Cert), Serial: c.Serial.String(), KeyID: c.KeyID, Resources: c.Resources.Set,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, SIA: ca.SIA{Repository: c.SIA.Repository, Manifest: c.SIA.Manifest, Notify: c.SIA.Notify},
	}, nil
}

// dropKeys destroys keys that were made in vain.
func (s *Service) dropKeys(ctx context.Context, keys []cert.KeyID) {
	if err := s.Keys.Discard(ctx, keys...); err != nil {
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

// destroyKeys destroys keys that are out of use, when nothing signs for the CA.
func (s *Service) destroyKeys(ctx context.Context, a DestroyKeys) (tasks.Outcome, error) {
	defer s.locks.Lock(a.CA)()
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
func (s *Service) SetParent(ctx context.Context, actor es.Actor, handle, name string, r oob.ParentResponse, ifVersion *int64) error {
	contact := ca.Parent{ServiceURI: r.ServiceURI, ParentHandle: r.ParentHandle, ChildHandle: r.ChildHandle, IDCert: r.IDCert}
	if err := oob.CheckHandle(name); err != nil {
		return fault.New(fault.Invalid, "general-error", "parent name: "+err.Error())
	}
	if err := s.view(ctx, handle, func(*ca.State, int64) error { return nil }); err != nil {
		return err
	}
	link, err := s.link(ctx, handle, contact)
	if err != nil {
		return err
	}
	if _, err := link.List(ctx); err != nil {
		return fmt.Errorf("list at parent %s: %w", name, err)
	}
	_, err = s.execute(ctx, handle, ca.SetParent{Parent: name, Contact: contact}, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return err
}

// askParent is syncParent where the parent is outside this server. It does not
// keep the CA from doing other work meanwhile.
func (s *Service) askParent(ctx context.Context, a AskParent) (tasks.Outcome, error) {
	defer s.locks.Lock("parent " + AskParent.Key(a))()
	var contact ca.Parent
	err := s.view(ctx, a.CA, func(st *ca.State, _ int64) error {
		var ok bool
		if contact, ok = st.Parents[a.Parent]; !ok {
			return ca.ParentUnknown(a.CA, a.Parent)
		}
		return nil
	})
	if err != nil {
		return tasks.Outcome{}, err
	}
	leave, wait := s.crowd.Enter(peer.ServerOf(contact.ServiceURI), s.Now())
	if leave == nil {
		return tasks.Outcome{Again: s.Now().Add(wait)}, nil
	}
	defer leave()
	return s.syncNow(ctx, SyncParent(a), contact)
}
