package sign_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/resources"
	"baleen/internal/sign"
	"baleen/internal/testkeys"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

const week = 7 * 24 * time.Hour

// world is a CA with a key, which holds AS64496 and 10.0.0.0/8, and what its
// objects are made with. It counts the keys that are used once.
type world struct {
	sign.Maker
	t    *testing.T
	key  *rsa.PrivateKey
	rec  ca.CertRecord
	ders map[ca.Hash][]byte
	keys map[cert.KeyID]crypto.Signer
	used []cert.KeyID // one-off keys, in the order in which they were taken
	gone error        // what the source of one-off keys says
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	source := testkeys.Source(t)
	w := &world{t: t, key: must[*rsa.PrivateKey](t)(source()), ders: map[ca.Hash][]byte{}, keys: map[cert.KeyID]crypto.Signer{}}
	sia := ca.SIA{Repository: "rsync://localhost/repo/ca/", Manifest: "rsync://localhost/repo/ca/ca.mft"}
	held := resources.OneAS(64496)
	held.V4 = resources.IPSetOf(resources.IPv4, netip.MustParsePrefix("10.0.0.0/8"))
	der := must[[]byte](t)(cert.SelfSign(cert.Template{
		Serial: big.NewInt(1), NotBefore: now.Add(-week), NotAfter: now.Add(52 * week), CA: true,
		SIA: cert.SIA{Repository: sia.Repository, Manifest: sia.Manifest}, Resources: held,
	}, w.key))
	w.rec = ca.CertRecord{URI: "rsync://localhost/ta/ca.cer", Hash: ca.HashOf(der), KeyID: keyID(t, w.key), Resources: held, NotAfter: now.Add(52 * week), SIA: sia}
	w.ders[w.rec.Hash], w.keys[w.rec.KeyID] = der, w.key
	w.Maker = sign.Maker{
		Keys: stored(w.keys), Certs: objects(w.ders), Cores: 2, Now: func() time.Time { return now },
		OneOff: source1(func() (*rsa.PrivateKey, error) {
			if w.gone != nil {
				return nil, w.gone
			}
			k, err := source()
			if err == nil {
				w.used = append(w.used, keyID(t, k))
			}
			return k, err
		}),
		Policy: ca.Policy{ROAValid: 8 * week, ChildValid: 9 * week, ASPAValid: 10 * week, RouterValid: 11 * week, GhostbustersValid: 12 * week},
	}
	return w
}

func keyID(t *testing.T, key crypto.Signer) cert.KeyID {
	t.Helper()
	return must[cert.KeyID](t)(cert.KeyIDOf(key.Public()))
}

// authority is the CA's key with its certificate.
func (w *world) authority() sign.Authority {
	w.t.Helper()
	return must[sign.Authority](w.t)(w.Authority(w.t.Context(), w.rec.KeyID, w.rec))
}

type stored map[cert.KeyID]crypto.Signer

func (s stored) Signer(_ context.Context, id cert.KeyID) (crypto.Signer, error) {
	if k, ok := s[id]; ok {
		return k, nil
	}
	return nil, errors.New("no such key")
}

type objects map[ca.Hash][]byte

func (o objects) DER(_ context.Context, hash ca.Hash) ([]byte, error) {
	if der, ok := o[hash]; ok {
		return der, nil
	}
	return nil, errors.New("no such object")
}

type source1 func() (*rsa.PrivateKey, error)

func (s source1) Take(context.Context) (*rsa.PrivateKey, error) { return s() }

// eeOf gives the EE certificate of a signed object.
func eeOf(t *testing.T, der []byte) *cert.Certificate {
	t.Helper()
	return must[*cert.Certificate](t)(cert.Decode(must[*cms.Object](t)(cms.Decode(der)).EE))
}

// roas plans as many ROAs, each for another prefix of 10.0.0.0/8.
func roas(n int) (out []ca.PlannedROA) {
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i)}), 16)
		out = append(out, ca.PlannedROA{Name: fmt.Sprintf("%d.roa", i), ROAs: []ca.ROA{{ASID: 64496, Prefix: p, MaxLength: 24}}})
	}
	return out
}

func always(context.Context) (bool, error) { return true, nil }

// routerKey is a key of a router of an AS, as its request asks for it.
func routerKey(t *testing.T, as uint32) ca.ConfiguredRouterKey {
	t.Helper()
	k := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	csr := must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k))
	return ca.ConfiguredRouterKey{Router: ca.RouterKey{ASID: as, KeyID: keyID(t, k)}, CSR: csr}
}
