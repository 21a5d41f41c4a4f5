package peer_test

import (
	"bytes"
	"crypto/rsa"
	"fmt"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
	"baleen/internal/service"
	"baleen/internal/testworld"
)

// nursery is a world whose CA testbed has two children outside: kid, whose keys
// the test has, and its sister.
type nursery struct {
	*world
	kid, sister *party
	log         *testworld.Journal
}

func newNursery(t *testing.T) nursery {
	t.Helper()
	w := newWorld(t)
	w.Start()
	n := nursery{world: w, kid: newParty(t, "kid", w.Now()), sister: newParty(t, "sister", w.Now())}
	for name, p := range map[string]*party{"kid": n.kid, "sister": n.sister} {
		_, err := w.AddChild(t.Context(), operator, "testbed", ca.AddChild{Child: name, IDCert: p.id.Raw, Resources: set("AS65000", "10.0.0.0/16", "")}, service.AnyVersion)
		must(t, err)
	}
	w.Settle()
	n.log = w.Listen()
	return n
}

// words gives the XML of a message of kid to testbed.
func words(t *testing.T, p updown.Payload) []byte {
	t.Helper()
	xml, err := updown.Message{Sender: "kid", Recipient: "testbed", Payload: p}.Encode()
	must(t, err)
	return xml
}

func (n nursery) letter(p updown.Payload) letter { return n.kid.write(words(n.T, p), n.Now()) }

func (n nursery) send(raw []byte) ([]byte, error) {
	return n.Provision(n.T.Context(), "testbed", peer.Query{Body: raw, Address: "192.0.2.7", UserAgent: "kid/1"})
}

// ask sends a message of kid and gives what the parent said.
func (n nursery) ask(xml []byte) updown.Payload {
	n.T.Helper()
	raw, err := n.send(n.kid.write(xml, n.Now()).sign(n.T))
	if err != nil {
		n.T.Fatalf("a proved child got no signed answer: %v", err)
	}
	m, err := updown.Decode(n.said(raw, n.State("testbed").Identity.Cert), updown.Limits{})
	if err != nil || m.Sender != "testbed" || m.Recipient != "kid" {
		n.T.Fatalf("got %+v, %v", m, err)
	}
	return m.Payload
}

// csr gives a request of this key for a place in the repository.
func csr(t *testing.T, key *rsa.PrivateKey, sia cert.SIA) []byte {
	t.Helper()
	der, err := cert.SignRequest(sia, key)
	must(t, err)
	return der
}

func placeAt(base string) cert.SIA {
	return cert.SIA{Repository: base, Manifest: base + "x.mft", Notify: "https://rpki.example.net/notification.xml"}
}

