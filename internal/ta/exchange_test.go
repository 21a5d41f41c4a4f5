package ta_test

import (
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// world is a proxy and a signer with all that was ever signed.
type world struct {
	t      *testing.T
	now    time.Time
	serial serials
	nonce  int
	proxy  *ta.ProxyState
	signer *ta.SignerState
	anchor ta.TrustAnchor
	der    map[ta.Hash][]byte
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: start, proxy: new(ta.ProxyState), signer: new(ta.SignerState), der: map[ta.Hash][]byte{}}
	w.anchor = must(ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
		Repository: repo, HTTPS: []string{"https://example.net/ta/ta.cer"}, Rsync: "rsync://example.net/ta/ta.cer",
		Serial: w.serial.take(1)[0], Now: w.now.Add(time.Millisecond), Timing: timing,
	}, taKey()))
	if err := w.anchor.Check(w.now); err != nil {
		t.Fatal(err)
	}
	w.keep(w.anchor.DER)
	s := w.sign(must(ta.PlanInit(w.anchor.Record, 1, w.now, timing)))
	w.inSigner(ta.InitSigner{Identity: signID, ProxyID: proxyID, TA: w.anchor.Record, TAL: w.anchor.TAL, Objects: s.Objects})
	w.inProxy(ta.InitProxy{Identity: proxyID})
	w.inProxy(ta.AddRepository{Repository: repo})
	w.inProxy(ta.AddSigner{Signer: w.signer.Info()})
	return w
}

func (w *world) keep(der []byte) { w.der[ta.HashOf(der)] = der }

func run[S any](w *world, typ es.Type[S], s *S, c es.Command[S]) {
	w.t.Helper()
	events, err := c.Process(s, w.now)
	if err != nil {
		w.t.Fatalf("%s: %v", c.CommandName(), err)
	}
	for _, e := range events {
		typ.Apply(s, es.Meta{Handle: ta.Handle, At: w.now}, e)
	}
}

func (w *world) inProxy(c es.Command[ta.ProxyState]) {
	w.t.Helper()
	run(w, ta.ProxyType(), w.proxy, c)
}

func (w *world) inSigner(c es.Command[ta.SignerState]) {
	w.t.Helper()
	run(w, ta.SignerType(), w.signer, c)
}

func (w *world) taCert() *cert.Certificate { return must(cert.Decode(w.anchor.DER)) }

func (w *world) keys(n int) ta.Keys {
	return ta.Keys{TA: w.taCert(), Signer: taKey(), Manifest: eeKey(), Serials: w.serial.take(n)}
}

func (w *world) sign(p ta.Plan) ta.Signed {
	w.t.Helper()
	s, err := p.Sign(w.keys(p.Serials()))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.Check(w.taCert(), w.now); err != nil {
		w.t.Fatal(err)
	}
	for _, der := range s.DER() {
		w.keep(der)
	}
	return s
}

// exchange does one round between proxy and signer.
func (w *world) exchange() {
	w.t.Helper()
	w.nonce++
	w.inProxy(ta.MakeSignerRequest{Nonce: fmt.Sprint("n", w.nonce)})
	s := w.sign(must(w.signer.PlanRequest(*w.proxy.OpenRequest, w.now, timing)))
	w.inSigner(s.Command())
	again, ok := w.signer.ResponseTo(s.Response().Nonce)
	if hash := must(s.Response().Hash()); !ok || must(again.Hash()) != hash {
		w.t.Error("the last response cannot be given again")
	}
	w.inProxy(ta.ProcessSignerResponse{Response: again})
}

