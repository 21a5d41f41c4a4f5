package peer

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"baleen/internal/castore"
	"baleen/internal/exchange"
	"baleen/internal/fault"
	"baleen/internal/rpki/updown"
)

// What a child signed although it is no message of its to this parent: no XML,
// or one with other names. No signed answer is owed for it (RFC 6492 section
// 3.2, checks 2 and 3), and one would be from whom the child does not know.
const (
	codeXML     = "rfc6492-xml"
	codeParties = "rfc6492-parties"
)

// errBusy refuses a request of a child while another one is carried out.
var errBusy = fault.New(fault.Conflict, "rfc6492-busy", "another request of this child is carried out: send one after the other")

// dialogue is a question of a proved child, and what becomes of it.
type dialogue struct {
	exchange.Entry
	provider Provider
	message  updown.Message // without payload if it is none of RFC 6492
	answer   updown.Payload
	refusal  error
}

// converse answers a proved child, one request at a time: one that comes while
// another of this child is carried out is refused (RFC 6492 section 3).
func (s Server) converse(ctx context.Context, d dialogue) ([]byte, error) {
	child := d.provider.Child
	if d.refusal == nil {
		d.Request = d.message.Payload.Type()
		d.refusal = checkParties(d.message, child, d.Party)
	}
	unlock, free := s.Voices.turns.TryLock("answer " + d.Party + " " + child)
	if !free {
		if !isNoMessage(d.refusal) {
			d.refusal = errBusy
		}
		return s.conclude(ctx, &d)
	}
	defer unlock()
	side, err := s.Parents.Hear(ctx, d.Party, child, d.UserAgent, d.PeerKey)
	if err != nil {
		return nil, err
	}
	if d.refusal == nil {
		d.answer, d.refusal = s.perform(ctx, side, d.message)
	}
	out, err := s.conclude(ctx, &d)
	x := castore.ChildExchange{Child: child, UserAgent: d.UserAgent, Key: &d.PeerKey, Err: d.refusal}
	if errors.Is(d.refusal, ErrScheduled) { // it went well
		x.Err = nil
	}
	if note := s.Parents.Heard(ctx, d.Party, x); err == nil {
		err = note
	}
	return out, err
}

// conclude signs the answer, or the refusal, and notes the exchange.
func (s Server) conclude(ctx context.Context, d *dialogue) (out []byte, err error) {
	if isNoMessage(d.refusal) {
		s.Exchanges.Note(ctx, noted(d.Entry, exchange.Refused, d.refusal))
		return nil, s.turnedAway(d.Entry, d.refusal)
	}
	if d.refusal != nil {
		d.answer = s.notPerformed(d.Party, d.provider.Child, d.message, d.refusal)
	}
	d.Out, err = s.reply(ctx, d.provider, d.Party, d.answer)
	if d.refusal == nil {
		d.refusal = err
	}
	s.Exchanges.Note(ctx, withStatus(noted(d.Entry, exchange.Refused, d.refusal), d.answer))
	return d.Out, err
}

func isNoMessage(err error) bool { return fault.Code(err) == codeXML || fault.Code(err) == codeParties }

// checkParties refuses a message of others or for others than those between whom
// it was sent.
func checkParties(m updown.Message, child, parent string) error {
	if m.Sender == child && m.Recipient == parent {
		return nil
	}
	return fault.New(fault.Invalid, codeParties, fmt.Sprintf("the message is from '%s' to '%s', but it was sent by '%s' to '%s'", m.Sender, m.Recipient, child, parent))
}

// wellFormed says whether a document is XML at all.
func wellFormed(document []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(document))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	elements := 0
	for {
		token, err := d.Token()
		if err != nil {
			return errors.Is(err, io.EOF) && elements > 0
		}
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
}
