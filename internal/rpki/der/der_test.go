package der_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"baleen/internal/rpki/der"
	"baleen/internal/rpki/der/dertest"
)

func TestTimes(t *testing.T) {
	const utc, general = 0x17, 0x18
	for _, c := range []struct {
		kind     byte
		text     string
		want     string // "" means refused
		conforms bool
	}{
		{utc, "261122100000Z", "2026-11-22T10:00:00Z", true},
		{utc, "491231235959Z", "2049-12-31T23:59:59Z", true},
		{utc, "500101000000Z", "1950-01-01T00:00:00Z", true},
		{utc, "991231235959Z", "1999-12-31T23:59:59Z", true},
		{utc, "000229000000Z", "2000-02-29T00:00:00Z", true},
		{general, "20500101000000Z", "2050-01-01T00:00:00Z", true},
		{general, "20491231235959Z", "2049-12-31T23:59:59Z", false},
		{general, "99991231235959Z", "9999-12-31T23:59:59Z", true},
		{utc, "2611221000Z", "", false},
		{utc, "261122100000+0100", "", false},
		{utc, "261122100000", "", false},
		{utc, "2611221000 0Z", "", false},
		{utc, "261322100000Z", "", false},
		{utc, "260229100000Z", "", false},
		{utc, "261122240000Z", "", false},
		{utc, "261122100060Z", "", false},
		{utc, "20261122100000Z", "", false},
		{utc, "", "", false},
		{general, "20261122100000.5Z", "", false},
		{general, "20261122100000z", "", false},
		{general, "261122100000Z", "", false},
		{0x0c, "261122100000Z", "", false},
	} {
		in := cryptobyte.String(dertest.New(c.kind, []byte(c.text)...).DER())
		got, ok := der.ReadTime(&in)
		if ok != (c.want != "") || ok && (got.Format(time.RFC3339) != c.want || got.Conforms() != c.conforms) {
			t.Errorf("%q: got %v, %v", c.text, got, ok)
		}
	}
}

func TestAddTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-22T11:00:00.999+01:00": "\x17\x0d261122100000Z",
		"2049-12-31T23:59:59Z":          "\x17\x0d491231235959Z",
		"2050-01-01T00:00:00Z":          "\x18\x0f20500101000000Z",
		"2050-01-01T00:30:00+01:00":     "\x17\x0d491231233000Z",
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		b := cryptobyte.NewBuilder(nil)
		der.AddTime(b, at)
		if got, err := b.Bytes(); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
	b := cryptobyte.NewBuilder(nil)
	der.AddTime(b, time.Date(1949, 1, 1, 0, 0, 0, 0, time.UTC))
	if _, err := b.Bytes(); err == nil {
		t.Error("a year that neither type can hold was written")
	}
}

func TestNames(t *testing.T) {
	in := cryptobyte.String(append(der.CommonName("AB 12"), 0xff))
	name, err := der.ReadName(&in)
	if err != nil || len(name.Attributes) != 1 || !name.Attributes[0].Type.Equal(der.OIDCommonName) ||
		string(name.Attributes[0].Value) != "AB 12" || name.Unsorted || len(in) != 1 || !bytes.Equal(name.Raw, der.CommonName("AB 12")) {
		t.Errorf("got %+v, %v, rest %x", name, err, []byte(in))
	}

	cn := dertest.Parse(t, der.CommonName("x")).At(0, 0)
	sn := dertest.Parse(t, cn.DER())
	sn.At(0).Content[2] = 5
	for what, c := range map[string]struct {
		name     *dertest.Node
		unsorted bool
		refused  bool
	}{
		"set of two":          {name: dertest.Of(0x30, dertest.Of(0x31, cn, sn))},
		"set of two unsorted": {name: dertest.Of(0x30, dertest.Of(0x31, sn, cn)), unsorted: true},
		"two sets":            {name: dertest.Of(0x30, dertest.Of(0x31, sn), dertest.Of(0x31, cn))},
		"no parts":            {name: dertest.Of(0x30)},
		"empty set":           {name: dertest.Of(0x30, dertest.Of(0x31)), refused: true},
		"not a set":           {name: dertest.Of(0x30, cn), refused: true},
		"no value":            {name: dertest.Of(0x30, dertest.Of(0x31, dertest.Of(0x30, cn.At(0)))), refused: true},
		"two values":          {name: dertest.Of(0x30, dertest.Of(0x31, dertest.Of(0x30, cn.At(0), cn.At(1), cn.At(1)))), refused: true},
		"attribute a string":  {name: dertest.Of(0x30, dertest.Of(0x31, cn.At(1))), refused: true},
		"a string":            {name: cn.At(1), refused: true},
	} {
		in := cryptobyte.String(c.name.DER())
		name, err := der.ReadName(&in)
		if (err != nil) != c.refused || name.Unsorted != c.unsorted {
			t.Errorf("%s: got %+v, %v", what, name, err)
		}
	}
}

