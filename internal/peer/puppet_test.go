package peer_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/remote"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/publication"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
	"baleen/internal/service"
)

const (
	parentURI = "https://parent.example.net/rfc6492/p"
	repoURI   = "https://repo.example.net/rfc8181/ca1/"
	repoBase  = "rsync://repo.example.net/repo/ca1/"
)

// puppets are a parent and a repository that say what the test wants. They stand
// in the place of the network.
type puppets struct {
	w         *world
	self      *party
	authority *cert.Certificate // the parent's resource certificate
	offer     resources.Set

	mu      sync.Mutex
	objects map[string][]byte // in the repository
	asked   []string          // types of the questions

	// What is set is used once for each question of its kind; nil: as an honest peer would.
	updown      func(asked updown.Payload, honest updown.Payload) updown.Payload
	publication func(asked publication.Query, honest func() publication.Reply) publication.Reply
	answer      func(content []byte) ([]byte, error) // instead of signing
	rewrite     func(content []byte) []byte          // before signing
}

func newPuppets(t *testing.T, w *world) *puppets {
	t.Helper()
	p := &puppets{w: w, self: newParty(t, "puppets", w.Now()), offer: set("AS65000", "10.0.0.0/16", ""), objects: map[string][]byte{}}
	raw, err := cert.SelfSign(cert.Template{
		Serial: serial(t), NotBefore: w.Now().Add(-time.Hour), NotAfter: w.Now().AddDate(10, 0, 0), CA: true,
		SIA: placeAt("rsync://parent.example.net/repo/p/"), Resources: set("AS65000-AS65010", "10.0.0.0/8", ""),
	}, testKey(t, "puppet authority"))
	must(t, err)
	p.authority, err = cert.Decode(raw)
	must(t, err)
	w.Peers = p
	return p
}

// Post takes a message to whom it is for.
func (p *puppets) Post(_ context.Context, m remote.Message) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	question, err := cms.DecodeMessage(m.Body)
	if err != nil {
		return nil, err
	}
	var content []byte
	switch m.URI {
	case parentURI:
		content, err = p.asParent(question.Content)
	case repoURI:
		content, err = p.asRepository(question.Content)
	default:
		err = errors.New("nobody lives at " + m.URI)
	}
	if err != nil {
		return nil, err
	}
	if p.rewrite != nil {
		content = p.rewrite(content)
	}
	if p.answer != nil {
		return p.answer(content)
	}
	return p.self.write(content, p.w.Now()).sign(p.w.T), nil
}

func (p *puppets) asParent(xml []byte) ([]byte, error) {
	m, err := updown.Decode(xml, updown.Limits{})
	if err != nil {
		return nil, err
	}
	p.asked = append(p.asked, m.Payload.Type())
	honest := p.honest(m.Payload)
	if p.updown != nil {
		honest = p.updown(m.Payload, honest)
	}
	return updown.Message{Sender: m.Recipient, Recipient: m.Sender, Payload: honest}.Encode()
}

func (p *puppets) honest(asked updown.Payload) updown.Payload {
	class := updown.Class{
		Name: "a", CertURL: []string{"rsync://parent.example.net/repo/p.cer"}, Resources: p.offer,
		NotAfter: p.w.Now().AddDate(1, 0, 0).UTC().Truncate(time.Second), Issuer: p.authority.Raw,
	}
	switch ask := asked.(type) {
	case updown.Issue:
		req, err := cert.DecodeRequest(ask.CSR)
		sure(err)
		class.Certs = []updown.Certificate{p.certificate(p.template(req))}
		return updown.IssueResponse{Class: class}
	case updown.Revoke:
		return updown.RevokeResponse(ask)
	default:
		return updown.ListResponse{Classes: []updown.Class{class}}
	}
}

// template is what an honest parent would certify.
func (p *puppets) template(req *cert.Request) cert.Template {
	return cert.Template{
		Serial: serial(p.w.T), NotBefore: p.w.Now().Add(-time.Minute), NotAfter: p.w.Now().AddDate(1, 0, 0), PublicKey: req.PublicKey, CA: true,
		CRLDP: "rsync://parent.example.net/repo/p/p.crl", AIA: "rsync://parent.example.net/repo/p.cer", SIA: req.SIA, Resources: p.offer,
	}
}

func (p *puppets) certificate(c cert.Template) updown.Certificate {
	der, err := cert.Sign(c, cert.Issuer{RawSubject: p.authority.RawSubject, KeyID: p.authority.KeyID, Signer: testKey(p.w.T, "puppet authority")})
	sure(err)
	return updown.Certificate{URL: []string{"rsync://parent.example.net/repo/p/new.cer"}, DER: der}
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := cert.NewSerial()
	sure(err)
	return n
}

