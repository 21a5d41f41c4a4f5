package peer

import (
	"context"
	"errors"
	"fmt"

	"baleen/internal/ca"
	"baleen/internal/exchange"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/publication"
	"baleen/internal/rpki/strictxml"
)

// maxFailed is how large an object may be, in octets, that is sent back because
// it was refused. Who sent a larger one knows it by its tag.
const maxFailed = 1 << 20

// publishRequest is the type of a query that changes something, in rows and logs.
const publishRequest = "publish"

// Publication answers a message of a publisher (RFC 8181). An error means that
// there is no signed answer: the message does not prove that it comes, now and
// for the first time, from a publisher of this repository. Whoever is proved to
// be one gets a signed answer, whatever it says.
func (s Server) Publication(ctx context.Context, publisher string, q Query) (answer []byte, err error) {
	e := exchange.Entry{
		Began: s.Now(), Protocol: exchange.Publication, Role: exchange.Server, Party: pubserver.Repository, Peer: publisher,
		Address: q.Address, UserAgent: q.UserAgent, In: q.Body,
	}
	m, err := readMessage(q.Body)
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	p, err := s.Pubs.Publisher(ctx, publisher)
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	key, own, err := s.Pubs.Identity(ctx)
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	id, err := s.verifyMessage(m, p.IDCert, staleAfter)
	if err != nil {
		return nil, s.turnedAway(e, err)
	}
	if err := s.accept(ctx, m, exchange.Signed{Protocol: exchange.Publication, Party: pubserver.Repository, Peer: publisher, Key: id.KeyID}); err != nil {
		return nil, s.turnedAway(e, err)
	}
	e.PeerKey = id.KeyID

	var reply publication.Reply
	var changes []publication.Change
	query, refusal := publication.DecodeQuery(m.Content, publication.Limits{Document: len(m.Content)})
	if !s.Exchanges.Keeps(exchange.Publication) { // what it says was taken out: a large message need not be there twice
		e.In, e.Size, q.Body, m = nil, len(q.Body), nil, nil
	}
	if refusal != nil {
		refusal = &fault.Error{Kind: fault.Invalid, Code: string(publication.CodeXMLError), Msg: refusal.Error(), Err: refusal}
	} else {
		e.Request, changes = publishRequest, query.Changes
		if query.List {
			e.Request = "list"
		}
		reply, refusal = s.publish(ctx, publisher, query)
	}
	if refusal != nil {
		reply = s.publishRefused(publisher, changes, refusal)
	}
	content, err := reply.Encode()
	if err != nil {
		return nil, err
	}
	e.Out, err = s.speak(ctx, ca.Identity{KeyID: key, Cert: own}, content)
	s.Exchanges.Note(ctx, noted(e, exchange.Refused, errors.Join(refusal, err)))
	return e.Out, err
}

// publish does what a proved publisher asks for.
func (s Server) publish(ctx context.Context, publisher string, q publication.Query) (publication.Reply, error) {
	if q.List {
		objects, err := s.Pubs.List(ctx, publisher)
		if err != nil {
			return publication.Reply{}, err
		}
		reply := publication.Reply{List: make([]publication.Object, len(objects))}
		for i, o := range objects {
			reply.List[i] = publication.Object{URI: o.URI, Hash: o.Hash}
		}
		return reply, nil
	}
	changes := make([]pubserver.Change, len(q.Changes))
	for i, c := range q.Changes {
		changes[i] = pubserver.Change{URI: c.URI, Old: c.Hash, Content: c.Content}
	}
	return publication.Reply{Success: true}, s.Pubs.Publish(ctx, publisher, changes)
}

// publishRefused turns the reason why a query was not carried out into the
// answer for the publisher (RFC 8181 section 2.5), with the change at fault and
// its tag.
func (s Server) publishRefused(publisher string, changes []publication.Change, err error) publication.Reply {
	log := s.Log.Info
	if fault.Of(err) == fault.Internal {
		log = s.Log.Error
	}
	log("a publisher's query was refused", "publisher", publisher, "code", fault.Code(err), "fault", err)
	report := publication.ReportError{Code: publication.CodeOtherError, Text: "the server cannot do this now"}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal {
		return publication.Reply{Errors: []publication.ReportError{report}}
	}
	report.Text = f.Error()
	if c := publication.Code(f.Code); c.Known() {
		report.Code = c
	}
	if errors.Is(err, strictxml.ErrLimit) {
		report.Code = publication.CodeOtherError
	}
	for i, c := range changes {
		if uri := f.Args["uri"]; uri != "" && (c.URI == uri || pubserver.Canonical(c.URI) == uri) {
			report.Tag = c.Tag
			if failed := changes[i]; len(failed.Content) <= maxFailed {
				report.Failed = &failed
			}
			break
		}
	}
	return publication.Reply{Errors: []publication.ReportError{report}}
}

// repositoryRefused says what a repository answered instead of success.
func repositoryRefused(reports []publication.ReportError) error {
	first := reports[0]
	text := string(first.Code)
	if first.Failed != nil {
		text += " for " + first.Failed.URI
	}
	if first.Text != "" {
		text += ": " + first.Text
	}
	if more := len(reports) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return &fault.Error{
		Kind: fault.Unavailable, Code: "rfc8181-delta", Msg: "The repository refused the changes: " + text,
		Args: map[string]string{"code": string(first.Code), "cause": text},
	}
}
