package cms_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
)

func golden(t testing.TB) []byte {
	t.Helper()
	return must[[]byte](t)(os.ReadFile(filepath.Join("testdata", "object.der")))
}

// Decode has no opinion: whatever breaks RFC 6488 but is well-formed is taken
// in as it stands.
func TestDecodeIsFaithful(t *testing.T) {
	sequence := []byte{0x30, 0}
	for name, change := range map[string]func(o *cms.Object){
		"as made":             func(*cms.Object) {},
		"version":             func(o *cms.Object) { o.Version = 1 },
		"no digestAlgorithms": func(o *cms.Object) { o.DigestAlgorithms = []cms.Algorithm{} },
		"digest with NULL":    func(o *cms.Object) { o.DigestAlgorithms[0].Parameters = []byte{5, 0} },
		"odd parameters":      func(o *cms.Object) { o.Signers[0].DigestAlgorithm.Parameters = []byte{4, 1, 7} },
		"no eContent":         func(o *cms.Object) { o.Content = nil },
		"empty eContent":      func(o *cms.Object) { o.Content = []byte{} },
		"no certificates":     func(o *cms.Object) { o.Certificates, o.EE = nil, nil },
		"empty certificates":  func(o *cms.Object) { o.Certificates, o.EE = [][]byte{}, nil },
		"two certificates":    func(o *cms.Object) { o.Certificates = append(o.Certificates, sequence) },
		"CRL":                 func(o *cms.Object) { o.CRLs = [][]byte{sequence} },
		"empty CRLs":          func(o *cms.Object) { o.CRLs = [][]byte{} },
		"no signer":           func(o *cms.Object) { o.Signers = []cms.Signer{} },
		"two signers":         func(o *cms.Object) { o.Signers = append(o.Signers, o.Signers[0]) },
		"signer version":      func(o *cms.Object) { o.Signers[0].Version = 1 },
		"empty sid":           func(o *cms.Object) { o.Signers[0].KeyID = []byte{} },
		"issuer and serial number": func(o *cms.Object) {
			o.Signers[0].KeyID, o.Signers[0].IssuerAndSerial = nil, []byte{0x30, 5, 0x30, 0, 2, 1, 7}
		},
		"no attributes":           func(o *cms.Object) { o.Signers[0].Attributes = nil },
		"empty attributes":        func(o *cms.Object) { o.Signers[0].Attributes = []cms.Attribute{} },
		"attributes not sorted":   func(o *cms.Object) { slices.Reverse(o.Signers[0].Attributes) },
		"attribute without value": func(o *cms.Object) { o.Signers[0].Attributes[0].Values = [][]byte{} },
		"unsigned attributes":     func(o *cms.Object) { o.Signers[0].UnsignedAttributes = o.Signers[0].Attributes },
		"empty signature":         func(o *cms.Object) { o.Signers[0].Signature = []byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			want := must[*cms.Object](t)(cms.Decode(golden(t)))
			change(want)
			input := must[[]byte](t)(want.Encode())
			got, err := cms.Decode(input)
			if err != nil {
				t.Fatal(err)
			}
			if again := must[[]byte](t)(got.Encode()); !bytes.Equal(again, input) {
				t.Errorf("read %x, writes %x", input, again)
			}
			if got.Version != want.Version || len(got.Signers) != len(want.Signers) || (got.CRLs == nil) != (want.CRLs == nil) ||
				!reflect.DeepEqual(got.Certificates, want.Certificates) || !bytes.Equal(got.EE, want.EE) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	whole := golden(t)
	replace := func(old, new []byte) []byte {
		t.Helper()
		if bytes.Count(whole, old) == 0 {
			t.Fatalf("%x is not in the object", old)
		}
		return bytes.Replace(whole, old, new, 1)
	}
	encoded := func(change func(o *cms.Object)) []byte {
		o := must[*cms.Object](t)(cms.Decode(whole))
		change(o)
		return must[[]byte](t)(o.Encode())
	}
	signedData := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}
	for name, input := range map[string][]byte{
		"empty":            {},
		"text":             []byte("<xml/>"),
		"cut":              whole[:len(whole)-1],
		"something after":  append(bytes.Clone(whole), 0),
		"indefinite":       append(append([]byte{0x30, 0x80}, whole[4:]...), 0, 0),
		"not signed-data":  replace(signedData, []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1}),
		"long length":      append([]byte{0x30, 0x83, 0, whole[2], whole[3]}, whole[4:]...),
		"a certificate":    ee(t, "ee"),
		"version a string": replace([]byte{2, 1, 3, 0x31}, []byte{4, 1, 3, 0x31}),
		"version not minimal": replace([]byte{0x30, 0x82, whole[21], whole[22], 2, 1, 3}[4:],
			[]byte{2, 0, 3}),
		"no signer set":   replace([]byte{2, 1, 3, 0x31}, []byte{2, 1, 3, 0x30}),
		"many algorithms": encoded(func(o *cms.Object) { o.DigestAlgorithms = slices.Repeat(o.DigestAlgorithms, 33) }),
		"many signers":    encoded(func(o *cms.Object) { o.Signers = slices.Repeat(o.Signers, 33) }),
		"many attributes": encoded(func(o *cms.Object) { o.Signers[0].Attributes = slices.Repeat(o.Signers[0].Attributes, 11) }),
		"no sid":          encoded(func(o *cms.Object) { o.Signers[0].KeyID = nil }),
		"algorithm and more": encoded(func(o *cms.Object) {
			o.Signers[0].DigestAlgorithm.Parameters = []byte{5, 0, 5, 0}
		}),
		"value cut": encoded(func(o *cms.Object) {
			o.Signers[0].Attributes[0].Values = [][]byte{{4, 5, 0}}
		}),
		"certificate cut": encoded(func(o *cms.Object) { o.Certificates = [][]byte{{0x30, 5, 0}} }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cms.Decode(input)
			var problem cms.Problem
			if !errors.As(err, &problem) {
				t.Fatalf("got %v", err)
			}
			if rfc, section, rule := problem.Clause(); rfc == "" || section == "" || rule == "" {
				t.Errorf("got %q, %q, %q", rfc, section, rule)
			}
		})
	}
}

