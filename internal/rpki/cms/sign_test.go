package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"io"
	"math/big"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/roa"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// key reads one of the fixed test keys.
func key(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "keys", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*rsa.PrivateKey)
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// ee gives an EE certificate for the test key of that name.
func ee(t testing.TB, name string) []byte {
	t.Helper()
	ca := key(t, "ca")
	id := must[cert.KeyID](t)(cert.KeyIDOf(ca.Public()))
	return must[[]byte](t)(cert.Sign(cert.Template{
		Serial: big.NewInt(4711), NotBefore: now, NotAfter: now.AddDate(1, 0, 0), PublicKey: key(t, name).Public(),
		CRLDP: "rsync://example.org/repo/ca.crl", AIA: "rsync://example.org/repo/ca.cer",
		SIA:       cert.SIA{SignedObject: "rsync://example.org/repo/ca/AS64496.roa"},
		Resources: resources.Set{V4: resources.IPSetOf(resources.IPv4, netip.MustParsePrefix("192.0.2.0/24"))},
	}, cert.Issuer{RawSubject: der.CommonName(id.String()), KeyID: id, Signer: ca}))
}

func template(t testing.TB) cms.Template {
	content := must[[]byte](t)(roa.ROA{ASID: 64496, Prefixes: []roa.Prefix{
		{Prefix: netip.MustParsePrefix("192.0.2.0/24"), MaxLength: 24},
	}}.Encode())
	return cms.Template{ContentType: roa.ContentType, Content: content, EE: ee(t, "ee"), Key: key(t, "ee"), SigningTime: now}
}

func TestSignGolden(t *testing.T) {
	in := template(t)
	got := must[[]byte](t)(cms.Sign(in))
	file := filepath.Join("testdata", "object.der")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := must[[]byte](t)(os.ReadFile(file)); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	o := must[*cms.Object](t)(cms.Decode(got))
	if !o.ContentType.Equal(in.ContentType) || !bytes.Equal(o.Content, in.Content) || !bytes.Equal(o.EE, in.EE) ||
		!o.SigningTime.Equal(now) || !bytes.Equal(o.Raw, got) {
		t.Errorf("got %+v", o)
	}
	if err := o.CheckSignature(must[*cert.Certificate](t)(cert.Decode(o.EE))); err != nil {
		t.Error(err)
	}
}

// What RFC 6488 and RFC 9589 say about each field.
func TestSignProfile(t *testing.T) {
	o := must[*cms.Object](t)(cms.Decode(must[[]byte](t)(cms.Sign(template(t)))))
	if o.Version != 3 || len(o.DigestAlgorithms) != 1 || len(o.Certificates) != 1 || o.CRLs != nil || len(o.Signers) != 1 {
		t.Fatalf("got %+v", o)
	}
	s := o.Signers[0]
	id := must[cert.KeyID](t)(cert.KeyIDOf(key(t, "ee").Public()))
	if s.Version != 3 || !bytes.Equal(s.KeyID, id[:]) || s.IssuerAndSerial != nil || s.UnsignedAttributes != nil {
		t.Errorf("got %+v", s)
	}
	for _, a := range []cms.Algorithm{o.DigestAlgorithms[0], s.DigestAlgorithm} {
		if !a.OID.Equal(cms.OIDSHA256) || a.Parameters != nil {
			t.Errorf("digestAlgorithm: got %+v", a)
		}
	}
	if !s.SignatureAlgorithm.OID.Equal(cms.OIDRSA) || !bytes.Equal(s.SignatureAlgorithm.Parameters, []byte{5, 0}) {
		t.Errorf("signatureAlgorithm: got %+v", s.SignatureAlgorithm)
	}
	want := []cms.OID{cms.OIDContentType, cms.OIDSigningTime, cms.OIDMessageDigest}
	if len(s.Attributes) != len(want) || !s.AttributesSorted() {
		t.Fatalf("got %+v", s.Attributes)
	}
	for i, a := range s.Attributes {
		if !a.Type.Equal(want[i]) || len(a.Values) != 1 {
			t.Errorf("attribute %d: got %+v", i, a)
		}
	}
}

func TestSigningTime(t *testing.T) {
	in := template(t)
	for text, tag := range map[string]byte{
		"1950-01-01T00:00:00Z": 0x17,
		"1968-06-01T00:00:00Z": 0x17,
		"2026-11-22T12:00:00Z": 0x17,
		"2049-12-31T23:59:59Z": 0x17,
		"2050-01-01T00:00:00Z": 0x18,
		"9999-12-31T23:59:59Z": 0x18,
	} {
		want := must[time.Time](t)(time.Parse(time.RFC3339, text))
		in.SigningTime = want.Add(time.Millisecond).In(time.FixedZone("", 3600))
		o := must[*cms.Object](t)(cms.Decode(must[[]byte](t)(cms.Sign(in))))
		value, ok := o.Signers[0].Attribute(cms.OIDSigningTime)
		if !ok || value[0] != tag || !o.SigningTime.Equal(want) {
			t.Errorf("%s: got %s, %x", text, o.SigningTime, value)
		}
	}
	for _, years := range []int{9000, -100} {
		in.SigningTime = now.AddDate(years, 0, 0)
		if _, err := cms.Sign(in); err == nil {
			t.Errorf("signing-time %s was written", in.SigningTime)
		}
	}
}

// messageSigner is a key that wants the message, as some devices do.
type messageSigner struct {
	*rsa.PrivateKey
	message []byte
}

func (s *messageSigner) SignMessage(random io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.message = message
	digest := sha256.Sum256(message)
	return s.Sign(random, digest[:], opts)
}

func TestSignMessage(t *testing.T) {
	in := template(t)
	want := must[[]byte](t)(cms.Sign(in))
	device := &messageSigner{PrivateKey: key(t, "ee")}
	in.Key = device
	got := must[[]byte](t)(cms.Sign(in))
	if !bytes.Equal(got, want) {
		t.Error("another object than with the plain key")
	}
	o := must[*cms.Object](t)(cms.Decode(got))
	if !bytes.Equal(device.message, o.Signers[0].SignedForm()) || device.message[0] != 0x31 {
		t.Errorf("signed %x", device.message)
	}
}

func TestSignRefuses(t *testing.T) {
	in := template(t)
	in.Key = must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	if _, err := cms.Sign(in); err == nil {
		t.Error("signed with an ECDSA key")
	}
	in = template(t)
	in.Key = &brokenKey{key(t, "ee")}
	if _, err := cms.Sign(in); err == nil {
		t.Error("no error although the key failed")
	}
}

type brokenKey struct{ *rsa.PrivateKey }

func (*brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, io.ErrUnexpectedEOF
}

func TestOpenSSLVerifies(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not on PATH")
	}
	in := template(t)
	file := filepath.Join(t.TempDir(), "object.roa")
	if err := os.WriteFile(file, must[[]byte](t)(cms.Sign(in)), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(openssl, "cms", "-verify", "-noverify", "-inform", "DER", "-in", file)
	cmd.Stderr = &stderr
	content, err := cmd.Output()
	if err != nil || !bytes.Equal(content, in.Content) {
		t.Errorf("got %x, %v, %s", content, err, &stderr)
	}
}

func BenchmarkSign(b *testing.B) {
	in := template(b)
	for b.Loop() {
		if _, err := cms.Sign(in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareSignature is what BenchmarkSign is to be compared with.
func BenchmarkBareSignature(b *testing.B) {
	k, digest := key(b, "ee"), sha256.Sum256([]byte("message"))
	for b.Loop() {
		if _, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}
