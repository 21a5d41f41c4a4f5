package service

import (
	"context"
	"fmt"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/aspa"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
)

// ConfigureASPAs replaces and removes definitions of providers. It answers once
// the intent is committed; the objects follow by task.
func (s *Service) ConfigureASPAs(ctx context.Context, actor es.Actor, handle string, cmd ca.ConfigureASPAs, ifVersion *int64) (int64, error) {
	r, err := s.execute(ctx, handle, cmd, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return r.Version, err
}

// UpdateASPA adds and removes providers of one customer.
func (s *Service) UpdateASPA(ctx context.Context, actor es.Actor, handle string, cmd ca.UpdateASPA, ifVersion *int64) (int64, error) {
	r, err := s.execute(ctx, handle, cmd, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return r.Version, err
}

// ConfigureRouterKeys adds and removes keys of BGPsec routers. It answers once
// the intent is committed; the certificates follow by task.
func (s *Service) ConfigureRouterKeys(ctx context.Context, actor es.Actor, handle string, cmd ca.ConfigureRouterKeys, ifVersion *int64) (int64, error) {
	r, err := s.execute(ctx, handle, cmd, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return r.Version, err
}

// issueASObjects carries out the plans of what is issued for AS numbers.
func (s *Service) issueASObjects(ctx context.Context, handle string, aspas []ca.ASPAPlan, routers []ca.RouterPlan) error {
	for _, p := range aspas {
		if err := s.issueASPAs(ctx, handle, p); err != nil {
			return fmt.Errorf("ASPAs of %s: %w", handle, err)
		}
	}
	for _, p := range routers {
		if err := s.issueRouterCerts(ctx, handle, p); err != nil {
			return fmt.Errorf("router certificates of %s: %w", handle, err)
		}
	}
	return nil
}

// issueASPAs carries out one plan as issueROAs does.
func (s *Service) issueASPAs(ctx context.Context, handle string, p ca.ASPAPlan) error {
	auth, err := s.authority(ctx, p.Key, p.Issuer)
	if err != nil {
		return err
	}
	sign := func(ctx context.Context, a ca.ASPA) (ca.IssuedASPA, []byte, error) { return s.signASPA(ctx, auth, a) }
	return inBatches(ctx, s.Cores, p.Issue, sign, func(issued []ca.IssuedASPA, ders [][]byte, first bool, done int) error {
		cmd := ca.RecordASPAs{Class: p.Class, Key: p.Key, Issued: issued}
		if first {
			cmd.Withdrawn = p.Withdraw
		}
		if _, err := s.execute(ctx, handle, cmd, s.recording("ca_issue", ders)); err != nil {
			return fmt.Errorf("record: %w", err)
		}
		s.Log.Info("ASPAs issued", "ca", handle, "class", p.Class, "issued", done, "of", len(p.Issue))
		return nil
	})
}

// issueRouterCerts carries out one plan as issueROAs does.
func (s *Service) issueRouterCerts(ctx context.Context, handle string, p ca.RouterPlan) error {
	auth, err := s.authority(ctx, p.Key, p.Issuer)
	if err != nil {
		return err
	}
	sign := func(_ context.Context, r ca.ConfiguredRouterKey) (ca.IssuedRouterCert, []byte, error) {
		return s.signRouterCert(auth, r)
	}
	return inBatches(ctx, s.Cores, p.Issue, sign, func(issued []ca.IssuedRouterCert, ders [][]byte, first bool, done int) error {
		cmd := ca.RecordRouterCerts{Class: p.Class, Key: p.Key, Issued: issued}
		if first {
			cmd.Withdrawn = p.Withdraw
		}
		if _, err := s.execute(ctx, handle, cmd, s.recording("ca_issue", ders)); err != nil {
			return fmt.Errorf("record: %w", err)
		}
		s.Log.Info("router certificates issued", "ca", handle, "class", p.Class, "issued", done, "of", len(p.Issue))
		return nil
	})
}

// inBatches signs what is planned and has it recorded, part by part. The first
// part is recorded also if it is empty: what is withdrawn goes with it.
func inBatches[P, I any](ctx context.Context, cores int, planned []P, sign func(context.Context, P) (I, []byte, error),
	record func(issued []I, ders [][]byte, first bool, done int) error,
) error {
	for start := 0; start == 0 || start < len(planned); start += issueBatch {
		end := min(start+issueBatch, len(planned))
		issued, ders, err := signEach(ctx, cores, planned[start:end], sign)
		if err != nil {
			return err
		}
		if err := record(issued, ders, start == 0, end); err != nil {
			return err
		}
	}
	return nil
}

// signASPA makes one ASPA and checks it as a relying party would.
func (s *Service) signASPA(ctx context.Context, a authority, p ca.ASPA) (ca.IssuedASPA, []byte, error) {
	now := s.Now().UTC().Truncate(time.Second)
	content, err := aspa.ASPA(p).Encode()
	if err != nil {
		return ca.IssuedASPA{}, nil, fmt.Errorf("%s: %w", p, err)
	}
	obj, err := s.signObject(ctx, a, cms.Template{ContentType: aspa.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: now.Add(-backdate), NotAfter: now.Add(s.Config.Policy.ASPAValid),
		SIA: cert.SIA{SignedObject: a.rec.SIA.Repository + p.FileName()}, Resources: resources.OneAS(p.Customer),
	})
	if err != nil {
		return ca.IssuedASPA{}, nil, fmt.Errorf("%s: %w", p, err)
	}
	if err := profile.CheckASPA(obj.der, a.cert, now); err != nil {
		return ca.IssuedASPA{}, nil, fmt.Errorf("%s: what was signed is not valid: %w", p, err)
	}
	return ca.IssuedASPA{ASPA: p, Hash: ca.HashOf(obj.der), Serial: obj.serial.String(), NotBefore: obj.from, NotAfter: obj.until}, obj.der, nil
}

// signRouterCert certifies a router's key (RFC 8209 section 3) and checks the
// certificate as a relying party would.
func (s *Service) signRouterCert(a authority, r ca.ConfiguredRouterKey) (ca.IssuedRouterCert, []byte, error) {
	now := s.Now().UTC().Truncate(time.Second)
	req, err := cert.DecodeRouterRequest(r.CSR)
	if err != nil {
		return ca.IssuedRouterCert{}, nil, fmt.Errorf("%s: %w", r.Router, err)
	}
	serial, err := cert.NewSerial()
	if err != nil {
		return ca.IssuedRouterCert{}, nil, err
	}
	t := cert.Template{
		Serial: serial, NotBefore: now.Add(-backdate), NotAfter: now.Add(s.Config.Policy.RouterValid), PublicKey: req.PublicKey, Router: true,
		CRLDP: a.crlURI(), AIA: a.rec.URI, Resources: resources.OneAS(r.Router.ASID),
	}
	der, err := cert.Sign(t, a.issuer())
	if err != nil {
		return ca.IssuedRouterCert{}, nil, fmt.Errorf("%s: %w", r.Router, err)
	}
	if err := profile.CheckRouterCertificate(der, a.cert, now); err != nil {
		return ca.IssuedRouterCert{}, nil, fmt.Errorf("%s: what was signed is not valid: %w", r.Router, err)
	}
	return ca.IssuedRouterCert{Router: r.Router, Hash: ca.HashOf(der), Serial: serial.String(), NotBefore: t.NotBefore, NotAfter: t.NotAfter}, der, nil
}