// Who is not proved to be a child, now and for the first time, gets no signed
// answer and changes nothing; a line in the log says who it was and why.
func TestProvisionTurnsAway(t *testing.T) { // D3
	n := newNursery(t)
	first := n.letter(updown.List{}).sign(t)
	if _, err := n.send(first); err != nil {
		t.Fatal(err)
	}
	stranger := newParty(t, "stranger", n.Now())
	manifest := n.anObject(".mft")
	now := n.Now()
	for name, c := range map[string]struct {
		raw  []byte
		code string
		peer string
	}{
		"nothing":                    {nil, "cms-undecodable", ""},
		"no CMS":                     {[]byte("<message/>"), "cms-undecodable", ""},
		"another kind of CMS":        {manifest, "cms-wrong-content-type", ""},
		"wrong key":                  {stranger.write(words(t, updown.List{}), now).sign(t), "cms-signer-unknown", "kid"},
		"the sister's key":           {n.sister.write(words(t, updown.List{}), now).sign(t), "cms-signer-unknown", "kid"},
		"unknown peer":               {n.kid.write(bytes.Replace(words(t, updown.List{}), []byte(`"kid"`), []byte(`"bob"`), 1), now).sign(t), "ca-child-unknown", "bob"},
		"unreadable, of a stranger":  {stranger.write([]byte("<message"), now).sign(t), "ca-child-unknown", ""},
		"the same again":             {first, "message-replayed", "kid"},
		"an older one":               {n.kid.write(words(t, updown.List{}), now.Add(-time.Minute)).sign(t), "message-replayed", "kid"},
		"expired EE certificate":     {n.kid.write(words(t, updown.List{}), now.Add(-20*time.Minute)).sign(t), "cms-certificate-expired", "kid"},
		"EE certificate of tomorrow": {n.kid.write(words(t, updown.List{}), now.Add(20*time.Minute)).sign(t), "cms-certificate-not-yet-valid", "kid"},
		"signed in the future": {
			letter{content: words(t, updown.List{}), by: n.kid, signedAt: now.Add(6 * time.Minute), from: now.Add(-time.Hour), to: now.Add(time.Hour)}.sign(t),
			"cms-signing-time-in-future", "kid",
		},
		"signed long ago": {
			letter{content: words(t, updown.List{}), by: n.kid, signedAt: now.Add(-61 * time.Minute), from: now.Add(-2 * time.Hour), to: now.Add(time.Hour)}.sign(t),
			"message-stale", "kid",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := n.mark()
			n.log.Take()
			answer, err := n.send(c.raw)
			if answer != nil || fault.Code(err) != c.code {
				t.Fatalf("answered with %d octets, %v, want %s", len(answer), err, c.code)
			}
			n.log.WantLine(t, map[string]string{"level": "WARN", "ca": "testbed", "peer": c.peer, "remote": "192.0.2.7", "code": c.code, "fault": err.Error()})
			if after := n.mark(); after != before {
				t.Errorf("it changed %s to %s", before, after)
			}
		})
	}
	n.log.Take()
	if _, err := n.Provision(t.Context(), "nobody", peer.Query{Body: first}); fault.Code(err) != "ca-unknown" {
		t.Errorf("a CA that is not there: %v", err)
	}
	for range 3 { // several that differ, in one second
		if got := n.ask(words(t, updown.List{})); got.Type() != updown.TypeListResponse {
			t.Errorf("got %+v", got)
		}
	}
}

// anObject gives a published object of this type.
func (w *world) anObject(ext string) []byte {
	w.T.Helper()
	all, err := w.Repository()
	must(w.T, err)
	for uri, der := range all {
		if strings.HasSuffix(uri, ext) {
			return der
		}
	}
	w.T.Fatalf("there is no %s", ext)
	return nil
}

// A message that breaks off anywhere, or with a bit changed anywhere, is turned
// away, and nothing breaks.
func TestProvisionBrokenMessages(t *testing.T) {
	n := newNursery(t)
	raw := n.letter(updown.List{}).sign(t)
	if _, err := n.send(raw); err != nil {
		t.Fatal(err)
	}
	before := n.mark()
	for i := range raw {
		if answer, err := n.send(raw[:i]); answer != nil || err == nil {
			t.Fatalf("cut off at %d: %d octets, %v", i, len(answer), err)
		}
		broken := bytes.Clone(raw)
		broken[i] ^= 1 << (i % 8)
		if answer, err := n.send(broken); answer != nil || err == nil {
			t.Fatalf("a bit of octet %d changed: %d octets, %v", i, len(answer), err)
		}
	}
	if after := n.mark(); after != before {
		t.Errorf("it changed %s to %s", before, after)
	}
}

