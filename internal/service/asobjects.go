package service

import (
	"context"
	"fmt"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/sign"
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

// issueASPAs carries out the plans for ASPAs.
func (s *Service) issueASPAs(ctx context.Context, handle string, plans []ca.ASPAPlan) error {
	return kind[ca.ASPA, ca.IssuedASPA, uint32]{
		name: "ASPAs", sign: s.maker().ASPA,
		record: func(p ca.ASPAPlan, issued []ca.IssuedASPA, withdrawn []uint32) es.Command[ca.State] {
			return ca.RecordASPAs{Class: p.Class, Key: p.Key, Issued: issued, Withdrawn: withdrawn}
		},
	}.issue(ctx, s, handle, plans)
}

// issueRouterCerts carries out the plans for router certificates.
func (s *Service) issueRouterCerts(ctx context.Context, handle string, plans []ca.RouterPlan) error {
	return kind[ca.ConfiguredRouterKey, ca.IssuedRouterCert, ca.RouterKey]{
		name: "router certificates", sign: s.maker().RouterCert,
		record: func(p ca.RouterPlan, issued []ca.IssuedRouterCert, withdrawn []ca.RouterKey) es.Command[ca.State] {
			return ca.RecordRouterCerts{Class: p.Class, Key: p.Key, Issued: issued, Withdrawn: withdrawn}
		},
	}.issue(ctx, s, handle, plans)
}

// kind is how objects of one kind are signed and recorded that are planned by
// name: W is what is wanted, I what is issued, N its name.
type kind[W, I any, N comparable] struct {
	name   string // in the log
	sign   func(ctx context.Context, a sign.Authority, w W) (I, []byte, error)
	record func(p ca.Plan[W, N], issued []I, withdrawn []N) es.Command[ca.State]
}

// issue carries out plans as issueROAs does, batch by batch. The first one is
// recorded also if it is empty: what is withdrawn goes with it.
func (k kind[W, I, N]) issue(ctx context.Context, s *Service, handle string, plans []ca.Plan[W, N]) error {
	for _, p := range plans {
		auth, err := s.maker().Authority(ctx, p.Key, p.Issuer)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", k.name, handle, err)
		}
		one := func(ctx context.Context, w W) (I, []byte, error) { return k.sign(ctx, auth, w) }
		withdrawn := p.Withdraw
		for start := 0; start == 0 || start < len(p.Issue); start += issueBatch {
			end := min(start+issueBatch, len(p.Issue))
			issued, ders, err := sign.Each(ctx, s.Cores, p.Issue[start:end], one)
			if err != nil {
				return fmt.Errorf("%s of %s: %w", k.name, handle, err)
			}
			if _, err := s.execute(ctx, handle, k.record(p, issued, withdrawn), s.recording("ca_issue", ders)); err != nil {
				return fmt.Errorf("record %s of %s: %w", k.name, handle, err)
			}
			s.Log.Info(k.name+" issued", "ca", handle, "class", p.Class, "issued", end, "of", len(p.Issue))
			withdrawn = nil
		}
	}
	return nil
}
