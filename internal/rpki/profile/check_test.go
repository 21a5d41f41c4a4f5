package profile_test

import (
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/der/dertest"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
)

func (f fixture) ca() cert.Template {
	return cert.Template{
		Serial: big.NewInt(3), NotBefore: objectTime.Add(-5 * time.Minute), NotAfter: objectTime.AddDate(1, 0, 0), CA: true,
		PublicKey: f.ee.Public(), CRLDP: "rsync://example.org/repo/ta/ta.crl", AIA: "rsync://example.org/ta.cer",
		SIA:       cert.SIA{Repository: "rsync://example.org/repo/ca/", Manifest: "rsync://example.org/repo/ca/ca.mft"},
		Resources: held("AS64496", "192.0.2.0/25", "2001:db8:1::/48"),
	}
}

func TestCheckCACertificate(t *testing.T) {
	for what, c := range map[string]struct {
		edit func(x *cert.Template, by *cert.Issuer, at *time.Time)
		want string // clauses, "" means accepted
	}{
		"good": {func(*cert.Template, *cert.Issuer, *time.Time) {}, ""},
		"all of it": {func(x *cert.Template, _ *cert.Issuer, _ *time.Time) {
			x.Resources = held("AS64496-AS64511", "192.0.2.0/24, 198.51.100.0/24", "2001:db8::/32")
		}, ""},
		"inherits":       {func(x *cert.Template, _ *cert.Issuer, _ *time.Time) { x.Resources, x.Inherit = resources.Set{}, true }, ""},
		"AS not held":    {func(x *cert.Template, _ *cert.Issuer, _ *time.Time) { x.Resources = held("AS64495-AS64496", "", "") }, "RFC 6487 7.2"},
		"IPv4 not held":  {func(x *cert.Template, _ *cert.Issuer, _ *time.Time) { x.Resources = held("", "192.0.2.0/23", "") }, "RFC 6487 7.2"},
		"IPv6 not held":  {func(x *cert.Template, _ *cert.Issuer, _ *time.Time) { x.Resources = held("", "", "2001:db9::/32") }, "RFC 6487 7.2"},
		"other family":   {func(x *cert.Template, _ *cert.Issuer, _ *time.Time) { x.Resources = held("", "", "c000:200::/24") }, "RFC 6487 7.2"},
		"other name":     {func(_ *cert.Template, by *cert.Issuer, _ *time.Time) { by.RawSubject = otherName(t) }, "RFC 6487 7.2"},
		"not yet valid":  {func(x *cert.Template, _ *cert.Issuer, at *time.Time) { *at = x.NotBefore.Add(-time.Second) }, "RFC 6487 7.2"},
		"from the start": {func(x *cert.Template, _ *cert.Issuer, at *time.Time) { *at = x.NotBefore }, ""},
		"to the end":     {func(x *cert.Template, _ *cert.Issuer, at *time.Time) { *at = x.NotAfter }, ""},
		"expired":        {func(x *cert.Template, _ *cert.Issuer, at *time.Time) { *at = x.NotAfter.Add(time.Second) }, "RFC 6487 7.2"},
		"is an EE":       {func(x *cert.Template, _ *cert.Issuer, _ *time.Time) { *x = eeTemplate(newFixture(t)) }, "RFC 6487 4.8.1, RFC 6487 4.8.4, RFC 6487 4.8.8.1, RFC 6487 4.8.8.1, RFC 6487 4.8.8.1"},
		"by somebody":    {func(_ *cert.Template, by *cert.Issuer, _ *time.Time) { *by = somebody(t, by.RawSubject) }, "RFC 6487 4.8.3, RFC 6487 7.2"},
		"three rules too": {func(x *cert.Template, by *cert.Issuer, at *time.Time) {
			*at = x.NotAfter.Add(1)
			*by = somebody(t, by.RawSubject)
			x.Resources = held("AS1", "", "")
		}, "RFC 6487 4.8.3, RFC 6487 7.2, RFC 6487 7.2, RFC 6487 7.2"},
	} {
		f := newFixture(t)
		x, by, at := f.ca(), f.issuer, objectTime
		c.edit(&x, &by, &at)
		raw, err := cert.Sign(x, by)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got := profile.CheckCACertificate(raw, f.ta, at); clauses(broken(got)) != c.want || (got == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want %q", what, got, c.want)
		}
	}
	if err := profile.CheckCACertificate([]byte{0x30, 0}, newFixture(t).ta, objectTime); err == nil {
		t.Error("an empty sequence was accepted")
	}
}

func otherName(t testing.TB) []byte {
	t.Helper()
	c, err := cert.Decode(sample(t, "cert", "ta.cer").DER())
	if err != nil {
		t.Fatal(err)
	}
	return c.RawSubject
}

