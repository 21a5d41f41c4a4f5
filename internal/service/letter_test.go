package service_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
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

// testKeys are made once, as making them takes long.
var testKeys struct {
	sync.Mutex
	made map[string]*rsa.PrivateKey
}

func testKey(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	testKeys.Lock()
	defer testKeys.Unlock()
	if testKeys.made == nil {
		testKeys.made = map[string]*rsa.PrivateKey{}
	}
	if testKeys.made[name] == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		testKeys.made[name] = key
	}
	return testKeys.made[name]
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
	w.t.Helper()
	m, err := cms.DecodeMessage(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := cert.DecodeIdentity(idCert, w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := m.Verify(id, w.now(), 0); err != nil {
		w.t.Fatalf("the answer is not signed as it should be: %v", err)
	}
	return m.Content
}

// mark is a short account of all that peers could change.
func (w *world) mark() string {
	w.t.Helper()
	var out string
	err := w.DB.QueryRow(w.t.Context(), `SELECT concat_ws(' ',
		'events', (SELECT count(*) FROM es_event), 'objects', (SELECT count(*) FROM der_object),
		'published', (SELECT count(*) FROM pub_object), 'serials', (SELECT count(*) FROM rrdp_serial),
		'wanted', (SELECT count(*) FROM ca_object), 'tasks', (SELECT count(*) FROM task))`).Scan(&out)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// journal keeps what a service logs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes one line.
func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// take gives the lines since the last time.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

// listen keeps what the world logs from now on.
func (w *world) listen() *journal {
	j := &journal{}
	w.Log = slog.New(slog.NewJSONHandler(j, nil))
	return j
}

// wantLine checks that exactly one line was logged, with these values of fields.
func (j *journal) wantLine(t *testing.T, fields map[string]string) {
	t.Helper()
	text := j.take()
	var line map[string]any
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Errorf("not one line was logged: %v: %s", err, text)
		return
	}
	for name, want := range fields {
		if got := fmt.Sprint(line[name]); !strings.Contains(got, want) {
			t.Errorf("logged %s %q, want %q: %s", name, got, want, text)
		}
	}
}
