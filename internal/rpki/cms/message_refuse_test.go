package cms_test

import (
	"bytes"
	"math/big"
	"slices"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/der/dertest"
)

// verify opens a message under the identity of key "ta", at now and without skew.
func verify(t testing.TB, raw []byte) error {
	t.Helper()
	m, err := cms.DecodeMessage(raw)
	if err != nil {
		return err
	}
	return m.Verify(identity(t, "ta"), now, 0)
}

// Messages that are well made but say what they must not.
func TestVerifyRefusesLetters(t *testing.T) {
	const minute = time.Minute
	for name, c := range map[string]struct {
		change func(l *letter)
		kind   cms.MessageKind
		code   string
	}{
		"another identity": {func(l *letter) { l.identity = "other" }, cms.MessageNotSigned, cms.CodeSignerUnknown},
		"expired certificate": {
			func(l *letter) { l.ee.NotBefore, l.ee.NotAfter = now.Add(-2*minute), now.Add(-minute) }, cms.MessageUntimely, cms.CodeExpired,
		},
		"certificate of tomorrow": {
			func(l *letter) { l.ee.NotBefore, l.ee.NotAfter = now.Add(minute), now.Add(2*minute) }, cms.MessageUntimely, cms.CodeNotYetValid,
		},
		"signed in the future":          {func(l *letter) { l.signedAt = now.Add(minute) }, cms.MessageUntimely, cms.CodeSignedInFuture},
		"signed before its certificate": {func(l *letter) { l.signedAt = now.Add(-time.Hour) }, cms.MessageUntimely, cms.CodeSignedTooEarly},
		"revoked certificate": {
			func(l *letter) { l.list.Entries = []crl.Entry{{Serial: big.NewInt(4711), RevokedAt: now.Add(-minute)}} }, cms.MessageNotSigned, cms.CodeRevoked,
		},
		"stale CRL": {
			func(l *letter) { l.list.ThisUpdate, l.list.NextUpdate = now.Add(-2*minute), now.Add(-minute) }, cms.MessageUntimely, cms.CodeCRLStale,
		},
		"CRL of tomorrow": {
			func(l *letter) { l.list.ThisUpdate, l.list.NextUpdate = now.Add(minute), now.Add(2*minute) }, cms.MessageUntimely, cms.CodeCRLNotYetValid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLetter(t)
			c.change(&l)
			refused(t, verify(t, l.sign(t)), c.kind, c.code)
		})
	}
}