// somebody gives an issuer with a key of his own and another's name.
func somebody(t testing.TB, name []byte) cert.Issuer {
	t.Helper()
	key := fixedKey(t, "ee")
	id, err := cert.KeyIDOf(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return cert.Issuer{RawSubject: name, KeyID: id, Signer: key}
}

// The message must tell an operator what is missing.
func TestOverclaimNamesWhatIsMissing(t *testing.T) {
	f := newFixture(t)
	x := f.ca()
	x.Resources = held("AS64496, AS65000", "192.0.2.0/24", "")
	raw, err := cert.Sign(x, f.issuer)
	if err != nil {
		t.Fatal(err)
	}
	err = profile.CheckCACertificate(raw, f.ta, objectTime)
	if err == nil || !strings.Contains(err.Error(), "asn: 'AS65000', ipv4: '', ipv6: ''") {
		t.Errorf("got %v", err)
	}
}

// An EE key must not sign certificates, and a CA that inherits grants only what is resolved.
func TestIssuers(t *testing.T) {
	f := newFixture(t)
	ee := eeTemplate(f)
	ee.Inherit, ee.Resources = true, resources.Set{}
	raw, err := cert.Sign(ee, f.issuer)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := cert.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	by := cert.Issuer{RawSubject: issuer.RawSubject, KeyID: issuer.KeyID, Signer: f.ee}
	below, err := cert.Sign(f.ca(), by)
	if err != nil {
		t.Fatal(err)
	}
	err = profile.CheckCACertificate(below, issuer, objectTime)
	if got := clauses(broken(err)); got != "RFC 6487 7.2, RFC 6487 7.2" {
		t.Errorf("got %v", err)
	}
	issuer.CA = true
	issuer.Resources = resources.Explicit(issuer.Resources.Resolve(f.ta.Resources.Set))
	if err := profile.CheckCACertificate(below, issuer, objectTime); err != nil {
		t.Errorf("resolved: %v", err)
	}
}

func TestCheckRouterCertificate(t *testing.T) {
	issuer, err := cert.Decode(sample(t, "cert", "ca.cer").DER())
	if err != nil {
		t.Fatal(err)
	}
	raw := sample(t, "cert", "router.cer").DER()
	if err := profile.CheckRouterCertificate(raw, issuer, objectTime); err != nil {
		t.Error(err)
	}
	issuer.Resources = resources.Extension{}
	if err := profile.CheckRouterCertificate(raw, issuer, objectTime); clauses(broken(err)) != "RFC 6487 7.2" {
		t.Errorf("not held: got %v", err)
	}
	if err := profile.CheckRouterCertificate(raw[1:], issuer, objectTime); err == nil {
		t.Error("half a certificate was accepted")
	}
}

func TestCheckTrustAnchor(t *testing.T) {
	good := newFixture(t).ta.Raw
	for at, want := range map[time.Time]string{
		objectTime:                    "",
		objectTime.AddDate(-2, 0, 0):  "RFC 6487 7.2",
		objectTime.AddDate(100, 0, 0): "RFC 6487 7.2",
	} {
		if err := profile.CheckTrustAnchor(good, at); clauses(broken(err)) != want {
			t.Errorf("at %v: got %v", at, err)
		}
	}

	changed := dertest.Parse(t, good)
	changed.At(0, 1).Content = []byte{9}
	if err := profile.CheckTrustAnchor(changed.DER(), objectTime); clauses(broken(err)) != "RFC 6487 7.2" {
		t.Errorf("bad signature: got %v", err)
	}
	renamed := dertest.Parse(t, good)
	renamed.At(0, 3, 0, 0, 1).Content[0] = 'X'
	if err := profile.CheckTrustAnchor(renamed.DER(), objectTime); clauses(broken(err)) != "RFC 8630 3, RFC 6487 7.2" {
		t.Errorf("other issuer: got %v", err)
	}
	if err := profile.CheckTrustAnchor(read(t, filepath.Join("..", "cert", "testdata", "ca.cer")), objectTime); err == nil {
		t.Error("a CA certificate was accepted")
	}
	if err := profile.CheckTrustAnchor(nil, objectTime); err == nil {
		t.Error("nothing was accepted")
	}
}

func TestCheckCRL(t *testing.T) {
	f := newFixture(t)
	x := crl.Template{
		Number: big.NewInt(1), ThisUpdate: objectTime.Add(-5 * time.Minute), NextUpdate: objectTime.Add(24 * time.Hour),
		Entries: []crl.Entry{{Serial: big.NewInt(5), RevokedAt: objectTime}},
	}
	good := mustCRL(t, x, f.issuer)
	for at, want := range map[time.Time]string{
		objectTime:                     "",
		x.ThisUpdate:                   "",
		x.NextUpdate:                   "",
		x.ThisUpdate.Add(-time.Second): "RFC 6487 5",
		x.NextUpdate.Add(time.Second):  "RFC 6487 5",
	} {
		if err := profile.CheckCRL(good, f.ta, at); clauses(broken(err)) != want {
			t.Errorf("at %v: got %v", at, err)
		}
	}

	if err := profile.CheckCRL(mustCRL(t, x, somebody(t, f.ta.RawSubject)), f.ta, objectTime); clauses(broken(err)) != "RFC 6487 7.2, RFC 6487 5" {
		t.Errorf("by somebody else: got %v", err)
	}
	renamed := f.issuer
	renamed.RawSubject = otherName(t)
	if err := profile.CheckCRL(mustCRL(t, x, renamed), f.ta, objectTime); clauses(broken(err)) != "RFC 6487 5" {
		t.Errorf("other name: got %v", err)
	}
	if err := profile.CheckCRL(good[1:], f.ta, objectTime); err == nil {
		t.Error("half a list was accepted")
	}
}

func mustCRL(t testing.TB, x crl.Template, by cert.Issuer) []byte {
	t.Helper()
	raw, err := crl.Sign(x, by)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestViolationText(t *testing.T) {
	v := profile.Violation{RFC: "RFC 6487", Section: "4.1", Rule: "version must be 3"}
	if v.String() != "RFC 6487 section 4.1: version must be 3" || v.Error() != v.String() {
		t.Errorf("got %q", v)
	}
	if profile.Join(nil) != nil {
		t.Error("no violations are an error")
	}
	if got := profile.Join([]profile.Violation{v, v}).Error(); got != v.String()+"\n"+v.String() {
		t.Errorf("joined: %q", got)
	}
	for kind, want := range map[profile.CertKind]string{profile.TA: "trust anchor certificate", profile.Router: "router certificate"} {
		if kind.String() != want {
			t.Errorf("got %q, want %q", kind, want)
		}
	}
}
