package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// checklistTries is how often a checklist is signed because the key or its
// certificate changed meanwhile.
const checklistTries = 3

// Checklist is a signed checklist with its bytes.
type Checklist struct {
	ca.ValidChecklist
	DER []byte
}

// SignChecklist signs a checklist (RFC 9323) and records who wanted it. The
// object is the caller's: it is not published. A request that is refused is in
// the log as well.
func (s *Service) SignChecklist(ctx context.Context, actor es.Actor, handle string, r ca.ChecklistRequest, ifVersion *int64) (Checklist, error) {
	if err := s.CheckVersion(ctx, handle, ifVersion); err != nil {
		return Checklist{}, err
	}
	r.NotAfter = r.NotAfter.UTC().Truncate(time.Second)
	for try := 1; ; try++ {
		made, err := s.signChecklist(ctx, handle, r, pgstore.Write{Actor: actor, IfVersion: ifVersion})
		if fault.Code(err) != "rsc-plan-stale" || try == checklistTries {
			return made, err
		}
	}
}

// signChecklist goes plan, sign, record once.
func (s *Service) signChecklist(ctx context.Context, handle string, r ca.ChecklistRequest, w pgstore.Write) (Checklist, error) {
	limit := s.Config.ChecklistMaxValid
	var plan ca.ChecklistPlan
	var refused error
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error {
		plan, refused = st.PlanChecklist(s.Now(), r, limit)
		return nil
	})
	if err != nil {
		return Checklist{}, err
	}
	cmd := ca.SignChecklist{ChecklistRequest: r, MaxValid: limit}
	if refused != nil {
		_, err := s.execute(ctx, handle, cmd, w)
		return Checklist{}, err
	}
	auth, err := s.maker().Authority(ctx, plan.Key, plan.Issuer)
	if err != nil {
		return Checklist{}, err
	}
	obj, err := s.maker().Checklist(ctx, auth, r)
	if err != nil {
		return Checklist{}, fmt.Errorf("checklist of %s: %w", handle, err)
	}
	cmd.Signed = &ca.ChecklistSignature{Class: plan.Class, Key: plan.Key, Hash: ca.HashOf(obj.DER), Serial: obj.Serial.String(), NotBefore: obj.NotBefore}
	w.InTx = s.recording("", [][]byte{obj.DER}).InTx
	if _, err := s.execute(ctx, handle, cmd, w); err != nil {
		return Checklist{}, err
	}
	s.Log.Info("checklist signed", "ca", handle, "class", plan.Class, "serial", cmd.Signed.Serial, "files", len(r.Files))
	return Checklist{DER: obj.DER, ValidChecklist: ca.ValidChecklist{Class: plan.Class, IssuedChecklist: ca.IssuedChecklist{
		Resources: r.Resources, Files: r.Files, Hash: cmd.Signed.Hash, Serial: cmd.Signed.Serial, NotBefore: obj.NotBefore, NotAfter: r.NotAfter,
	}}}, nil
}

// Checklists gives the checklists of a CA that are neither expired nor revoked,
// without their bytes, and the version of the CA.
func (s *Service) Checklists(ctx context.Context, handle string) (list []ca.ValidChecklist, version int64, err error) {
	err = s.view(ctx, handle, func(st *ca.State, v int64) error {
		list, version = st.ValidChecklists(s.Now()), v
		for i := range list {
			list[i].Files = slices.Clone(list[i].Files)
		}
		return nil
	})
	return list, version, err
}

// Checklist gives one of them with its bytes.
func (s *Service) Checklist(ctx context.Context, handle, serial string) (Checklist, error) {
	list, _, err := s.Checklists(ctx, handle)
	if err != nil {
		return Checklist{}, err
	}
	i := slices.IndexFunc(list, func(c ca.ValidChecklist) bool { return c.Serial == serial })
	if i < 0 {
		return Checklist{}, ca.ChecklistUnknown(handle, serial)
	}
	der, err := s.Rows.DER(ctx, list[i].Hash)
	if err != nil {
		return Checklist{}, err
	}
	return Checklist{ValidChecklist: list[i], DER: der}, nil
}

// RevokeChecklist takes a checklist back: its EE certificate goes on the next
// CRL, which follows by task.
func (s *Service) RevokeChecklist(ctx context.Context, actor es.Actor, handle, serial string, ifVersion *int64) error {
	_, err := s.execute(ctx, handle, ca.RevokeChecklist{Serial: serial}, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return err
}

// revokeChecklists takes back what says more than the CA holds now.
func (s *Service) revokeChecklists(ctx context.Context, handle string) error {
	var due bool
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error { due = st.OverclaimingChecklists(s.Now()); return nil })
	if err != nil || !due {
		return err
	}
	_, err = s.execute(ctx, handle, ca.RevokeChecklists{}, pgstore.Write{Actor: taskActor("ca_issue")})
	return err
}