// Messages whose frame is not what their maker signed, or not what the profile allows.
func TestFramesRefused(t *testing.T) {
	l := newLetter(t)
	taList := l.template(t).CRL
	l.list.Number = big.NewInt(7)
	otherList := l.template(t).CRL
	l.ee.Serial = big.NewInt(8)
	twin := l.template(t).EE
	l.identity = "other"
	foreign := l.template(t)
	attributes := func(change func(a []cms.Attribute) []cms.Attribute) func(o *cms.Object) {
		return func(o *cms.Object) { o.Signers[0].Attributes = change(o.Signers[0].Attributes) }
	}
	value := func(i int, element []byte) func(o *cms.Object) {
		return attributes(func(a []cms.Attribute) []cms.Attribute { a[i].Values = [][]byte{element}; return a })
	}
	const undecodable, notSigned = cms.MessageUndecodable, cms.MessageNotSigned
	for name, c := range map[string]struct {
		key    string // that signs again, if any
		change func(o *cms.Object)
		kind   cms.MessageKind
		code   string
	}{
		"other content type":    {"ee", func(o *cms.Object) { o.ContentType = cms.OID{1, 2, 840, 113549, 1, 7, 1} }, cms.MessageWrongType, cms.CodeContentType},
		"version 1":             {"", func(o *cms.Object) { o.Version = 1 }, undecodable, cms.CodeUndecodable},
		"other digest":          {"", func(o *cms.Object) { o.DigestAlgorithms[0].OID = cms.OIDRSA }, undecodable, cms.CodeUndecodable},
		"no digest":             {"", func(o *cms.Object) { o.DigestAlgorithms = []cms.Algorithm{} }, undecodable, cms.CodeUndecodable},
		"two digests":           {"", func(o *cms.Object) { o.DigestAlgorithms = append(o.DigestAlgorithms, o.DigestAlgorithms[0]) }, undecodable, cms.CodeUndecodable},
		"no content":            {"", func(o *cms.Object) { o.Content = nil }, undecodable, cms.CodeUndecodable},
		"changed content":       {"", func(o *cms.Object) { o.Content = bytes.ToUpper(o.Content) }, notSigned, cms.CodeSignatureInvalid},
		"content signed anew":   {"ee", func(o *cms.Object) { o.Content = bytes.ToUpper(o.Content) }, notSigned, cms.CodeSignatureInvalid},
		"signed by another key": {"other", func(*cms.Object) {}, notSigned, cms.CodeSignatureInvalid},
		"no certificate":        {"", func(o *cms.Object) { o.Certificates = nil }, undecodable, cms.CodeUndecodable},
		"empty certificates":    {"", func(o *cms.Object) { o.Certificates = [][]byte{} }, undecodable, cms.CodeUndecodable},
		"two EE certificates":   {"", func(o *cms.Object) { o.Certificates = append(o.Certificates, twin) }, undecodable, cms.CodeUndecodable},
		"odd certificate":       {"", func(o *cms.Object) { o.Certificates = append(o.Certificates, []byte{0x30, 0}) }, undecodable, cms.CodeUndecodable},
		"CA signs":              {"ta", func(o *cms.Object) { o.Certificates[0] = identity(t, "ta").Raw }, undecodable, cms.CodeUndecodable},
		"foreign certificate":   {"", func(o *cms.Object) { o.Certificates[0] = foreign.EE }, notSigned, cms.CodeSignerUnknown},
		"no CRL":                {"", func(o *cms.Object) { o.CRLs = nil }, notSigned, cms.CodeCRLMissing},
		"empty CRLs":            {"", func(o *cms.Object) { o.CRLs = [][]byte{} }, notSigned, cms.CodeCRLMissing},
		"foreign CRL":           {"", func(o *cms.Object) { o.CRLs[0] = foreign.CRL }, notSigned, cms.CodeCRLMissing},
		"two CRLs":              {"", func(o *cms.Object) { o.CRLs = [][]byte{taList, otherList} }, notSigned, cms.CodeCRLMissing},
		"odd CRL":               {"", func(o *cms.Object) { o.CRLs[0] = []byte{0x30, 0} }, undecodable, cms.CodeUndecodable},
		"no signer":             {"", func(o *cms.Object) { o.Signers = nil }, undecodable, cms.CodeUndecodable},
		"two signers":           {"", func(o *cms.Object) { o.Signers = append(o.Signers, o.Signers[0]) }, undecodable, cms.CodeUndecodable},
		"signer version":        {"", func(o *cms.Object) { o.Signers[0].Version = 1 }, undecodable, cms.CodeUndecodable},
		"sid of another key":    {"", func(o *cms.Object) { o.Signers[0].KeyID = make([]byte, 20) }, notSigned, cms.CodeSignatureInvalid},
		"sid a name": {"", func(o *cms.Object) {
			o.Signers[0].KeyID, o.Signers[0].IssuerAndSerial = nil, []byte{0x30, 5, 0x30, 0, 2, 1, 7}
		}, undecodable, cms.CodeUndecodable},
		"digest of signer":     {"", func(o *cms.Object) { o.Signers[0].DigestAlgorithm.OID = cms.OIDRSA }, undecodable, cms.CodeUndecodable},
		"signature algorithm":  {"", func(o *cms.Object) { o.Signers[0].SignatureAlgorithm.OID = cms.OIDSHA256 }, undecodable, cms.CodeUndecodable},
		"odd parameters":       {"", func(o *cms.Object) { o.Signers[0].SignatureAlgorithm.Parameters = []byte{4, 0} }, undecodable, cms.CodeUndecodable},
		"unsigned attributes":  {"", func(o *cms.Object) { o.Signers[0].UnsignedAttributes = o.Signers[0].Attributes }, undecodable, cms.CodeUndecodable},
		"no attributes":        {"", attributes(func([]cms.Attribute) []cms.Attribute { return nil }), undecodable, cms.CodeUndecodable},
		"empty attributes":     {"", attributes(func(a []cms.Attribute) []cms.Attribute { return a[:0] }), undecodable, cms.CodeUndecodable},
		"no content-type":      {"ee", attributes(func(a []cms.Attribute) []cms.Attribute { return a[1:] }), notSigned, cms.CodeSignatureInvalid},
		"no signing-time":      {"ee", attributes(func(a []cms.Attribute) []cms.Attribute { return []cms.Attribute{a[0], a[2]} }), undecodable, cms.CodeUndecodable},
		"no message-digest":    {"ee", attributes(func(a []cms.Attribute) []cms.Attribute { return a[:2] }), notSigned, cms.CodeSignatureInvalid},
		"signing-time twice":   {"ee", attributes(func(a []cms.Attribute) []cms.Attribute { return []cms.Attribute{a[0], a[1], a[1], a[2]} }), undecodable, cms.CodeUndecodable},
		"digest twice":         {"ee", attributes(func(a []cms.Attribute) []cms.Attribute { return append(a, a[2]) }), notSigned, cms.CodeSignatureInvalid},
		"attribute empty":      {"ee", attributes(func(a []cms.Attribute) []cms.Attribute { a[2].Values = [][]byte{}; return a }), undecodable, cms.CodeUndecodable},
		"value in BER":         {"", value(2, []byte{0x24, 0x80, 0, 0}), undecodable, cms.CodeUndecodable},
		"odd signing-time":     {"ee", value(1, []byte{4, 0}), undecodable, cms.CodeUndecodable},
		"other content-type":   {"ee", value(0, []byte{6, 1, 42}), notSigned, cms.CodeSignatureInvalid},
		"odd digest":           {"ee", value(2, []byte{4, 1, 1}), notSigned, cms.CodeSignatureInvalid},
		"attribute changed":    {"", value(1, dertest.New(0x17, []byte("261122120001Z")...).DER()), notSigned, cms.CodeSignatureInvalid},
		"signature left empty": {"", func(o *cms.Object) { o.Signers[0].Signature = []byte{} }, notSigned, cms.CodeSignatureInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, verify(t, rewrite(t, message(t), c.key, c.change)), c.kind, c.code)
		})
	}
}

