package profile_test

import (
	"path/filepath"
	"testing"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/der/dertest"
	"baleen/internal/rpki/profile"
)

// sample gives a good certificate or revocation list of another package's tests.
func sample(t testing.TB, pkg, name string) *dertest.Node {
	t.Helper()
	return dertest.Parse(t, read(t, filepath.Join("..", pkg, "testdata", name)))
}

// list is the edit of a certificate's or revocation list's extensions.
type list struct {
	t testing.TB
	n *dertest.Node
}

func oid(id der.OID) []byte {
	switch {
	case id[0] == 2:
		return []byte{0x06, 3, 0x55, 0x1d, byte(id[3])}
	default:
		return []byte{0x06, 8, 0x2b, 6, 1, 5, 5, 7, 1, byte(id[8])}
	}
}

func (l list) remove(id der.OID) {
	_, i := l.n.Extension(oid(id))
	l.n.Remove(i)
}

func (l list) value(id der.OID, value ...byte) {
	e, _ := l.n.Extension(oid(id))
	e.At(-1).Content = value
}

func (l list) twice(id der.OID) {
	e, i := l.n.Extension(oid(id))
	l.n.Insert(i, e)
}

// flip makes a critical extension not critical, and the reverse.
func (l list) flip(id der.OID) {
	e, _ := l.n.Extension(oid(id))
	if len(e.Children) == 3 {
		e.Remove(1)
		return
	}
	e.Insert(1, dertest.New(0x01, 0xff))
}

func (l list) add(id der.OID, value ...byte) {
	l.n.Insert(0, dertest.Of(0x30, dertest.Parse(l.t, oid(id)), dertest.New(0x04, value...)))
}

func access(method byte, uri string) *dertest.Node {
	return dertest.Of(0x30, dertest.New(0x06, 0x2b, 6, 1, 5, 5, 7, 0x30, method), dertest.New(0x86, []byte(uri)...))
}

func seq(children ...*dertest.Node) []byte { return dertest.Of(0x30, children...).DER() }

func kindOf(file string) profile.CertKind {
	return map[string]profile.CertKind{"ta.cer": profile.TA, "ca.cer": profile.CA, "ee.cer": profile.EE, "router.cer": profile.Router}[file]
}

func TestGoodCertificates(t *testing.T) {
	for _, file := range []string{"ta.cer", "ca.cer", "ee.cer", "router.cer"} {
		c, err := cert.Decode(sample(t, "cert", file).DER())
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []profile.CertKind{profile.TA, profile.CA, profile.EE, profile.Router} {
			broken := profile.Certificate(c, kind)
			if right := kind == kindOf(file); right != (len(broken) == 0) {
				t.Errorf("%s as %v: got %v", file, kind, broken)
			}
		}
	}
}

