package service

import (
	"context"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// Link is a parent that a test plays. What is nil is done by the parent in this
// server.
type Link struct {
	List   func(offered []ca.Entitlement) []ca.Entitlement
	Issue  func(class string) error // nil: ask the parent
	Forge  func(der []byte) []byte  // what becomes of the certificate on its way
	Revoke func(class string, key cert.KeyID) error

	behind parentLink
}

func (l *Link) list(ctx context.Context) ([]ca.Entitlement, error) {
	offered, err := l.behind.list(ctx)
	if err == nil && l.List != nil {
		offered = l.List(offered)
	}
	return offered, err
}

func (l *Link) issue(ctx context.Context, class string, csr []byte) (granted, error) {
	if l.Issue != nil {
		if err := l.Issue(class); err != nil {
			return granted{}, err
		}
	}
	got, err := l.behind.issue(ctx, class, csr)
	if err == nil && l.Forge != nil {
		got.cert = l.Forge(got.cert)
	}
	return got, err
}

func (l *Link) revoke(ctx context.Context, class string, key cert.KeyID) error {
	if l.Revoke != nil {
		if err := l.Revoke(class, key); err != nil {
			return err
		}
	}
	return l.behind.revoke(ctx, class, key)
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
	_, err := localLink{s: s, parent: parent, child: child, actor: es.Actor{Name: "child:" + child}}.issueWithin(ctx, "0", csr, limit)
	return err
}

// ErrScheduled is how a parent says that it will answer later.
var ErrScheduled = errScheduled
