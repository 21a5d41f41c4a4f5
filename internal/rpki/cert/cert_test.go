package cert_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/der/dertest"
)

func TestDecodeGivesBackWhatWasSigned(t *testing.T) {
	want := caTemplate(t)
	c := decode(t, objects(t)["ca.cer"])
	if c.Version != 3 || c.Serial.Cmp(want.Serial) != 0 || !c.NotBefore.Equal(want.NotBefore) || !c.NotAfter.Equal(want.NotAfter) {
		t.Errorf("version %d, serial %v, from %v to %v", c.Version, c.Serial, c.NotBefore, c.NotAfter)
	}
	if !want.PublicKey.(*rsa.PublicKey).Equal(c.PublicKey) || c.KeyID != keyID(t, "ca") || !bytes.Equal(c.SubjectKeyID, c.KeyID[:]) {
		t.Errorf("key %v", c.KeyID)
	}
	if !c.HasAKI || c.AuthorityKeyID != keyID(t, "ta") || c.AuthorityKey.HasIssuer || c.AuthorityKey.HasSerial {
		t.Errorf("authority key %v", c.AuthorityKey)
	}
	if !c.CA || c.HasPathLen || c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || c.HasUniqueID {
		t.Errorf("CA %v, usage %b", c.CA, c.KeyUsage)
	}
	if c.CRLDP != want.CRLDP || c.AIA != want.AIA || c.SIA != want.SIA {
		t.Errorf("CRLDP %q, AIA %q, SIA %+v", c.CRLDP, c.AIA, c.SIA)
	}
	if !c.Resources.Set.Equal(want.Resources) || c.Resources.Inherits() {
		t.Errorf("resources %v", c.Resources)
	}
	if len(c.Malformed) != 0 || len(c.Policies) != 1 || !c.Policies[0].ID.Equal(cert.OIDPolicyRPKI) || c.Policies[0].Qualifiers != nil {
		t.Errorf("malformed %v, policies %v", c.Malformed, c.Policies)
	}
	if !bytes.Equal(c.RawSubject, der.CommonName(keyID(t, "ca").String())) || !bytes.Equal(c.RawIssuer, der.CommonName(keyID(t, "ta").String())) {
		t.Errorf("issuer %x, subject %x", c.RawIssuer, c.RawSubject)
	}
}

// The order in which relying parties have seen them for years.
func TestExtensionOrder(t *testing.T) {
	made := objects(t)
	for name, want := range map[string][]der.OID{
		"ta.cer":          {cert.OIDBasicConstraints, cert.OIDSubjectKeyID, cert.OIDKeyUsage, cert.OIDSIA, cert.OIDPolicies, cert.OIDIPResources, cert.OIDASResources},
		"ca.cer":          {cert.OIDBasicConstraints, cert.OIDSubjectKeyID, cert.OIDAuthorityKeyID, cert.OIDKeyUsage, cert.OIDCRLDP, cert.OIDAIA, cert.OIDSIA, cert.OIDPolicies, cert.OIDIPResources, cert.OIDASResources},
		"ee.cer":          {cert.OIDSubjectKeyID, cert.OIDAuthorityKeyID, cert.OIDKeyUsage, cert.OIDCRLDP, cert.OIDAIA, cert.OIDSIA, cert.OIDPolicies, cert.OIDIPResources, cert.OIDASResources},
		"router.cer":      {cert.OIDSubjectKeyID, cert.OIDAuthorityKeyID, cert.OIDKeyUsage, cert.OIDExtKeyUsage, cert.OIDCRLDP, cert.OIDAIA, cert.OIDPolicies, cert.OIDASResources},
		"identity.cer":    {cert.OIDBasicConstraints, cert.OIDSubjectKeyID},
		"identity-ee.cer": {cert.OIDSubjectKeyID, cert.OIDAuthorityKeyID},
	} {
		got := decode(t, made[name]).Extensions
		if len(got) != len(want) {
			t.Errorf("%s: %d extensions, want %d", name, len(got), len(want))
			continue
		}
		for i, e := range got {
			critical := want[i].Equal(cert.OIDBasicConstraints) || want[i].Equal(cert.OIDKeyUsage) || want[i].Equal(cert.OIDPolicies) ||
				want[i].Equal(cert.OIDIPResources) || want[i].Equal(cert.OIDASResources)
			if !e.ID.Equal(want[i]) || e.Critical != critical {
				t.Errorf("%s: extension %d is %v, critical %v; want %v, %v", name, i, e.ID, e.Critical, want[i], critical)
			}
		}
	}
}