// RFC 6487 sections 4.1 to 4.7: the fields before the extensions.
func TestCertificateFields(t *testing.T) {
	cn := func(n *dertest.Node) *dertest.Node { return n.At(0, 0) } // the SEQUENCE of type and value
	for what, c := range map[string]struct {
		edit func(tbs *dertest.Node)
		want string
	}{
		"version 2":             {func(n *dertest.Node) { n.At(0, 0).Content = []byte{1} }, "RFC 6487 4.1"},
		"serial 0":              {func(n *dertest.Node) { n.At(1).Content = []byte{0} }, "RFC 6487 4.2"},
		"negative serial":       {func(n *dertest.Node) { n.At(1).Content = []byte{0xff} }, "RFC 6487 4.2"},
		"serial of 21 octets":   {func(n *dertest.Node) { n.At(1).Content = make21() }, "RFC 5280 4.1.2.2"},
		"inner SHA-1":           {func(n *dertest.Node) { n.At(2, 0).Content[8] = 5 }, "RFC 5280 4.1.1.2"},
		"issuer without names":  {func(n *dertest.Node) { n.At(3).Children = nil }, "RFC 6487 4.4"},
		"issuer in UTF-8":       {func(n *dertest.Node) { cn(n.At(3)).At(1).Tag = 0x0c }, "RFC 6487 4.4"},
		"issuer with @":         {func(n *dertest.Node) { cn(n.At(3)).At(1).Content[0] = '@' }, "RFC 6487 4.4"},
		"issuer surname":        {func(n *dertest.Node) { cn(n.At(3)).At(0).Content[2] = 4 }, "RFC 6487 4.4, RFC 6487 4.4"},
		"subject named twice":   {func(n *dertest.Node) { n.At(5).Insert(0, n.At(5, 0)) }, "RFC 6487 4.5"},
		"subject only a number": {func(n *dertest.Node) { cn(n.At(5)).At(0).Content[2] = 5 }, "RFC 6487 4.5"},
		"subject with a number": {func(n *dertest.Node) { n.At(5).Insert(1, serialNumber(t, n.At(5, 0))) }, ""},
		"subject two numbers": {func(n *dertest.Node) {
			n.At(5).Insert(1, serialNumber(t, n.At(5, 0)))
			n.At(5).Insert(1, serialNumber(t, n.At(5, 0)))
		}, "RFC 6487 4.5"},
		"number in UTF-8": {func(n *dertest.Node) {
			n.At(5).Insert(1, serialNumber(t, n.At(5, 0)))
			n.At(5, 1, 0, 1).Tag = 0x0c
		}, "RFC 5280 4.1.2.4"},
		"set out of order": {func(n *dertest.Node) { n.At(5, 0).Insert(0, serialNumber(t, n.At(5, 0)).At(0)) }, "RFC 5280 4.1"},
		"from general":     {func(n *dertest.Node) { n.At(4).Children[0] = dertest.New(0x18, []byte("20260101000000Z")...) }, "RFC 6487 4.6.1"},
		"to general":       {func(n *dertest.Node) { n.At(4).Children[1] = dertest.New(0x18, []byte("20270101000000Z")...) }, "RFC 6487 4.6.2"},
		"to 2050":          {func(n *dertest.Node) { n.At(4).Children[1] = dertest.New(0x18, []byte("20500101000000Z")...) }, ""},
		"crossed":          {func(n *dertest.Node) { n.At(4).Insert(0, n.At(4, 1)); n.At(4).Remove(2) }, "RFC 6487 4.6"},
		"unique id":        {func(n *dertest.Node) { n.Insert(7, dertest.New(0x82, 0, 1)) }, "RFC 6487 4"},
		"key of MD2":       {func(n *dertest.Node) { n.At(6, 0, 0).Content[8] = 2 }, "RFC 6487 4.7"},
		"key without NULL": {func(n *dertest.Node) { n.At(6, 0).Remove(1) }, "RFC 6487 4.7"},
	} {
		n := sample(t, "cert", "ca.cer")
		c.edit(n.At(0))
		check(t, what, n, profile.CA, c.want)
	}

	n := sample(t, "cert", "ca.cer")
	n.At(0, 2, 0).Content[8] = 5
	n.At(1, 0).Content[8] = 5
	check(t, "SHA-1 inside and outside", n, profile.CA, "RFC 6487 4.3")

	n = sample(t, "cert", "ca.cer")
	n.At(0).Remove(7)
	check(t, "no extensions", n, profile.CA, "RFC 6487 4.8.1, RFC 6487 4.8.2, RFC 6487 4.8.3, RFC 6487 4.8.4, RFC 6487 4.8.6, RFC 6487 4.8.7, RFC 6487 4.8.8, RFC 6487 4.8.9, RFC 6487 4.8.10")
}

func make21() []byte {
	out := make([]byte, 21)
	out[0] = 1
	return out
}

// serialNumber gives a copy of a common name as a serialNumber.
func serialNumber(t testing.TB, set *dertest.Node) *dertest.Node {
	t.Helper()
	out := dertest.Parse(t, set.DER())
	out.At(0, 0).Content[2] = 5
	return out
}

func check(t *testing.T, what string, n *dertest.Node, kind profile.CertKind, want string) {
	t.Helper()
	c, err := cert.Decode(n.DER())
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if got := profile.Certificate(c, kind); clauses(got) != want {
		t.Errorf("%s: got %v, want %q", what, got, want)
	}
}

// RFC 7935 section 3, RFC 8608 section 3.1: a key of the wrong kind for the role. The
// subject key identifier is that of the right one.
func TestKeys(t *testing.T) {
	router, ee := sample(t, "cert", "router.cer"), sample(t, "cert", "ee.cer")
	rsa, ecdsa := ee.At(0, 6), router.At(0, 6)
	ee.At(0).Children[6], router.At(0).Children[6] = ecdsa, rsa
	check(t, "EE with ECDSA", ee, profile.EE, "RFC 6487 4.7, RFC 6487 4.8.2")
	check(t, "router with RSA", router, profile.Router, "RFC 8209 3.1.2, RFC 6487 4.8.2")

	small := sample(t, "cert", "ca.cer")
	bits := small.At(0, 6, 1)
	key := dertest.Parse(t, bits.Content[1:])
	key.At(1).Content = []byte{3}
	bits.Content = append([]byte{0}, key.DER()...)
	check(t, "exponent 3", small, profile.CA, "RFC 6487 4.7, RFC 6487 4.8.2")
}