// EE certificates that the identity did issue, but that cannot be used.
func TestEECertificatesRefused(t *testing.T) {
	ee := newLetter(t).template(t).EE
	for name, change := range map[string]func(list *dertest.Node){
		"no SKI":                     func(list *dertest.Node) { list.Remove(0) },
		"SKI of another key":         func(list *dertest.Node) { list.At(0, 1).Content[5] ^= 1 },
		"AKI of another key":         func(list *dertest.Node) { list.At(1, 1).Content[7] ^= 1 },
		"AKI too short":              func(list *dertest.Node) { list.At(1, 1).Content = []byte{0x30, 3, 0x80, 1, 1} },
		"AKI malformed":              func(list *dertest.Node) { list.At(1, 1).Content = []byte{4, 0} },
		"key usage for certificates": func(list *dertest.Node) { list.Insert(1, critical(2, 5, 29, 15)(3, 2, 4)) },
		"unknown critical extension": func(list *dertest.Node) { list.Insert(1, critical(42, 3, 4)(5)) },
	} {
		raw := rewrite(t, message(t), "", func(o *cms.Object) { o.Certificates[0] = addExtensions(t, ee, key(t, "ta"), change) })
		t.Run(name, func(t *testing.T) {
			refused(t, verify(t, raw), cms.MessageNotSigned, cms.CodeSignerUnknown)
		})
	}
}

