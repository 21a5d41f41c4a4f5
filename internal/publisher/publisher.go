// Package publisher is the publisher's side of the publication protocol (RFC
// 8181): it brings a repository, in this server or elsewhere, to what its
// publisher wants there, in one message, so that it is never half-updated. What
// is wanted, and when it is sent, is decided by those who use it.
package publisher

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/oob"
)

// Repositories reaches the repository of this server by function call, and
// others in messages. All fields must be set.
type Repositories struct {
	ServiceURI string // base of the service URIs of this server, ends in a slash
	Pubs       *pubserver.Server
	Objects    Objects
	Speaker    peer.Speaker
}

// Objects are what is published, by hash; *castore.Store has them.
type Objects interface {
	DERs(ctx context.Context, hashes []ca.Hash) (map[ca.Hash][]byte, error)
}

// Publisher is who publishes, and where.
type Publisher struct {
	Handle     string
	Identity   ca.Identity // is not needed for the repository of this server
	Repository ca.Repository
}

// link is the protocol as a publisher sees it, whether the repository is another
// process or this one.
type link interface {
	List(ctx context.Context) ([]pubserver.Object, error)
	Publish(ctx context.Context, changes []pubserver.Change) error
}

// Local says whether a service URI is one of this server, and which publisher
// has it.
func (r Repositories) Local(serviceURI string) (publisher string, ok bool) {
	rest, ok := strings.CutPrefix(serviceURI, r.ServiceURI+"rfc8181/")
	return strings.TrimSuffix(rest, "/"), ok
}

// link gives the way to a publisher's repository.
func (r Repositories) link(p Publisher) link {
	if publisher, ok := r.Local(p.Repository.ServiceURI); ok {
		return local{pubs: r.Pubs, publisher: publisher}
	}
	return peer.RepoLink{Speaker: r.Speaker, CA: p.Handle, Identity: p.Identity, Repo: p.Repository}
}

// local reaches the repository of this server by function call.
type local struct {
	pubs      *pubserver.Server
	publisher string
}

func (l local) List(ctx context.Context) ([]pubserver.Object, error) {
	return l.pubs.List(ctx, l.publisher)
}

func (l local) Publish(ctx context.Context, changes []pubserver.Change) error {
	return l.pubs.Publish(ctx, l.publisher, changes)
}

// Join makes a CA a publisher of the repository of this server, if it is none
// yet.
func (r Repositories) Join(ctx context.Context, actor es.Actor, handle string, idCert []byte) (oob.RepositoryResponse, error) {
	answer, err := r.Pubs.AddPublisher(ctx, actor, oob.PublisherRequest{PublisherHandle: handle, IDCert: idCert})
	if fault.Code(err) == "pub-duplicate" {
		return r.Pubs.Response(ctx, handle)
	}
	return answer, err
}

// Check asks whether the repository knows the publisher, and under the base that
// it names as far as it tells.
func (r Repositories) Check(ctx context.Context, p Publisher) error {
	link := r.link(p)
	if here, ok := link.(local); ok {
		known, err := r.Pubs.Response(ctx, here.publisher)
		if err != nil {
			return err
		}
		if known.SIABase != p.Repository.SIABase {
			return fmt.Errorf("the repository lets publisher %s publish below %s, not %s", here.publisher, known.SIABase, p.Repository.SIABase)
		}
	}
	_, err := link.List(ctx)
	return err
}

// Bring makes the repository hold exactly what the publisher wants there, by
// URI.
func (r Repositories) Bring(ctx context.Context, p Publisher, wanted map[string]ca.Hash) error {
	link := r.link(p)
	have, err := link.List(ctx)
	if err != nil {
		return err
	}
	changes, fresh := difference(wanted, have)
	if len(changes) == 0 {
		return nil
	}
	ders, err := r.Objects.DERs(ctx, fresh)
	if err != nil {
		return err
	}
	for i := range changes {
		if h, ok := wanted[changes[i].URI]; ok {
			changes[i].Content = ders[h]
		}
	}
	return link.Publish(ctx, changes)
}

// difference gives the changes that turn what the repository has into what is
// wanted, ordered by URI, and the objects that are needed for them.
func difference(wanted map[string]ca.Hash, have []pubserver.Object) (changes []pubserver.Change, fresh []ca.Hash) {
	seen := make(map[string]bool, len(have))
	for _, o := range have {
		seen[o.URI] = true
		h, ok := wanted[o.URI]
		if ok && h == ca.Hash(o.Hash) {
			continue
		}
		old := o.Hash
		changes = append(changes, pubserver.Change{URI: o.URI, Old: &old})
		if ok {
			fresh = append(fresh, h)
		}
	}
	for uri, h := range wanted {
		if !seen[uri] {
			changes, fresh = append(changes, pubserver.Change{URI: uri}), append(fresh, h)
		}
	}
	slices.SortFunc(changes, func(a, b pubserver.Change) int { return strings.Compare(a.URI, b.URI) })
	return changes, fresh
}
