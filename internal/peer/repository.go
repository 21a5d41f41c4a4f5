package peer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"baleen/internal/ca"
	"baleen/internal/exchange"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/remote"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/publication"
)

const (
	// queryLimit is how many octets of objects one query carries. In base64, and with room for the rest, it stays below
	// the 32 MiB that repositories commonly take.
	queryLimit = 16 << 20

	// listLimit is how long a repository's answer may be, in octets.
	listLimit = 64 << 20
)

// RepoLink reaches a repository outside this server: signed messages over HTTP.
type RepoLink struct {
	Speaker
	CA       string
	Identity ca.Identity
	Repo     ca.Repository
}

// List asks what we have there.
func (l RepoLink) List(ctx context.Context) ([]pubserver.Object, error) {
	reply, err := l.ask(ctx, publication.Query{List: true})
	if err != nil {
		return nil, err
	}
	if reply.Success {
		return nil, protocol8181(errors.New("the repository was asked for a list and answered with success"))
	}
	out := make([]pubserver.Object, len(reply.List))
	for i, o := range reply.List {
		out[i] = pubserver.Object{URI: o.URI, Hash: o.Hash}
	}
	return out, nil
}

// Publish sends changes in one query, all or nothing, if they fit into one. If
// not, new objects that nothing names yet go ahead, and what is no longer named
// goes last.
func (l RepoLink) Publish(ctx context.Context, changes []pubserver.Change) error {
	for _, part := range split(changes, queryLimit) {
		q := publication.Query{Changes: make([]publication.Change, len(part))}
		for i, c := range part {
			q.Changes[i] = publication.Change{Tag: c.URI, URI: c.URI, Hash: c.Old, Content: c.Content, Withdraw: c.Content == nil}
			if len(c.URI) > maxTag {
				q.Changes[i].Tag = c.URI[len(c.URI)-maxTag:]
			}
		}
		reply, err := l.ask(ctx, q)
		if err == nil && !reply.Success {
			err = protocol8181(errors.New("the repository answered neither success nor an error"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxTag is how long a tag may be (RFC 8181 section 2.6).
const maxTag = 1024

// split cuts changes into queries of at most so many octets of objects. What
// must change together stays together, also where it is more: manifests, CRLs,
// and whatever replaces an object of the same name.
func split(changes []pubserver.Change, limit int) [][]pubserver.Change {
	total := 0
	for _, c := range changes {
		total += len(c.Content)
	}
	if total <= limit {
		return [][]pubserver.Change{changes}
	}
	var parts [][]pubserver.Change
	var part, together, last []pubserver.Change
	size := 0
	for _, c := range changes {
		switch ext := path.Ext(c.URI); {
		case c.Content == nil:
			last = append(last, c)
		case c.Old != nil || ext == ".mft" || ext == ".crl":
			together = append(together, c)
		default:
			if size += len(c.Content); size > limit && len(part) > 0 {
				parts, part, size = append(parts, part), nil, len(c.Content)
			}
			part = append(part, c)
		}
	}
	for _, p := range [][]pubserver.Change{part, together, last} {
		if len(p) > 0 {
			parts = append(parts, p)
		}
	}
	return parts
}

// ask exchanges one message. Those of a CA with its repository go one after the
// other.
func (l RepoLink) ask(ctx context.Context, q publication.Query) (publication.Reply, error) {
	unlock, err := l.Voices.turns.LockWithin(ctx, "ask "+l.CA+" "+l.Repo.ServiceURI)
	if err != nil {
		return publication.Reply{}, busyPeer(l.Repo.ServiceURI, err)
	}
	defer unlock()
	content, err := q.Encode()
	if err != nil {
		return publication.Reply{}, protocol8181(err)
	}
	e := exchange.Entry{
		Began: l.Now(), Protocol: exchange.Publication, Role: exchange.Client, Party: l.CA, Peer: publisherName(l.Repo.ServiceURI),
		Address: l.Repo.ServiceURI, Request: publishRequest,
	}
	if q.List {
		e.Request = "list"
	}
	if e.Out, err = l.speak(ctx, l.Identity, content); err != nil {
		return publication.Reply{}, err
	}
	e.In, err = l.Peers.Post(ctx, remote.Message{URI: l.Repo.ServiceURI, Type: remote.TypePublication, Body: e.Out, Limit: listLimit})
	var reply publication.Reply
	if err == nil {
		reply, e.PeerKey, err = l.open(e.In, e.Began)
	}
	outcome := exchange.Failed
	if err == nil && len(reply.Errors) > 0 {
		outcome, err = exchange.Refused, repositoryRefused(reply.Errors)
	}
	l.Exchanges.Note(ctx, noted(e, outcome, err))
	return reply, err
}

// open verifies an answer: that the repository signed it, after it was asked.
func (l RepoLink) open(raw []byte, asked time.Time) (publication.Reply, cert.KeyID, error) {
	m, err := readMessage(raw)
	if err != nil {
		return publication.Reply{}, cert.KeyID{}, protocol8181(err)
	}
	id, err := l.verifyMessage(m, l.Repo.ServerIDCert, l.Now().Sub(asked)+answerAge)
	if err != nil {
		return publication.Reply{}, cert.KeyID{}, protocol8181(err)
	}
	reply, err := publication.DecodeReply(m.Content, publication.Limits{Document: listLimit})
	if err != nil {
		return publication.Reply{}, id.KeyID, protocol8181(err)
	}
	return reply, id.KeyID, nil
}

// publisherName is what a repository calls us, as far as its URI tells.
func publisherName(serviceURI string) string {
	trimmed := strings.TrimSuffix(serviceURI, "/")
	return trimmed[strings.LastIndex(trimmed, "/")+1:]
}

// protocol8181 says that a repository's answer cannot be used. It may do better
// the next time.
func protocol8181(err error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: "rfc8181-protocol-message", Msg: fmt.Sprintf("RFC 8181 Issue: %v", err), Args: map[string]string{"cause": err.Error()}, Err: err,
	}
}