func (p *puppets) asRepository(xml []byte) ([]byte, error) {
	q, err := publication.DecodeQuery(xml, publication.Limits{})
	if err != nil {
		return nil, err
	}
	p.asked = append(p.asked, map[bool]string{true: "list", false: "publish"}[q.List])
	reply := func() publication.Reply { return p.store(q) }
	if p.publication != nil {
		return p.publication(q, reply).Encode()
	}
	return reply().Encode()
}

// store does what an honest repository would.
func (p *puppets) store(q publication.Query) publication.Reply {
	if q.List {
		var out publication.Reply
		for _, uri := range slices.Sorted(maps.Keys(p.objects)) {
			out.List = append(out.List, publication.Object{URI: uri, Hash: sha256.Sum256(p.objects[uri])})
		}
		return out
	}
	after := maps.Clone(p.objects)
	for i, c := range q.Changes {
		old, there := after[c.URI]
		code := publication.Code("")
		switch {
		case there && c.Hash == nil:
			code = publication.CodeObjectAlreadyPresent
		case !there && c.Hash != nil:
			code = publication.CodeNoObjectPresent
		case there && *c.Hash != sha256.Sum256(old):
			code = publication.CodeNoObjectMatchingHash
		}
		if code != "" {
			return publication.Reply{Errors: []publication.ReportError{{Code: code, Tag: c.Tag, Failed: &q.Changes[i]}}}
		}
		if after[c.URI] = c.Content; c.Withdraw {
			delete(after, c.URI)
		}
	}
	p.objects = after
	return publication.Reply{Success: true}
}

// names gives the types of what the repository has, by number.
func (p *puppets) names() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for uri := range p.objects {
		out = append(out, uri[strings.LastIndexByte(uri, '.'):])
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// set changes how the puppets behave.
func (p *puppets) set(change func(p *puppets)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.updown, p.publication, p.answer, p.rewrite, p.asked = nil, nil, nil, nil, nil
	change(p)
}

// heard gives the types of the questions since the behaviour was set.
func (p *puppets) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// honestly makes them honest again.
func (p *puppets) honestly() { p.set(func(*puppets) {}) }

// underPuppet makes CA ca1, whose parent is the puppet; it publishes here.
func underPuppet(t *testing.T) (*world, *puppets) {
	t.Helper()
	w := newWorld(t)
	w.Start()
	p := newPuppets(t, w)
	must(t, w.CreateCA(t.Context(), operator, "ca1"))
	id := w.State("ca1").Identity.Cert
	repo, err := w.Pubs.AddPublisher(t.Context(), operator, oob.PublisherRequest{PublisherHandle: "ca1", IDCert: id})
	must(t, err)
	must(t, w.ConfigureRepository(t.Context(), operator, "ca1", repo, service.AnyVersion))
	must(t, w.SetParent(t.Context(), operator, "ca1", "up", oob.ParentResponse{ParentHandle: "p", ChildHandle: "me", ServiceURI: parentURI, IDCert: p.self.id.Raw}, service.AnyVersion))
	w.Settle()
	must(t, w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 65000)}}))
	w.Settle()
	w.NoFaults()
	return w, p
}

// intoPuppet makes CA ca1 under testbed, which publishes at the puppet.
func intoPuppet(t *testing.T) (*world, *puppets) {
	t.Helper()
	w := newWorld(t)
	w.Start()
	p := newPuppets(t, w)
	must(t, w.CreateCA(t.Context(), operator, "ca1"))
	must(t, w.ConfigureRepository(t.Context(), operator, "ca1", oob.RepositoryResponse{
		PublisherHandle: "ca1", ServiceURI: repoURI, SIABase: repoBase, NotificationURI: "https://repo.example.net/notification.xml", IDCert: p.self.id.Raw,
	}, service.AnyVersion))
	up, err := w.AddChild(t.Context(), operator, "testbed", ca.AddChild{Child: "ca1", IDCert: w.State("ca1").Identity.Cert, Resources: set("AS65000", "10.0.0.0/16", "")}, service.AnyVersion)
	must(t, err)
	must(t, w.SetParent(t.Context(), operator, "ca1", "testbed", up, service.AnyVersion))
	w.Settle()
	must(t, w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 65000)}}))
	w.Settle()
	w.NoFaults()
	return w, p
}