// Whoever is proved to be a child gets a signed answer with the code of RFC 6492
// section 3.6, whatever it says (D2), and nothing is changed by what is refused.
func TestProvisionRefuses(t *testing.T) {
	n := newNursery(t)
	key, other := testKey(t, "kid's resource key"), testKey(t, "another resource key")
	good := placeAt("rsync://repo.example.net/kid/0/")
	if got := n.ask(words(t, updown.Issue{Class: "0", CSR: csr(t, key, good)})); got.Type() != updown.TypeIssueResponse {
		t.Fatalf("got %+v", got)
	}
	id, err := cert.KeyIDOf(key.Public())
	must(t, err)
	if got := n.ask(words(t, updown.Revoke{Class: "0", Key: id})); got.Type() != updown.TypeRevokeResponse {
		t.Fatalf("got %+v", got)
	}
	n.Settle()
	fresh := csr(t, other, good)
	issue := func(class string, csr []byte) []byte { return words(t, updown.Issue{Class: class, CSR: csr}) }
	tooMuch := set("AS65000-AS65001", "", "").AS
	list := words(t, updown.List{})
	n.Config.AnyHost = false

	for name, c := range map[string]struct {
		xml    []byte
		status updown.Status
	}{
		"version":                    {bytes.Replace(list, []byte(`version="1"`), []byte(`version="2"`), 1), updown.StatusVersion},
		"no version":                 {bytes.Replace(list, []byte(`version="1"`), nil, 1), updown.StatusVersion},
		"unknown type":               {bytes.Replace(list, []byte(`type="list"`), []byte(`type="lost"`), 1), updown.StatusType},
		"an answer":                  {words(t, updown.ListResponse{}), updown.StatusType},
		"an error":                   {words(t, updown.ErrorResponse{Status: updown.StatusInternal}), updown.StatusType},
		"a document type":            {append([]byte("<!DOCTYPE message [<!ENTITY a \"b\">]>"), list...), updown.StatusType},
		"many attributes":            {bytes.Replace(list, []byte(" type"), []byte(attributes(10_000)+" type"), 1), updown.StatusType},
		"unknown class":              {issue("1", fresh), updown.StatusNoClass},
		"no request":                 {issue("0", []byte("0000")), updown.StatusBadRequest},
		"a request, and more":        {issue("0", append(bytes.Clone(fresh), 0)), updown.StatusBadRequest},
		"a request, not signed":      {issue("0", append(bytes.Clone(fresh[:len(fresh)-1]), fresh[len(fresh)-1]^1)), updown.StatusBadRequest},
		"a host that is not public":  {issue("0", csr(t, other, placeAt("rsync://localhost/repo/kid/0/"))), updown.StatusBadRequest},
		"an address that is private": {issue("0", csr(t, other, placeAt("rsync://10.0.0.1/repo/kid/0/"))), updown.StatusBadRequest},
		"a key that was revoked":     {issue("0", csr(t, key, good)), updown.StatusKeyUsed}, // D4
		"more than it may have":      {words(t, updown.Issue{Class: "0", CSR: fresh, Limit: updown.Limit{AS: &tooMuch}}), updown.StatusBadRequest},
		"nothing at all":             {words(t, updown.Issue{Class: "0", CSR: fresh, Limit: nothing()}), updown.StatusNoResources}, // D27
		"revoke: unknown class":      {words(t, updown.Revoke{Class: "1", Key: id}), updown.StatusRevokeNoClass},
		"revoke: no such key":        {words(t, updown.Revoke{Class: "0", Key: cert.KeyID{1}}), updown.StatusRevokeNoKey},
		"revoke: twice":              {words(t, updown.Revoke{Class: "0", Key: id}), updown.StatusRevokeNoKey},
	} {
		t.Run(name, func(t *testing.T) {
			n.refuses(t, c.xml, c.status)
		})
	}
}

