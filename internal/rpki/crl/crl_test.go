package crl_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/der/dertest"
)

var update = flag.Bool("update", false, "write testdata anew")

// The keys and certificates are those of package cert's tests.
func issuer(t testing.TB, name string) (*cert.Certificate, cert.Issuer) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "cert", "testdata", name+".key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join("..", "cert", "testdata", name+".cer"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c, cert.Issuer{RawSubject: c.RawSubject, KeyID: c.KeyID, Signer: key.(crypto.Signer)}
}

func start() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

func template() crl.Template {
	return crl.Template{
		Number: big.NewInt(129), ThisUpdate: start(), NextUpdate: start().Add(24 * time.Hour),
		Entries: []crl.Entry{
			{Serial: new(big.Int).SetBytes(bytes.Repeat([]byte{0x7f}, 20)), RevokedAt: start().Add(-time.Hour)},
			{Serial: big.NewInt(128), RevokedAt: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)},
			{Serial: big.NewInt(3), RevokedAt: start().Add(999 * time.Millisecond)},
		},
	}
}

func objects(t testing.TB) map[string][]byte {
	t.Helper()
	_, by := issuer(t, "ta")
	full, err1 := crl.Sign(template(), by)
	empty := template()
	empty.Entries = nil
	none, err2 := crl.Sign(empty, by)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return map[string][]byte{"full.crl": full, "empty.crl": none}
}

func decode(t testing.TB, raw []byte) *crl.CRL {
	t.Helper()
	l, err := crl.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestGolden(t *testing.T) {
	for name, got := range objects(t) {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from testdata; if that is meant, run with -update", name)
		}
	}
}

func TestDecodeGivesBackWhatWasSigned(t *testing.T) {
	ta, _ := issuer(t, "ta")
	want := template()
	l := decode(t, objects(t)["full.crl"])
	if l.Version != 2 || l.Number.Cmp(want.Number) != 0 || !l.ThisUpdate.Equal(want.ThisUpdate) || !l.NextUpdate.Equal(want.NextUpdate) || !l.HasNextUpdate {
		t.Errorf("version %d, number %v, from %v to %v", l.Version, l.Number, l.ThisUpdate, l.NextUpdate)
	}
	if !l.HasAKI || l.AuthorityKeyID != ta.KeyID || !bytes.Equal(l.RawIssuer, ta.RawSubject) || len(l.Extensions) != 2 {
		t.Errorf("authority key %v of %x", l.AuthorityKeyID, l.RawIssuer)
	}
	if len(l.Entries) != 3 || l.EntryExtensions != 0 || l.WrongTimes != 0 || l.HasEmptyList {
		t.Fatalf("entries %v", l.Entries)
	}
	for i, e := range l.Entries {
		if e.Serial.Cmp(want.Entries[i].Serial) != 0 || !e.RevokedAt.Equal(want.Entries[i].RevokedAt.Truncate(time.Second)) {
			t.Errorf("entry %d: got %v", i, e)
		}
		if !l.Revoked(e.Serial) {
			t.Errorf("%v is not revoked", e.Serial)
		}
	}
	for _, other := range []*big.Int{new(big.Int), big.NewInt(-3), big.NewInt(4), big.NewInt(128 << 8)} {
		if l.Revoked(other) {
			t.Errorf("%v is revoked", other)
		}
	}

	none := decode(t, objects(t)["empty.crl"])
	if len(none.Entries) != 0 || none.HasEmptyList || none.Revoked(big.NewInt(3)) {
		t.Errorf("empty list: %v", none.Entries)
	}
}

func TestSignatures(t *testing.T) {
	ta, _ := issuer(t, "ta")
	ca, _ := issuer(t, "ca")
	for name, raw := range objects(t) {
		l := decode(t, raw)
		if err := l.CheckSignatureFrom(ta); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := l.CheckSignatureFrom(ca); err == nil {
			t.Errorf("%s verifies with another key", name)
		}
		n := dertest.Parse(t, raw)
		n.At(0, 3).Content[0] ^= 1
		if err := decode(t, n.DER()).CheckSignatureFrom(ta); err == nil {
			t.Errorf("%s: a changed list still verifies", name)
		}
	}
}

