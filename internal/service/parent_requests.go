package service

import (
	"context"
	"errors"
	"strings"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/remote"
	"baleen/internal/rpki/cert"
)

// askAgain is when a parent is asked again that will answer later.
const askAgain = 10 * time.Minute

// parentSync is all that a CA asks one parent in one go. A refusal of one thing
// does not keep it from asking for the others.
type parentSync struct {
	s       *Service
	a       SyncParent
	link    parentLink
	offered []ca.Entitlement
	waiting bool // the parent will answer some of it later
	failed  []error
}

// run fetches the certificates that are due, and has the keys revoked that are
// out of use. Certificates come first: a revocation can wait.
func (x *parentSync) run(ctx context.Context) error {
	var open []ca.CertRequest
	var revoke []ca.FinishRevocation
	err := x.s.view(ctx, x.a.CA, func(st *ca.State, _ int64) error {
		open, revoke = st.OpenRequests(x.a.Parent), st.OpenRevocations(x.a.Parent)
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range open {
		x.note(r.Class, x.request(ctx, r))
	}
	for _, r := range revoke {
		x.note(r.Class, x.revoke(ctx, r))
	}
	return x.result()
}

// request asks for one certificate, and acts on a refusal that is for good.
func (x *parentSync) request(ctx context.Context, r ca.CertRequest) error {
	_, outside := x.link.(peer.ParentLink)
	d := x.deferralOf(r)
	if outside && x.s.deferrals.rests(d, x.s.Now()) {
		return peer.ErrScheduled
	}
	err := x.s.requestCert(ctx, x.a, x.link, r)
	if outside {
		busy := errors.Is(err, peer.ErrProcessing)
		x.s.deferrals.note(d, errors.Is(err, peer.ErrScheduled) && !busy, busy, x.s.Now())
	}
	switch {
	case err == nil || errors.Is(err, peer.ErrScheduled):
		return err
	case fault.Code(err) == "rc-unknown" || fault.Code(err) == "rc-missing-resources":
		return errors.Join(err, x.listAgain(ctx))
	case fault.Code(err) == "key-re-use" && !x.lists(r):
		cmd := ca.DropKey{Class: r.Class, Key: r.KeyID, Reason: "the parent says that its key was used before"}
		_, dropped := x.s.execute(ctx, x.a.CA, cmd, pgstore.Write{Actor: taskActor("ca_sync_parent")})
		return errors.Join(err, dropped)
	default:
		return err
	}
}

// listAgain asks what the parent offers now: a class that it does not offer any
// more is closed, and one that it still offers stays.
func (x *parentSync) listAgain(ctx context.Context) error {
	offered, err := x.link.List(ctx)
	if err != nil {
		return err
	}
	x.offered = offered
	return x.s.takeEntitlements(ctx, x.a, offered)
}

// lists says whether the parent lists a certificate for the key: then it knows
// it as ours, whatever it says otherwise.
func (x *parentSync) lists(r ca.CertRequest) bool {
	for _, e := range x.offered {
		if e.Class == r.ParentClass && e.Lists(r.KeyID) {
			return true
		}
	}
	return false
}

// omits says whether the parent, in the list at the beginning, had no
// certificate for the key any more.
func (x *parentSync) omits(r ca.FinishRevocation) bool {
	for _, e := range x.offered {
		if e.Class == r.ParentClass {
			return e.Omits(r.Key)
		}
	}
	return false
}

// revoke has a key revoked. A parent may refuse that for a key that it does not
// know any more with bare HTTP, which proves nothing; its list, which is signed,
// does (RFC 6492 sections 3.3.2 and 3.6). A refusal that is signed counts.
func (x *parentSync) revoke(ctx context.Context, r ca.FinishRevocation) error {
	err := x.link.Revoke(ctx, r.ParentClass, r.Key)
	if err != nil && (fault.Code(err) != remote.CodeHTTP || !x.omits(r)) {
		return err
	}
	if err != nil {
		x.s.Log.Info("a parent refused to revoke a key that it lists no more", "ca", x.a.CA, "parent", x.a.Parent, "key", r.Key.String(), "error", err)
	}
	_, err = x.s.execute(ctx, x.a.CA, r, pgstore.Write{Actor: taskActor("ca_sync_parent")})
	return err
}

// note keeps what went wrong with one class.
func (x *parentSync) note(class string, err error) {
	if errors.Is(err, peer.ErrScheduled) {
		x.waiting = true
		return
	}
	if err == nil {
		return
	}
	kind := fault.Unavailable
	if fault.Of(err) == fault.Conflict {
		kind = fault.Conflict
	}
	text := fault.Shown(err)
	if fault.Of(err) == fault.Internal {
		x.s.Log.Error("a CA could not sync with a parent", "ca", x.a.CA, "parent", x.a.Parent, "class", class, "fault", err)
	}
	x.failed = append(x.failed, &fault.Error{
		Kind: kind, Code: "ca-parent-sync", Err: err,
		Args: map[string]string{"ca": x.a.CA, "parent": x.a.Parent, "class_name": class},
		Msg:  "CA '" + x.a.CA + "' could not sync with parent '" + x.a.Parent + "', for resource class '" + class + "', error: " + text,
	})
}

func (x *parentSync) result() error {
	if len(x.failed) < 2 {
		return errors.Join(x.failed...)
	}
	texts := make([]string, len(x.failed))
	for i, err := range x.failed {
		texts[i] = err.Error()
	}
	return &fault.Error{Kind: fault.Unavailable, Code: "multiple-errors", Msg: "Multiple errors: " + strings.Join(texts, ", "), Err: errors.Join(x.failed...)}
}

// requestCert asks for one certificate, verifies what comes back, and records
// it. When that fails the request stays open: nothing else is lost by it.
func (s *Service) requestCert(ctx context.Context, a SyncParent, link parentLink, r ca.CertRequest) error {
	key, err := s.Keys.Signer(ctx, r.KeyID)
	if err != nil {
		return err
	}
	csr, err := cert.SignRequest(r.SIA, key)
	if err != nil {
		return err
	}
	got, err := link.Issue(ctx, r.ParentClass, csr)
	if err != nil {
		return err
	}
	rec, err := s.verifyGranted(got, r, key.Public())
	if err != nil {
		return &fault.Error{Kind: fault.Unavailable, Code: "rfc6492-protocol", Msg: "RFC 6492 Issue: " + err.Error(), Args: map[string]string{"cause": err.Error()}, Err: err}
	}
	_, err = s.execute(ctx, a.CA, ca.ReceiveCertificate{Class: r.Class, Cert: rec}, s.recording("ca_sync_parent", [][]byte{got.Cert, got.Issuer}))
	return err
}