// RFC 6487 section 4.8 on which extensions there are and which are critical.
func TestExtensionList(t *testing.T) {
	optional := map[string]string{"4.8.10": cert.OIDIPResources.String(), "4.8.11": cert.OIDASResources.String()}
	for section, id := range map[string]der.OID{
		"4.8.1": cert.OIDBasicConstraints, "4.8.2": cert.OIDSubjectKeyID, "4.8.3": cert.OIDAuthorityKeyID, "4.8.4": cert.OIDKeyUsage,
		"4.8.6": cert.OIDCRLDP, "4.8.7": cert.OIDAIA, "4.8.8": cert.OIDSIA, "4.8.9": cert.OIDPolicies,
		"4.8.10": cert.OIDIPResources, "4.8.11": cert.OIDASResources,
	} {
		missing := "RFC 6487 " + section
		if optional[section] != "" {
			missing = ""
		}
		for what, c := range map[string]struct {
			edit func(list)
			want string
		}{
			"missing":     {func(l list) { l.remove(id) }, missing},
			"twice":       {func(l list) { l.twice(id) }, "RFC 5280 4.2"},
			"criticality": {func(l list) { l.flip(id) }, "RFC 6487 " + section},
			"malformed":   {func(l list) { l.value(id, 0x02, 1, 1) }, "RFC 6487 " + section},
			"empty value": {func(l list) { l.value(id) }, "RFC 6487 " + section},
		} {
			n := sample(t, "cert", "ca.cer")
			c.edit(list{t, n.At(0, -1, 0)})
			check(t, section+" "+what, n, profile.CA, c.want)
		}
	}

	n := sample(t, "cert", "ca.cer")
	list{t, n.At(0, -1, 0)}.remove(cert.OIDIPResources)
	list{t, n.At(0, -1, 0)}.remove(cert.OIDASResources)
	check(t, "no resources", n, profile.CA, "RFC 6487 4.8.10")

	n = sample(t, "cert", "ca.cer")
	list{t, n.At(0, -1, 0)}.add(der.OID{2, 5, 29, 99}, 5, 0)
	check(t, "unknown extension", n, profile.CA, "RFC 6487 4.8")
}

