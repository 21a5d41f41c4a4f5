package service

import (
	"context"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/peer"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// Link is a parent that a test plays. What is nil is done by the parent in this
// server.
type Link struct {
	Lists   func(offered []ca.Entitlement) []ca.Entitlement
	Issues  func(class string) error // nil: ask the parent
	Forge   func(der []byte) []byte  // what becomes of the certificate on its way
	Revokes func(class string, key cert.KeyID) error

	behind parentLink
}

func (l *Link) List(ctx context.Context) ([]ca.Entitlement, error) {
	offered, err := l.behind.List(ctx)
	if err == nil && l.Lists != nil {
		offered = l.Lists(offered)
	}
	return offered, err
}

func (l *Link) Issue(ctx context.Context, class string, csr []byte) (peer.Granted, error) {
	if l.Issues != nil {
		if err := l.Issues(class); err != nil {
			return peer.Granted{}, err
		}
	}
	got, err := l.behind.Issue(ctx, class, csr)
	if err == nil && l.Forge != nil {
		got.Cert = l.Forge(got.Cert)
	}
	return got, err
}

func (l *Link) Revoke(ctx context.Context, class string, key cert.KeyID) error {
	if l.Revokes != nil {
		if err := l.Revokes(class, key); err != nil {
			return err
		}
	}
	return l.behind.Revoke(ctx, class, key)
}

// Talk lets a CA ask a parent through a link; later says that the parent will
// answer some of it later.
func (s *Service) Talk(ctx context.Context, handle, parent string, l *Link) (later bool, err error) {
	var contact ca.Parent
	if err = s.view(ctx, handle, func(st *ca.State, _ int64) error { contact = st.Parents[parent]; return nil }); err != nil {
		return false, err
	}
	if l.behind, err = s.link(ctx, handle, contact); err != nil {
		return false, err
	}
	x := &parentSync{s: s, a: SyncParent{CA: handle, Parent: parent}, link: l}
	err = x.talk(ctx)
	return x.waiting, err
}

// IssueWithin lets a child ask for a certificate with a limit, in class 0.
func (s *Service) IssueWithin(ctx context.Context, parent, child string, csr []byte, limit resources.Limit) error {
	_, err := localLink{s: s, parent: parent, child: child, actor: es.Actor{Name: "child:" + child}}.IssueWithin(ctx, "0", csr, limit)
	return err
}