func TestIsPrintable(t *testing.T) {
	for text, want := range map[string]bool{"": true, "AZaz09 '()+,-./:=?": true, "a_b": false, "a@b": false, "a*b": false, "ü": false, "a\x00": false} {
		if got := der.IsPrintable([]byte(text)); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestExtensions(t *testing.T) {
	id := dertest.New(0x06, 0x55, 0x1d, 0x13)
	value := dertest.New(0x04, 1, 2)
	plain := dertest.Of(0x30, id, value)
	critical := dertest.Of(0x30, id, dertest.New(0x01, 0xff), value)
	notCritical := dertest.Of(0x30, id, dertest.New(0x01, 0x00), value)
	for what, c := range map[string]struct {
		list            *dertest.Node
		strict, lenient bool // accepted
	}{
		"plain":                {dertest.Of(0x30, plain), true, true},
		"critical":             {dertest.Of(0x30, critical, plain), true, true},
		"FALSE written out":    {dertest.Of(0x30, notCritical), false, true},
		"TRUE not as FF":       {dertest.Of(0x30, dertest.Of(0x30, id, dertest.New(0x01, 0x01), value)), false, false},
		"empty list":           {dertest.Of(0x30), false, false},
		"no value":             {dertest.Of(0x30, dertest.Of(0x30, id)), false, false},
		"more after the value": {dertest.Of(0x30, dertest.Of(0x30, id, value, value)), false, false},
		"no identifier":        {dertest.Of(0x30, dertest.Of(0x30, value)), false, false},
		"a set":                {dertest.Of(0x31, plain), false, false},
	} {
		for _, explicitFalse := range []bool{false, true} {
			want := c.strict || explicitFalse && c.lenient
			in := cryptobyte.String(c.list.DER())
			got, err := der.ReadExtensions(&in, explicitFalse)
			if (err == nil) != want {
				t.Errorf("%s, explicit FALSE %v: got %v, %v", what, explicitFalse, got, err)
			}
			if err == nil && (!got[0].ID.Equal(der.OID{2, 5, 29, 19}) || !bytes.Equal(got[0].Value, []byte{1, 2}) || got[0].Critical != (what == "critical")) {
				t.Errorf("%s: got %+v", what, got)
			}
		}
	}
	in := cryptobyte.String(append(dertest.Of(0x30, plain).DER(), 5, 0))
	if _, err := der.ReadExtensions(&in, false); err == nil {
		t.Error("something after the list was accepted")
	}

	b := cryptobyte.NewBuilder(nil)
	der.AddExtension(b, der.Extension{ID: der.OID{2, 5, 29, 19}, Critical: true, Value: []byte{1, 2}})
	if got := b.BytesOrPanic(); !bytes.Equal(got, critical.DER()) {
		t.Errorf("written: got %x", got)
	}
}

func TestAlgorithms(t *testing.T) {
	id, null := dertest.New(0x06, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11), dertest.New(0x05)
	if got, want := der.SHA256WithRSA(), dertest.Of(0x30, id, null).DER(); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	sha1 := dertest.New(0x06, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5)
	for what, c := range map[string]struct {
		alg  *dertest.Node
		want bool
	}{
		"NULL":        {dertest.Of(0x30, id, null), true},
		"absent":      {dertest.Of(0x30, id), true},
		"other":       {dertest.Of(0x30, id, id), false},
		"NULL, other": {dertest.Of(0x30, id, null, id), false},
		"full NULL":   {dertest.Of(0x30, id, dertest.New(0x05, 0)), false},
		"SHA-1":       {dertest.Of(0x30, sha1, null), false},
		"nothing":     {dertest.Of(0x30), false},
	} {
		if got := der.IsSHA256WithRSA(c.alg.DER()); got != c.want {
			t.Errorf("%s: got %v", what, got)
		}
	}
	if !der.IsRSA(dertest.Of(0x30, dertest.New(0x06, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1), null).DER()) || der.IsRSA(der.SHA256WithRSA()) {
		t.Error("rsaEncryption")
	}
}

// messageSigner is a device that wants the message and not its digest.
type messageSigner struct{ *rsa.PrivateKey }

func (s messageSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("this device signs messages, not digests")
}

func (s messageSigner) SignMessage(r io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	return crypto.SignMessage(s.PrivateKey, r, msg, opts)
}

// badSigner signs something else.
type badSigner struct{ *rsa.PrivateKey }

func (s badSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.PrivateKey.Sign(r, make([]byte, len(digest)), opts)
}

func TestSigned(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tbs := dertest.Of(0x30, dertest.New(0x02, 5)).DER()
	for what, signer := range map[string]crypto.Signer{"key": key, "message signer": messageSigner{key}} {
		raw, err := der.Sign(tbs, signer)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		s, err := der.ReadSigned(raw)
		if err != nil || !bytes.Equal(s.TBS, tbs) {
			t.Fatalf("%s: got %+v, %v", what, s, err)
		}
		if err := s.Check(s.Algorithm, key.Public()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		s.TBS = dertest.Of(0x30, dertest.New(0x02, 6)).DER()
		if err := s.Check(s.Algorithm, key.Public()); err == nil {
			t.Errorf("%s: changed contents still verify", what)
		}
	}
	if _, err := der.Sign(tbs, badSigner{key}); err == nil || !strings.Contains(err.Error(), "bad signature") {
		t.Errorf("bad signer: got %v", err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := der.Sign(tbs, ec); err == nil {
		t.Error("signed with an ECDSA key")
	}
	raw, err := der.Sign(tbs, key)
	if err != nil {
		t.Fatal(err)
	}
	checkRefusals(t, raw, key, ec)
}

func checkRefusals(t *testing.T, raw []byte, key, other crypto.Signer) {
	t.Helper()
	s, err := der.ReadSigned(raw)
	if err != nil {
		t.Fatal(err)
	}
	noNull := dertest.Of(0x30, dertest.New(0x06, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11)).DER()
	if err := s.Check(noNull, key.Public()); err == nil {
		t.Error("different algorithms inside and outside were accepted")
	}
	if err := s.Check(s.Algorithm, other.Public()); err == nil {
		t.Error("a key of another kind was accepted")
	}
	if err := s.Check(s.Algorithm, nil); err == nil {
		t.Error("no key was accepted")
	}
	wrong := s
	wrong.Algorithm = dertest.Of(0x30, dertest.New(0x06, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5), dertest.New(0x05)).DER()
	if err := wrong.Check(wrong.Algorithm, key.Public()); err == nil {
		t.Error("SHA-1 was accepted")
	}

	n := dertest.Parse(t, raw)
	bits := n.At(2)
	deep := dertest.Of(0x30)
	for range 100 {
		deep = dertest.Of(0x30, deep)
	}
	for what, bad := range map[string][]byte{
		"nothing":              {},
		"garbage after it":     append(bytes.Clone(raw), 0),
		"no signature":         dertest.Of(0x30, n.At(0), n.At(1)).DER(),
		"signature of 7 bits":  dertest.Of(0x30, n.At(0), n.At(1), dertest.New(0x03, 1, 0)).DER(),
		"four parts":           dertest.Of(0x30, n.At(0), n.At(1), bits, bits).DER(),
		"algorithm is no list": dertest.Of(0x30, n.At(0), bits, bits).DER(),
		"contents are no list": dertest.Of(0x30, bits, n.At(1), bits).DER(),
		"nested too deep":      dertest.Of(0x30, deep, n.At(1), bits).DER(),
		"no DER inside":        dertest.Of(0x30, dertest.Of(0x30, dertest.New(0xa0, 2, 5)), n.At(1), bits).DER(),
		"indefinite length":    append(append([]byte{0x30, 0x80}, raw[4:]...), 0, 0),
	} {
		if _, err := der.ReadSigned(bad); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}
