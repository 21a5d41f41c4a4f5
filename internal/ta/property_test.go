package ta_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// machine is a proxy and a signer under random commands. Nothing is really
// signed: records stand for certificates.
type machine struct {
	t          *rapid.T
	now        time.Time
	serial     serials
	nonces     int
	proxy      *ta.ProxyState
	signer     *ta.SignerState
	proxyLog   []es.Event
	signerLog  []es.Event
	everSigned map[string]bool // serial numbers
}

// csrs holds every request the children can make, made once.
var csrs = sync.OnceValue(func() (out []ta.ChildRequest) {
	none := resources.ASSet{}
	for _, key := range []*rsa.PrivateKey{eeKey(), childKey(), secondKey()} {
		out = append(out, issueRequest(key, ta.Limit{}), issueRequest(key, ta.Limit{AS: &none}), revokeRequest(key))
	}
	return out
})

func (m *machine) proxyDoes(c es.Command[ta.ProxyState]) error {
	events, err := c.Process(m.proxy, m.now)
	for _, e := range events {
		ta.ProxyType().Apply(m.proxy, es.Meta{At: m.now}, e)
	}
	m.proxyLog = append(m.proxyLog, events...)
	return err
}

func (m *machine) signerDoes(c es.Command[ta.SignerState]) error {
	events, err := c.Process(m.signer, m.now)
	for _, e := range events {
		ta.SignerType().Apply(m.signer, es.Meta{At: m.now}, e)
	}
	m.signerLog = append(m.signerLog, events...)
	return err
}