// CRLs that the identity did issue, but that say nothing.
func TestMessageCRLsRefused(t *testing.T) {
	list := newLetter(t).template(t).CRL
	for name, c := range map[string]struct {
		change func(tbs *dertest.Node)
		kind   cms.MessageKind
		code   string
	}{
		"no next update":             {func(tbs *dertest.Node) { tbs.Remove(4) }, cms.MessageUntimely, cms.CodeCRLStale},
		"AKI of another key":         {func(tbs *dertest.Node) { tbs.At(5, 0, 0, 1).Content[7] ^= 1 }, cms.MessageNotSigned, cms.CodeCRLMissing},
		"unknown critical extension": {func(tbs *dertest.Node) { tbs.At(5, 0).Insert(0, critical(2, 5, 29, 28)(0x30)) }, cms.MessageNotSigned, cms.CodeCRLMissing},
	} {
		t.Run(name, func(t *testing.T) {
			tbs := dertest.Parse(t, list).At(0)
			c.change(tbs)
			changed := must[[]byte](t)(der.Sign(tbs.DER(), key(t, "ta")))
			refused(t, verify(t, rewrite(t, message(t), "", func(o *cms.Object) { o.CRLs[0] = changed })), c.kind, c.code)
		})
	}
}

// A certificate with the serial number 0 can be revoked like any other.
func TestRevokedZero(t *testing.T) {
	l := newLetter(t)
	l.list.Entries = []crl.Entry{{Serial: big.NewInt(1), RevokedAt: now}}
	in := l.template(t)
	ee, list := dertest.Parse(t, in.EE).At(0), dertest.Parse(t, in.CRL).At(0)
	ee.At(1).Content = []byte{0}
	zero := must[[]byte](t)(der.Sign(ee.DER(), key(t, "ta")))
	raw := rewrite(t, message(t), "", func(o *cms.Object) { o.Certificates[0], o.CRLs[0] = zero, in.CRL })
	if err := verify(t, raw); err != nil {
		t.Error(err)
	}
	list.At(5, 0, 0).Content = []byte{0}
	revoked := must[[]byte](t)(der.Sign(list.DER(), key(t, "ta")))
	raw = rewrite(t, message(t), "", func(o *cms.Object) { o.Certificates[0], o.CRLs[0] = zero, revoked })
	refused(t, verify(t, raw), cms.MessageNotSigned, cms.CodeRevoked)
}

// CRLs are read before anybody knows who sent them, so their size is bounded.
func TestHugeCRLs(t *testing.T) {
	l := newLetter(t)
	entry := crl.Entry{Serial: new(big.Int).Lsh(big.NewInt(1), 150), RevokedAt: now}
	for range 30_000 {
		l.list.Entries = append(l.list.Entries, entry)
	}
	in := l.template(t)
	for n, ok := range []bool{1: true, 2: true, 3: false} {
		raw := rewrite(t, message(t), "", func(o *cms.Object) { o.CRLs = slices.Repeat([][]byte{in.CRL}, n) })
		if _, err := cms.DecodeMessage(raw); n > 0 && (err == nil) != ok {
			t.Errorf("%d CRLs of %d octets: got %v", n, len(in.CRL), err)
		}
	}
}