func TestStandardLibraryAgrees(t *testing.T) {
	for name, raw := range objects(t) {
		if filepath.Ext(name) == ".csr" {
			std, err := x509.ParseCertificateRequest(raw)
			if err != nil || std.CheckSignature() != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		std, err := x509.ParseCertificate(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compare(t, decode(t, raw), std)
	}
}

func compare(t *testing.T, c *cert.Certificate, std *x509.Certificate) {
	t.Helper()
	if c.Version != std.Version || c.Serial.Cmp(std.SerialNumber) != 0 || !c.NotBefore.Equal(std.NotBefore) || !c.NotAfter.Equal(std.NotAfter) {
		t.Errorf("version %d %d, serial %v %v, validity %v %v %v %v", c.Version, std.Version, c.Serial, std.SerialNumber, c.NotBefore, std.NotBefore, c.NotAfter, std.NotAfter)
	}
	if !bytes.Equal(c.RawIssuer, std.RawIssuer) || !bytes.Equal(c.RawSubject, std.RawSubject) || !bytes.Equal(c.SPKI, std.RawSubjectPublicKeyInfo) {
		t.Error("names or key")
	}
	if len(c.Malformed) == 0 && (c.CA != std.IsCA || !bytes.Equal(c.SubjectKeyID, std.SubjectKeyId) || !bytes.Equal(c.AuthorityKey.KeyID, std.AuthorityKeyId) || c.KeyUsage != std.KeyUsage) {
		t.Errorf("CA %v %v, SKI %x %x, AKI %x %x, usage %b %b", c.CA, std.IsCA, c.SubjectKeyID, std.SubjectKeyId, c.AuthorityKey.KeyID, std.AuthorityKeyId, c.KeyUsage, std.KeyUsage)
	}
}

func TestSignatures(t *testing.T) {
	made := objects(t)
	ta, ca, ee := decode(t, made["ta.cer"]), decode(t, made["ca.cer"]), decode(t, made["ee.cer"])
	for _, c := range []struct {
		subject, issuer *cert.Certificate
		want            bool
	}{
		{ta, ta, true},
		{ca, ta, true},
		{ee, ca, true},
		{decode(t, made["router.cer"]), ca, true},
		{decode(t, made["identity-ee.cer"]), decode(t, made["identity.cer"]), true},
		{ca, ca, false},
		{ee, ta, false},
		{ee, decode(t, made["router.cer"]), false},
	} {
		if err := c.subject.CheckSignatureFrom(c.issuer); (err == nil) != c.want {
			t.Errorf("%v signed by %v: got %v", c.subject.KeyID, c.issuer.KeyID, err)
		}
	}

	changed := dertest.Parse(t, made["ca.cer"])
	changed.At(0, 1).Content[0] = 1 // another serial number
	if err := decode(t, changed.DER()).CheckSignatureFrom(ta); err == nil {
		t.Error("a changed certificate still verifies")
	}
}

func TestDecodeKeepsItsOwnCopy(t *testing.T) {
	raw := objects(t)["ca.cer"]
	c := decode(t, raw)
	want := c.KeyID.String() + c.SIA.Manifest + string(c.RawSubject) + string(c.Extensions[9].Value)
	for i := range raw {
		raw[i] = 0xff
	}
	if got := c.KeyID.String() + c.SIA.Manifest + string(c.RawSubject) + string(c.Extensions[9].Value); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What breaks the structure is refused at once; what only breaks a rule is profile's business.
func TestDecodeStructure(t *testing.T) {
	raw := objects(t)["ca.cer"]
	integer := dertest.New(0x02, 5)
	for what, c := range map[string]struct {
		edit    func(tbs *dertest.Node)
		refused bool
	}{
		"nothing changed":         {func(*dertest.Node) {}, false},
		"version 1":               {func(n *dertest.Node) { n.Remove(0) }, false},
		"version 1 written out":   {func(n *dertest.Node) { n.At(0, 0).Content = []byte{0} }, true},
		"version 4":               {func(n *dertest.Node) { n.At(0, 0).Content = []byte{3} }, false},
		"version too long":        {func(n *dertest.Node) { n.At(0, 0).Content = bytes.Repeat([]byte{1}, 30) }, true},
		"version twice":           {func(n *dertest.Node) { n.At(0).Insert(1, integer) }, true},
		"negative serial":         {func(n *dertest.Node) { n.At(1).Content = []byte{0x80} }, false},
		"long serial":             {func(n *dertest.Node) { n.At(1).Content = bytes.Repeat([]byte{1}, 30) }, false},
		"serial not minimal":      {func(n *dertest.Node) { n.At(1).Content = []byte{0, 5} }, true},
		"serial a string":         {func(n *dertest.Node) { n.At(1).Tag = 0x04 }, true},
		"algorithm a string":      {func(n *dertest.Node) { n.Children[2] = integer }, true},
		"issuer a string":         {func(n *dertest.Node) { n.Children[3] = integer }, true},
		"subject a string":        {func(n *dertest.Node) { n.Children[5] = integer }, true},
		"validity a string":       {func(n *dertest.Node) { n.Children[4] = integer }, true},
		"no notAfter":             {func(n *dertest.Node) { n.At(4).Remove(1) }, true},
		"three times":             {func(n *dertest.Node) { n.At(4).Insert(2, n.At(4, 0)) }, true},
		"time without seconds":    {func(n *dertest.Node) { n.At(4, 0).Content = []byte("2611221000Z") }, true},
		"key a string":            {func(n *dertest.Node) { n.Children[6] = integer }, true},
		"key without bits":        {func(n *dertest.Node) { n.At(6).Remove(1) }, true},
		"key not understood":      {func(n *dertest.Node) { n.At(6, 0, 0).Content = []byte{0x2a, 3} }, false},
		"unique identifiers":      {func(n *dertest.Node) { n.Insert(7, dertest.New(0x81, 0, 1)); n.Insert(8, dertest.New(0x82, 0, 1)) }, false},
		"unique identifiers back": {func(n *dertest.Node) { n.Insert(7, dertest.New(0x82, 0, 1)); n.Insert(8, dertest.New(0x81, 0, 1)) }, true},
		"no extensions":           {func(n *dertest.Node) { n.Remove(7) }, false},
		"empty extensions":        {func(n *dertest.Node) { n.At(7, 0).Children = nil }, true},
		"no list of extensions":   {func(n *dertest.Node) { n.At(7).Children = nil }, true},
		"more after extensions":   {func(n *dertest.Node) { n.Insert(8, integer) }, true},
		"critical FALSE":          {func(n *dertest.Node) { n.At(7, 0, 1).Insert(1, dertest.New(0x01, 0)) }, true},
	} {
		n := dertest.Parse(t, raw)
		c.edit(n.At(0))
		got, err := cert.Decode(n.DER())
		if (err != nil) != c.refused {
			t.Errorf("%s: got %v", what, err)
		}
		if err == nil && !bytes.Equal(got.Raw, n.DER()) {
			t.Errorf("%s: keeps other octets", what)
		}
	}
}

func TestMalformedExtensionsGrantNothing(t *testing.T) {
	raw := objects(t)["ca.cer"]
	seq := func(content ...byte) []byte { return dertest.New(0x30, content...).DER() }
	for what, c := range map[string]struct {
		id    der.OID
		value []byte
		empty func(c *cert.Certificate) bool
	}{
		"CA written FALSE":         {cert.OIDBasicConstraints, seq(0x01, 1, 0), func(c *cert.Certificate) bool { return !c.CA }},
		"CA of 01":                 {cert.OIDBasicConstraints, seq(0x01, 1, 1), func(c *cert.Certificate) bool { return !c.CA }},
		"negative path length":     {cert.OIDBasicConstraints, seq(0x01, 1, 0xff, 0x02, 1, 0xff), func(c *cert.Certificate) bool { return !c.CA }},
		"more after CA":            {cert.OIDBasicConstraints, append(seq(0x01, 1, 0xff), 0), nil},
		"SKI a bit string":         {cert.OIDSubjectKeyID, []byte{3, 1, 0}, func(c *cert.Certificate) bool { return c.SubjectKeyID == nil }},
		"AKI a string":             {cert.OIDAuthorityKeyID, []byte{4, 1, 0}, func(c *cert.Certificate) bool { return !c.HasAKI }},
		"AKI with more":            {cert.OIDAuthorityKeyID, append(seq(0x80, 0), 5, 0), func(c *cert.Certificate) bool { return !c.HasAKI }},
		"usage without bits":       {cert.OIDKeyUsage, []byte{3, 1, 0}, func(c *cert.Certificate) bool { return c.KeyUsage == 0 }},
		"usage with trailing zero": {cert.OIDKeyUsage, []byte{3, 2, 0, 6}, func(c *cert.Certificate) bool { return c.KeyUsage == 0 }},
		"usage of ten bits":        {cert.OIDKeyUsage, []byte{3, 3, 6, 0, 0x40}, func(c *cert.Certificate) bool { return c.KeyUsage == 0 }},
		"CRLDP empty":              {cert.OIDCRLDP, seq(), func(c *cert.Certificate) bool { return c.CRLDP == "" }},
		"CRLDP not a sequence":     {cert.OIDCRLDP, seq(5, 0), nil},
		"CRLDP named twice":        {cert.OIDCRLDP, seq(0x30, 6, 0xa0, 4, 0xa0, 0, 0xa1, 0), nil},
		"CRLDP with odd name":      {cert.OIDCRLDP, seq(0x30, 6, 0xa0, 4, 0xa0, 2, 0x05, 0), nil},
		"AIA with bad URI":         {cert.OIDAIA, seq(0x30, 7, 0x06, 1, 0x2a, 0x86, 2, 0x80, 0x81), func(c *cert.Certificate) bool { return c.AIA == "" }},
		"AIA with empty URI":       {cert.OIDAIA, seq(0x30, 5, 0x06, 1, 0x2a, 0x86, 0), nil},
		"AIA without location":     {cert.OIDAIA, seq(0x30, 3, 0x06, 1, 0x2a), nil},
		"SIA without method":       {cert.OIDSIA, seq(0x30, 3, 0x86, 1, 'a'), func(c *cert.Certificate) bool { return c.SIA == cert.SIA{} }},
		"policy without OID":       {cert.OIDPolicies, seq(0x30, 2, 5, 0), func(c *cert.Certificate) bool { return c.Policies == nil }},
		"empty qualifiers":         {cert.OIDPolicies, seq(0x30, 5, 0x06, 1, 0x2a, 0x30, 0), nil},
		"qualifier without value":  {cert.OIDPolicies, seq(0x30, 10, 0x06, 1, 0x2a, 0x30, 5, 0x30, 3, 0x06, 1, 0x2a), nil},
		"IP blocks empty":          {cert.OIDIPResources, seq(), func(c *cert.Certificate) bool { return c.Resources.Set.V4.IsEmpty() && c.Resources.Set.V6.IsEmpty() }},
		"AS blocks empty":          {cert.OIDASResources, seq(), func(c *cert.Certificate) bool { return c.Resources.Set.AS.IsEmpty() }},
	} {
		n := dertest.Parse(t, raw)
		setExtension(t, n, c.id, c.value)
		got := decode(t, n.DER())
		if len(got.Malformed) != 1 || !got.Malformed[0].ID.Equal(c.id) || got.Malformed[0].Err == nil {
			t.Errorf("%s: malformed is %v", what, got.Malformed)
		}
		if c.empty != nil && !c.empty(got) {
			t.Errorf("%s: still grants something", what)
		}
	}
}

// setExtension replaces the value of an extension of a certificate.
func setExtension(t testing.TB, n *dertest.Node, id der.OID, value []byte) {
	t.Helper()
	c := decode(t, n.DER())
	for i, e := range c.Extensions {
		if e.ID.Equal(id) {
			n.At(0, -1, 0, i, -1).Content = value
			return
		}
	}
	t.Fatalf("no extension %v", id)
}

// Whoever repeats an extension must not gain by it.
func TestRepeatedExtensionDoesNotCount(t *testing.T) {
	n := dertest.Parse(t, objects(t)["identity-ee.cer"])
	list := n.At(0, -1, 0)
	ca := dertest.Of(0x30, dertest.New(0x06, 0x55, 0x1d, 0x13), dertest.New(0x04, 0x30, 0x00))
	list.Insert(2, ca)
	again := dertest.Parse(t, ca.DER())
	again.At(1).Content = []byte{0x30, 3, 0x01, 1, 0xff}
	list.Insert(3, again)
	if c := decode(t, n.DER()); c.CA || len(c.Extensions) != 4 {
		t.Errorf("CA %v with %d extensions", c.CA, len(c.Extensions))
	}
}

func TestOtherLocations(t *testing.T) {
	n := dertest.Parse(t, objects(t)["ca.cer"])
	access := func(oid byte, location *dertest.Node) *dertest.Node {
		return dertest.Of(0x30, dertest.New(0x06, 0x2b, 6, 1, 5, 5, 7, 0x30, oid), location)
	}
	uri := func(text string) *dertest.Node { return dertest.New(0x86, []byte(text)...) }
	sia := dertest.Of(0x30,
		access(5, dertest.Of(0xa4, dertest.Of(0x30))), // a directory name
		access(5, uri("http://a.example/repo/")),
		access(5, uri("rsync://a.example/repo/")),
		access(5, uri("rsync://b.example/repo/")),
		access(10, uri("https://a.example/x.mft")),
		access(13, uri("rsync://a.example/n.xml")),
		access(99, uri("rsync://a.example/z")),
	)
	setExtension(t, n, cert.OIDSIA, sia.DER())
	c := decode(t, n.DER())
	if want := (cert.SIA{Repository: "rsync://a.example/repo/"}); c.SIA != want || len(c.SIAAccess) != 7 || len(c.Malformed) != 0 {
		t.Errorf("got %+v of %v", c.SIA, c.SIAAccess)
	}
}

func FuzzDecode(f *testing.F) {
	names, err := filepath.Glob("testdata/*.cer")
	if err != nil || len(names) == 0 {
		f.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := cert.Decode(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Raw, raw) {
			t.Errorf("keeps %x of %x", c.Raw, raw)
		}
		if n := dertest.Parse(t, raw); !bytes.Equal(n.DER(), raw) {
			t.Errorf("not DER: %x", raw)
		}
		if std, err := x509.ParseCertificate(raw); err == nil {
			compare(t, c, std)
		}
		_ = c.CheckSignatureFrom(c)
	})
}

func TestNewSerial(t *testing.T) {
	seen := make(map[string]bool)
	limit := new(big.Int).Lsh(big.NewInt(1), 159)
	for range 1000 {
		s, err := cert.NewSerial()
		if err != nil || s.Sign() <= 0 || s.Cmp(limit) >= 0 || seen[s.String()] {
			t.Fatalf("got %v, %v", s, err)
		}
		seen[s.String()] = true
	}
}

func TestTimesAreCutToSeconds(t *testing.T) {
	x := caTemplate(t)
	x.NotBefore = start().Add(999 * time.Millisecond).In(time.FixedZone("", 3600))
	x.NotAfter = time.Date(2050, 1, 1, 0, 0, 0, 1, time.UTC)
	raw, err := cert.Sign(x, issuer(t, "ta"))
	if err != nil {
		t.Fatal(err)
	}
	c := decode(t, raw)
	if !c.NotBefore.Equal(start()) || c.NotBefore.Location() != time.UTC || c.NotAfter.Nanosecond() != 0 {
		t.Errorf("from %v to %v", c.NotBefore, c.NotAfter)
	}
	if c.Validity[0].General || !c.Validity[1].General || !c.Validity[0].Conforms() || !c.Validity[1].Conforms() {
		t.Errorf("types of time: %+v", c.Validity)
	}
}