func (m *machine) fine(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// pretend gives the command that records a plan, with records for certificates.
func (m *machine) pretend(p ta.Plan) ta.ProcessRequest {
	o := objects(p.Number)
	o.ThisUpdate, o.NextUpdate, o.Revoked, o.Issued = p.Now, p.NextUpdate, p.Revoked, maps.Clone(p.Keep)
	for _, c := range p.Issue {
		r := record(c.Child, c.KeyID, c.Resources)
		r.Serial, r.SIA, r.NotAfter, r.SPKI = m.serial.take(1)[0].String(), c.SIA, c.NotAfter, c.SPKI
		r.Hash = ta.HashOf([]byte(r.Serial))
		m.everSigned[r.Serial] = true
		o.Issued[c.KeyID] = r
	}
	return ta.ProcessRequest{Request: p.Request, After: p.After, Response: ta.Response{Nonce: p.Request.Nonce, Objects: o, Children: p.Answers}}
}

// ask is a child's request, answered as the service would.
func (m *machine) ask(child string, r ta.ChildRequest) ta.Answer {
	a, err := m.proxy.Answer(child, r, m.now)
	m.fine(err)
	if a.Then == nil {
		return a
	}
	switch err := m.proxyDoes(a.Then); fault.Code(err) {
	case "key-re-use", "key-no-cert":
		return ta.Answer{}
	default:
		m.fine(err)
	}
	if c := a.Issued; c != nil && (c.Child != child || !some.Contains(c.Resources) || m.signer.Objects.Issued[c.KeyID].Child == "") {
		m.t.Fatalf("child %s is given %+v", child, c)
	}
	return a
}

func (m *machine) request() {
	if m.proxy.OpenRequest == nil {
		m.nonces++
		m.fine(m.proxyDoes(ta.MakeSignerRequest{Nonce: fmt.Sprint("n", m.nonces)}))
	}
}

// process lets the signer answer the open request, once.
func (m *machine) process() {
	if m.proxy.OpenRequest == nil {
		return
	}
	p, err := m.signer.PlanRequest(*m.proxy.OpenRequest, m.now, timing)
	if fault.Code(err) == "ta-request-replayed" {
		return
	}
	m.fine(err)
	m.fine(m.signerDoes(m.pretend(p)))
}

// respond brings the signer's answer to the proxy, if there is one.
func (m *machine) respond() {
	if m.proxy.OpenRequest == nil {
		return
	}
	if r, ok := m.signer.ResponseTo(m.proxy.OpenRequest.Nonce); ok {
		m.fine(m.proxyDoes(ta.ProcessSignerResponse{Response: r}))
	}
}

// forget takes the proxy back to an earlier state, as a restored dump does; the
// operator then brings what the signer knows. That takes a while, so that no
// request is made at a time that the signer has seen already.
func (m *machine) forget(n int) {
	m.now = m.now.Add(time.Second)
	m.proxyLog = m.proxyLog[:max(5, len(m.proxyLog)-n)]
	m.proxy = replay(ta.ProxyType(), m.proxyLog)
	m.fine(m.proxyDoes(ta.UpdateSigner{Signer: m.signer.Info()}))
}

func replay[S any](typ es.Type[S], log []es.Event) *S {
	s := new(S)
	for _, e := range log {
		typ.Apply(s, es.Meta{}, e)
	}
	return s
}

// invariants hold after each step.
func (m *machine) invariants() {
	o := m.signer.Objects
	gone := map[string]bool{}
	for _, r := range o.Revoked {
		if gone[r.Serial] || !m.everSigned[r.Serial] {
			m.t.Fatalf("serial number %s is on the CRL twice or was never issued", r.Serial)
		}
		gone[r.Serial] = true
	}
	for key, c := range o.Issued {
		if gone[c.Serial] || c.KeyID != key || !some.Contains(c.Resources) || c.Resources.IsEmpty() {
			m.t.Fatalf("published: %+v", c)
		}
	}
	if len(m.proxy.Published()) != len(m.proxy.Signer.Objects.Issued)+2 {
		m.t.Fatalf("the published set has %d files", len(m.proxy.Published()))
	}
	for name, child := range m.proxy.Children {
		for key, use := range child.Keys {
			if c, ok := m.proxy.Signer.Objects.Issued[key]; ok && (c.Child == name) == use.Revoked {
				m.t.Fatalf("key %v of child %s is %+v, issued to %s", key, name, use, c.Child)
			}
		}
	}
}

// settled answers everything: two exchanges are enough, and afterwards every
// request that waits has a final answer.
func (m *machine) settled() {
	for range 2 {
		m.request()
		m.process()
		m.respond()
	}
	if m.proxy.WaitsForSigner() || m.proxy.OpenRequest != nil {
		m.t.Fatal("something waits for ever")
	}
	for name, child := range m.proxy.Children {
		if len(child.Requests) > 0 {
			m.t.Fatalf("child %s waits for ever: %v", name, child.Requests)
		}
	}
	if m.signer.NeedsRenewal(m.now, timing) {
		m.t.Fatal("something is old right after an exchange")
	}
}

func sameJSON(a, b any) bool { return bytes.Equal(must(json.Marshal(a)), must(json.Marshal(b))) }

// TestRandomStories lets children, time, failures and restores interleave.
func TestRandomStories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{
			t: t, now: start, everSigned: map[string]bool{},
			proxyLog: ready(), proxy: replay(ta.ProxyType(), ready()),
			signerLog: []es.Event{begun()}, signer: replay(ta.SignerType(), []es.Event{begun()}),
		}
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				m.ask(rapid.SampledFrom([]string{"online", "other"}).Draw(t, "child"), rapid.SampledFrom(csrs()).Draw(t, "request"))
			},
			"request": func(*rapid.T) { m.request() },
			"process": func(*rapid.T) { m.process() },
			"respond": func(*rapid.T) { m.respond() },
			"wait":    func(t *rapid.T) { m.now = m.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "weeks")) * week) },
			"forget":  func(t *rapid.T) { m.forget(rapid.IntRange(1, 5).Draw(t, "events")) },
			"":        func(*rapid.T) { m.invariants() },
		})
		m.settled()
		m.invariants()
		if !sameJSON(replay(ta.ProxyType(), m.proxyLog), m.proxy) {
			t.Fatal("proxy: replayed and live state differ")
		}
	})
}

// A child asks until it has what it wants, whatever happened before.
func TestAskingEndsWithACertificate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{
			t: t, now: start, everSigned: map[string]bool{}, proxy: replay(ta.ProxyType(), ready()), signer: replay(ta.SignerType(), []es.Event{begun()}),
		}
		for range rapid.IntRange(0, 6).Draw(t, "steps") {
			m.ask("online", rapid.SampledFrom(csrs()[:2]).Draw(t, "request"))
			if rapid.Bool().Draw(t, "exchange") {
				m.request()
				m.process()
				m.respond()
			}
		}
		want := csrs()[0]
		m.ask("online", want)
		m.settled()
		a := m.ask("online", want)
		if a.Issued == nil {
			m.settled()
			a = m.ask("online", want)
		}
		if a.Issued == nil || !a.Issued.Resources.Equal(some) || a.Issued.KeyID == (cert.KeyID{}) {
			t.Fatalf("got %+v", a)
		}
	})
}
