package cert_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/der/dertest"
	"baleen/internal/testvectors"
)

func TestRequest(t *testing.T) {
	raw := objects(t)["ca.csr"]
	r, err := cert.DecodeRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	if r.SIA != caTemplate(t).SIA || r.KeyID != keyID(t, "ca") || !bytes.Equal(r.Raw, raw) {
		t.Errorf("got %+v", r)
	}
	if got, err := cert.KeyIDOfSPKI(r.SPKI); err != nil || got != r.KeyID {
		t.Errorf("SPKI is that of %v, %v", got, err)
	}
	if got, err := cert.KeyIDOf(r.PublicKey); err != nil || got != r.KeyID {
		t.Errorf("public key is that of %v, %v", got, err)
	}
}

// resign puts a new signature under an edited certificate or request.
func resign(t testing.TB, n *dertest.Node, k crypto.Signer) []byte {
	t.Helper()
	raw, err := der.Sign(n.At(0).DER(), k)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRequestRules(t *testing.T) {
	ext := func(n *dertest.Node) *dertest.Node { return n.At(0, 3, 0, 1, 0) } // the list asked for
	const basic, usage, sia = 0, 1, 2
	for what, c := range map[string]struct {
		edit func(n *dertest.Node)
		want string // "" means accepted
	}{
		"nothing changed": {func(*dertest.Node) {}, ""},
		"no subject":      {func(n *dertest.Node) { n.At(0, 1).Children = nil }, ""},
		"version 2":       {func(n *dertest.Node) { n.At(0, 0).Content = []byte{1} }, "version"},
		"subject broken":  {func(n *dertest.Node) { n.At(0, 1).Insert(0, dertest.New(5)) }, "subject"},
		"no attributes":   {func(n *dertest.Node) { n.At(0).Remove(3) }, "attributes"},
		"attributes none": {func(n *dertest.Node) { n.At(0, 3).Children = nil }, "no extensions"},
		"other attribute too": {func(n *dertest.Node) {
			n.At(0, 3).Insert(0, dertest.Of(0x30, dertest.New(0x06, 0x2a, 3), dertest.Of(0x31, dertest.New(0x0c, 'x'))))
		}, ""},
		"attribute broken":     {func(n *dertest.Node) { n.At(0, 3, 0).Remove(1) }, "attribute"},
		"asked twice":          {func(n *dertest.Node) { n.At(0, 3).Insert(0, n.At(0, 3, 0)) }, "two"},
		"two lists":            {func(n *dertest.Node) { n.At(0, 3, 0, 1).Insert(0, ext(n)) }, "extensions"},
		"no list":              {func(n *dertest.Node) { n.At(0, 3, 0, 1).Children = nil }, "extensions"},
		"FALSE written out":    {func(n *dertest.Node) { ext(n).At(sia).Insert(1, dertest.New(0x01, 0)) }, ""},
		"not critical":         {func(n *dertest.Node) { ext(n).At(basic).Remove(1); ext(n).At(usage).Remove(1) }, ""},
		"no basic constraints": {func(n *dertest.Node) { ext(n).Remove(basic) }, "basic constraints"},
		"not a CA":             {func(n *dertest.Node) { ext(n).At(basic, -1).Content = []byte{0x30, 0} }, "basic constraints"},
		"path length":          {func(n *dertest.Node) { ext(n).At(basic, -1).Content = []byte{0x30, 6, 1, 1, 0xff, 2, 1, 0} }, "basic constraints"},
		"constraints broken":   {func(n *dertest.Node) { ext(n).At(basic, -1).Content = []byte{0x30} }, "malformed"},
		"no key usage":         {func(n *dertest.Node) { ext(n).Remove(usage) }, "key usage"},
		"usage of an EE":       {func(n *dertest.Node) { ext(n).At(usage, -1).Content = []byte{3, 2, 7, 0x80} }, "key usage"},
		"no SIA":               {func(n *dertest.Node) { ext(n).Remove(sia) }, "SIA"},
		"SIA twice":            {func(n *dertest.Node) { ext(n).Insert(sia, ext(n).At(sia)) }, "twice"},
		"something else too":   {func(n *dertest.Node) { ext(n).At(sia, 0).Content = []byte{0x2a, 3} }, "must not be asked for"},
		"resources asked for": {func(n *dertest.Node) {
			ext(n).Insert(0, dertest.Of(0x30, dertest.New(0x06, 0x2b, 6, 1, 5, 5, 7, 1, 7), dertest.New(0x04, 0x30, 0)))
		}, "must not be asked for"},
		"something after":        {func(n *dertest.Node) { n.At(0).Insert(4, dertest.New(5)) }, "attributes"},
		"key of another kind":    {func(n *dertest.Node) { n.At(0).Children[2] = dertest.Parse(t, spki(t, "router")) }, "RSA with 2048"},
		"key too small":          {func(n *dertest.Node) { n.At(0).Children[2] = dertest.Parse(t, spki(t, "small")) }, "RSA with 2048"},
		"somebody else's key":    {func(n *dertest.Node) { n.At(0).Children[2] = dertest.Parse(t, spki(t, "ee")) }, "signature"},
		"key broken":             {func(n *dertest.Node) { n.At(0, 2).Remove(0) }, "public key"},
		"repository not rsync":   {setSIA(ext, sia, "https://a.example/repo/", base+"x.mft"), "SIA"},
		"manifest in a dot path": {setSIA(ext, sia, base, base+"../x.mft"), "SIA"},
		"only a repository":      {setSIA(ext, sia, base, ""), "SIA"},
	} {
		n := dertest.Parse(t, objects(t)["ca.csr"])
		c.edit(n)
		r, err := cert.DecodeRequest(resign(t, n, key(t, "ca")))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %+v, %v, want %q", what, r, err, c.want)
		}
	}
}