func TestCheckSignature(t *testing.T) {
	holder := must[*cert.Certificate](t)(cert.Decode(ee(t, "ee")))
	other := must[*cert.Certificate](t)(cert.Decode(ee(t, "other")))
	sign := func(o *cms.Object, name string) {
		s := &o.Signers[0]
		s.Reseal()
		s.Signature = must[[]byte](t)(crypto.SignMessage(key(t, name), rand.Reader, s.SignedForm(), crypto.SHA256))
	}
	for name, tc := range map[string]struct {
		change  func(o *cms.Object)
		ee      *cert.Certificate
		section string
	}{
		"good":                    {func(*cms.Object) {}, holder, ""},
		"signed anew":             {func(o *cms.Object) { sign(o, "ee") }, holder, ""},
		"sha256WithRSAEncryption": {func(o *cms.Object) { o.Signers[0].SignatureAlgorithm.OID = cms.OIDSHA256WithRSA }, holder, ""},
		"parameters absent and NULL": {func(o *cms.Object) {
			o.Signers[0].SignatureAlgorithm.Parameters = nil
			o.Signers[0].DigestAlgorithm.Parameters = []byte{5, 0}
		}, holder, ""},
		"other certificate":  {func(*cms.Object) {}, other, "2.1.6.2"},
		"other key":          {func(o *cms.Object) { sign(o, "other") }, holder, "3"},
		"no signer":          {func(o *cms.Object) { o.Signers = nil }, holder, "2.1.6"},
		"two signers":        {func(o *cms.Object) { o.Signers = append(o.Signers, o.Signers[0]) }, holder, "2.1.6"},
		"no content":         {func(o *cms.Object) { o.Content = nil }, holder, "2.1.6"},
		"other content":      {func(o *cms.Object) { o.Content = append(bytes.Clone(o.Content), 0) }, holder, "2.1.6.4.2"},
		"other content type": {func(o *cms.Object) { o.ContentType = cms.OIDSignedData }, holder, "2.1.6.4.1"},
		"attribute changed":  {func(o *cms.Object) { o.Signers[0].Attributes[1].Raw[20] ^= 1 }, holder, "3"},
		"signature changed":  {func(o *cms.Object) { o.Signers[0].Signature[9] ^= 1 }, holder, "3"},
		"signature empty":    {func(o *cms.Object) { o.Signers[0].Signature = nil }, holder, "3"},
		"SHA-1":              {func(o *cms.Object) { o.Signers[0].DigestAlgorithm.OID = cms.OID{1, 3, 14, 3, 2, 26} }, holder, "2.1.6.3"},
		"odd parameters":     {func(o *cms.Object) { o.Signers[0].SignatureAlgorithm.Parameters = []byte{4, 0} }, holder, "2.1.6.5"},
		"digest twice": {func(o *cms.Object) {
			o.Signers[0].Attributes = append(o.Signers[0].Attributes, o.Signers[0].Attributes[2])
			sign(o, "ee")
		}, holder, "2.1.6.4.2"},
		"type with two values": {func(o *cms.Object) {
			a := &o.Signers[0].Attributes[0]
			a.Values = append(a.Values, a.Values[0])
			sign(o, "ee")
		}, holder, "2.1.6.4.1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := must[*cms.Object](t)(cms.Decode(golden(t)))
			tc.change(o)
			err := o.CheckSignature(tc.ee)
			var problem cms.Problem
			if tc.section == "" && err == nil {
				return
			}
			if !errors.As(err, &problem) || problem.Section != tc.section {
				t.Errorf("got %v, want section %q", err, tc.section)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	for text, ok := range map[string]bool{
		"\x17\x0d261122120000Z":         true,
		"\x17\x0d491231235959Z":         true,
		"\x18\x0f20500101000000Z":       true,
		"\x18\x0f20261122120000Z":       false, // GeneralizedTime before 2050
		"\x17\x0b2611221200Z":           false, // no seconds
		"\x17\x11261122120000+0100":     false, // zone
		"\x17\x0d261322120000Z":         false, // month 13
		"\x18\x1120500101000000.5Z":     false, // fraction
		"\x16\x0d261122120000Z":         false, // IA5String
		"\x17\x0d261122120000Z\x05\x00": false, // something after
		"":                              false,
	} {
		if got, isTime := cms.ParseTime([]byte(text)); isTime != ok {
			t.Errorf("%q: got %v, %v", text, got, isTime)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(golden(f))
	o := must[*cms.Object](f)(cms.Decode(golden(f)))
	o.CRLs = [][]byte{{0x30, 0}}
	o.Signers[0].UnsignedAttributes = o.Signers[0].Attributes
	o.Signers[0].KeyID, o.Signers[0].IssuerAndSerial = nil, []byte{0x30, 5, 0x30, 0, 2, 1, 7}
	f.Add(must[[]byte](f)(o.Encode()))
	holder := must[*cert.Certificate](f)(cert.Decode(o.EE))
	f.Fuzz(func(t *testing.T, input []byte) {
		o, err := cms.Decode(input)
		if err != nil {
			return
		}
		if got, err := o.Encode(); err != nil || !bytes.Equal(got, input) {
			t.Errorf("accepted %x but writes %x, %v", input, got, err)
		}
		if o.CheckSignature(holder) == nil && !bytes.Contains(input, o.Signers[0].Signature) {
			t.Error("signature of another message")
		}
	})
}
