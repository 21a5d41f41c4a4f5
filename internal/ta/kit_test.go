package ta_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

var update = flag.Bool("update", false, "write golden files")

// start is when every story begins.
var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const week = 7 * 24 * time.Hour

// keys are made once: four RSA keys cost a third of a second.
var keys = sync.OnceValue(func() (made [4]*rsa.PrivateKey) {
	for i := range made {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		made[i] = key
	}
	return made
})

func taKey() *rsa.PrivateKey     { return keys()[0] }
func eeKey() *rsa.PrivateKey     { return keys()[1] }
func childKey() *rsa.PrivateKey  { return keys()[2] }
func secondKey() *rsa.PrivateKey { return keys()[3] }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func idOf(key *rsa.PrivateKey) cert.KeyID { return must(cert.KeyIDOf(key.Public())) }

func spkiOf(key *rsa.PrivateKey) []byte { return must(x509.MarshalPKIXPublicKey(key.Public())) }

func set(as, v4, v6 string) resources.Set {
	return resources.Set{
		AS: must(resources.ParseASSet(as)), V4: must(resources.ParseIPSet(v4, resources.IPv4)), V6: must(resources.ParseIPSet(v6, resources.IPv6)),
	}
}

var (
	some    = set("AS65000", "10.0.0.0/8", "2001:db8::/32")
	timing  = ta.DefaultTiming()
	idCert  = []byte{0x30, 0x03, 0x02, 0x01, 0x01}
	proxyID = ta.Identity{KeyID: cert.KeyID{1}, Cert: idCert}
	signID  = ta.Identity{KeyID: cert.KeyID{2}, Cert: []byte{0x30, 0x03, 0x02, 0x01, 0x02}}
	repo    = ta.Repository{
		ServiceURI: "https://example.net/rfc8181/ta/", SIABase: "rsync://example.net/repo/",
		NotificationURI: "https://example.net/rrdp/notification.xml", ServerIDCert: []byte{0x30, 0x00},
	}
)

// childSIA is where the child called online publishes.
func childSIA(key *rsa.PrivateKey) cert.SIA {
	base := "rsync://example.net/repo/online/0/"
	return cert.SIA{Repository: base, Manifest: base + idOf(key).String() + ".mft", Notify: repo.NotificationURI}
}

func issueRequest(key *rsa.PrivateKey, limit ta.Limit) ta.ChildRequest {
	der := must(cert.SignRequest(childSIA(key), key))
	return ta.IssueRequest(ta.ClassName, must(cert.DecodeRequest(der)), limit)
}

func revokeRequest(key *rsa.PrivateKey) ta.ChildRequest {
	return ta.RevokeRequest(ta.ClassName, idOf(key))
}

// serials gives n serial numbers from a counter: unique within a story.
type serials int64

func (s *serials) take(n int) []*big.Int {
	var out []*big.Int
	for range n {
		*s++
		out = append(out, big.NewInt(int64(*s)))
	}
	return out
}

// fold gives the state after events, and checks on the way that each event and
// the state survive being stored.
func fold[S any](t *testing.T, typ es.Type[S], events []es.Event) *S {
	t.Helper()
	s := new(S)
	for i, e := range events {
		text := must(json.Marshal(e))
		back, err := typ.Codec.Decode(e.EventName(), text)
		if err != nil {
			t.Fatal(err)
		}
		if again := must(json.Marshal(back)); !bytes.Equal(again, text) {
			t.Errorf("%s: stored as %s, read back as %s", e.EventName(), text, again)
		}
		typ.Apply(s, es.Meta{Handle: ta.Handle, Version: int64(i), At: start}, back)
	}
	if len(events) > 0 {
		snapshot := new(S)
		if err := json.Unmarshal(must(json.Marshal(s)), snapshot); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, snapshot) {
			t.Errorf("state changes when it is stored:\n%s\n%s", must(json.Marshal(s)), must(json.Marshal(snapshot)))
		}
	}
	return s
}

// given, when, then: one decision of an aggregate.
type decision[S any] struct {
	given []es.Event
	when  es.Command[S]
	then  []es.Event // none: nothing to do
	fault string     // code; then is not looked at
	kind  fault.Kind
}

func (d decision[S]) check(t *testing.T, typ es.Type[S]) {
	t.Helper()
	s := fold(t, typ, d.given)
	before := must(json.Marshal(s))
	got, err := d.when.Process(s, start)
	if after := must(json.Marshal(s)); !bytes.Equal(before, after) {
		t.Errorf("the command changed the state")
	}
	if d.fault != "" {
		if fault.Code(err) != d.fault || fault.Of(err) != d.kind {
			t.Errorf("got %v (%s, %v), want %s, %v", err, fault.Code(err), fault.Of(err), d.fault, d.kind)
		}
		return
	}
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	if !bytes.Equal(must(json.Marshal(got)), must(json.Marshal(d.then))) {
		t.Errorf("got  %s\nwant %s", must(json.Marshal(got)), must(json.Marshal(d.then)))
	}
	fold(t, typ, append(d.given[:len(d.given):len(d.given)], got...))
}

// golden compares a payload with its frozen form.
func golden(t *testing.T, name string, payload any) []byte {
	t.Helper()
	got := append(must(json.MarshalIndent(payload, "", "  ")), '\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
	return want
}