func TestOthersAgree(t *testing.T) {
	for name, raw := range objects(t) {
		std, err := x509.ParseRevocationList(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compare(t, decode(t, raw), std)
	}

	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed: its part is skipped")
	}
	for name, raw := range objects(t) {
		cmd := exec.Command("openssl", "crl", "-inform", "DER", "-noout", "-text")
		cmd.Stdin = bytes.NewReader(raw)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "129") {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		if name == "full.crl" && !strings.Contains(string(out), strings.Repeat("7F", 20)) {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func compare(t *testing.T, l *crl.CRL, std *x509.RevocationList) {
	t.Helper()
	if !l.ThisUpdate.Equal(std.ThisUpdate) || !l.NextUpdate.Equal(std.NextUpdate) || !bytes.Equal(l.RawIssuer, std.RawIssuer) || len(l.Entries) != len(std.RevokedCertificateEntries) {
		t.Errorf("from %v %v to %v %v, %d %d entries", l.ThisUpdate, std.ThisUpdate, l.NextUpdate, std.NextUpdate, len(l.Entries), len(std.RevokedCertificateEntries))
		return
	}
	for i, e := range l.Entries {
		if o := std.RevokedCertificateEntries[i]; e.Serial.Cmp(o.SerialNumber) != 0 || !e.RevokedAt.Equal(o.RevocationTime) {
			t.Errorf("entry %d: %v %v", i, e, o)
		}
	}
}

func TestDecodeStructure(t *testing.T) {
	integer := dertest.New(0x02, 5)
	for what, c := range map[string]struct {
		edit    func(tbs *dertest.Node)
		refused bool
	}{
		"nothing changed":           {func(*dertest.Node) {}, false},
		"version 1":                 {func(n *dertest.Node) { n.Remove(0) }, false},
		"version 3":                 {func(n *dertest.Node) { n.At(0).Content = []byte{2} }, false},
		"version 1 written out":     {func(n *dertest.Node) { n.At(0).Content = []byte{0} }, false},
		"version too long":          {func(n *dertest.Node) { n.At(0).Content = bytes.Repeat([]byte{1}, 30) }, true},
		"algorithm a string":        {func(n *dertest.Node) { n.Children[1] = integer }, true},
		"issuer a string":           {func(n *dertest.Node) { n.Children[2] = integer }, true},
		"no times":                  {func(n *dertest.Node) { n.Remove(3); n.Remove(3) }, true},
		"no nextUpdate":             {func(n *dertest.Node) { n.Remove(4) }, false},
		"nextUpdate broken":         {func(n *dertest.Node) { n.At(4).Content = []byte("2611221000Z") }, true},
		"no entries":                {func(n *dertest.Node) { n.Remove(5) }, false},
		"entries empty":             {func(n *dertest.Node) { n.At(5).Children = nil }, false},
		"entry without date":        {func(n *dertest.Node) { n.At(5, 0).Remove(1) }, true},
		"entry without serial":      {func(n *dertest.Node) { n.At(5, 0).Remove(0) }, true},
		"entry a string":            {func(n *dertest.Node) { n.At(5).Insert(0, integer) }, true},
		"negative serial":           {func(n *dertest.Node) { n.At(5, 0, 0).Content = []byte{0x80} }, false},
		"serial not minimal":        {func(n *dertest.Node) { n.At(5, 0, 0).Content = []byte{0, 1} }, true},
		"entry with extension":      {func(n *dertest.Node) { n.At(5, 0).Insert(2, n.At(6, 0)) }, false},
		"entry with something else": {func(n *dertest.Node) { n.At(5, 0).Insert(2, integer) }, true},
		"no extensions":             {func(n *dertest.Node) { n.Remove(6) }, false},
		"extensions empty":          {func(n *dertest.Node) { n.At(6, 0).Children = nil }, true},
		"more after extensions":     {func(n *dertest.Node) { n.Insert(7, integer) }, true},
		"number a string":           {func(n *dertest.Node) { n.At(6, 0, 1, 1).Content = []byte{4, 1, 5} }, false},
		"AKI a string":              {func(n *dertest.Node) { n.At(6, 0, 0, 1).Content = []byte{4, 1, 5} }, false},
	} {
		n := dertest.Parse(t, objects(t)["full.crl"])
		c.edit(n.At(0))
		got, err := crl.Decode(n.DER())
		if (err != nil) != c.refused {
			t.Errorf("%s: got %v", what, err)
		}
		if err == nil && !bytes.Equal(got.Raw, n.DER()) {
			t.Errorf("%s: keeps other octets", what)
		}
	}
}

func TestMalformedExtensionsSayNothing(t *testing.T) {
	n := dertest.Parse(t, objects(t)["full.crl"])
	list := n.At(0, 6, 0)
	list.At(0, 1).Content = []byte{4, 1, 5}
	list.At(1, 1).Content = []byte{4, 1, 5}
	if l := decode(t, n.DER()); l.HasAKI || l.Number != nil {
		t.Errorf("AKI %v, number %v", l.HasAKI, l.Number)
	}

	n = dertest.Parse(t, objects(t)["full.crl"])
	list = n.At(0, 6, 0)
	again := dertest.Parse(t, list.At(1).DER())
	again.At(1).Content = []byte{2, 1, 5}
	list.Insert(2, again)
	if l := decode(t, n.DER()); l.Number.Int64() != 129 || len(l.Extensions) != 3 {
		t.Errorf("number %v of %d extensions", l.Number, len(l.Extensions))
	}
}

func TestSignRefuses(t *testing.T) {
	for what, edit := range map[string]func(x *crl.Template, by *cert.Issuer){
		"no number":        func(x *crl.Template, _ *cert.Issuer) { x.Number = nil },
		"negative number":  func(x *crl.Template, _ *cert.Issuer) { x.Number = big.NewInt(-1) },
		"long number":      func(x *crl.Template, _ *cert.Issuer) { x.Number = new(big.Int).Lsh(big.NewInt(1), 159) },
		"crossed":          func(x *crl.Template, _ *cert.Issuer) { x.NextUpdate = x.ThisUpdate.Add(-time.Second) },
		"no serial":        func(x *crl.Template, _ *cert.Issuer) { x.Entries[1].Serial = nil },
		"serial 0":         func(x *crl.Template, _ *cert.Issuer) { x.Entries[1].Serial = new(big.Int) },
		"long serial":      func(x *crl.Template, _ *cert.Issuer) { x.Entries[1].Serial = new(big.Int).Lsh(big.NewInt(1), 159) },
		"year 10000":       func(x *crl.Template, _ *cert.Issuer) { x.NextUpdate = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"another's key":    func(_ *crl.Template, by *cert.Issuer) { by.KeyID[0] ^= 1 },
		"key that is gone": func(_ *crl.Template, by *cert.Issuer) { by.Signer = gone{by.Signer} },
	} {
		x := template()
		_, by := issuer(t, "ta")
		edit(&x, &by)
		if raw, err := crl.Sign(x, by); err == nil {
			t.Errorf("%s: signed %x", what, raw)
		}
	}
	zero := template()
	zero.Number = new(big.Int)
	_, by := issuer(t, "ta")
	if raw, err := crl.Sign(zero, by); err != nil || decode(t, raw).Number.Sign() != 0 {
		t.Errorf("number 0: %v", err)
	}
}

type gone struct{ crypto.Signer }

func (gone) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, os.ErrClosed
}

// A registry's list has tens of thousands of entries and is made again every few hours.
func TestLargeList(t *testing.T) {
	x := template()
	x.Entries = nil
	for range 10000 {
		serial, err := cert.NewSerial()
		if err != nil {
			t.Fatal(err)
		}
		x.Entries = append(x.Entries, crl.Entry{Serial: serial, RevokedAt: start()})
	}
	_, by := issuer(t, "ta")
	begin := time.Now()
	raw, err := crl.Sign(x, by)
	if err != nil {
		t.Fatal(err)
	}
	signed := time.Since(begin)
	l := decode(t, raw)
	for _, e := range x.Entries {
		if !l.Revoked(e.Serial) {
			t.Fatalf("%v is missing", e.Serial)
		}
	}
	t.Logf("10,000 entries: signed in %v, read and looked up in %v", signed, time.Since(begin)-signed)
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func BenchmarkSign10000(b *testing.B) {
	x := template()
	x.Entries = nil
	for i := range int64(10000) {
		x.Entries = append(x.Entries, crl.Entry{Serial: new(big.Int).Lsh(big.NewInt(i+1), 120), RevokedAt: start()})
	}
	_, by := issuer(b, "ta")
	for b.Loop() {
		if _, err := crl.Sign(x, by); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, raw := range objects(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := crl.Decode(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(l.Raw, raw) || !bytes.Equal(dertest.Parse(t, raw).DER(), raw) {
			t.Errorf("keeps %x of %x", l.Raw, raw)
		}
		if std, err := x509.ParseRevocationList(raw); err == nil {
			compare(t, l, std)
		}
	})
}

func TestIssuerNameIsTakenAsItIs(t *testing.T) {
	_, by := issuer(t, "ta")
	by.RawSubject = der.CommonName("whatever the parent chose")
	raw, err := crl.Sign(template(), by)
	if err != nil || !bytes.Equal(decode(t, raw).RawIssuer, by.RawSubject) {
		t.Errorf("%x, %v", raw, err)
	}
}
