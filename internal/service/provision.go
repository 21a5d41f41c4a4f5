package service

import (
	"context"
	"errors"
	"fmt"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/exchange"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
	"baleen/internal/ta"
)

// childSide is what a parent in this server offers a child. Classes have the
// names that the child knows.
type childSide interface {
	list(ctx context.Context) ([]ca.Entitlement, error)
	issueWithin(ctx context.Context, class string, csr []byte, limit resources.Limit) (granted, error)
	revokeKey(ctx context.Context, class string, key cert.KeyID) error
}

// provider is a parent in this server as an asking child finds it.
type provider struct {
	identity ca.Identity
	child    string // "" if no child can be meant
	idCert   []byte // of the child
}

// Provision answers a message of a child (RFC 6492). An error means that there
// is no signed answer: the parent is not there (ca-unknown), or the message does
// not prove that it comes, now and for the first time, from a child. Whoever is
// proved to be a child gets a signed answer, whatever it says.
func (s *Service) Provision(ctx context.Context, handle string, q Query) (answer []byte, err error) {
	e := exchange.Entry{
		Began: s.Now(), Protocol: exchange.UpDown, Role: exchange.Server, Party: handle, Address: q.Address, UserAgent: q.UserAgent, In: q.Body,
	}
	m, err := readMessage(q.Body)
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	message, malformed := updown.Decode(m.Content, updown.Limits{})
	p, err := s.provider(ctx, handle, m, message.Sender)
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	e.Peer = p.child
	if p.child == "" {
		e.Peer = message.Sender
		return nil, s.turnedAway(e, unproved(fault.Denied, "ca-child-unknown", fmt.Errorf("CA '%s' does not have a child named '%s' with the key that signed", handle, message.Sender)))
	}
	id, err := s.verifyMessage(m, p.idCert, staleAfter)
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	if err := s.accept(ctx, m, exchange.Signed{Protocol: exchange.UpDown, Party: handle, Peer: p.child, Key: id.KeyID}); err != nil {
		return nil, s.turnedAway(e, err)
	}
	e.PeerKey = id.KeyID
	if err := s.hear(ctx, handle, p.child, q.UserAgent); err != nil {
		return nil, err
	}

	var payload updown.Payload
	refusal := malformed
	if malformed == nil {
		e.Request = message.Payload.Type()
		payload, refusal = s.perform(ctx, handle, p, id.KeyID, message)
	}
	if refusal != nil {
		payload = s.notPerformed(handle, p.child, message, refusal)
	}
	e.Out, err = s.reply(ctx, p, handle, payload)
	if refusal == nil {
		refusal = err
	}
	if note := s.heard(ctx, handle, castore.ChildExchange{Child: p.child, UserAgent: q.UserAgent, Key: &id.KeyID, Err: refusal}); err == nil {
		err = note
	}
	s.Exchanges.Note(ctx, withStatus(noted(e, exchange.Refused, refusal), payload))
	return e.Out, err
}

// hear is called before a proved child is answered: if it is suspended, that
// ends. The trust anchor suspends nobody.
func (s *Service) hear(ctx context.Context, handle, child, userAgent string) error {
	if handle == taHandle {
		return nil
	}
	return s.touchChild(ctx, handle, child, userAgent)
}

// heard notes how the exchange with a child went. A request that is scheduled
// went well.
func (s *Service) heard(ctx context.Context, handle string, x castore.ChildExchange) error {
	if handle == taHandle {
		return nil
	}
	if errors.Is(x.Err, errScheduled) {
		x.Err = nil
	}
	return s.noteChild(ctx, handle, x)
}

// turnedAway logs a message that gets no signed answer. It leaves no row, so
// that strangers cannot fill the table.
func (s *Service) turnedAway(e exchange.Entry, err error) error {
	s.Log.Warn("a message was turned away", "protocol", e.Protocol, "ca", e.Party, "peer", e.Peer, "remote", e.Address, "octets", len(e.In), "code", fault.Code(err), "fault", err)
	return err
}

// provider finds the parent, and the child that a message says it comes from.
// Where the message cannot be read, the child is the one whose key it names.
func (s *Service) provider(ctx context.Context, handle string, m *cms.Message, sender string) (p provider, err error) {
	meet := func(name string, idCert []byte) {
		if name == sender || sender == "" && namesKey(m, idCert) {
			p.child, p.idCert = name, idCert
		}
	}
	if handle == taHandle {
		err = s.viewProxy(ctx, func(st *ta.ProxyState) error {
			p.identity = ca.Identity(st.Identity)
			for name, c := range st.Children {
				if !c.Leaving {
					meet(name, c.IDCert)
				}
			}
			return nil
		})
		return p, err
	}
	err = s.view(ctx, handle, func(st *ca.State, _ int64) error {
		p.identity = st.Identity
		for name, c := range st.Children {
			meet(name, c.IDCert)
		}
		return nil
	})
	return p, err
}

