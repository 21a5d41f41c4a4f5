package cert_test

import (
	"crypto"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// brokenSigner is a device that is gone.
type brokenSigner struct{ crypto.Signer }

var errGone = errors.New("device is gone")

func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errGone }

func TestSignRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		edit func(x *cert.Template, by *cert.Issuer)
		want string
	}{
		"no serial":             {func(x *cert.Template, _ *cert.Issuer) { x.Serial = nil }, "serial number"},
		"serial 0":              {func(x *cert.Template, _ *cert.Issuer) { x.Serial = new(big.Int) }, "serial number"},
		"negative serial":       {func(x *cert.Template, _ *cert.Issuer) { x.Serial = big.NewInt(-1) }, "serial number"},
		"serial of 21 octets":   {func(x *cert.Template, _ *cert.Issuer) { x.Serial = new(big.Int).Lsh(big.NewInt(1), 159) }, "serial number"},
		"crossed validity":      {func(x *cert.Template, _ *cert.Issuer) { x.NotAfter = x.NotBefore.Add(-time.Second) }, "validity"},
		"year 10000":            {func(x *cert.Template, _ *cert.Issuer) { x.NotAfter = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, ""},
		"no key":                {func(x *cert.Template, _ *cert.Issuer) { x.PublicKey = nil }, ""},
		"no resources":          {func(x *cert.Template, _ *cert.Issuer) { x.Resources = resources.Set{} }, "no resources"},
		"listed and inherited":  {func(x *cert.Template, _ *cert.Issuer) { x.Inherit = true }, "inherited"},
		"no CRLDP":              {func(x *cert.Template, _ *cert.Issuer) { x.CRLDP = "" }, "CRLDP"},
		"AIA not rsync":         {func(x *cert.Template, _ *cert.Issuer) { x.AIA = "https://a.example/x.cer" }, "rsync"},
		"no manifest":           {func(x *cert.Template, _ *cert.Issuer) { x.SIA.Manifest = "" }, "SIA of a CA"},
		"repository not rsync":  {func(x *cert.Template, _ *cert.Issuer) { x.SIA.Repository = "http://a.example/repo/" }, "SIA of a CA"},
		"CA with signed object": {func(x *cert.Template, _ *cert.Issuer) { x.SIA.SignedObject = base + "x.roa" }, "SIA of a CA"},
		"notify not https":      {func(x *cert.Template, _ *cert.Issuer) { x.SIA.Notify = "http://a.example/n.xml" }, "https"},
		"EE with repository":    {func(x *cert.Template, _ *cert.Issuer) { x.CA = false }, "SIA of an EE"},
		"router with SIA": {func(x *cert.Template, _ *cert.Issuer) {
			x.CA, x.Router, x.Resources = false, true, resources.Set{AS: x.Resources.AS}
		}, "3.1.3.3"},
		"router with addresses": {func(x *cert.Template, _ *cert.Issuer) { x.CA, x.Router, x.SIA = false, true, cert.SIA{} }, "3.1.3.4"},
		"router and CA":         {func(x *cert.Template, _ *cert.Issuer) { x.Router = true }, "router"},
		"other key":             {func(_ *cert.Template, by *cert.Issuer) { by.Signer = key(t, "ee") }, "not that of issuer"},
		"ECDSA issuer": {func(_ *cert.Template, by *cert.Issuer) {
			by.Signer, by.KeyID = key(t, "router"), keyID(t, "router")
		}, "RSA"},
		"device is gone": {func(_ *cert.Template, by *cert.Issuer) { by.Signer = brokenSigner{by.Signer} }, "device is gone"},
	} {
		x, by := caTemplate(t), issuer(t, "ta")
		c.edit(&x, &by)
		raw, err := cert.Sign(x, by)
		if err == nil {
			t.Errorf("%s: signed %x", what, raw)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
	by := issuer(t, "ta")
	by.Signer = brokenSigner{by.Signer}
	if _, err := cert.Sign(caTemplate(t), by); !errors.Is(err, errGone) {
		t.Errorf("the signer's error is not reachable: %v", err)
	}
}

func TestSelfSignRefuses(t *testing.T) {
	notCA, inherit := taTemplate(), taTemplate()
	notCA.CA = false
	inherit.Inherit, inherit.Resources = true, resources.Set{}
	for what, x := range map[string]cert.Template{"not a CA": notCA, "inherits": inherit} {
		if _, err := cert.SelfSign(x, key(t, "ta")); err == nil || !strings.Contains(err.Error(), "RFC 8630") {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestSelfSignedHasNoIssuerToPointTo(t *testing.T) {
	c := decode(t, objects(t)["ta.cer"])
	if c.HasAKI || c.CRLDP != "" || c.AIA != "" || string(c.RawIssuer) != string(c.RawSubject) {
		t.Errorf("AKI %v, CRLDP %q, AIA %q", c.HasAKI, c.CRLDP, c.AIA)
	}
	if !c.Resources.Set.Equal(resources.AllResources()) {
		t.Errorf("resources %v", c.Resources.Set)
	}
}

// The issuer's name is whatever its own parent chose.
func TestIssuerNameIsTakenAsItIs(t *testing.T) {
	by := issuer(t, "ta")
	by.RawSubject = decode(t, objects(t)["ca.cer"]).RawSubject
	raw, err := cert.Sign(caTemplate(t), by)
	if err != nil {
		t.Fatal(err)
	}
	if c := decode(t, raw); string(c.RawIssuer) != string(by.RawSubject) {
		t.Errorf("issuer %x", c.RawIssuer)
	}
}

func TestInheritAndEmptyFamilies(t *testing.T) {
	if r := decode(t, objects(t)["ee.cer"]).Resources; !r.V4.Inherit || !r.V6.Inherit || !r.AS.Inherit || !r.Set.IsEmpty() {
		t.Errorf("manifest's EE: %+v", r)
	}
	if r := decode(t, objects(t)["router.cer"]).Resources; r.V4.Present || r.V6.Present || !r.AS.Present || !r.Set.ContainsAS(64496) {
		t.Errorf("router: %+v", r)
	}
}

func TestKeyID(t *testing.T) {
	id := keyID(t, "ta")
	text := id.String()
	if len(text) != 40 || strings.ToUpper(text) != text {
		t.Errorf("got %q", text)
	}
	for _, in := range []string{text, strings.ToLower(text)} {
		if got, err := cert.ParseKeyID(in); err != nil || got != id {
			t.Errorf("%q: got %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", text[1:], text + "0", strings.Repeat("g", 40), text[:39] + " "} {
		if got, err := cert.ParseKeyID(in); err == nil {
			t.Errorf("%q: accepted as %v", in, got)
		}
	}

	marshaled, err := id.MarshalText()
	var back cert.KeyID
	if err != nil || back.UnmarshalText(marshaled) != nil || back != id {
		t.Errorf("text %s, %v gives %v", marshaled, err, back)
	}
	if err := back.UnmarshalText([]byte("x")); err == nil || back != id {
		t.Errorf("after an error: %v, %v", back, err)
	}
	if _, err := cert.KeyIDOf("no key"); err == nil {
		t.Error("a string has a key identifier")
	}
	if _, err := cert.KeyIDOfSPKI([]byte{0x30, 0}); err == nil {
		t.Error("an empty sequence has a key identifier")
	}
}

func TestURIs(t *testing.T) {
	for uri, want := range map[string]bool{
		"rsync://a.example/repo/":          true,
		"rsync://a.example/repo/x.cer":     true,
		"rsync://a.example:3873/repo/":     true,
		"RSYNC://a.example/repo/":          true,
		"rsync://192.0.2.1/repo/":          true,
		"rsync://[2001:db8::1]/repo/":      true,
		"":                                 false,
		"rsync://a.example":                false,
		"rsync://a.example/":               false,
		"rsync:///repo/":                   false,
		"rsync:a.example/repo":             false,
		"rsync://u@a.example/repo/":        false,
		"rsync://a.example/repo/../x":      false,
		"rsync://a.example/repo/./x":       false,
		"rsync://a.example/repo//x":        false,
		"rsync://a.example/repo/%2e%2e/x":  false,
		"rsync://a.example/repo/%zz":       false,
		"rsync://a.example/repo/?a=b":      false,
		"rsync://a.example/repo/#a":        false,
		"rsync://a.example/re po/":         false,
		"rsync://a.example/repo/\n":        false,
		"rsync://a.example/r\u00e9po/":     false,
		"https://a.example/repo/":          false,
		"rsyncs://a.example/repo/":         false,
		"rsync://a.example:port/repo/":     false,
		"rsync://a.example/repo/\x7f":      false,
		" rsync://a.example/repo/":         false,
		"rsync://a.example/repo/a..b/c...": true,
	} {
		if got := cert.IsRsyncURI(uri); got != want {
			t.Errorf("%q: got %v", uri, got)
		}
	}
	if !cert.IsHTTPSURI("https://a.example/n.xml") || cert.IsHTTPSURI("http://a.example/n.xml") {
		t.Error("https")
	}
}

func TestCheckGlobal(t *testing.T) {
	for host, want := range map[string]bool{
		"a.example": true, "a.example:3873": true, "rpki": true,
		"localhost": false, "LOCALHOST": false, "localhost.": false, "x.localhost": false, "localhost:3873": false,
		"127.0.0.1": false, "192.0.2.1:873": false, "[2001:db8::1]": false, "[::1]:873": false,
	} {
		for _, sia := range []cert.SIA{
			{Repository: "rsync://" + host + "/repo/", Manifest: base + "x.mft"},
			{Manifest: "rsync://" + host + "/x.mft"},
			{Notify: "https://" + host + "/n.xml"},
		} {
			if err := sia.CheckGlobal(); (err == nil) != want {
				t.Errorf("%+v: got %v", sia, err)
			}
		}
	}
	if err := (cert.SIA{}).CheckGlobal(); err != nil {
		t.Errorf("no URIs: %v", err)
	}
}

func BenchmarkDecodeAndVerify(b *testing.B) {
	made := objects(b)
	ta := decode(b, made["ta.cer"])
	for b.Loop() {
		c, err := cert.Decode(made["ca.cer"])
		if err != nil || c.CheckSignatureFrom(ta) != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	x, by := caTemplate(b), issuer(b, "ta")
	for b.Loop() {
		if _, err := cert.Sign(x, by); err != nil {
			b.Fatal(err)
		}
	}
}