func TestBrokenMessages(t *testing.T) {
	raw := message(t)
	for i := range raw {
		m, err := cms.DecodeMessage(raw[:i])
		if err == nil {
			t.Errorf("accepted the first %d octets alone: %+v", i, m)
		}
	}
	deep := []byte{0x30, 0}
	for range 100 {
		deep = append([]byte{0x30, 0x80}, append(deep, 0, 0)...)
	}
	many := append([]byte{0x30, 0x83, 9, 0, 0}, bytes.Repeat([]byte{5, 0}, 9<<15)...)
	for name, bad := range map[string][]byte{
		"nothing":          {},
		"one octet more":   append(bytes.Clone(raw), 0),
		"twice":            append(bytes.Clone(raw), raw...),
		"too deep":         deep,
		"too many":         many,
		"end of contents":  {0, 0},
		"huge length":      {0x30, 0x84, 0xff, 0xff, 0xff, 0xff},
		"longer length":    {0x30, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"open primitive":   {0x04, 0x80, 0, 0},
		"end inside":       {0x30, 2, 0, 0},
		"long tag":         {0x3f, 0x81, 1, 0},
		"object of others": golden(t),
		"text":             []byte("<html><body>502 Bad Gateway</body></html>"),
	} {
		_, err := cms.DecodeMessage(bad)
		kind, code := cms.MessageUndecodable, cms.CodeUndecodable
		if name == "object of others" {
			kind, code = cms.MessageWrongType, cms.CodeContentType
		}
		t.Run(name, func(t *testing.T) { refused(t, err, kind, code) })
	}
}

// Problems names all that is wrong, the gravest first; Intact what is wrong whoever sent it.
func TestProblems(t *testing.T) {
	l := newLetter(t)
	l.signedAt = now.Add(-time.Hour)
	m := must[*cms.Message](t)(cms.DecodeMessage(rewrite(t, l.sign(t), "", func(o *cms.Object) { o.Content = []byte("<x/>") })))
	for _, c := range []struct {
		found []*cms.MessageError
		want  []string
	}{
		{m.Intact(), []string{cms.CodeSignatureInvalid}},
		{m.Problems(identity(t, "ta"), now.Add(time.Hour), 0), []string{
			cms.CodeSignatureInvalid, cms.CodeExpired, cms.CodeSignedTooEarly, cms.CodeCRLStale,
		}},
		{m.Problems(identity(t, "other"), now, 0), []string{
			cms.CodeSignerUnknown, cms.CodeSignatureInvalid, cms.CodeCRLMissing, cms.CodeSignedTooEarly,
		}},
	} {
		var got []string
		for _, e := range c.found {
			got = append(got, e.Code)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

func TestContentTypeOf(t *testing.T) {
	raw := message(t)
	for name, in := range map[string][]byte{
		"message": raw, "BER": inBER(t, raw), "broken": rewrite(t, raw, "", func(o *cms.Object) { o.Signers = nil }),
	} {
		if id, ok := cms.ContentTypeOf(in); !ok || !id.Equal(cms.OIDXML) {
			t.Errorf("%s: got %v, %v", name, id, ok)
		}
	}
	for name, in := range map[string][]byte{
		"half": raw[:len(raw)/2], "nothing": nil, "certificate": identity(t, "ta").Raw, "empty": {0x30, 0},
		"no SignedData": dertest.Of(0x30, dertest.New(6, 42, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2), dertest.Of(0xa0, dertest.Of(0x30))).DER(),
	} {
		if id, ok := cms.ContentTypeOf(in); ok {
			t.Errorf("%s: got %v", name, id)
		}
	}
}

// No bit of a message may be changed without notice.
func TestChangedBitsNeverVerify(t *testing.T) {
	raw := message(t)
	id := identity(t, "ta")
	for i := range raw {
		raw[i] ^= 1 << (i % 8)
		if m, err := cms.DecodeMessage(raw); err == nil && m.Verify(id, now, 0) == nil {
			t.Errorf("octet %d changed and nobody noticed", i)
		}
		raw[i] ^= 1 << (i % 8)
	}
}

func FuzzDecodeMessage(f *testing.F) {
	raw := message(f)
	f.Add(raw)
	f.Add(inBER(f, raw))
	for _, r := range recorded(f) {
		f.Add(r)
	}
	other := &cert.Identity{PublicKey: key(f, "other").Public(), KeyID: must[cert.KeyID](f)(cert.KeyIDOf(key(f, "other").Public()))}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := cms.DecodeMessage(data)
		if err != nil {
			return
		}
		if m.EE == nil || len(m.Content) > len(data) || m.SigningTime.IsZero() {
			t.Errorf("accepted as %+v", m)
		}
		if m.Verify(other, now, 0) == nil {
			t.Error("verifies under a key that signed nothing")
		}
		if _, err := cms.Decode(data); err != nil {
			return // BER
		}
		if back, err := m.Encode(); err != nil || !bytes.Equal(back, data) {
			t.Errorf("accepted %x but writes %x, %v", data, back, err)
		}
	})
}
