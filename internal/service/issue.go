package service

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/cert"
	"baleen/internal/sign"
	"baleen/internal/tasks"
)

// issueBatch is how many ROAs are recorded at once: a large job shows its
// progress, what it issued is published meanwhile, and a restart goes on behind
// the last batch.
const issueBatch = 100

// issueCA signs what the configuration wants and is not issued, and withdraws
// what is no longer wanted. Running it twice changes nothing. A large job takes
// many runs, so that each begins with what is wanted then, and what was signed
// is published in between.
func (s *Service) issueCA(ctx context.Context, a IssueCA) (tasks.Outcome, error) {
	defer s.locks.Lock(a.CA)()
	var certs []ca.CertPlan
	var roas []ca.ROAPlan
	var aspas []ca.ASPAPlan
	var routers []ca.RouterPlan
	var planned int64
	err := s.view(ctx, a.CA, func(st *ca.State, version int64) error {
		now, policy := s.Now(), s.Config.Policy
		planned = version
		certs, roas, aspas, routers = st.PlanChildCerts(now), st.PlanROAs(now, policy), st.PlanASPAs(now, policy), st.PlanRouterCerts(now, policy)
		return nil
	})
	if err != nil {
		return tasks.Outcome{}, err
	}
	for _, p := range certs {
		if err := s.shrinkCerts(ctx, a.CA, p); err != nil {
			return tasks.Outcome{}, err
		}
	}
	more := false
	for _, p := range roas {
		left, err := s.issueROAs(ctx, a.CA, p, planned)
		if err != nil {
			return tasks.Outcome{}, err
		}
		more = more || left
	}
	if err := s.issueASPAs(ctx, a.CA, aspas); err != nil {
		return tasks.Outcome{}, err
	}
	if err := s.issueRouterCerts(ctx, a.CA, routers); err != nil {
		return tasks.Outcome{}, err
	}
	if err := s.issueGhostbusters(ctx, a.CA); err != nil {
		return tasks.Outcome{}, err
	}
	if err := s.revokeChecklists(ctx, a.CA); err != nil {
		return tasks.Outcome{}, err
	}
	if more {
		return tasks.Outcome{Again: s.Now()}, nil
	}
	return tasks.Outcome{}, s.switchKeys(ctx, a.CA)
}

// issueROAs carries out one batch of a plan that was made for a version, and
// tells whether more is left. What is withdrawn goes with the first: a route that
// lost its authorization must not wait. What is replaced by objects of another
// name goes with those.
func (s *Service) issueROAs(ctx context.Context, handle string, p ca.ROAPlan, planned int64) (more bool, err error) {
	auth, err := s.maker().Authority(ctx, p.Key, p.Issuer)
	if err != nil {
		return false, err
	}
	issued, ders, err := s.maker().ROAs(ctx, auth, p.Issue[:min(issueBatch, len(p.Issue))], func(ctx context.Context) (bool, error) {
		// Whatever an operator does meanwhile ends the batch with what is signed: a job that is held or taken back stops, and
		// a single change does not wait for it.
		same := false
		err := s.view(ctx, handle, func(_ *ca.State, version int64) error { same = version == planned; return nil })
		return same, err
	})
	if err != nil {
		return false, err
	}
	cmd := ca.RecordROAs{Class: p.Class, Key: p.Key.String(), Issued: issued, Withdrawn: p.Withdrawals(issued)}
	if _, err := s.execute(ctx, handle, cmd, s.recording("ca_issue", ders)); err != nil {
		return false, fmt.Errorf("record ROAs of %s: %w", handle, err)
	}
	s.Log.Info("ROAs issued", "ca", handle, "class", p.Class, "issued", p.Wanted-len(p.Issue)+len(issued), "of", p.Wanted)
	return len(issued) < len(p.Issue), nil
}

// shrinkCerts replaces children's certificates that claim too much, or signs
// them again with the new key of a roll, batch by batch. What is revoked goes
// with the first batch.
func (s *Service) shrinkCerts(ctx context.Context, handle string, p ca.CertPlan) error {
	auth, err := s.maker().Authority(ctx, p.Key, p.Issuer)
	if err != nil {
		return err
	}
	revoke := p.Revoke
	for start := 0; start == 0 || start < len(p.Shrink); start += issueBatch {
		cmd := ca.RecordChildCerts{Class: p.Class, Key: p.Key, Revoked: revoke, Replaces: map[cert.KeyID]ca.Hash{}}
		var ders [][]byte
		for _, sh := range p.Shrink[start:min(start+issueBatch, len(p.Shrink))] {
			issued, der, err := s.signAgain(ctx, auth, p, sh)
			if err != nil {
				return err
			}
			cmd.Issued, ders = append(cmd.Issued, issued), append(ders, der)
			cmd.Replaces[sh.Old.KeyID] = sh.Old.Hash
		}
		if _, err := s.execute(ctx, handle, cmd, s.recording("ca_issue", ders)); err != nil {
			return err
		}
		revoke = nil
	}
	return nil
}

// signAgain makes a certificate for a child's key from the one that it has.
func (s *Service) signAgain(ctx context.Context, auth sign.Authority, p ca.CertPlan, sh ca.ShrinkCert) (ca.IssuedCert, []byte, error) {
	old, err := s.decoded(ctx, sh.Old.Hash)
	if err != nil {
		return ca.IssuedCert{}, nil, err
	}
	return s.maker().ChildCert(auth, ca.PlannedCert{
		Child: sh.Old.Child, Class: p.Class, Key: p.Key, Resources: sh.Resources, Subject: sh.Old.KeyID, SIA: sh.Old.SIA, Limit: sh.Old.Limit,
		URI: p.Issuer.SIA.Repository + sh.Old.KeyID.String() + ".cer",
	}, old.PublicKey)
}

// recording is how a task stores what it signed: the bytes commit with the
// events that name them.
func (s *Service) recording(task string, ders [][]byte) pgstore.Write {
	return pgstore.Write{Actor: taskActor(task), InTx: func(ctx context.Context, tx pgx.Tx, _ pgstore.Commit) error {
		return s.Rows.Put(ctx, tx, ders...)
	}}
}

// decoded reads a certificate that we know by its hash.
func (s *Service) decoded(ctx context.Context, hash ca.Hash) (*cert.Certificate, error) {
	der, err := s.Rows.DER(ctx, hash)
	if err != nil {
		return nil, err
	}
	return cert.Decode(der)
}
