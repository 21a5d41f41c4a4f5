package service

import (
	"context"
	"fmt"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/profile"
)

// ConfigureGhostbusters adds, replaces and removes Ghostbusters records. It
// answers once the intent is committed; the objects follow by task.
func (s *Service) ConfigureGhostbusters(ctx context.Context, actor es.Actor, handle string, cmd ca.ConfigureGhostbusters, ifVersion *int64) (int64, error) {
	r, err := s.execute(ctx, handle, cmd, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return r.Version, err
}

// issueGhostbusters carries out the plans for Ghostbusters records.
func (s *Service) issueGhostbusters(ctx context.Context, handle string) error {
	var plans []ca.GhostbustersPlan
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error { plans = st.PlanGhostbusters(s.Now(), s.Config.Policy); return nil })
	if err != nil {
		return err
	}
	for _, p := range plans {
		if err := s.issueRecords(ctx, handle, p); err != nil {
			return fmt.Errorf("issue Ghostbusters records of %s: %w", handle, err)
		}
	}
	return nil
}

// issueRecords carries out one plan as issueROAs does.
func (s *Service) issueRecords(ctx context.Context, handle string, p ca.GhostbustersPlan) error {
	auth, err := s.authority(ctx, p.Key, p.Issuer)
	if err != nil {
		return err
	}
	sign := func(ctx context.Context, g ca.Ghostbusters) (ca.IssuedGhostbusters, []byte, error) {
		return s.signGhostbusters(ctx, auth, g)
	}
	return inBatches(ctx, s.Cores, p.Issue, sign, func(issued []ca.IssuedGhostbusters, ders [][]byte, first bool, done int) error {
		cmd := ca.RecordGhostbusters{Class: p.Class, Key: p.Key, Issued: issued}
		if first {
			cmd.Withdrawn = p.Withdraw
		}
		if _, err := s.execute(ctx, handle, cmd, s.recording("ca_issue", ders)); err != nil {
			return fmt.Errorf("record: %w", err)
		}
		s.Log.Info("Ghostbusters records issued", "ca", handle, "class", p.Class, "issued", done, "of", len(p.Issue))
		return nil
	})
}

// signGhostbusters makes one record and checks it as a relying party would. Its
// EE certificate inherits its resources (RFC 6493 section 6).
func (s *Service) signGhostbusters(ctx context.Context, a authority, g ca.Ghostbusters) (ca.IssuedGhostbusters, []byte, error) {
	now := s.Now().UTC().Truncate(time.Second)
	content, err := g.Contact.Encode()
	if err != nil {
		return ca.IssuedGhostbusters{}, nil, fmt.Errorf("%s: %w", g.Name, err)
	}
	obj, err := s.signObject(ctx, a, cms.Template{ContentType: gbr.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: now.Add(-backdate), NotAfter: now.Add(s.Config.Policy.GhostbustersValid),
		SIA: cert.SIA{SignedObject: a.rec.SIA.Repository + g.FileName()}, Inherit: true,
	})
	if err != nil {
		return ca.IssuedGhostbusters{}, nil, fmt.Errorf("%s: %w", g.Name, err)
	}
	if err := profile.CheckGhostbusters(obj.der, a.cert, now); err != nil {
		return ca.IssuedGhostbusters{}, nil, fmt.Errorf("%s: what was signed is not valid: %w", g.Name, err)
	}
	return ca.IssuedGhostbusters{Ghostbusters: g, Hash: ca.HashOf(obj.der), Serial: obj.serial.String(), NotBefore: obj.from, NotAfter: obj.until}, obj.der, nil
}