func setSIA(ext func(*dertest.Node) *dertest.Node, i int, repository, manifest string) func(*dertest.Node) {
	return func(n *dertest.Node) {
		list := dertest.Of(0x30)
		for oid, uri := range map[byte]string{5: repository, 10: manifest} {
			if uri != "" {
				list.Insert(0, dertest.Of(0x30, dertest.New(0x06, 0x2b, 6, 1, 5, 5, 7, 0x30, oid), dertest.New(0x86, []byte(uri)...)))
			}
		}
		ext(n).At(i, -1).Content = list.DER()
	}
}

func spki(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := x509.MarshalPKIXPublicKey(key(t, name).Public())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRequestSignature(t *testing.T) {
	n := dertest.Parse(t, objects(t)["ca.csr"])
	n.At(2).Content[20] ^= 1
	if _, err := cert.DecodeRequest(n.DER()); err == nil || !strings.Contains(err.Error(), "signature") {
		t.Errorf("got %v", err)
	}
}

func TestRepositoryEndsInSlash(t *testing.T) {
	raw, err := cert.SignRequest(cert.SIA{Repository: base + "ca", Manifest: base + "ca/x.mft"}, key(t, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := cert.DecodeRequest(raw)
	if err != nil || r.SIA.Repository != base+"ca/" || r.SIA.Notify != "" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestSignRequestRefuses(t *testing.T) {
	good := cert.SIA{Repository: base, Manifest: base + "x.mft"}
	for what, c := range map[string]struct {
		sia cert.SIA
		key crypto.Signer
	}{
		"no SIA":         {cert.SIA{}, key(t, "ca")},
		"signed object":  {cert.SIA{Repository: base, Manifest: base + "x.mft", SignedObject: base + "x.roa"}, key(t, "ca")},
		"ECDSA":          {good, key(t, "router")},
		"device is gone": {good, brokenSigner{key(t, "ca")}},
	} {
		if raw, err := cert.SignRequest(c.sia, c.key); err == nil {
			t.Errorf("%s: signed %x", what, raw)
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	raw, err := os.ReadFile("testdata/ca.csr")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := cert.DecodeRequest(raw); err == nil && (!bytes.Equal(r.Raw, raw) || r.SIA.Repository == "" || r.PublicKey == nil) {
			t.Errorf("got %+v", r)
		}
	})
}

func TestIdentity(t *testing.T) {
	raw := objects(t)["identity.cer"]
	id, err := cert.DecodeIdentity(raw, start())
	if err != nil {
		t.Fatal(err)
	}
	if id.KeyID != keyID(t, "ca") || !id.NotBefore.Equal(start()) || !id.NotAfter.Equal(start().AddDate(15, 0, 0)) || !bytes.Equal(id.Raw, raw) {
		t.Errorf("got %+v", id)
	}
	if by := id.Issuer(key(t, "ca")); !bytes.Equal(by.RawSubject, decode(t, raw).RawSubject) || by.KeyID != id.KeyID {
		t.Errorf("issues as %+v", by)
	}
	if got, err := cert.KeyIDOf(id.PublicKey); err != nil || got != id.KeyID {
		t.Errorf("public key is that of %v, %v", got, err)
	}
	for at, want := range map[time.Time]bool{
		start().Add(-time.Second): false, start(): true,
		start().AddDate(15, 0, 0): true, start().AddDate(15, 0, 0).Add(time.Second): false,
	} {
		if _, err := cert.DecodeIdentity(raw, at); (err == nil) != want {
			t.Errorf("at %v: got %v", at, err)
		}
	}
	for _, name := range []string{"identity-ee.cer", "ca.cer", "ca.csr"} {
		if _, err := cert.DecodeIdentity(objects(t)[name], start()); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestIdentityRules(t *testing.T) {
	const basic, ski = 0, 1
	id := keyID(t, "ca")
	other := keyID(t, "ta")
	akiOf := func(parts ...*dertest.Node) *dertest.Node {
		return dertest.Of(0x30, dertest.New(0x06, 0x55, 0x1d, 0x23), dertest.New(0x04, dertest.Of(0x30, parts...).DER()...))
	}
	aki := func(id cert.KeyID, more ...*dertest.Node) *dertest.Node {
		return akiOf(append([]*dertest.Node{dertest.New(0x80, id[:]...)}, more...)...)
	}
	for what, c := range map[string]struct {
		edit func(n, ext *dertest.Node)
		by   string // whose signature, "ca" if empty
		want string // "" means accepted
	}{
		"nothing changed":          {edit: func(_, _ *dertest.Node) {}},
		"signed by another":        {edit: func(_, _ *dertest.Node) {}, by: "ta", want: "signature"},
		"AKI of itself":            {edit: func(_, ext *dertest.Node) { ext.Insert(2, aki(id)) }},
		"AKI of itself, forged":    {edit: func(_, ext *dertest.Node) { ext.Insert(2, aki(id)) }, by: "ta", want: "signature"},
		"AKI with name and number": {edit: func(_, ext *dertest.Node) { ext.Insert(2, aki(id, dertest.Of(0xa1), dertest.New(0x82, 1))) }},
		"AKI of name and number":   {edit: func(_, ext *dertest.Node) { ext.Insert(2, akiOf(dertest.Of(0xa1), dertest.New(0x82, 1))) }},
		"the same, forged":         {edit: func(_, ext *dertest.Node) { ext.Insert(2, akiOf(dertest.Of(0xa1), dertest.New(0x82, 1))) }, by: "ta", want: "signature"},
		"the same, by another": {edit: func(n, ext *dertest.Node) {
			n.At(0, 3, 0, 0, 1).Content[0] ^= 1
			ext.Insert(2, akiOf(dertest.Of(0xa1), dertest.New(0x82, 1)))
		}, by: "ta"},
		"AKI malformed": {edit: func(_, ext *dertest.Node) { ext.Insert(2, akiOf(dertest.New(4))) }, want: "malformed"},
		"SIA malformed": {edit: func(_, ext *dertest.Node) {
			ext.Insert(2, dertest.Of(0x30, dertest.New(0x06, 0x2b, 6, 1, 5, 5, 7, 1, 11), dertest.New(0x04)))
		}},
		"issued by another": {edit: func(_, ext *dertest.Node) { ext.Insert(2, aki(other)) }, by: "ta"},
		"path length":       {edit: func(_, ext *dertest.Node) { ext.At(basic, -1).Content = []byte{0x30, 6, 1, 1, 0xff, 2, 1, 0} }},
		"key usage": {edit: func(_, ext *dertest.Node) {
			ext.Insert(2, dertest.Of(0x30, dertest.New(0x06, 0x55, 0x1d, 0x0f), dertest.New(0x01, 0xff), dertest.New(0x04, 3, 2, 1, 6)))
		}},
		"unknown extension": {edit: func(_, ext *dertest.Node) {
			ext.Insert(2, dertest.Of(0x30, dertest.New(0x06, 0x2a, 3), dertest.New(0x04)))
		}},
		"unknown critical extension": {edit: func(_, ext *dertest.Node) {
			ext.Insert(2, dertest.Of(0x30, dertest.New(0x06, 0x2a, 3), dertest.New(0x01, 0xff), dertest.New(0x04)))
		}, want: "critical"},
		"name with odd characters": {edit: func(n, _ *dertest.Node) { n.At(0, 5, 0, 0, 1).Content = []byte("a_b@c") }},
		"UTF-8 name":               {edit: func(n, _ *dertest.Node) { n.At(0, 5, 0, 0, 1).Tag = 0x0c }},
		"serial 0":                 {edit: func(n, _ *dertest.Node) { n.At(0, 1).Content = []byte{0} }},
		"not a CA":                 {edit: func(_, ext *dertest.Node) { ext.At(basic, -1).Content = []byte{0x30, 0} }, want: "CA"},
		"no basic constraints":     {edit: func(_, ext *dertest.Node) { ext.Remove(basic) }, want: "CA"},
		"constraints broken":       {edit: func(_, ext *dertest.Node) { ext.At(basic, -1).Content = []byte{5, 0} }, want: "malformed"},
		"constraints twice":        {edit: func(_, ext *dertest.Node) { ext.Insert(0, ext.At(basic)) }, want: "twice"},
		"no SKI":                   {edit: func(_, ext *dertest.Node) { ext.Remove(ski) }, want: "subject key identifier"},
		"wrong SKI":                {edit: func(_, ext *dertest.Node) { ext.At(ski, -1).Content[2] ^= 1 }, want: "subject key identifier"},
		"version 2":                {edit: func(n, _ *dertest.Node) { n.At(0, 0, 0).Content = []byte{1} }, want: "version"},
	} {
		n := dertest.Parse(t, objects(t)["identity.cer"])
		c.edit(n, n.At(0, -1, 0))
		if c.by == "" {
			c.by = "ca"
		}
		got, err := cert.DecodeIdentity(resign(t, n, key(t, c.by)), start())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %+v, %v, want %q", what, got, err, c.want)
		}
	}
	small, err := cert.SelfSignIdentity(key(t, "small"), start(), start())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.DecodeIdentity(small, start()); err == nil || !strings.Contains(err.Error(), "2048") {
		t.Errorf("key of 1024 bits: got %v", err)
	}
	if _, err := cert.SelfSignIdentity(key(t, "ca"), start(), start().Add(-time.Second)); err == nil {
		t.Error("signed a crossed validity")
	}
}

// Identities that other software made, as they were exchanged: without key usage, names
// that are no key's, authority key identifiers beside it.
func TestRecordedIdentities(t *testing.T) {
	for name, want := range map[string]string{
		"alice": "23B68BC760E673527A3A32C16363229D2597F734",
		"bob":   "E445382DC63E360A9FB575FC12470E66785BB27E",
		"carol": "EB032BBC6FC88BD2B0296A4E20516687C8D8DC09",
	} {
		id, err := cert.DecodeIdentity(testvectors.Identities(t)[name], time.Date(2011, 8, 1, 0, 0, 0, 0, time.UTC))
		if err != nil || id.KeyID.String() != want {
			t.Errorf("%s: got %+v, %v", name, id, err)
		}
	}
}

func FuzzDecodeIdentity(f *testing.F) {
	for _, name := range []string{"identity.cer", "identity-ee.cer", "ta.cer"} {
		f.Add(objects(f)[name])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if id, err := cert.DecodeIdentity(raw, start()); err == nil && (!bytes.Equal(id.Raw, raw) || id.PublicKey == nil) {
			t.Errorf("got %+v", id)
		}
	})
}
