// Package peer speaks with CAs and repositories outside this server: the
// provisioning protocol (RFC 6492) and the publication protocol (RFC 8181) from
// either side, in signed messages. It knows how a message is signed, sent,
// opened, verified and taken once, and which refusal has which code; what is
// asked for is decided by those who use it.
package peer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"baleen/internal/exchange"
	"baleen/internal/fault"
	"baleen/internal/remote"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/updown"
)

// skew is how far the clock of a peer may be from ours.
const skew = 5 * time.Minute

// staleAfter is how old the signature of a question may be, whatever its
// certificate says.
const staleAfter = time.Hour

// answerAge is how old the signature of an answer to us may be when it comes,
// apart from the time that the exchange took: an answer is made when it is asked
// for, and an older one is another's.
const answerAge = skew

// Speaker says what this server has to say to peers, and opens what they say.
// All fields must be set.
type Speaker struct {
	Keys      Signers
	OneOff    KeySource
	Peers     Poster
	Exchanges *exchange.Log
	Voices    *Voices
	Log       *slog.Logger
	Now       func() time.Time
}

// Signers sign with the keys of identities; *signer.Keys does.
type Signers interface {
	Signer(ctx context.Context, id cert.KeyID) (crypto.Signer, error)
}

// KeySource gives keys that are used for some hours; *signer.Pool does.
type KeySource interface {
	Take(ctx context.Context) (*rsa.PrivateKey, error)
}

// Poster carries a signed message to a peer and gives its answer; *remote.Client
// is one.
type Poster interface {
	Post(ctx context.Context, m remote.Message) ([]byte, error)
}

// Query is a message that a peer sent, as the web layer took it in.
type Query struct {
	Body      []byte
	Address   string // where it came from
	UserAgent string
}

// unproved refuses a message of which nobody knows who wrote it; no signed
// answer is owed for it.
func unproved(kind fault.Kind, code string, err error) error {
	return &fault.Error{Kind: kind, Code: code, Msg: err.Error(), Err: err}
}

// readMessage reads the CMS around a message. What it says is hearsay until
// verifyMessage has accepted it.
func readMessage(raw []byte) (*cms.Message, error) {
	m, err := cms.DecodeMessage(raw)
	if err != nil {
		return nil, unproved(fault.Invalid, messageCode(err), err)
	}
	return m, nil
}

// verifyMessage tells whether a message comes from the holder of an identity
// certificate, and now: it was signed no longer ago than maxAge.
func (s Speaker) verifyMessage(m *cms.Message, idCert []byte, maxAge time.Duration) (*cert.Identity, error) {
	now := s.Now()
	id, err := cert.DecodeIdentity(idCert, now)
	if err != nil {
		return nil, unproved(fault.Denied, "peer-identity-invalid", err)
	}
	if err := m.Verify(id, now, skew); err != nil {
		return nil, unproved(fault.Denied, messageCode(err), err)
	}
	if age := now.Sub(m.SigningTime); age > maxAge {
		return nil, fault.New(fault.Denied, "message-stale", fmt.Sprintf("the message was signed at %s, which is %s ago", m.SigningTime.Format(time.RFC3339), age.Truncate(time.Second)))
	}
	return id, nil
}

func messageCode(err error) string {
	var known *cms.MessageError
	if errors.As(err, &known) {
		return known.Code
	}
	return "general-error"
}

// accept takes a verified message once.
func (s Speaker) accept(ctx context.Context, m *cms.Message, of exchange.Signed) error {
	of.At, of.Digest = m.SigningTime, m.SignatureDigest()
	return s.Exchanges.Accept(ctx, of)
}

// namesKey says whether a message says that it was signed for this identity
// certificate. It is a quick look, and proves nothing.
func namesKey(m *cms.Message, idCert []byte) bool {
	key := m.EE.AuthorityKey.KeyID
	return len(key) > 0 && bytes.Contains(idCert, key)
}

// noted gives an entry's outcome for an error of the exchange.
func noted(e exchange.Entry, outcome exchange.Outcome, err error) exchange.Entry {
	e.Outcome = exchange.OK
	if err != nil {
		e.Outcome, e.Code, e.Msg = outcome, fault.Code(err), err.Error()
		if e.Code == "" {
			e.Code = "general-error"
		}
	}
	return e
}

// withStatus notes the code of RFC 6492 section 3.6 that an answer has.
func withStatus(e exchange.Entry, answer updown.Payload) exchange.Entry {
	if r, ok := answer.(updown.ErrorResponse); ok && e.Outcome != exchange.OK {
		e.Code = strconv.Itoa(int(r.Status))
	}
	return e
}

// busyPeer says that there was no time left to ask a peer: another exchange of
// the same CA with it took too long.
func busyPeer(uri string, err error) error {
	return &fault.Error{Kind: fault.Unavailable, Code: remote.CodeHTTP, Msg: "HTTP client error: " + uri + ": another exchange with it is under way", Args: map[string]string{"uri": uri}, Err: err}
}