// refuses checks one refusal: signed, with this code, logged, and without effect.
func (n nursery) refuses(t *testing.T, xml []byte, status updown.Status) {
	t.Helper()
	n.log.Take()
	before := n.mark()
	got, ok := n.ask(xml).(updown.ErrorResponse)
	if !ok || got.Status != status {
		t.Fatalf("got %+v, want %v", got, status)
	}
	if got.Description == "" || strings.Contains(got.Description, ".go") || strings.Contains(got.Description, "SQL") || len(got.Description) > 1024 {
		t.Errorf("description %q", got.Description)
	}
	n.log.WantLine(t, map[string]string{"level": "INFO", "ca": "testbed", "child": "kid", "status": fmt.Sprint(int(status))})
	if after := n.mark(); after != before {
		t.Errorf("it changed %s to %s", before, after)
	}
	var outcome, code string
	must(t, n.DB.QueryRow(t.Context(), "SELECT outcome, code FROM audit.peer_exchange ORDER BY at DESC, id DESC LIMIT 1").Scan(&outcome, &code))
	if outcome != "refused" || code != fmt.Sprint(int(status)) {
		t.Errorf("noted as %s, code %q", outcome, code)
	}
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

// nothing limits a request to nothing.
func nothing() updown.Limit {
	var none resources.Set
	return updown.Limit{AS: &none.AS, V4: &none.V4, V6: &none.V6}
}

// D27: a child that is entitled to nothing in a class gets no certificate, and
// none is made.
func TestProvisionNothingEntitled(t *testing.T) {
	n := newNursery(t)
	must(t, n.UpdateChildResources(t.Context(), operator, "testbed", "kid", set("AS65000", "", "")))
	n.Settle()
	n.log.Take()
	must(t, n.UpdateChildResources(t.Context(), operator, "testbed", "sister", set("", "10.0.0.0/16", "")))
	limit := set("", "10.0.0.0/16", "").V4
	var none resources.Set
	xml := words(t, updown.Issue{Class: "0", CSR: csr(t, testKey(t, "another resource key"), placeAt("rsync://repo.example.net/kid/0/")), Limit: updown.Limit{AS: &none.AS, V4: &limit}})
	n.Settle()
	n.log.Take()
	n.refuses(t, xml, updown.StatusBadRequest)
	if got := n.ask(words(t, updown.List{})).(updown.ListResponse); len(got.Classes) != 1 || len(got.Classes[0].Certs) != 0 {
		t.Errorf("got %+v", got)
	}
}

// A refusal tells a child nothing about the inside of the server.
func TestProvisionHidesTheInside(t *testing.T) {
	n := newNursery(t)
	raw := n.letter(updown.Issue{Class: "0", CSR: csr(t, testKey(t, "another resource key"), placeAt("rsync://repo.example.net/kid/0/"))}).sign(t)
	if _, err := n.DB.Exec(t.Context(), "ALTER TABLE der_object RENAME TO away"); err != nil {
		t.Fatal(err)
	}
	answer, err := n.send(raw)
	must(t, err)
	m, err := updown.Decode(n.said(answer, n.State("testbed").Identity.Cert), updown.Limits{})
	must(t, err)
	if got := m.Payload.(updown.ErrorResponse); got.Status != updown.StatusInternal || got.Description != updown.StatusInternal.Description() {
		t.Errorf("got %+v", got)
	}
	n.log.WantLine(t, map[string]string{"level": "ERROR", "ca": "testbed", "child": "kid", "fault": "der_object"})
}

// D5: a class is known to the child by the child's name for it, also when it has
// a key revoked; the certificate is gone afterwards.
func TestProvisionMappedClass(t *testing.T) {
	n := newNursery(t)
	_, err := n.CAs.Execute(t.Context(), "testbed", ca.UpdateChild{Child: "kid", Class: &ca.ClassMapping{Ours: "0", Theirs: "alpha"}}, pgstore.Write{Actor: operator})
	must(t, err)
	key := testKey(t, "kid's resource key")
	id, err := cert.KeyIDOf(key.Public())
	must(t, err)
	request := csr(t, key, placeAt("rsync://repo.example.net/kid/0/"))
	n.refuses(t, words(t, updown.Issue{Class: "0", CSR: request}), updown.StatusNoClass)
	if got, ok := n.ask(words(t, updown.Issue{Class: "alpha", CSR: request})).(updown.IssueResponse); !ok || got.Class.Name != "alpha" {
		t.Fatalf("got %+v", got)
	}
	n.Settle()
	if got := n.FilesOf("testbed")[".cer"]; len(got) != 1 {
		t.Fatalf("published: %v", got)
	}
	n.refuses(t, words(t, updown.Revoke{Class: "0", Key: id}), updown.StatusRevokeNoClass)
	if got := n.ask(words(t, updown.Revoke{Class: "alpha", Key: id})); got != (updown.RevokeResponse{Class: "alpha", Key: id}) {
		t.Fatalf("got %+v", got)
	}
	n.Settle()
	if got := n.FilesOf("testbed")[".cer"]; len(got) != 0 {
		t.Errorf("still published: %v", got)
	}
	n.refuses(t, words(t, updown.Revoke{Class: "alpha", Key: id}), updown.StatusRevokeNoKey)
}
