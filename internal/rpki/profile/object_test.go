package profile_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/roa"
)

var objectTime = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fixture is a trust anchor and what it needs to sign objects.
type fixture struct {
	ta     *cert.Certificate
	issuer cert.Issuer
	ee     *rsa.PrivateKey
}

func fixedKey(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "cms", "testdata", "keys", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func newFixture(t testing.TB) fixture {
	t.Helper()
	return newFixtureOf(t, "ta")
}

func newFixtureOf(t testing.TB, name string) fixture {
	t.Helper()
	key := fixedKey(t, name)
	der, err := cert.SelfSign(cert.Template{
		Serial: big.NewInt(1), NotBefore: objectTime.AddDate(-1, 0, 0), NotAfter: objectTime.AddDate(10, 0, 0), CA: true,
		SIA:       cert.SIA{Repository: "rsync://example.org/repo/ta/", Manifest: "rsync://example.org/repo/ta/ta.mft"},
		Resources: held("AS64496-AS64511", "192.0.2.0/24, 198.51.100.0/24", "2001:db8::/32"),
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	ta, err := cert.Decode(der)
	if err != nil {
		t.Fatal(err)
	}
	return fixture{ta, cert.Issuer{RawSubject: ta.RawSubject, KeyID: ta.KeyID, Signer: key}, fixedKey(t, "ee")}
}

func held(as, v4, v6 string) resources.Set {
	asn, err1 := resources.ParseASSet(as)
	ipv4, err2 := resources.ParseIPSet(v4, resources.IPv4)
	ipv6, err3 := resources.ParseIPSet(v6, resources.IPv6)
	if err1 != nil || err2 != nil || err3 != nil {
		panic("resources of a test are wrong")
	}
	return resources.Set{AS: asn, V4: ipv4, V6: ipv6}
}

// eeTemplate is for the EE certificate of an object that holds 192.0.2.0/24.
func eeTemplate(f fixture) cert.Template {
	return cert.Template{
		Serial: big.NewInt(2), NotBefore: objectTime.Add(-5 * time.Minute), NotAfter: objectTime.AddDate(1, 0, 0),
		PublicKey: f.ee.Public(), CRLDP: "rsync://example.org/repo/ta/ta.crl", AIA: "rsync://example.org/ta.cer",
		SIA:       cert.SIA{SignedObject: "rsync://example.org/repo/ta/AS64496.roa"},
		Resources: held("", "192.0.2.0/24", ""),
	}
}

func (f fixture) sign(t testing.TB, ee cert.Template, contentType cms.OID, content []byte) []byte {
	t.Helper()
	eeDER, err := cert.Sign(ee, f.issuer)
	if err != nil {
		t.Fatal(err)
	}
	der, err := cms.Sign(cms.Template{ContentType: contentType, Content: content, EE: eeDER, Key: f.ee, SigningTime: objectTime})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func roaContent(t testing.TB, prefixes ...string) []byte {
	t.Helper()
	r := roa.ROA{ASID: 64496}
	for _, p := range prefixes {
		prefix := netip.MustParsePrefix(p)
		r.Prefixes = append(r.Prefixes, roa.Prefix{Prefix: prefix, MaxLength: prefix.Bits()})
	}
	content, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func clauses(violations []profile.Violation) string {
	var all []string
	for _, v := range violations {
		all = append(all, v.RFC+" "+v.Section)
	}
	return strings.Join(all, ", ")
}

// RFC 6488 section 2 and RFC 9589, rule by rule, on an otherwise good object.
func TestObject(t *testing.T) {
	f := newFixture(t)
	whole := f.sign(t, eeTemplate(f), roa.ContentType, roaContent(t, "192.0.2.0/24"))
	attribute := func(o *cms.Object, n int) *cms.Attribute { return &o.Signers[0].Attributes[n] }
	for name, tc := range map[string]struct {
		change func(o *cms.Object)
		want   string
	}{
		"good":                     {func(*cms.Object) {}, ""},
		"sha256WithRSAEncryption":  {func(o *cms.Object) { o.Signers[0].SignatureAlgorithm.OID = cms.OIDSHA256WithRSA }, ""},
		"digest with NULL":         {func(o *cms.Object) { o.DigestAlgorithms[0].Parameters = []byte{5, 0} }, ""},
		"version":                  {func(o *cms.Object) { o.Version = 1 }, "RFC 6488 2.1.1"},
		"no digestAlgorithms":      {func(o *cms.Object) { o.DigestAlgorithms = nil }, "RFC 6488 2.1.2"},
		"two digestAlgorithms":     {func(o *cms.Object) { o.DigestAlgorithms = slices.Repeat(o.DigestAlgorithms, 2) }, "RFC 6488 2.1.2"},
		"odd digest parameters":    {func(o *cms.Object) { o.DigestAlgorithms[0].Parameters = []byte{4, 0} }, "RFC 6488 2.1.2"},
		"no eContent":              {func(o *cms.Object) { o.Content = nil }, "RFC 6488 2.1.3.2, RFC 6488 2.1.6"},
		"no certificate":           {func(o *cms.Object) { o.Certificates, o.EE = nil, nil }, "RFC 6488 2.1.4"},
		"two certificates":         {func(o *cms.Object) { o.Certificates = append(o.Certificates, o.EE) }, "RFC 6488 2.1.4"},
		"no certificate inside":    {func(o *cms.Object) { o.EE = []byte{0x30, 0} }, "RFC 6488 2.1.4"},
		"empty crls":               {func(o *cms.Object) { o.CRLs = [][]byte{} }, "RFC 6488 2.1.5"},
		"no signer":                {func(o *cms.Object) { o.Signers = nil }, "RFC 6488 2.1.6"},
		"two signers":              {func(o *cms.Object) { o.Signers = slices.Repeat(o.Signers, 2) }, "RFC 6488 2.1.6"},
		"version of the signer":    {func(o *cms.Object) { o.Signers[0].Version = 1 }, "RFC 6488 2.1.6.1"},
		"issuer and serial number": {func(o *cms.Object) { o.Signers[0].KeyID = nil }, "RFC 6488 2.1.6.2"},
		"other key identifier":     {func(o *cms.Object) { o.Signers[0].KeyID = make([]byte, 20) }, "RFC 6488 2.1.6.2"},
		"SHA-1":                    {func(o *cms.Object) { o.Signers[0].DigestAlgorithm.OID = cms.OID{1, 3, 14, 3, 2, 26} }, "RFC 6488 2.1.6.3"},
		"no attributes":            {func(o *cms.Object) { o.Signers[0].Attributes = nil }, "RFC 6488 2.1.6.4, RFC 6488 2.1.6.4.1"},
		"no content-type":          {func(o *cms.Object) { o.Signers[0].Attributes = o.Signers[0].Attributes[1:] }, "RFC 6488 2.1.6.4.1"},
		"no message-digest":        {func(o *cms.Object) { o.Signers[0].Attributes = o.Signers[0].Attributes[:2] }, "RFC 6488 2.1.6.4.2"},
		"no signing-time":          {func(o *cms.Object) { o.Signers[0].Attributes = slices.Delete(o.Signers[0].Attributes, 1, 2) }, "RFC 9589 4"},
		"signing-time twice": {func(o *cms.Object) {
			o.Signers[0].Attributes = slices.Insert(o.Signers[0].Attributes, 1, *attribute(o, 1))
		}, "RFC 6488 2.1.6.4.3"},
		"signing-time odd":      {func(o *cms.Object) { attribute(o, 1).Values[0] = []byte("\x18\x0f20261122120000Z") }, "RFC 6488 2.1.6.4.3"},
		"signing-time empty":    {func(o *cms.Object) { attribute(o, 1).Values = nil }, "RFC 6488 2.1.6.4"},
		"binary-signing-time":   {func(o *cms.Object) { attribute(o, 1).Type = cms.OIDBinarySigningTime }, "RFC 9589 4, RFC 9589 4"},
		"unknown attribute":     {func(o *cms.Object) { attribute(o, 1).Type = cms.OID{1, 2, 3} }, "RFC 9589 4, RFC 9589 4"},
		"attributes not sorted": {func(o *cms.Object) { slices.Reverse(o.Signers[0].Attributes) }, "RFC 6488 2"},
		"ECDSA":                 {func(o *cms.Object) { o.Signers[0].SignatureAlgorithm.OID = cms.OID{1, 2, 840, 10045, 4, 3, 2} }, "RFC 6488 2.1.6.5"},
		"signature":             {func(o *cms.Object) { o.Signers[0].Signature[0] ^= 1 }, "RFC 6488 3"},
		"content":               {func(o *cms.Object) { o.Content[0] ^= 1 }, "RFC 6488 2.1.6.4.2"},
		"unsigned attributes":   {func(o *cms.Object) { o.Signers[0].UnsignedAttributes = []cms.Attribute{} }, "RFC 6488 2.1.6.7"},
		"several":               {func(o *cms.Object) { o.Version, o.CRLs, o.Signers[0].Version = 1, [][]byte{}, 1 }, "RFC 6488 2.1.1, RFC 6488 2.1.5, RFC 6488 2.1.6.1"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := cms.Decode(slices.Clone(whole))
			if err != nil {
				t.Fatal(err)
			}
			tc.change(o)
			if got := profile.Object(o); clauses(got) != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
}

func TestCheckROA(t *testing.T) {
	f := newFixture(t)
	other := f
	other.ee = fixedKey(t, "other")
	unsorted := roaContent(t, "192.0.2.0/25")
	unsorted = append(unsorted, 2, 1, 25) // maxLength, which says nothing
	for _, i := range []int{1, 8, 10, 16, 18} {
		unsorted[i] += 3
	}
	for name, tc := range map[string]struct {
		content []byte
		change  func(ee *cert.Template)
		now     time.Time
		want    string
	}{
		"good":         {roaContent(t, "192.0.2.0/24"), nil, objectTime, ""},
		"more precise": {roaContent(t, "192.0.2.128/25", "192.0.2.0/26"), nil, objectTime, ""},
		"both families": {roaContent(t, "192.0.2.0/24", "2001:db8::/48"), func(ee *cert.Template) {
			ee.Resources = held("", "192.0.2.0/24", "2001:db8::/47")
		}, objectTime, ""},
		"not held by EE":     {roaContent(t, "192.0.2.0/24", "198.51.100.0/24"), nil, objectTime, "RFC 9582 5"},
		"wrong family":       {roaContent(t, "c000:200::/24"), nil, objectTime, "RFC 9582 5"},
		"not held by issuer": {roaContent(t, "10.0.0.0/24"), func(ee *cert.Template) { ee.Resources = held("", "10.0.0.0/8", "") }, objectTime, "RFC 6487 7.2"},
		"AS resources":       {roaContent(t, "192.0.2.0/24"), func(ee *cert.Template) { ee.Resources = held("AS64496", "192.0.2.0/24", "") }, objectTime, "RFC 9582 5"},
		"inherited": {roaContent(t, "192.0.2.0/24"), func(ee *cert.Template) {
			ee.Resources, ee.Inherit = resources.Set{}, true
		}, objectTime, "RFC 9582 5, RFC 9582 5"},
		"AS resources alone": {roaContent(t, "192.0.2.0/24"), func(ee *cert.Template) { ee.Resources = held("AS64496", "", "") }, objectTime, "RFC 9582 5, RFC 9582 5, RFC 9582 5"},
		"first second":       {roaContent(t, "192.0.2.0/24"), nil, objectTime.Add(-5 * time.Minute), ""},
		"too early":          {roaContent(t, "192.0.2.0/24"), nil, objectTime.Add(-6 * time.Minute), "RFC 6487 7.2"},
		"expired":            {roaContent(t, "192.0.2.0/24"), nil, objectTime.AddDate(2, 0, 0), "RFC 6487 7.2"},
		"key of another":     {roaContent(t, "192.0.2.0/24"), func(ee *cert.Template) { ee.PublicKey = other.ee.Public() }, objectTime, "RFC 6488 2.1.6.2"},
		"no ROA":             {[]byte{4, 0}, nil, objectTime, "RFC 9582 4"},
		"not canonical":      {unsorted, nil, objectTime, "RFC 9582 4.3.3"},
	} {
		t.Run(name, func(t *testing.T) {
			ee := eeTemplate(f)
			if tc.change != nil {
				tc.change(&ee)
			}
			err := profile.CheckROA(f.sign(t, ee, roa.ContentType, tc.content), f.ta, tc.now)
			if got := profile.Violations(err, "", ""); clauses(got) != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
}

func TestCheckROAIssuer(t *testing.T) {
	f := newFixture(t)
	good := f.sign(t, eeTemplate(f), roa.ContentType, roaContent(t, "192.0.2.0/24"))
	o, err := cms.Decode(good)
	if err != nil {
		t.Fatal(err)
	}
	forged := slices.Clone(good)
	forged[bytes.Index(good, o.EE)+len(o.EE)-1] ^= 1
	stranger := newFixtureOf(t, "other")
	for name, tc := range map[string]struct {
		der  []byte
		want string
	}{
		"good":              {good, ""},
		"signature changed": {forged, "RFC 6487 7.2"},
		"another issuer": {
			stranger.sign(t, eeTemplate(f), roa.ContentType, roaContent(t, "192.0.2.0/24")),
			"RFC 6487 7.2, RFC 6487 4.8.3, RFC 6487 7.2",
		},
		"garbage":     {[]byte("garbage"), "RFC 6488 2"},
		"certificate": {f.ta.Raw, "RFC 6488 2.1"},
		"a manifest":  {f.manifest(t, nil), "RFC 9582 3"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := profile.Violations(profile.CheckROA(tc.der, f.ta, objectTime), "", ""); clauses(got) != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
}

// A ROA cannot make us report more than a screenful.
func TestROAViolationsAreBounded(t *testing.T) {
	f := newFixture(t)
	var prefixes []string
	for i := range 100 {
		prefixes = append(prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i)}), 24).String())
	}
	_, broken := profile.ROA(f.sign(t, eeTemplate(f), roa.ContentType, roaContent(t, prefixes...)))
	if len(broken) != 20 {
		t.Errorf("got %d violations", len(broken))
	}
}

// manifest makes a good manifest, or what change makes of it.
func (f fixture) manifest(t testing.TB, change func(ee *cert.Template, m *manifest.Manifest)) []byte {
	t.Helper()
	ee := eeTemplate(f)
	ee.NotAfter = objectTime.Add(24 * time.Hour)
	ee.SIA.SignedObject = "rsync://example.org/repo/ta/ta.mft"
	ee.Resources, ee.Inherit = resources.Set{}, true
	m := manifest.Manifest{
		Number: big.NewInt(7), ThisUpdate: ee.NotBefore, NextUpdate: ee.NotAfter,
		Files: []manifest.File{{Name: "ta.crl"}, {Name: "AS64496.roa"}},
	}
	if change != nil {
		change(&ee, &m)
	}
	content, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return f.sign(t, ee, manifest.ContentType, content)
}

func TestCheckManifest(t *testing.T) {
	f := newFixture(t)
	for name, tc := range map[string]struct {
		change func(ee *cert.Template, m *manifest.Manifest)
		now    time.Time
		want   string
	}{
		"good":          {nil, objectTime, ""},
		"last second":   {nil, objectTime.Add(24 * time.Hour), ""},
		"stale":         {nil, objectTime.Add(24*time.Hour + time.Second), "RFC 6487 7.2, RFC 9286 6.3"},
		"from tomorrow": {nil, objectTime.Add(-6 * time.Minute), "RFC 6487 7.2, RFC 9286 6.3"},
		"own resources": {func(ee *cert.Template, _ *manifest.Manifest) {
			ee.Inherit, ee.Resources = false, held("AS64496", "192.0.2.0/24", "2001:db8::/32")
		}, objectTime, "RFC 9286 5.1, RFC 9286 5.1, RFC 9286 5.1"},
		"EE valid longer": {func(ee *cert.Template, _ *manifest.Manifest) { ee.NotAfter = ee.NotAfter.Add(time.Second) }, objectTime, "RFC 9286 5.1"},
		"no CRL":          {func(_ *cert.Template, m *manifest.Manifest) { m.Files = m.Files[1:] }, objectTime, "RFC 9286 2"},
		"another CRL":     {func(_ *cert.Template, m *manifest.Manifest) { m.Files[0].Name = "old.crl" }, objectTime, "RFC 9286 2"},
		"two CRLs": {func(_ *cert.Template, m *manifest.Manifest) {
			m.Files = append(m.Files, manifest.File{Name: "old.crl"})
		}, objectTime, "RFC 9286 2"},
	} {
		t.Run(name, func(t *testing.T) {
			err := profile.CheckManifest(f.manifest(t, tc.change), f.ta, tc.now)
			if got := profile.Violations(err, "", ""); clauses(got) != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
	for name, der := range map[string][]byte{
		"garbage":       []byte("garbage"),
		"a ROA":         f.sign(t, eeTemplate(f), roa.ContentType, roaContent(t, "192.0.2.0/24")),
		"wrong content": f.sign(t, eeTemplate(f), manifest.ContentType, roaContent(t, "192.0.2.0/24")),
	} {
		if err := profile.CheckManifest(der, f.ta, objectTime); err == nil {
			t.Errorf("%s was accepted as a manifest", name)
		}
	}
}

func BenchmarkCheckROA(b *testing.B) {
	f := newFixture(b)
	der := f.sign(b, eeTemplate(f), roa.ContentType, roaContent(b, "192.0.2.0/24"))
	for b.Loop() {
		if err := profile.CheckROA(der, f.ta, objectTime); err != nil {
			b.Fatal(err)
		}
	}
}
