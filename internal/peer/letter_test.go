package peer_test

import (
	"bytes"
	"crypto/rsa"
	"math/big"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
)

// party is a peer whose keys the test has: it can say anything, also what no
// honest one would.
type party struct {
	id     *cert.Identity
	key    *rsa.PrivateKey
	speaks *rsa.PrivateKey // key of its EE certificates
	spoken int             // messages
}

// newParty makes a party whose identity is valid around now.
func newParty(t testing.TB, name string, now time.Time) *party {
	t.Helper()
	p := &party{key: testKey(t, name), speaks: testKey(t, name+" speaks")}
	raw, err := cert.SelfSignIdentity(p.key, now.Add(-time.Hour), now.AddDate(15, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if p.id, err = cert.DecodeIdentity(raw, now); err != nil {
		t.Fatal(err)
	}
	return p
}

// letter is what a message is made of, for tests to change.
type letter struct {
	content  []byte
	by       *party
	signedAt time.Time
	from, to time.Time // of the EE certificate and the CRL
}

// write makes a message as of a time. Blank lines at its end make it another one
// than all before.
func (p *party) write(content []byte, at time.Time) letter {
	p.spoken++
	content = append(bytes.Clone(content), bytes.Repeat([]byte("\n"), p.spoken)...)
	return letter{content: content, by: p, signedAt: at, from: at.Add(-5 * time.Minute), to: at.Add(5 * time.Minute)}
}

// sign gives the message as it is sent.
func (l letter) sign(t testing.TB) []byte {
	t.Helper()
	serial, err := cert.NewSerial()
	sure(err)
	by := l.by.id.Issuer(l.by.key)
	ee, err := cert.SignIdentityEE(cert.Template{Serial: serial, NotBefore: l.from, NotAfter: l.to, PublicKey: l.by.speaks.Public()}, by)
	sure(err)
	list, err := crl.Sign(crl.Template{Number: big.NewInt(l.signedAt.UnixMilli()), ThisUpdate: l.from, NextUpdate: l.to}, by)
	sure(err)
	raw, err := cms.SignMessage(cms.MessageTemplate{Content: l.content, EE: ee, CRL: list, Key: l.by.speaks, SigningTime: l.signedAt})
	sure(err)
	return raw
}

// sure is must where a worker calls: there only a panic comes back.
func sure(err error) {
	if err != nil {
		panic(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said gives what a signed answer of this identity says.
func (w *world) said(raw, idCert []byte) []byte {
	w.T.Helper()
	m, err := cms.DecodeMessage(raw)
	if err != nil {
		w.T.Fatal(err)
	}
	id, err := cert.DecodeIdentity(idCert, w.Now())
	if err != nil {
		w.T.Fatal(err)
	}
	if err := m.Verify(id, w.Now(), 0); err != nil {
		w.T.Fatalf("the answer is not signed as it should be: %v", err)
	}
	return m.Content
}

// mark is a short account of all that peers could change.
func (w *world) mark() string {
	w.T.Helper()
	var out string
	err := w.DB.QueryRow(w.T.Context(), `SELECT concat_ws(' ',
		'events', (SELECT count(*) FROM es_event), 'objects', (SELECT count(*) FROM der_object),
		'published', (SELECT count(*) FROM pub_object), 'serials', (SELECT count(*) FROM rrdp_serial),
		'wanted', (SELECT count(*) FROM ca_object), 'tasks', (SELECT count(*) FROM task))`).Scan(&out)
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}
