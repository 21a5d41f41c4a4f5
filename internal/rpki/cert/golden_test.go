package cert_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What we make must not change by accident: other implementations and old logs hold it.
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

func TestOpenSSLReadsWhatWeMake(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed: skipped")
	}
	want := map[string][]string{
		"ta.cer":          {"CA:TRUE", "Certificate Sign, CRL Sign", "0-4294967295"},
		"ca.cer":          {"CA:TRUE", "64496-64511", "4294967295", "192.0.2.0/24", "198.51.100.0-198.51.100.128", "2001:db8::/32", "Full Name:", "CA Issuers - URI:rsync://rpki.example.net/repo/ta.cer", "RPKI Manifest"},
		"ee.cer":          {"Digital Signature", "inherit", "Signed Object"},
		"router.cer":      {"BGPsec Router", "prime256v1", "64496"},
		"ca.csr":          {"CA:TRUE", "Subject Information Access", "RPKI Notify"},
		"identity.cer":    {"CA:TRUE", "Serial Number: 1 (0x1)"},
		"identity-ee.cer": {"X509v3 Authority Key Identifier"},
	}
	for name, raw := range objects(t) {
		kind := "x509"
		if strings.HasSuffix(name, ".csr") {
			kind = "req"
		}
		cmd := exec.Command("openssl", kind, "-inform", "DER", "-noout", "-text")
		cmd.Stdin = bytes.NewReader(raw)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
			continue
		}
		if len(want[name]) == 0 {
			t.Errorf("%s: nothing is expected of it", name)
		}
		for _, text := range want[name] {
			if !strings.Contains(string(out), text) && !strings.Contains(strings.ToLower(string(out)), text) {
				t.Errorf("%s lacks %q:\n%s", name, text, out)
			}
		}
	}
}

// OpenSSL knows RFC 3779: it must agree that each certificate is valid under the one above.
func TestOpenSSLVerifiesTheChain(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed: skipped")
	}
	dir := t.TempDir()
	for name, raw := range objects(t) {
		if strings.HasSuffix(name, ".csr") {
			continue
		}
		cmd := exec.Command("openssl", "x509", "-inform", "DER", "-out", filepath.Join(dir, name))
		cmd.Stdin = bytes.NewReader(raw)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	for _, leaf := range []string{"ca.cer", "ee.cer", "router.cer"} {
		cmd := exec.Command("openssl", "verify", "-attime", "1795600000", "-CAfile", "ta.cer", "-untrusted", "ca.cer", leaf)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", leaf, err, out)
		}
	}
}
