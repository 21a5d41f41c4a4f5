package cms_test

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/der/dertest"
	"baleen/internal/testvectors"
)

func unbase64(t testing.TB, text []byte) []byte {
	t.Helper()
	return must[[]byte](t)(base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), "")))
}

func TestMessageGolden(t *testing.T) {
	got := message(t)
	file := filepath.Join("testdata", "message.der")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := must[[]byte](t)(os.ReadFile(file)); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	m := must[*cms.Message](t)(cms.DecodeMessage(got))
	id := must[cert.KeyID](t)(cert.KeyIDOf(key(t, "ee").Public()))
	if !bytes.Equal(m.Content, query) || !m.SigningTime.Equal(now) || m.EE.KeyID != id || len(m.CRLs) != 1 {
		t.Errorf("got %+v", m)
	}
	if err := m.Verify(identity(t, "ta"), now, 0); err != nil {
		t.Error(err)
	}
}

// What RFC 6492 section 3.1.1 says about each field.
func TestMessageProfile(t *testing.T) {
	in := newLetter(t).template(t)
	o := must[*cms.Object](t)(cms.Decode(must[[]byte](t)(cms.SignMessage(in)))) // which takes DER alone
	if o.Version != 3 || !o.ContentType.Equal(cms.OIDXML) || len(o.Certificates) != 1 || len(o.CRLs) != 1 || len(o.Signers) != 1 {
		t.Fatalf("got %+v", o)
	}
	if !bytes.Equal(o.Certificates[0], in.EE) || !bytes.Equal(o.CRLs[0], in.CRL) {
		t.Error("certificate or CRL are not what was given")
	}
	s := o.Signers[0]
	if s.Version != 3 || !s.SignatureAlgorithm.OID.Equal(cms.OIDRSA) || !bytes.Equal(s.SignatureAlgorithm.Parameters, []byte{5, 0}) || s.UnsignedAttributes != nil {
		t.Errorf("got %+v", s)
	}
	want := []cms.OID{cms.OIDContentType, cms.OIDSigningTime, cms.OIDMessageDigest}
	if len(s.Attributes) != len(want) || !s.AttributesSorted() {
		t.Fatalf("got %+v", s.Attributes)
	}
	for i, id := range want {
		if !s.Attributes[i].Type.Equal(id) {
			t.Errorf("attribute %d: got %v, want %v", i, s.Attributes[i].Type, id)
		}
	}
}

