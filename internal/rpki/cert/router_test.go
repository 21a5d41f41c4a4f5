package cert_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/der/dertest"
	"baleen/internal/rpki/resources"
)

// routerRequest makes a request as a router would.
func routerRequest(t testing.TB, k *ecdsa.PrivateKey, usage ...asn1.ObjectIdentifier) []byte {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "ROUTER-0000FBF0"}}
	if usage != nil {
		value, err := asn1.Marshal(usage)
		if err != nil {
			t.Fatal(err)
		}
		template.ExtraExtensions = []pkix.Extension{{Id: cert.OIDExtKeyUsage, Value: value}}
	}
	raw, err := x509.CreateCertificateRequest(rand.Reader, template, k)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRouterRequest(t *testing.T) {
	k := key(t, "router").(*ecdsa.PrivateKey)
	for what, raw := range map[string][]byte{
		"without attributes": routerRequest(t, k),
		"as RFC 8209 says":   routerRequest(t, k, cert.OIDRouterUsage),
		"for servers too":    routerRequest(t, k, der.OID{1, 3, 6, 1, 5, 5, 7, 3, 1}, cert.OIDRouterUsage),
	} {
		r, err := cert.DecodeRouterRequest(raw)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if r.KeyID != keyID(t, "router") || !bytes.Equal(r.SPKI, spki(t, "router")) || !bytes.Equal(r.Raw, raw) || !r.PublicKey.Equal(k.Public()) {
			t.Errorf("%s: got %+v", what, r)
		}
		if err := r.CheckSignature(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestRouterRequestRules(t *testing.T) {
	k := key(t, "router").(*ecdsa.PrivateKey)
	ext := func(n *dertest.Node) *dertest.Node { return n.At(0, 3, 0, 1, 0) } // the list asked for
	add := func(id der.OID, value ...byte) func(*dertest.Node) {
		return func(n *dertest.Node) {
			raw, err := asn1.Marshal(id)
			if err != nil {
				t.Fatal(err)
			}
			ext(n).Insert(0, dertest.Of(0x30, dertest.Parse(t, raw), dertest.New(0x04, value...)))
		}
	}
	for what, c := range map[string]struct {
		edit func(n *dertest.Node)
		want string // "" means accepted
	}{
		"nothing changed":       {func(*dertest.Node) {}, ""},
		"no subject":            {func(n *dertest.Node) { n.At(0, 1).Children = nil }, ""},
		"attributes none":       {func(n *dertest.Node) { n.At(0, 3).Children = nil }, ""},
		"a CA is not honoured":  {add(cert.OIDBasicConstraints, 0x30, 3, 1, 1, 0xff), ""},
		"SIA is not honoured":   {add(cert.OIDSIA, 0x30, 0), ""},
		"usage is not honoured": {add(cert.OIDKeyUsage, 3, 2, 1, 6), ""},
		"version 2":             {func(n *dertest.Node) { n.At(0, 0).Content = []byte{1} }, "version"},
		"subject broken":        {func(n *dertest.Node) { n.At(0, 1).Insert(0, dertest.New(5)) }, "subject"},
		"no attributes":         {func(n *dertest.Node) { n.At(0).Remove(3) }, "attributes"},
		"asked twice":           {func(n *dertest.Node) { n.At(0, 3).Insert(0, n.At(0, 3, 0)) }, "two"},
		"no list":               {func(n *dertest.Node) { n.At(0, 3, 0, 1).Children = nil }, "extensions"},
		"another usage":         {func(n *dertest.Node) { ext(n).At(0, -1).Content[len(ext(n).At(0, -1).Content)-1]++ }, "id-kp-bgpsec-router"},
		"usage broken":          {func(n *dertest.Node) { ext(n).At(0, -1).Content = []byte{0x30, 0} }, "malformed"},
		"RSA":                   {func(n *dertest.Node) { n.At(0).Children[2] = dertest.Parse(t, spki(t, "ca")) }, "P-256"},
		"key not on the curve":  {func(n *dertest.Node) { n.At(0, 2, 1).Content[10] ^= 1 }, "P-256"},
		"key broken":            {func(n *dertest.Node) { n.At(0, 2).Remove(0) }, "public key"},
		"something after":       {func(n *dertest.Node) { n.At(0).Insert(4, dertest.New(5)) }, "attributes"},
	} {
		n := dertest.Parse(t, routerRequest(t, k, cert.OIDRouterUsage))
		c.edit(n)
		r, err := cert.DecodeRouterRequest(resignECDSA(t, n, k))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %+v, %v, want %q", what, r, err, c.want)
			continue
		}
		if err == nil && r.CheckSignature() != nil {
			t.Errorf("%s: %v", what, r.CheckSignature())
		}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for what, raw := range map[string][]byte{"P-384": routerRequest(t, p384), "a request of a CA": objects(t)["ca.csr"], "nothing": nil} {
		if r, err := cert.DecodeRouterRequest(raw); err == nil {
			t.Errorf("%s: got %+v", what, r)
		}
	}
}

// resignECDSA puts a new signature under an edited request.
func resignECDSA(t testing.TB, n *dertest.Node, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	digest := sha256.Sum256(n.At(0).DER())
	signature, err := ecdsa.SignASN1(rand.Reader, k, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	n.At(2).Content = append([]byte{0}, signature...)
	return n.DER()
}

func TestRouterRequestSignature(t *testing.T) {
	k := key(t, "router").(*ecdsa.PrivateKey)
	for what, edit := range map[string]func(n *dertest.Node){
		"signature changed": func(n *dertest.Node) { n.At(2).Content[20] ^= 1 },
		"subject changed":   func(n *dertest.Node) { n.At(0, 1, 0, 0, 1).Content[0] ^= 1 },
		"no signature":      func(n *dertest.Node) { n.At(2).Content = []byte{0} },
		"SHA-384":           func(n *dertest.Node) { n.At(1, 0).Content[7] = 3 },
		"with parameters":   func(n *dertest.Node) { n.At(1).Insert(1, dertest.New(5)) },
		"said to be RSA":    func(n *dertest.Node) { n.Children[1] = dertest.Parse(t, der.SHA256WithRSA()) },
	} {
		n := dertest.Parse(t, routerRequest(t, k, cert.OIDRouterUsage))
		edit(n)
		r, err := cert.DecodeRouterRequest(n.DER())
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if r.CheckSignature() == nil {
			t.Errorf("%s: the signature is good", what)
		}
	}
}

// A request as operators make it with OpenSSL.
func TestRouterRequestByOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed: skipped")
	}
	pem, err := filepath.Abs("testdata/router.key.pem")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := exec.Command("openssl", "req", "-new", "-key", pem, "-sha256", "-subj", "/CN=ROUTER-0000FBF0", "-outform", "DER",
		"-addext", "extendedKeyUsage=1.3.6.1.5.5.7.3.30", "-addext", "keyUsage=digitalSignature").Output()
	if err != nil {
		t.Fatal(err)
	}
	r, err := cert.DecodeRouterRequest(raw)
	if err != nil || r.CheckSignature() != nil || r.KeyID != keyID(t, "router") {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestSignRouterRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		edit func(x *cert.Template)
		want string
	}{
		"two ASes": {func(x *cert.Template) {
			x.Resources.AS = resources.NewASSet(resources.ASRange{Lo: 64496, Hi: 64497})
		}, "one AS"},
		"RSA":         {func(x *cert.Template) { x.PublicKey = key(t, "ca").Public() }, "P-256"},
		"no AS":       {func(x *cert.Template) { x.Resources = resources.Set{} }, "no resources"},
		"inherits":    {func(x *cert.Template) { x.Inherit, x.Resources = true, resources.Set{} }, "AS numbers alone"},
		"with an SIA": {func(x *cert.Template) { x.SIA.SignedObject = base + "x.roa" }, "SIA"},
	} {
		x := routerTemplate(t)
		c.edit(&x)
		if raw, err := cert.Sign(x, issuer(t, "ca")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %x, %v", what, raw, err)
		}
	}
}

func TestRouterName(t *testing.T) {
	c := decode(t, objects(t)["router.cer"])
	if want := der.NumberedName("ROUTER-0000FBF0", keyID(t, "router").String()); !bytes.Equal(c.RawSubject, want) {
		t.Errorf("got %x, want %x", c.RawSubject, want)
	}
}

func FuzzDecodeRouterRequest(f *testing.F) {
	k := key(f, "router").(*ecdsa.PrivateKey)
	f.Add(routerRequest(f, k))
	f.Add(routerRequest(f, k, cert.OIDRouterUsage))
	f.Add(objects(f)["ca.csr"])
	raw, err := os.ReadFile("testdata/router.csr") // made with OpenSSL
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := cert.DecodeRouterRequest(raw); err == nil {
			_ = r.CheckSignature()
			if !bytes.Equal(r.Raw, raw) || r.PublicKey.Curve != elliptic.P256() {
				t.Errorf("got %+v", r)
			}
		}
	})
}