// RFC 6487 sections 4.8.1 to 4.8.11, RFC 7318, 8182, 8209, 8630: the extensions' values.
func TestExtensionValues(t *testing.T) {
	rpkiPolicy := dertest.New(0x06, 0x2b, 6, 1, 5, 5, 7, 14, 2)
	qualifier := func(id byte) *dertest.Node {
		return dertest.Of(0x30, dertest.New(0x06, 0x2b, 6, 1, 5, 5, 7, 2, id), dertest.New(0x16, 'x'))
	}
	point := func(parts ...*dertest.Node) []byte { return seq(dertest.Of(0x30, parts...)) }
	name := dertest.Of(0xa0, dertest.Of(0xa0, dertest.New(0x86, []byte("rsync://a.example/x.crl")...)))
	http := dertest.New(0x86, []byte("http://a.example/x.crl")...)
	repository, mft := access(5, "rsync://a.example/"+"repo/"), access(10, "rsync://a.example/repo/x.mft")
	inherit := []byte{0x30, 8, 0x30, 6, 4, 2, 0, 1, 5, 0}

	for what, c := range map[string]struct {
		file string
		id   der.OID
		val  []byte
		want string
	}{
		"not a CA":                  {"ca.cer", cert.OIDBasicConstraints, seq(), "RFC 6487 4.8.1"},
		"path length":               {"ca.cer", cert.OIDBasicConstraints, seq(dertest.New(1, 0xff), dertest.New(2, 0)), "RFC 6487 4.8.1"},
		"SKI short":                 {"ca.cer", cert.OIDSubjectKeyID, []byte{4, 1, 0}, "RFC 6487 4.8.2"},
		"AKI empty":                 {"ca.cer", cert.OIDAuthorityKeyID, seq(), "RFC 6487 4.8.3"},
		"AKI short":                 {"ca.cer", cert.OIDAuthorityKeyID, seq(dertest.New(0x80, 1)), "RFC 6487 4.8.3"},
		"AKI with serial":           {"ca.cer", cert.OIDAuthorityKeyID, seq(dertest.New(0x80, make21()[1:]...), dertest.New(0x82, 1)), "RFC 6487 4.8.3"},
		"CA signs objects":          {"ca.cer", cert.OIDKeyUsage, []byte{3, 2, 1, 0x86}, "RFC 6487 4.8.4"},
		"CA without CRL":            {"ca.cer", cert.OIDKeyUsage, []byte{3, 2, 2, 4}, "RFC 6487 4.8.4"},
		"EE as CA":                  {"ee.cer", cert.OIDKeyUsage, []byte{3, 2, 1, 6}, "RFC 6487 4.8.4"},
		"router for TLS":            {"router.cer", cert.OIDExtKeyUsage, seq(dertest.New(6, 0x2b, 6, 1, 5, 5, 7, 3, 1)), "RFC 8209 3.1.3.2"},
		"router for both":           {"router.cer", cert.OIDExtKeyUsage, seq(dertest.New(6, 0x2b, 6, 1, 5, 5, 7, 3, 1), dertest.New(6, 0x2b, 6, 1, 5, 5, 7, 3, 30)), ""},
		"two points":                {"ca.cer", cert.OIDCRLDP, seq(dertest.Of(0x30, name), dertest.Of(0x30, name)), "RFC 6487 4.8.6"},
		"point with reasons":        {"ca.cer", cert.OIDCRLDP, point(name, dertest.New(0x81, 7, 0x80)), "RFC 6487 4.8.6"},
		"point with issuer":         {"ca.cer", cert.OIDCRLDP, point(name, dertest.Of(0xa2)), "RFC 6487 4.8.6"},
		"relative point":            {"ca.cer", cert.OIDCRLDP, point(dertest.Of(0xa0, dertest.Of(0xa1))), "RFC 6487 4.8.6, RFC 6487 4.8.6"},
		"unnamed point":             {"ca.cer", cert.OIDCRLDP, point(), "RFC 6487 4.8.6"},
		"point over http":           {"ca.cer", cert.OIDCRLDP, point(dertest.Of(0xa0, dertest.Of(0xa0, http))), "RFC 6487 4.8.6"},
		"point over http and rsync": {"ca.cer", cert.OIDCRLDP, point(dertest.Of(0xa0, dertest.Of(0xa0, http, name.At(0, 0)))), ""},
		"AIA over http":             {"ca.cer", cert.OIDAIA, seq(access(2, "http://a.example/x.cer")), "RFC 6487 4.8.7"},
		"AIA with OCSP":             {"ca.cer", cert.OIDAIA, seq(access(2, "rsync://a.example/x.cer"), access(1, "http://a.example/")), "RFC 6487 4.8.7"},
		"no repository":             {"ca.cer", cert.OIDSIA, seq(mft), "RFC 6487 4.8.8.1"},
		"no manifest":               {"ca.cer", cert.OIDSIA, seq(repository), "RFC 6487 4.8.8.1"},
		"no notification":           {"ca.cer", cert.OIDSIA, seq(repository, mft), ""},
		"unknown method":            {"ca.cer", cert.OIDSIA, seq(repository, mft, access(99, "x:y")), ""},
		"notification over http":    {"ca.cer", cert.OIDSIA, seq(repository, mft, access(13, "http://a.example/n.xml")), "RFC 8182 3.2"},
		"CA with signed object":     {"ca.cer", cert.OIDSIA, seq(repository, mft, access(11, "rsync://a.example/x.roa")), "RFC 6487 4.8.8.1"},
		"EE with notification":      {"ee.cer", cert.OIDSIA, seq(access(11, "rsync://a.example/x.roa"), access(13, "https://a.example/n.xml")), "RFC 6487 4.8.8.2"},
		"EE over http":              {"ee.cer", cert.OIDSIA, seq(access(11, "http://a.example/x.roa")), "RFC 6487 4.8.8.2"},
		"EE over http and rsync":    {"ee.cer", cert.OIDSIA, seq(access(11, "http://a.example/x.roa"), access(11, "rsync://a.example/x.roa")), ""},
		"other policy":              {"ca.cer", cert.OIDPolicies, seq(dertest.Of(0x30, dertest.New(6, 0x2b, 6, 1, 5, 5, 7, 14, 3))), "RFC 6487 4.8.9"},
		"two policies":              {"ca.cer", cert.OIDPolicies, seq(dertest.Of(0x30, rpkiPolicy), dertest.Of(0x30, rpkiPolicy)), "RFC 6487 4.8.9"},
		"practice statement":        {"ca.cer", cert.OIDPolicies, seq(dertest.Of(0x30, rpkiPolicy, dertest.Of(0x30, qualifier(1)))), ""},
		"two statements":            {"ca.cer", cert.OIDPolicies, seq(dertest.Of(0x30, rpkiPolicy, dertest.Of(0x30, qualifier(1), qualifier(1)))), "RFC 7318 2"},
		"user notice":               {"ca.cer", cert.OIDPolicies, seq(dertest.Of(0x30, rpkiPolicy, dertest.Of(0x30, qualifier(2)))), "RFC 7318 2"},
		"blocks with SAFI":          {"ca.cer", cert.OIDIPResources, []byte{0x30, 9, 0x30, 7, 4, 3, 0, 1, 1, 5, 0}, "RFC 6487 4.8.10"},
		"CA inherits":               {"ca.cer", cert.OIDIPResources, inherit, ""},
		"trust anchor inherits":     {"ta.cer", cert.OIDIPResources, inherit, "RFC 8630 2.3"},
		"router inherits":           {"router.cer", cert.OIDASResources, []byte{0x30, 4, 0xa0, 2, 5, 0}, "RFC 8209 3.1.3.5"},
	} {
		n := sample(t, "cert", c.file)
		list{t, n.At(0, -1, 0)}.value(c.id, c.val...)
		check(t, what, n, kindOf(c.file), c.want)
	}
}

