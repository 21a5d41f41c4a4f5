package profile_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/tal"
)

func TestTAL(t *testing.T) {
	ta := newFixture(t).ta
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curveSPKI, err := x509.MarshalPKIXPublicKey(curve.Public())
	if err != nil {
		t.Fatal(err)
	}
	uris := []string{"https://example.org/ta.cer", "rsync://example.org/ta.cer"}
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"good":    {tal.TAL{URIs: uris, SPKI: ta.SPKI}.Encode(), ""},
		"ECDSA":   {tal.TAL{URIs: uris, SPKI: curveSPKI}.Encode(), "RFC 7935 3"},
		"no URI":  {tal.TAL{SPKI: ta.SPKI}.Encode(), "RFC 8630 2.2"},
		"no TAL":  {ta.Raw, "RFC 8630 2.2"},
		"two":     {tal.TAL{URIs: []string{"ftp://example.org/ta.cer"}, SPKI: ta.SPKI}.Encode(), "RFC 8630 2.2, RFC 8630 2.2"},
		"no SPKI": {tal.TAL{URIs: uris, SPKI: []byte{0x30, 6, 0x30, 0, 3, 2, 0, 1}}.Encode(), "RFC 7935 3"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := profile.TAL(tc.file); clauses(got) != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
	if got := profile.TALNames(tal.TAL{SPKI: ta.SPKI}, ta); got != nil {
		t.Errorf("own certificate: got %v", got)
	}
	if got := profile.TALNames(tal.TAL{SPKI: curveSPKI}, ta); clauses(got) != "RFC 8630 3" {
		t.Errorf("other certificate: got %v", got)
	}
}
