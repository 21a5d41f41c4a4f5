package peer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"baleen/internal/ca"
	"baleen/internal/exchange"
	"baleen/internal/fault"
	"baleen/internal/remote"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
)

// answerLimit is how long the answer of a parent may be, in octets: what it
// offers and everything it has issued to us.
const answerLimit = 8 << 20

// ParentLink reaches a parent outside this server: signed messages over HTTP
// (RFC 6492).
type ParentLink struct {
	Speaker
	CA       string
	Identity ca.Identity
	Parent   ca.Parent
	Keep     func(ctx context.Context, ders ...[]byte) error // stores what the parent shows
}

// List asks what the parent offers.
func (l ParentLink) List(ctx context.Context) ([]ca.Entitlement, error) {
	answer, err := l.ask(ctx, updown.List{})
	if err != nil {
		return nil, err
	}
	response, ok := answer.(updown.ListResponse)
	if !ok {
		return nil, unexpected(answer)
	}
	var out []ca.Entitlement
	var ders [][]byte
	known := map[string]bool{}
	for _, class := range response.Classes {
		if known[class.Name] { // a name tells one class of a parent from another (RFC 6492 section 3.3.2)
			return nil, protocolError(fmt.Errorf("the parent lists class %q twice", class.Name))
		}
		known[class.Name] = true
		e := ca.Entitlement{
			Class: class.Name, Resources: class.Resources, NotAfter: class.NotAfter, CertURL: rsyncOf(class.CertURL), CertHash: ca.HashOf(class.Issuer),
			Issued: []ca.ListedCert{}, // known, also where there are none
		}
		ders = append(ders, class.Issuer)
		for _, c := range class.Certs {
			listed := ca.ListedCert{URI: rsyncOf(c.URL), Hash: ca.HashOf(c.DER), Limit: resources.Limit(c.Limit)}
			if decoded, err := cert.Decode(c.DER); err == nil {
				listed.KeyID = decoded.KeyID
			}
			e.Issued = append(e.Issued, listed)
			ders = append(ders, c.DER)
		}
		out = append(out, e)
	}
	// Statuses and plans name what a parent showed by hash.
	return out, l.Keep(ctx, ders...)
}

// Issue asks for a certificate.
func (l ParentLink) Issue(ctx context.Context, class string, csr []byte) (Granted, error) {
	answer, err := l.ask(ctx, updown.Issue{Class: class, CSR: csr})
	if err != nil {
		return Granted{}, err
	}
	response, ok := answer.(updown.IssueResponse)
	if !ok {
		return Granted{}, unexpected(answer)
	}
	if response.Class.Name != class {
		return Granted{}, protocolError(fmt.Errorf("asked for class %q, the parent answered for class %q", class, response.Class.Name))
	}
	c := response.Class.Certs[0]
	return Granted{Cert: c.DER, URI: rsyncOf(c.URL), Issuer: response.Class.Issuer}, nil
}

// Revoke asks to take a key out of use.
func (l ParentLink) Revoke(ctx context.Context, class string, key cert.KeyID) error {
	answer, err := l.ask(ctx, updown.Revoke{Class: class, Key: key})
	if NothingToRevoke(err) {
		return nil
	}
	if err != nil {
		return err
	}
	response, ok := answer.(updown.RevokeResponse)
	switch {
	case !ok:
		return unexpected(answer)
	case response.Class != class || response.Key != key:
		return protocolError(fmt.Errorf("asked to revoke key %s of class %q, the parent answered for key %s of class %q", key, class, response.Key, response.Class))
	}
	return nil
}

// ask exchanges one message. The exchanges of a CA with one parent go one after
// the other, so that the times of their signatures only grow.
func (l ParentLink) ask(ctx context.Context, request updown.Payload) (updown.Payload, error) {
	unlock, err := l.Voices.turns.LockWithin(ctx, "ask "+l.CA+" "+l.Parent.ServiceURI+" "+l.Parent.ChildHandle)
	if err != nil {
		return nil, busyPeer(l.Parent.ServiceURI, err)
	}
	defer unlock()
	content, err := updown.Message{Sender: l.Parent.ChildHandle, Recipient: l.Parent.ParentHandle, Payload: request}.Encode()
	if err != nil {
		return nil, protocolError(err)
	}
	e := exchange.Entry{
		Began: l.Now(), Protocol: exchange.UpDown, Role: exchange.Client, Party: l.CA, Peer: l.Parent.ParentHandle,
		Address: l.Parent.ServiceURI, Request: request.Type(),
	}
	if e.Out, err = l.speak(ctx, l.Identity, content); err != nil {
		return nil, err
	}
	e.In, err = l.Peers.Post(ctx, remote.Message{URI: l.Parent.ServiceURI, Type: remote.TypeUpDown, Body: e.Out, Limit: answerLimit})
	var answer updown.Payload
	if err == nil {
		answer, e.PeerKey, err = l.open(e.In, e.Began)
	}
	outcome := exchange.Failed
	if refused, ok := answer.(updown.ErrorResponse); ok {
		outcome, err = exchange.Refused, refusalOf(request, refused)
	}
	if errors.Is(err, ErrScheduled) {
		l.Exchanges.Note(ctx, noted(e, outcome, nil))
	} else {
		l.Exchanges.Note(ctx, withStatus(noted(e, outcome, err), answer))
	}
	return answer, err
}

