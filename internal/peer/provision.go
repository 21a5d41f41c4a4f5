package peer

import (
	"context"
	"errors"
	"fmt"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/exchange"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
)

// ChildSide is what a parent in this server offers a child. Classes have the
// names that the child knows.
type ChildSide interface {
	List(ctx context.Context) ([]ca.Entitlement, error)
	IssueWithin(ctx context.Context, class string, csr []byte, limit resources.Limit) (Granted, error)
	RevokeKey(ctx context.Context, class string, key cert.KeyID) error
}

// Provider is a parent in this server as an asking child finds it.
type Provider struct {
	Identity ca.Identity
	Child    string // "" if no child can be meant
	IDCert   []byte // of the child
}

// Parents are those in this server who can be asked: CAs, and the trust anchor.
type Parents interface {
	// Meet finds a parent, and the child that asks: the one that is the sender by name and identity certificate.
	Meet(ctx context.Context, parent string, sender func(child string, idCert []byte) bool) (Provider, error)

	// Hear is called before a proved child is answered, and gives what it is offered. If it is suspended, that ends.
	Hear(ctx context.Context, parent, child, userAgent string, key cert.KeyID) (ChildSide, error)

	// Heard notes how the exchange with a proved child went.
	Heard(ctx context.Context, parent string, x castore.ChildExchange) error
}

// Server answers the messages of children and publishers. All fields but
// AnyHost must be set.
type Server struct {
	Speaker
	Parents Parents
	Pubs    *pubserver.Server
	Objects Objects

	// AnyHost takes host names that are not public in what children ask for, as tests need.
	AnyHost bool
}

// Objects are the signed objects, by hash; *castore.Store has them.
type Objects interface {
	DERs(ctx context.Context, hashes []ca.Hash) (map[ca.Hash][]byte, error)
}

// Provision answers a message of a child (RFC 6492). An error means that there
// is no signed answer: the parent is not there (ca-unknown), the message does
// not prove that it comes, now and for the first time, from a child, or it is no
// message of that child to this parent. Whoever is proved to be a child gets a
// signed answer to all else, whatever it asks.
func (s Server) Provision(ctx context.Context, handle string, q Query) (answer []byte, err error) {
	e := exchange.Entry{
		Began: s.Now(), Protocol: exchange.UpDown, Role: exchange.Server, Party: handle, Address: q.Address, UserAgent: q.UserAgent, In: q.Body,
	}
	m, err := readMessage(q.Body)
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	message, malformed := updown.Decode(m.Content, updown.Limits{})
	p, err := s.Parents.Meet(ctx, handle, func(child string, idCert []byte) bool {
		return child == message.Sender || message.Sender == "" && namesKey(m, idCert)
	})
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	e.Peer = p.Child
	if p.Child == "" {
		e.Peer = message.Sender
		return nil, s.turnedAway(e, unproved(fault.Denied, "ca-child-unknown", fmt.Errorf("CA '%s' does not have a child named '%s' with the key that signed", handle, message.Sender)))
	}
	id, err := s.verifyMessage(m, p.IDCert, staleAfter)
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	if err := s.accept(ctx, m, exchange.Signed{Protocol: exchange.UpDown, Party: handle, Peer: p.Child, Key: id.KeyID}); err != nil {
		return nil, s.turnedAway(e, err)
	}
	e.PeerKey = id.KeyID
	d := dialogue{Entry: e, provider: p, message: message, refusal: malformed}
	if malformed != nil && !wellFormed(m.Content) {
		d.refusal = unproved(fault.Invalid, codeXML, malformed)
	}
	return s.converse(ctx, d)
}

// turnedAway logs a message that gets no signed answer. It leaves no row, so
// that strangers cannot fill the table.
func (s Server) turnedAway(e exchange.Entry, err error) error {
	s.Log.Warn("a message was turned away", "protocol", e.Protocol, "ca", e.Party, "peer", e.Peer, "remote", e.Address, "octets", len(e.In), "code", fault.Code(err), "fault", err)
	return err
}