func TestSignMessageRefuses(t *testing.T) {
	for name, change := range map[string]func(in *cms.MessageTemplate){
		"key of another certificate": func(in *cms.MessageTemplate) { in.Key = key(t, "other") },
		"no certificate":             func(in *cms.MessageTemplate) { in.EE = nil },
		"no CRL":                     func(in *cms.MessageTemplate) { in.CRL = nil },
		"key that breaks":            func(in *cms.MessageTemplate) { in.Key = &brokenKey{key(t, "ee")} },
		"time out of range":          func(in *cms.MessageTemplate) { in.SigningTime = now.AddDate(9000, 0, 0) },
	} {
		in := newLetter(t).template(t)
		change(&in)
		if _, err := cms.SignMessage(in); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

// Messages that other software sent are taken as they are, in BER too, and those of known
// parties verify at the time they were sent.
func TestRecordedMessages(t *testing.T) {
	parties := make(map[cert.KeyID]*cert.Identity)
	for _, raw := range testvectors.Identities(t) {
		id := must[*cert.Identity](t)(cert.DecodeIdentity(raw, time.Date(2011, 8, 1, 0, 0, 0, 0, time.UTC)))
		parties[id.KeyID] = id
	}
	verified := 0
	for name, raw := range recorded(t) {
		m, err := cms.DecodeMessage(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Contains(m.Content, []byte("http://www.apnic.net/specs/rescerts/up-down/")) || m.SigningTime.IsZero() {
			t.Errorf("%s: got %q, %v", name, m.Content, m.SigningTime)
		}
		if _, err := cms.Decode(raw); (err == nil) == strings.HasPrefix(name, "dtag-inbound") {
			t.Errorf("%s: as DER: %v", name, err)
		}
		id := parties[m.EE.AuthorityKeyID]
		if id == nil {
			refused(t, m.Verify(identity(t, "ta"), m.SigningTime, 0), cms.MessageNotSigned, cms.CodeSignerUnknown)
			continue
		}
		verified++
		if err := m.Verify(id, m.SigningTime, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		refused(t, m.Verify(id, now, time.Hour), cms.MessageUntimely, cms.CodeExpired)
	}
	if verified != 10 {
		t.Errorf("%d messages were verified", verified)
	}
}

// inBER writes the frame of a message anew, all that BER leaves open in other ways than DER
// does: lengths indefinite and longer than needed, strings in pieces, attributes in reverse.
func inBER(t testing.TB, raw []byte) []byte {
	root := dertest.Parse(t, raw)
	data := root.At(1, 0)
	signer := data.At(5, 0)
	open := func(kind byte, parts ...[]byte) []byte {
		return append(append([]byte{kind, 0x80}, bytes.Join(parts, nil)...), 0, 0)
	}
	long := func(n *dertest.Node) []byte {
		return append([]byte{n.Tag, 0x84, 0, 0, byte(len(n.Content) >> 8), byte(len(n.Content))}, n.Content...)
	}
	pieces := func(kind byte, content []byte) []byte {
		var parts [][]byte
		for piece := range slices.Chunk(content, 100) {
			parts = append(parts, open(0x24, long(dertest.New(4, piece...))))
		}
		return open(kind, parts...)
	}
	algorithm := func(n *dertest.Node) []byte { return open(0x30, long(n.At(0))) }
	var attributes [][]byte
	for _, a := range slices.Backward(signer.At(3).Children) {
		attributes = append(attributes, open(0x30, long(a.At(0)), open(0x31, a.At(1, 0).DER())))
	}
	return open(0x30, long(root.At(0)), open(0xa0, open(0x30,
		long(data.At(0)), open(0x31, algorithm(data.At(1, 0))),
		open(0x30, long(data.At(2, 0)), open(0xa0, pieces(0x24, data.At(2, 1, 0).Content))),
		open(0xa0, data.At(3, 0).DER()), open(0xa1, data.At(4, 0).DER()),
		open(0x31, open(0x30,
			long(signer.At(0)), pieces(0xa0, signer.At(1).Content), algorithm(signer.At(2)),
			open(0xa0, attributes...), algorithm(signer.At(4)), pieces(0x24, signer.At(5).Content))))))
}

func TestMessageInBER(t *testing.T) {
	raw := message(t)
	want := must[*cms.Message](t)(cms.DecodeMessage(raw))
	long := inBER(t, raw)
	m, err := cms.DecodeMessage(long)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(identity(t, "ta"), now, 0); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(m.Content, query) || m.SignatureDigest() != want.SignatureDigest() || !m.SigningTime.Equal(now) {
		t.Errorf("got %+v", m)
	}
	for i := range long {
		if _, err := cms.DecodeMessage(long[:i]); err == nil {
			t.Errorf("accepted the first %d octets alone", i)
		}
	}
}

// openssl runs it in a folder of its own, with the named test keys and messages in it.
func openssl(t *testing.T, files map[string][]byte, args ...string) []byte {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not on PATH")
	}
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %v: %v, %s", args, err, &stderr)
	}
	return out
}

func TestOpenSSLTakesMessages(t *testing.T) {
	l := newLetter(t)
	// It checks certificates against its own clock.
	l.ee.NotAfter, l.ee.NotBefore = now.AddDate(50, 0, 0), now.AddDate(-20, 0, 0)
	ta := must[[]byte](t)(cert.SelfSignIdentity(key(t, "ta"), now.AddDate(-20, 0, 0), now.AddDate(50, 0, 0)))
	files := map[string][]byte{"message": l.sign(t), "ta.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ta})}
	got := openssl(t, files, "cms", "-verify", "-purpose", "any", "-inform", "DER", "-in", "message", "-CAfile", "ta.pem")
	if !bytes.Equal(got, query) {
		t.Errorf("got %q", got)
	}
}

func TestOpenSSLMessagesInBER(t *testing.T) {
	l := newLetter(t)
	in := l.template(t)
	files := map[string][]byte{
		"content": bytes.Repeat(query, 1000), "ee.cer": in.EE,
		"key": must[[]byte](t)(os.ReadFile(filepath.Join("testdata", "keys", "ee.pem"))),
	}
	raw := openssl(t, files, "cms", "-sign", "-keyid", "-stream", "-indef", "-binary", "-nodetach", "-nosmimecap", "-md", "sha256",
		"-econtent_type", "1.2.840.113549.1.9.16.1.28", "-outform", "DER", "-in", "content", "-signer", "ee.cer", "-inkey", "key")
	if _, err := cms.Decode(raw); err == nil {
		t.Error("openssl wrote DER; this shows nothing")
	}
	m, err := cms.DecodeMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.Content, files["content"]) {
		t.Errorf("got %d octets", len(m.Content))
	}
	// openssl cms puts no CRL in; all else is as it signed it, at its own clock.
	m.CRLs = []*crl.CRL{must[*crl.CRL](t)(crl.Decode(in.CRL))}
	if err := m.Verify(identity(t, "ta"), m.SigningTime, 100*365*24*time.Hour); err != nil {
		t.Error(err)
	}
}

// D11: signed attributes of any size are digested with the length octets of DER.
func TestMessagesWithLongAttributes(t *testing.T) {
	for _, size := range []int{0, 20, 60, 127, 128, 200, 255, 256, 1000, 65_000, 65_535, 65_536, 1 << 17, 1<<24 + 1} {
		raw := rewrite(t, message(t), "ee", func(o *cms.Object) {
			value := dertest.New(4, make([]byte, size)...)
			a := cms.Attribute{Type: cms.OID{1, 2, 3, 4}, Values: [][]byte{value.DER()}}
			a.Raw = dertest.Of(0x30, oid([]byte{1, 2, 3, 4}), dertest.Of(0x31, value)).DER()
			s := &o.Signers[0]
			s.Attributes = append(s.Attributes, a)
			slices.SortFunc(s.Attributes, func(a, b cms.Attribute) int { return bytes.Compare(a.Raw, b.Raw) })
		})
		m, err := cms.DecodeMessage(raw)
		if err == nil {
			err = m.Verify(identity(t, "ta"), now, 0)
		}
		if err != nil {
			t.Errorf("%d octets: %v", size, err)
		}
	}
}

// Whatever the order in which attributes stand, DER's is what is signed (RFC 5652 section 5.4).
func TestMessageAttributesAreDigestedInDER(t *testing.T) {
	turn := func(o *cms.Object) { slices.Reverse(o.Signers[0].Attributes) }
	m := must[*cms.Message](t)(cms.DecodeMessage(rewrite(t, message(t), "", turn)))
	if err := m.Verify(identity(t, "ta"), now, 0); err != nil {
		t.Error(err)
	}
	m = must[*cms.Message](t)(cms.DecodeMessage(rewrite(t, message(t), "ee", turn)))
	refused(t, m.Verify(identity(t, "ta"), now, 0), cms.MessageNotSigned, cms.CodeSignatureInvalid)
}

// What other makers write differently, and is good.
func TestMessageVariants(t *testing.T) {
	caRaw := must[[]byte](t)(cert.SelfSignIdentity(key(t, "ca"), now, now.AddDate(1, 0, 0)))
	caID := must[*cert.Identity](t)(cert.DecodeIdentity(caRaw, now))
	otherList := must[[]byte](t)(crl.Sign(newLetter(t).list, caID.Issuer(key(t, "ca"))))
	ee := newLetter(t).template(t).EE
	reissue := func(change func(list *dertest.Node)) func(o *cms.Object) {
		return func(o *cms.Object) { o.Certificates[0] = addExtensions(t, ee, key(t, "ta"), change) }
	}
	for name, change := range map[string]func(o *cms.Object){
		"NULL in digestAlgorithms": func(o *cms.Object) { o.DigestAlgorithms[0].Parameters = []byte{5, 0} },
		"NULL in digestAlgorithm":  func(o *cms.Object) { o.Signers[0].DigestAlgorithm.Parameters = []byte{5, 0} },
		"sha256WithRSAEncryption":  func(o *cms.Object) { o.Signers[0].SignatureAlgorithm = cms.Algorithm{OID: cms.OIDSHA256WithRSA} },
		"CA certificate beside":    func(o *cms.Object) { o.Certificates = append(o.Certificates, caRaw) },
		"CA certificate before":    func(o *cms.Object) { o.Certificates = [][]byte{caRaw, o.Certificates[0]} },
		"CRL of another CA beside": func(o *cms.Object) { o.CRLs = [][]byte{otherList, o.CRLs[0]} },
		"no AKI":                   reissue(func(list *dertest.Node) { list.Remove(1) }),
		"key usage":                reissue(func(list *dertest.Node) { list.Insert(1, critical(2, 5, 29, 15)(3, 7, 0x80)) }),
		"unknown extension":        reissue(func(list *dertest.Node) { list.Insert(0, plain(42, 3, 4)(5)) }),
		"basicConstraints":         reissue(func(list *dertest.Node) { list.Insert(0, plain(2, 5, 29, 19)(0x30)) }),
	} {
		m, err := cms.DecodeMessage(rewrite(t, message(t), "", change))
		if err == nil {
			err = m.Verify(identity(t, "ta"), now, 0)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// plain and critical make extensions whose value is one primitive or empty element.
func plain(id ...byte) func(kind byte, content ...byte) *dertest.Node {
	return func(kind byte, content ...byte) *dertest.Node {
		return dertest.Of(0x30, oid(id), dertest.New(4, dertest.New(kind, content...).DER()...))
	}
}

func critical(id ...byte) func(kind byte, content ...byte) *dertest.Node {
	return func(kind byte, content ...byte) *dertest.Node {
		return dertest.Of(0x30, oid(id), dertest.New(1, 0xff), dertest.New(4, dertest.New(kind, content...).DER()...))
	}
}

func oid(arcs []byte) *dertest.Node {
	if len(arcs) > 1 && arcs[0] <= 2 {
		arcs = append([]byte{40*arcs[0] + arcs[1]}, arcs[2:]...)
	}
	return dertest.New(6, arcs...)
}

// The time of signing may stand in one of two attributes, or in both.
func TestBinarySigningTime(t *testing.T) {
	binary := func(seconds ...byte) cms.Attribute {
		return cms.Attribute{Type: cms.OIDBinarySigningTime, Values: [][]byte{dertest.New(2, seconds...).DER()}}
	}
	good := binary(0x6b, 2, 0xd9, 0x40) // now
	for name, c := range map[string]struct {
		change func(a []cms.Attribute) []cms.Attribute
		ok     bool
	}{
		"alone":        {func(a []cms.Attribute) []cms.Attribute { return []cms.Attribute{good, a[0], a[2]} }, true},
		"beside":       {func(a []cms.Attribute) []cms.Attribute { return []cms.Attribute{good, a[0], a[1], a[2]} }, true},
		"another time": {func(a []cms.Attribute) []cms.Attribute { return []cms.Attribute{a[0], a[1], binary(1), a[2]} }, false},
		"twice":        {func(a []cms.Attribute) []cms.Attribute { return []cms.Attribute{a[0], good, good, a[2]} }, false},
		"negative":     {func(a []cms.Attribute) []cms.Attribute { return []cms.Attribute{a[0], binary(0xff), a[2]} }, false},
		"out of range": {func(a []cms.Attribute) []cms.Attribute {
			return []cms.Attribute{a[0], binary(1, 0, 0, 0, 0, 0, 0), a[2]}
		}, false},
		"not a number":  {func(a []cms.Attribute) []cms.Attribute { a[1].Type = cms.OIDBinarySigningTime; return a }, false},
		"neither there": {func(a []cms.Attribute) []cms.Attribute { return []cms.Attribute{a[0], a[2]} }, false},
	} {
		raw := rewrite(t, message(t), "ee", func(o *cms.Object) { o.Signers[0].Attributes = c.change(o.Signers[0].Attributes) })
		m, err := cms.DecodeMessage(raw)
		if (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if err != nil {
			refused(t, err, cms.MessageUndecodable, cms.CodeUndecodable)
			continue
		}
		if err := m.Verify(identity(t, "ta"), now, 0); err != nil || !m.SigningTime.Equal(now) {
			t.Errorf("%s: got %v, %v", name, m.SigningTime, err)
		}
	}
}

func TestSkewIsGivenBothWays(t *testing.T) {
	l := newLetter(t)
	l.list.Number = big.NewInt(1)
	m := must[*cms.Message](t)(cms.DecodeMessage(l.sign(t)))
	for _, c := range []struct{ at, skew, ok int }{ // minutes from now
		{0, 0, 1}, {5, 0, 1}, {6, 0, 0}, {6, 1, 1}, {-1, 0, 0}, {-1, 1, 1}, {-6, 6, 1}, {-7, 6, 0}, {10, 5, 1}, {11, 5, 0},
	} {
		err := m.Verify(identity(t, "ta"), now.Add(time.Duration(c.at)*time.Minute), time.Duration(c.skew)*time.Minute)
		if (err == nil) != (c.ok == 1) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