// RFC 8209 section 3.1.3: what sets router certificates apart.
func TestRouterExtensionList(t *testing.T) {
	for what, c := range map[string]struct {
		edit func(list)
		want string
	}{
		"basic constraints":     {func(l list) { l.add(cert.OIDBasicConstraints, seq()...); l.flip(cert.OIDBasicConstraints) }, "RFC 8209 3.1.3.1"},
		"no extended key usage": {func(l list) { l.remove(cert.OIDExtKeyUsage) }, "RFC 8209 3.1.3.2"},
		"critical usage":        {func(l list) { l.flip(cert.OIDExtKeyUsage) }, "RFC 6487 4.8.5"},
		"SIA":                   {func(l list) { l.add(cert.OIDSIA, seq(access(11, "rsync://a.example/x"))...) }, "RFC 8209 3.1.3.3"},
		"addresses": {func(l list) {
			l.add(cert.OIDIPResources, 0x30, 8, 0x30, 6, 4, 2, 0, 1, 5, 0)
			l.flip(cert.OIDIPResources)
		}, "RFC 8209 3.1.3.4"},
		"no AS numbers": {func(l list) { l.remove(cert.OIDASResources) }, "RFC 8209 3.1.3.5, RFC 6487 4.8.10"},
		"no SKI":        {func(l list) { l.remove(cert.OIDSubjectKeyID) }, "RFC 6487 4.8.2"},
	} {
		n := sample(t, "cert", "router.cer")
		c.edit(list{t, n.At(0, -1, 0)})
		check(t, what, n, profile.Router, c.want)
	}

	n := sample(t, "cert", "ca.cer")
	list{t, n.At(0, -1, 0)}.add(cert.OIDExtKeyUsage, seq(dertest.New(6, 0x2a, 3))...)
	check(t, "CA with extended key usage", n, profile.CA, "RFC 6487 4.8.5")
}

// RFC 6487 section 4.8.3: a self-signed certificate may name its own key, and no other.
func TestTrustAnchorAuthorityKey(t *testing.T) {
	n := sample(t, "cert", "ta.cer")
	c, err := cert.Decode(n.DER())
	if err != nil {
		t.Fatal(err)
	}
	list{t, n.At(0, -1, 0)}.add(cert.OIDAuthorityKeyID, seq(dertest.New(0x80, c.KeyID[:]...))...)
	check(t, "own key", n, profile.TA, "")
	list{t, n.At(0, -1, 0)}.value(cert.OIDAuthorityKeyID, seq(dertest.New(0x80, make21()[1:]...))...)
	check(t, "other key", n, profile.TA, "RFC 6487 4.8.3")
}

// Whoever inspects a broken certificate wants to know everything at once.
func TestAllViolationsAtOnce(t *testing.T) {
	n := sample(t, "cert", "ca.cer")
	n.At(0, 0, 0).Content = []byte{1}
	n.At(0, 1).Content = []byte{0}
	l := list{t, n.At(0, -1, 0)}
	l.value(cert.OIDBasicConstraints, seq()...)
	l.remove(cert.OIDAIA)
	l.flip(cert.OIDPolicies)
	check(t, "five rules", n, profile.CA, "RFC 6487 4.1, RFC 6487 4.2, RFC 6487 4.8.7, RFC 6487 4.8.9, RFC 6487 4.8.1")
}
