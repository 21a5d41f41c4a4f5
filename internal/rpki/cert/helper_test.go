package cert_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/resources"
)

var update = flag.Bool("update", false, "write testdata anew")

// key gives one of the fixed keys in testdata, which exist for tests only.
func key(t testing.TB, name string) crypto.Signer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(crypto.Signer)
}

func keyID(t testing.TB, name string) cert.KeyID {
	t.Helper()
	id, err := cert.KeyIDOf(key(t, name).Public())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func issuer(t testing.TB, name string) cert.Issuer {
	t.Helper()
	id := keyID(t, name)
	return cert.Issuer{RawSubject: der.CommonName(id.String()), KeyID: id, Signer: key(t, name)}
}

func start() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

func held() resources.Set {
	return resources.Set{
		AS: resources.NewASSet(resources.ASRange{Lo: 64496, Hi: 64511}, resources.ASRange{Lo: 4294967295, Hi: 4294967295}),
		V4: resources.IPSetOf(resources.IPv4, netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/25"), netip.MustParsePrefix("198.51.100.128/32")),
		V6: resources.IPSetOf(resources.IPv6, netip.MustParsePrefix("2001:db8::/32")),
	}
}

const base = "rsync://rpki.example.net/repo/"

// The templates of everything in testdata.

func taTemplate() cert.Template {
	return cert.Template{
		Serial: big.NewInt(1), NotBefore: start(), NotAfter: start().AddDate(100, 0, 0), CA: true,
		SIA: cert.SIA{
			Repository: base + "ta/", Manifest: base + "ta/ta.mft",
			Notify: "https://rrdp.example.net/notification.xml",
		},
		Resources: resources.AllResources(),
	}
}

func caTemplate(t testing.TB) cert.Template {
	t.Helper()
	return cert.Template{
		Serial: big.NewInt(0).SetBytes(bytes.Repeat([]byte{0x7f}, 20)), NotBefore: start(), NotAfter: start().AddDate(1, 0, 0),
		PublicKey: key(t, "ca").Public(), CA: true,
		CRLDP: base + "ta/ta.crl", AIA: base + "ta.cer",
		SIA: cert.SIA{
			Repository: base + "ca/", Manifest: base + "ca/ca.mft",
			Notify: "https://rrdp.example.net/notification.xml",
		},
		Resources: held(),
	}
}

func eeTemplate(t testing.TB) cert.Template {
	t.Helper()
	return cert.Template{
		Serial: big.NewInt(128), NotBefore: start(), NotAfter: start().AddDate(1, 0, 0),
		PublicKey: key(t, "ee").Public(),
		CRLDP:     base + "ca/ca.crl", AIA: base + "ta/ca.cer",
		SIA:     cert.SIA{SignedObject: base + "ca/AS64496.roa"},
		Inherit: true,
	}
}

func routerTemplate(t testing.TB) cert.Template {
	t.Helper()
	x := eeTemplate(t)
	x.PublicKey, x.Router, x.SIA, x.Inherit = key(t, "router").Public(), true, cert.SIA{}, false
	x.Resources = resources.Set{AS: resources.NewASSet(resources.ASRange{Lo: 64496, Hi: 64496})}
	return x
}

// objects makes everything in testdata, by file name. RSA signatures of this kind are
// deterministic, so the octets are always the same.
func objects(t testing.TB) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	add := func(name string) func([]byte, error) {
		return func(raw []byte, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[name] = raw
		}
	}
	add("ta.cer")(cert.SelfSign(taTemplate(), key(t, "ta")))
	add("ca.cer")(cert.Sign(caTemplate(t), issuer(t, "ta")))
	add("ee.cer")(cert.Sign(eeTemplate(t), issuer(t, "ca")))
	add("router.cer")(cert.Sign(routerTemplate(t), issuer(t, "ca")))
	add("ca.csr")(cert.SignRequest(caTemplate(t).SIA, key(t, "ca")))
	add("identity.cer")(cert.SelfSignIdentity(key(t, "ca"), start(), start().AddDate(15, 0, 0)))
	message := cert.Template{Serial: big.NewInt(7), NotBefore: start(), NotAfter: start().Add(time.Hour), PublicKey: key(t, "ee").Public()}
	add("identity-ee.cer")(cert.SignIdentityEE(message, issuer(t, "ca")))
	return out
}

func decode(t testing.TB, raw []byte) *cert.Certificate {
	t.Helper()
	c, err := cert.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