// ask sends a child's request and does what the answer calls for.
func (w *world) ask(r ta.ChildRequest) ta.Answer {
	w.t.Helper()
	a, err := w.proxy.Answer("online", r, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	if a.Then != nil {
		w.inProxy(a.Then)
	}
	return a
}

// check looks at the publication point as a relying party does, and wants it
// to hold exactly these children's keys. It gives the CRL.
func (w *world) check(number int64, want ...*rsa.PrivateKey) *crl.CRL {
	w.t.Helper()
	anchor := w.taCert()
	files := map[string][]byte{}
	for _, p := range w.proxy.Published() {
		files[p.Name] = w.der[p.Hash]
	}
	name := anchor.KeyID.String()
	if err := profile.CheckManifest(files[name+".mft"], anchor, w.now); err != nil {
		w.t.Fatalf("manifest: %v", err)
	}
	if err := profile.CheckCRL(files[name+".crl"], anchor, w.now); err != nil {
		w.t.Fatalf("CRL: %v", err)
	}
	list := must(crl.Decode(files[name+".crl"]))
	m := must(manifest.Decode(must(cms.Decode(files[name+".mft"])).Content))
	if m.Number.Cmp(big.NewInt(number)) != 0 || list.Number.Cmp(m.Number) != 0 {
		w.t.Errorf("manifest number %v, CRL number %v, want %d", m.Number, list.Number, number)
	}
	for _, f := range m.Files {
		if ta.HashOf(files[f.Name]) != ta.Hash(f.Hash) {
			w.t.Errorf("manifest: %s is missing or has another hash", f.Name)
		}
	}
	if len(m.Files) != len(files)-1 || len(m.Files) != len(want)+1 {
		w.t.Errorf("%d files, %d listed, want %d certificates", len(files), len(m.Files), len(want))
	}
	for _, key := range want {
		der := files[idOf(key).String()+".cer"]
		if err := profile.CheckCACertificate(der, anchor, w.now); err != nil {
			w.t.Fatalf("certificate: %v", err)
		}
		c := must(cert.Decode(der))
		if c.AIA != "rsync://example.net/ta/ta.cer" || c.CRLDP != repo.SIABase+name+".crl" || c.SIA != childSIA(key) || list.Revoked(c.Serial) {
			w.t.Errorf("certificate says %s, %s, %v; revoked: %v", c.AIA, c.CRLDP, c.SIA, list.Revoked(c.Serial))
		}
		if !c.NotBefore.Before(w.now) || c.NotAfter.Sub(w.now) <= 26*week {
			w.t.Errorf("certificate is valid from %v to %v", c.NotBefore, c.NotAfter)
		}
	}
	return list
}

// certified is a world in which the child online just got its certificate.
func certified(t *testing.T) (*world, ta.ChildRequest, ta.IssuedCert) {
	t.Helper()
	w := newWorld(t)
	w.check(1)
	w.inProxy(ta.AddChild{Child: "online", IDCert: idCert, Resources: some})
	issue := issueRequest(childKey(), ta.Limit{})
	if a := w.ask(issue); a.Code != ta.CodeScheduled {
		t.Errorf("first request: got %+v", a)
	}
	if a := w.ask(issue); a.Code != ta.CodeAlreadyProcessing {
		t.Errorf("second request: got %+v", a)
	}
	w.exchange()
	w.check(2, childKey())
	first := w.ask(issue).Issued
	if first == nil || !first.Resources.Equal(some) || !first.NotAfter.Equal(start.Add(52*week)) {
		t.Fatalf("got %+v", first)
	}
	return w, issue, *first
}

// TestRenewal lets time pass: manifests and certificates are renewed in time,
// and the child gets the new certificate as soon as it asks.
func TestRenewal(t *testing.T) {
	w, issue, first := certified(t)
	if e := must(w.proxy.Entitlements("online", w.now, timing))[0]; e.Issued[0].Hash != first.Hash || !e.NotAfter.Equal(first.NotAfter) {
		t.Errorf("entitlement: got %+v", e)
	}

	w.now = start.Add(6 * week) // half of the manifest's time is over
	if !w.signer.NeedsRenewal(w.now, timing) {
		t.Error("the manifest gets old")
	}
	w.exchange()
	if list := w.check(3, childKey()); len(list.Entries) != 0 {
		t.Errorf("a certificate was replaced without need: %v", list.Entries)
	}

	w.now = start.Add(26 * week) // half of the certificate's time is over
	w.exchange()
	if list := w.check(4, childKey()); !list.Revoked(bigInt(first.Serial)) {
		t.Error("the replaced certificate is not revoked")
	}
	if w.signer.NeedsRenewal(w.now, timing) {
		t.Error("nothing is old after a renewal")
	}
	renewed := w.ask(issue).Issued
	if renewed == nil || renewed.Serial == first.Serial || !renewed.NotAfter.Equal(w.now.Add(52*week)) {
		t.Fatalf("renewed: got %+v", renewed)
	}

	w.now = start.Add(53 * week) // the first certificate expired, and the second is old
	w.exchange()
	if list := w.check(5, childKey()); list.Revoked(bigInt(first.Serial)) || !list.Revoked(bigInt(renewed.Serial)) {
		t.Errorf("the CRL keeps what expired, or lost what did not: %v", list.Entries)
	}
}

// TestRollAndRevoke plays a child's key roll, with fewer resources for the old
// key meanwhile.
func TestRollAndRevoke(t *testing.T) {
	w, issue, first := certified(t)
	none := resources.ASSet{}
	less := issueRequest(childKey(), ta.Limit{AS: &none})
	w.ask(less)
	w.ask(issueRequest(secondKey(), ta.Limit{}))
	w.exchange()
	if list := w.check(3, childKey(), secondKey()); !list.Revoked(bigInt(first.Serial)) {
		t.Error("the replaced certificate is not revoked")
	}
	if got := w.ask(less).Issued; got == nil || !got.Resources.AS.IsEmpty() {
		t.Errorf("limited: got %+v", got)
	}

	if a := w.ask(revokeRequest(childKey())); a.Code != ta.CodeScheduled {
		t.Errorf("revoke: got %+v", a)
	}
	w.exchange()
	if list := w.check(4, secondKey()); len(list.Entries) != 2 {
		t.Errorf("revoked: got %v", list.Entries)
	}
	if a := w.ask(revokeRequest(childKey())); !a.Revoked {
		t.Errorf("revoke: got %+v", a)
	}
	if _, err := (ta.AddChildRequest{Child: "online", Request: issue}).Process(w.proxy, w.now); err == nil {
		t.Error("a revoked key is taken again")
	}
	if e := must(w.proxy.Entitlements("online", w.now, timing))[0]; len(e.Issued) != 1 {
		t.Errorf("entitlement: got %+v", e)
	}
}

func bigInt(text string) *big.Int {
	n, _ := new(big.Int).SetString(text, 10)
	return n
}

func TestTrustAnchorCertificate(t *testing.T) {
	w := newWorld(t)
	c := w.taCert()
	want := cert.SIA{Repository: repo.SIABase, Manifest: repo.SIABase + c.KeyID.String() + ".mft", Notify: repo.NotificationURI}
	if c.SIA != want || !c.Resources.Set.Equal(resources.AllResources()) || c.CRLDP != "" || c.AIA != "" || c.HasAKI {
		t.Errorf("got %+v", c)
	}
	if !c.NotBefore.Equal(start.Add(-5*time.Minute)) || !c.NotAfter.Equal(start.AddDate(100, 0, 0)) {
		t.Errorf("valid from %v to %v", c.NotBefore, c.NotAfter)
	}
	if text := string(w.anchor.TAL.Encode()); !strings.HasPrefix(text, "https://example.net/ta/ta.cer\nrsync://example.net/ta/ta.cer\n\nMII") {
		t.Errorf("TAL: got %s", text)
	}
	wrong := w.anchor
	wrong.Record.Serial = "99"
	if wrong.Check(start) == nil || w.anchor.Check(start.AddDate(101, 0, 0)) == nil {
		t.Error("a wrong record or an expired certificate is accepted")
	}
}

func TestInitialNumberForAnImportedKey(t *testing.T) {
	w := newWorld(t)
	if s := w.sign(must(ta.PlanInit(w.anchor.Record, 42, w.now, timing))); s.Objects.Number != 42 {
		t.Errorf("got %d", s.Objects.Number)
	}
}

func TestSignWantsTheRightKeys(t *testing.T) {
	w := newWorld(t)
	p := must(w.signer.PlanRequest(asked("n1", start, byChild("online", issueRequest(childKey(), ta.Limit{}))), start, timing))
	for name, change := range map[string]func(k *ta.Keys){
		"other key":         func(k *ta.Keys) { k.Signer = eeKey() },
		"other certificate": func(k *ta.Keys) { k.TA = must(cert.Decode(must(cert.SelfSign(selfTemplate(), taKey())))) },
		"too few serials":   func(k *ta.Keys) { k.Serials = k.Serials[1:] },
		"too many serials":  func(k *ta.Keys) { k.Serials = append(k.Serials, big.NewInt(99)) },
	} {
		k := w.keys(p.Serials())
		change(&k)
		if _, err := p.Sign(k); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	p.Revoked = []ta.Revocation{{Serial: "x"}}
	if _, err := p.Sign(w.keys(p.Serials())); err == nil {
		t.Error("a serial number that is none goes on the CRL")
	}
}

func selfTemplate() cert.Template {
	return cert.Template{
		Serial: big.NewInt(77), NotBefore: start, NotAfter: start.Add(week), PublicKey: taKey().Public(), CA: true,
		Resources: resources.AllResources(), SIA: cert.SIA{Repository: repo.SIABase, Manifest: repo.SIABase + "x.mft"},
	}
}

// What does not fit together must not get past Check.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.inProxy(ta.AddChild{Child: "online", IDCert: idCert, Resources: some})
	w.ask(issueRequest(childKey(), ta.Limit{}))
	w.exchange()
	plan := must(w.signer.PlanRequest(asked("n2", start, byChild("online", issueRequest(childKey(), ta.Limit{}))), start, timing))
	keys := w.keys(plan.Serials())
	good := must(plan.Sign(keys))
	higher := must(must(plan.WithNumber(9)).Sign(keys))
	id := idOf(childKey())
	reissue := func(change func(c *ta.IssuedCert)) func(s *ta.Signed) {
		return func(s *ta.Signed) {
			c := s.Objects.Issued[id]
			change(&c)
			s.Objects.Issued = map[cert.KeyID]ta.IssuedCert{id: c}
		}
	}
	if err := good.Check(w.taCert(), start); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(s *ta.Signed){
		"no certificate":       func(s *ta.Signed) { s.Certs = nil },
		"broken certificate":   func(s *ta.Signed) { s.Certs = [][]byte{flip(s.Certs[0])} },
		"other record":         reissue(func(c *ta.IssuedCert) { c.Serial = "99" }),
		"other resources":      reissue(func(c *ta.IssuedCert) { c.Resources = resources.AllResources() }),
		"other validity":       reissue(func(c *ta.IssuedCert) { c.NotAfter = c.NotAfter.Add(time.Second) }),
		"broken CRL":           func(s *ta.Signed) { s.CRL = flip(s.CRL) },
		"CRL of another":       func(s *ta.Signed) { s.CRL = higher.CRL },
		"revocation is lost":   func(s *ta.Signed) { s.Objects.Revoked = []ta.Revocation{{Serial: "99"}} },
		"broken manifest":      func(s *ta.Signed) { s.Manifest = flip(s.Manifest) },
		"manifest of another":  func(s *ta.Signed) { s.Manifest = higher.Manifest },
		"file not listed":      func(s *ta.Signed) { s.Objects.CRL.Hash = ta.Hash{} },
		"published and gone":   reissue(func(c *ta.IssuedCert) { c.Serial = s1(good) }),
		"valid at other times": func(s *ta.Signed) { s.Objects.NextUpdate = s.Objects.NextUpdate.Add(time.Second) },
	} {
		s := good
		s.Certs = slices.Clone(good.Certs)
		change(&s)
		if s.Check(w.taCert(), start) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if good.Check(w.taCert(), start.Add(13*week)) == nil {
		t.Error("a stale manifest is accepted")
	}
}

// A plan that contradicts itself is signed, but never passes.
func TestCheckFindsWhatIsRevoked(t *testing.T) {
	w, issue, first := certified(t)
	w.now = w.now.Add(time.Minute)
	p := must(w.signer.PlanRequest(asked("x", w.now, byChild("online", issue)), w.now, timing))
	kept := p
	kept.Issue, kept.Keep = nil, map[cert.KeyID]ta.IssuedCert{first.KeyID: first}
	if err := must(kept.Sign(w.keys(kept.Serials()))).Check(w.taCert(), w.now); err == nil || !strings.Contains(err.Error(), "revokes the published") {
		t.Errorf("published certificate on the CRL: got %v", err)
	}
	k := w.keys(p.Serials())
	p.Revoked = append(p.Revoked, ta.Revocation{Serial: k.Serials[1].String(), RevokedAt: w.now})
	if err := must(p.Sign(k)).Check(w.taCert(), w.now); err == nil || !strings.Contains(err.Error(), "its certificate is revoked") {
		t.Errorf("manifest's certificate on the CRL: got %v", err)
	}
}

// s1 gives the serial number that a plan revokes.
func s1(s ta.Signed) string { return s.Objects.Revoked[0].Serial }

func flip(der []byte) []byte {
	out := slices.Clone(der)
	out[len(out)-1] ^= 1
	return out
}