// perform does what a proved child asks for.
func (s Server) perform(ctx context.Context, side ChildSide, m updown.Message) (updown.Payload, error) {
	switch ask := m.Payload.(type) {
	case updown.List:
		return s.answerList(ctx, side)
	case updown.Issue:
		return s.answerIssue(ctx, side, ask)
	case updown.Revoke:
		if err := side.RevokeKey(ctx, ask.Class, ask.Key); err != nil {
			return nil, err
		}
		return updown.RevokeResponse(ask), nil
	default:
		return nil, fmt.Errorf("%w: a parent is not asked by %q", updown.ErrType, m.Payload.Type())
	}
}

func (s Server) answerList(ctx context.Context, side ChildSide) (updown.Payload, error) {
	offered, err := side.List(ctx)
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
	ders, err := s.Objects.DERs(ctx, hashes)
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

func (s Server) answerIssue(ctx context.Context, side ChildSide, ask updown.Issue) (updown.Payload, error) {
	if err := s.checkReachable(ask.CSR); err != nil {
		return nil, err
	}
	got, err := side.IssueWithin(ctx, ask.Class, ask.CSR, resources.Limit(ask.Limit))
	if fault.Of(err) == fault.Conflict && fault.Code(err) == "cert-plan-stale" { // the CA changed meanwhile: decide again, once
		got, err = side.IssueWithin(ctx, ask.Class, ask.CSR, resources.Limit(ask.Limit))
	}
	if err != nil {
		return nil, err
	}
	offered, err := side.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range offered {
		if e.Class == ask.Class {
			class := classOf(e, got.Issuer)
			class.Certs = []updown.Certificate{{URL: []string{got.URI}, Limit: ask.Limit, DER: got.Cert}}
			return updown.IssueResponse{Class: class}, nil
		}
	}
	return nil, fault.New(fault.Conflict, "cert-plan-stale", "the resource class changed while the certificate was signed")
}

// checkReachable refuses a request for a publication point that nobody else
// could reach.
func (s Server) checkReachable(csr []byte) error {
	req, err := ReadRequest(csr)
	if err == nil && !s.AnyHost {
		if err = req.SIA.CheckGlobal(); err != nil {
			err = InvalidRequest(err)
		}
	}
	return err
}

// notPerformed turns the reason why a request was not carried out into the
// answer for the child, and logs what is not the child's doing.
func (s Server) notPerformed(handle, child string, m updown.Message, err error) updown.ErrorResponse {
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
		out.Description = fault.Shown(err)
	}
	return out
}

// statusOf is the table of RFC 6492 section 3.6: which code tells a child what
// is wrong.
func statusOf(asked updown.Payload, err error) updown.Status {
	_, revoke := asked.(updown.Revoke)
	switch {
	case errors.Is(err, errBusy) || errors.Is(err, ErrProcessing):
		return updown.StatusBusy
	case asked == nil || errors.Is(err, updown.ErrType):
		return updown.StatusOf(err)
	case errors.Is(err, ErrScheduled):
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

func (s Server) reply(ctx context.Context, p Provider, handle string, payload updown.Payload) ([]byte, error) {
	content, err := updown.Message{Sender: handle, Recipient: p.Child, Payload: payload}.Encode()
	if err != nil {
		return nil, err
	}
	return s.speak(ctx, p.Identity, content)
}

// readRequest reads a child's certificate request; one that breaks a rule of
// RFC 6487 section 6 is refused.
func ReadRequest(csr []byte) (*cert.Request, error) {
	req, err := cert.DecodeRequest(csr)
	if err != nil {
		return nil, InvalidRequest(err)
	}
	return req, nil
}

func InvalidRequest(err error) error {
	return &fault.Error{Kind: fault.Invalid, Code: "rfc6492-invalid-csr", Msg: "Invalid CSR received: " + err.Error(), Args: map[string]string{"cause": err.Error()}}
}