// perform does what a proved child asks for.
func (s *Service) perform(ctx context.Context, handle string, p provider, key cert.KeyID, m updown.Message) (updown.Payload, error) {
	if m.Sender != p.child || m.Recipient != handle {
		return nil, fault.New(fault.Invalid, "rfc6492-parties", fmt.Sprintf("the message is from '%s' to '%s', but it was sent by '%s' to '%s'", m.Sender, m.Recipient, p.child, handle))
	}
	actor := es.Actor{Name: "child:" + p.child, KeyID: key.String()}
	var side childSide = localLink{s: s, parent: handle, child: p.child, actor: actor}
	if handle == taHandle {
		side = taLink{s: s, child: p.child}
	}
	switch ask := m.Payload.(type) {
	case updown.List:
		return s.answerList(ctx, side)
	case updown.Issue:
		return s.answerIssue(ctx, side, ask)
	case updown.Revoke:
		if err := side.revokeKey(ctx, ask.Class, ask.Key); err != nil {
			return nil, err
		}
		return updown.RevokeResponse(ask), nil
	default:
		return nil, fmt.Errorf("%w: a parent is not asked by %q", updown.ErrType, m.Payload.Type())
	}
}

func (s *Service) answerList(ctx context.Context, side childSide) (updown.Payload, error) {
	offered, err := side.list(ctx)
	if err != nil {
		return nil, err
	}
	hashes := []ca.Hash{}
	for _, e := range offered {
		hashes = append(hashes, e.CertHash)
		for _, i := range e.Issued {
			hashes = append(hashes, i.Hash)
		}
	}
	ders, err := s.Rows.DERs(ctx, hashes)
	if err != nil {
		return nil, err
	}
	var out updown.ListResponse
	for _, e := range offered {
		class := classOf(e, ders[e.CertHash])
		for _, i := range e.Issued {
			class.Certs = append(class.Certs, updown.Certificate{URL: []string{i.URI}, Limit: updown.Limit(i.Limit), DER: ders[i.Hash]})
		}
		out.Classes = append(out.Classes, class)
	}
	return out, nil
}

func classOf(e ca.Entitlement, issuer []byte) updown.Class {
	return updown.Class{Name: e.Class, CertURL: []string{e.CertURL}, Resources: e.Resources, NotAfter: e.NotAfter.UTC(), Issuer: issuer}
}

func (s *Service) answerIssue(ctx context.Context, side childSide, ask updown.Issue) (updown.Payload, error) {
	if err := s.checkReachable(ask.CSR); err != nil {
		return nil, err
	}
	got, err := side.issueWithin(ctx, ask.Class, ask.CSR, resources.Limit(ask.Limit))
	if fault.Of(err) == fault.Conflict && fault.Code(err) == "cert-plan-stale" { // the CA changed meanwhile: decide again, once
		got, err = side.issueWithin(ctx, ask.Class, ask.CSR, resources.Limit(ask.Limit))
	}
	if err != nil {
		return nil, err
	}
	offered, err := side.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range offered {
		if e.Class == ask.Class {
			class := classOf(e, got.issuer)
			class.Certs = []updown.Certificate{{URL: []string{got.uri}, Limit: ask.Limit, DER: got.cert}}
			return updown.IssueResponse{Class: class}, nil
		}
	}
	return nil, fault.New(fault.Conflict, "cert-plan-stale", "the resource class changed while the certificate was signed")
}

// checkReachable refuses a request for a publication point that nobody else
// could reach.
func (s *Service) checkReachable(csr []byte) error {
	req, err := readRequest(csr)
	if err == nil && !s.Config.AnyHost {
		if err = req.SIA.CheckGlobal(); err != nil {
			err = invalidRequest(err)
		}
	}
	return err
}

// notPerformed turns the reason why a request was not carried out into the
// answer for the child, and logs what is not the child's doing.
func (s *Service) notPerformed(handle, child string, m updown.Message, err error) updown.ErrorResponse {
	status := statusOf(m.Payload, err)
	log := s.Log.Info
	if status == updown.StatusInternal && fault.Of(err) == fault.Internal {
		log = s.Log.Error
	}
	log("a child's request was not performed", "ca", handle, "child", child, "status", int(status), "code", fault.Code(err), "fault", err)
	out := updown.ErrorResponse{Status: status, Description: status.Description()}
	switch {
	case status == updown.StatusVersion || status == updown.StatusType: // it says what is wrong with the message
		out.Description = err.Error()
	case fault.Of(err) != fault.Internal:
		out.Description = shown(err)
	}
	return out
}

// statusOf is the table of RFC 6492 section 3.6: which code tells a child what
// is wrong.
func statusOf(asked updown.Payload, err error) updown.Status {
	_, revoke := asked.(updown.Revoke)
	switch {
	case asked == nil || errors.Is(err, updown.ErrType):
		return updown.StatusOf(err)
	case errors.Is(err, errScheduled):
		return updown.StatusScheduled
	}
	switch fault.Code(err) {
	case "rc-unknown":
		if revoke {
			return updown.StatusRevokeNoClass
		}
		return updown.StatusNoClass
	case "rc-missing-resources":
		return updown.StatusNoResources
	case "rfc6492-invalid-csr", "rfc6492-protocol": // or it asks for what is beyond its entitlement
		return updown.StatusBadRequest
	case "key-re-use":
		return updown.StatusKeyUsed
	case "key-no-cert":
		return updown.StatusRevokeNoKey
	}
	if fault.Of(err) == fault.Conflict {
		return updown.StatusBusy
	}
	return updown.StatusInternal
}

func (s *Service) reply(ctx context.Context, p provider, handle string, payload updown.Payload) ([]byte, error) {
	content, err := updown.Message{Sender: handle, Recipient: p.child, Payload: payload}.Encode()
	if err != nil {
		return nil, err
	}
	return s.speak(ctx, p.identity, content)
}