// open verifies an answer: that the parent signed it, after it was asked, for us.
func (l ParentLink) open(raw []byte, asked time.Time) (updown.Payload, cert.KeyID, error) {
	m, err := readMessage(raw)
	if err != nil {
		return nil, cert.KeyID{}, protocolError(err)
	}
	id, err := l.verifyMessage(m, l.Parent.IDCert, l.Now().Sub(asked)+answerAge)
	if err != nil {
		return nil, cert.KeyID{}, protocolError(err)
	}
	message, err := updown.Decode(m.Content, updown.Limits{Document: answerLimit})
	if err != nil {
		return nil, id.KeyID, protocolError(err)
	}
	if message.Sender != l.Parent.ParentHandle || message.Recipient != l.Parent.ChildHandle {
		err := fmt.Errorf("the answer is from '%s' to '%s', not from '%s' to '%s'", message.Sender, message.Recipient, l.Parent.ParentHandle, l.Parent.ChildHandle)
		return nil, id.KeyID, protocolError(err)
	}
	return message.Payload, id.KeyID, nil
}

// refusalOf turns a parent's error_response into what the same refusal of a
// parent in this server would be.
func refusalOf(asked updown.Payload, r updown.ErrorResponse) error {
	_, list := asked.(updown.List)
	switch {
	case !list && r.Status == updown.StatusBusy:
		return ErrProcessing
	case !list && r.Status == updown.StatusScheduled:
		return ErrScheduled
	}
	text := "RFC 6492 Not Performed: " + r.Status.String()
	if r.Description != "" && r.Description != r.Status.Description() {
		text += ": " + r.Description
	}
	f := &fault.Error{
		Kind: fault.Unavailable, Code: "rfc6492-not-performed-response", Msg: text,
		Args: map[string]string{"status": strconv.Itoa(int(r.Status)), "cause": r.Description},
	}
	_, revoke := asked.(updown.Revoke)
	switch r.Status {
	case updown.StatusNoClass, updown.StatusRevokeNoClass:
		f.Kind, f.Code = fault.NotFound, "rc-unknown"
	case updown.StatusRevokeNoKey:
		if revoke {
			f.Kind, f.Code = fault.NotFound, "key-no-cert"
		}
	case updown.StatusNoResources:
		f.Kind, f.Code = fault.Invalid, "rc-missing-resources"
	case updown.StatusBadRequest:
		f.Kind, f.Code = fault.Invalid, "rfc6492-invalid-csr"
	case updown.StatusKeyUsed:
		f.Kind, f.Code = fault.Exists, "key-re-use"
	}
	return f
}

func unexpected(answer updown.Payload) error {
	return protocolError(fmt.Errorf("the parent answered with %q", answer.Type()))
}

// protocolError says that a peer's answer cannot be used. It may do better the
// next time.
func protocolError(err error) error {
	return &fault.Error{Kind: fault.Unavailable, Code: "rfc6492-protocol", Msg: "RFC 6492 Issue: " + err.Error(), Args: map[string]string{"cause": err.Error()}, Err: err}
}

// rsyncOf gives the rsync URI of several, or the first.
func rsyncOf(uris []string) string {
	for _, u := range uris {
		if cert.IsRsyncURI(u) {
			return u
		}
	}
	if len(uris) == 0 {
		return ""
	}
	return uris[0]
}

// Granted is what a parent answers to a certificate request.
type Granted struct {
	Cert   []byte // DER
	URI    string // where the parent publishes it
	Issuer []byte // DER of the certificate that signed
}

// ErrScheduled says that a parent will answer later (RFC 6492 section 3.6, code
// 1104): the request stays open and is sent again.
var ErrScheduled = errors.New("the parent will answer later")

// ErrProcessing is the ErrScheduled of a parent that has the request already, or
// carries out another one first (code 1101).
var ErrProcessing = fmt.Errorf("%w: it is at work", ErrScheduled)

// NothingToRevoke says whether a parent refused to revoke a key because it does
// not know it, or its class (RFC 6492 section 3.6, codes 1301 and 1302).
func NothingToRevoke(err error) bool {
	return fault.Of(err) == fault.NotFound && (fault.Code(err) == "rc-unknown" || fault.Code(err) == "key-no-cert")
}
