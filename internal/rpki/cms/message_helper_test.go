package cms_test

import (
	"bytes"
	"crypto"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/der/dertest"
	"baleen/internal/testvectors"
)

var query = []byte(`<message xmlns="http://www.apnic.net/specs/rescerts/up-down/" version="1" sender="child" recipient="parent" type="list"/>`)

// identity gives the identity of the test key of that name.
func identity(t testing.TB, name string) *cert.Identity {
	t.Helper()
	raw := must[[]byte](t)(cert.SelfSignIdentity(key(t, name), now.Add(-time.Hour), now.AddDate(15, 0, 0)))
	return must[*cert.Identity](t)(cert.DecodeIdentity(raw, now))
}

// letter is all that a message is made of, for tests to change.
type letter struct {
	identity string // name of the key that issues certificate and CRL
	key      string // name of the key that signs
	ee       cert.Template
	list     crl.Template
	signedAt time.Time
	content  []byte
}

func newLetter(t testing.TB) letter {
	return letter{
		identity: "ta", key: "ee", signedAt: now, content: query,
		ee: cert.Template{
			Serial: big.NewInt(4711), NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(5 * time.Minute), PublicKey: key(t, "ee").Public(),
		},
		list: crl.Template{Number: big.NewInt(now.UnixMilli()), ThisUpdate: now.Add(-5 * time.Minute), NextUpdate: now.Add(5 * time.Minute)},
	}
}

func (l letter) template(t testing.TB) cms.MessageTemplate {
	t.Helper()
	by := identity(t, l.identity).Issuer(key(t, l.identity))
	return cms.MessageTemplate{
		Content: l.content, Key: key(t, l.key), SigningTime: l.signedAt,
		EE:  must[[]byte](t)(cert.SignIdentityEE(l.ee, by)),
		CRL: must[[]byte](t)(crl.Sign(l.list, by)),
	}
}

func (l letter) sign(t testing.TB) []byte {
	t.Helper()
	return must[[]byte](t)(cms.SignMessage(l.template(t)))
}

// message gives one that verifies, in DER.
func message(t testing.TB) []byte { return newLetter(t).sign(t) }

// rewrite changes the frame of a message and, if key is not "", signs it again.
func rewrite(t testing.TB, raw []byte, key0 string, change func(o *cms.Object)) []byte {
	t.Helper()
	m := must[*cms.Message](t)(cms.DecodeMessage(raw))
	change(m.Object())
	if key0 != "" {
		if err := m.Object().Signers[0].Sign(key(t, key0)); err != nil {
			t.Fatal(err)
		}
	}
	return must[[]byte](t)(m.Encode())
}

// refused checks that an error is a MessageError of this kind and code with a message.
func refused(t *testing.T, err error, kind cms.MessageKind, code string) {
	t.Helper()
	var got *cms.MessageError
	if !errors.As(err, &got) || got.Kind != kind || got.Code != code || got.Msg == "" {
		t.Errorf("got %v (%+v), want kind %d, code %s", err, got, kind, code)
	}
}

// recorded gives the messages that other software sent; none where they are not
// beside the project.
func recorded(t testing.TB) map[string][]byte {
	t.Helper()
	files := must[[]string](t)(filepath.Glob(filepath.Join(testvectors.Find("updown"), "*.der")))
	out := make(map[string][]byte)
	for _, f := range files {
		raw := must[[]byte](t)(os.ReadFile(f))
		if bytes.HasPrefix(raw, []byte("MI")) {
			raw = unbase64(t, raw)
		}
		out[filepath.Base(f)] = raw
	}
	return out
}

// addExtensions issues a certificate again with its extensions changed.
func addExtensions(t testing.TB, raw []byte, by crypto.Signer, change func(list *dertest.Node)) []byte {
	t.Helper()
	tbs := dertest.Parse(t, raw).At(0)
	change(tbs.Children[len(tbs.Children)-1].At(0))
	return must[[]byte](t)(der.Sign(tbs.DER(), by))
}
