package tlsfiles

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func load(t *testing.T, cfg Config) Files {
	t.Helper()
	if cfg.Now.IsZero() {
		cfg.Now = now
	}
	f, err := Load(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestGenerateOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ssl")
	first := load(t, Config{Dir: dir, Generate: true, Host: "ca.example.net"})
	if !first.Made || len(first.Warnings) > 0 {
		t.Errorf("got %+v", first)
	}
	leaf := first.Certificate.Leaf
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "ca.example.net"} {
		if err := leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if err := leaf.VerifyHostname("other.example.net"); err == nil {
		t.Error("good for any host")
	}
	if leaf.NotAfter.Before(now.AddDate(99, 0, 0)) || leaf.NotBefore.After(now) || leaf.SerialNumber.Sign() <= 0 {
		t.Errorf("from %v to %v, serial %v", leaf.NotBefore, leaf.NotAfter, leaf.SerialNumber)
	}
	if st, err := os.Stat(filepath.Join(dir, KeyFile)); err != nil || st.Mode() != 0o600 {
		t.Errorf("key: %v, %v", st, err)
	}
	for _, generate := range []bool{true, false} {
		again := load(t, Config{Dir: dir, Generate: generate})
		if again.Made || !again.Certificate.Leaf.Equal(leaf) {
			t.Error("the second start has another certificate")
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestAddressAsHost(t *testing.T) {
	for _, host := range []string{"192.0.2.1", "2001:db8::1", "127.0.0.1", "localhost", ""} {
		f := load(t, Config{Dir: t.TempDir(), Generate: true, Host: host})
		if len(f.Warnings) > 0 {
			t.Errorf("%q: %q", host, f.Warnings)
		}
		if n := len(f.Certificate.Leaf.DNSNames); n != 1 {
			t.Errorf("%q: %q", host, f.Certificate.Leaf.DNSNames)
		}
	}
}

func TestClientsTakeIt(t *testing.T) {
	dir := t.TempDir()
	f := load(t, Config{Dir: dir, Generate: true, Now: time.Now()})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	srv.TLS = f.ServerConfig()
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(f.Certificate.Leaf)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	resp, err := client.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	client.CloseIdleConnections()

	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl to ask too")
	}
	cert := filepath.Join(dir, CertFile)
	if out, err := exec.Command(openssl, "verify", "-CAfile", cert, "-purpose", "sslserver", "-verify_hostname", "localhost", cert).CombinedOutput(); err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}

func TestSeveralStartersAgree(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := Load(Config{Dir: dir, Generate: true, Now: now}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	load(t, Config{Dir: dir})
}

func TestCrashBetweenKeyAndCertificate(t *testing.T) {
	dir := t.TempDir()
	if err := makeKey(filepath.Join(dir, KeyFile)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	load(t, Config{Dir: dir, Generate: true})
	if after, err := os.ReadFile(filepath.Join(dir, KeyFile)); err != nil || string(after) != string(before) {
		t.Errorf("the key was replaced: %v", err)
	}
}

func TestWarnings(t *testing.T) {
	dir := t.TempDir()
	load(t, Config{Dir: dir, Generate: true})
	tests := []struct {
		cfg  Config
		want string
	}{
		{Config{Now: now, Host: "other.example.net"}, "is not for other.example.net"},
		{Config{Now: now.AddDate(101, 0, 0)}, "expired on 2126-11-22T12:00:00Z"},
		{Config{Now: now.AddDate(-1, 0, 0)}, "is not valid before 2026-11-22T11:55:00Z"},
	}
	for _, tt := range tests {
		tt.cfg.Dir = dir
		if f := load(t, tt.cfg); len(f.Warnings) != 1 || !strings.HasSuffix(f.Warnings[0], tt.want) {
			t.Errorf("got %q, want %q", f.Warnings, tt.want)
		}
	}
}

func TestRefused(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaDER, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	foreign := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rsaDER})
	put := func(t *testing.T, dir, name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		generate bool
		prepare  func(t *testing.T, dir string)
		want     string
	}{
		"nothing there": {false, func(t *testing.T, dir string) {
			if err := errors.Join(os.Remove(filepath.Join(dir, CertFile)), os.Remove(filepath.Join(dir, KeyFile))); err != nil {
				t.Fatal(err)
			}
		}, CertFile + " is missing"},
		"no key": {true, func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, KeyFile)); err != nil {
				t.Fatal(err)
			}
		}, KeyFile + " is missing"},
		"others may read the key": {false, func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, KeyFile), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "chmod 600"},
		"another key":        {false, func(t *testing.T, dir string) { put(t, dir, KeyFile, foreign) }, "does not match"},
		"not a key":          {false, func(t *testing.T, dir string) { put(t, dir, KeyFile, []byte("x")) }, KeyFile},
		"not a certificate":  {true, func(t *testing.T, dir string) { put(t, dir, CertFile, []byte("x")) }, CertFile},
		"a huge certificate": {true, func(t *testing.T, dir string) { put(t, dir, CertFile, make([]byte, maxFile+1)) }, "is not a file with a certificate"},
		"somebody's key, no certificate": {true, func(t *testing.T, dir string) {
			put(t, dir, KeyFile, foreign)
			if err := os.Remove(filepath.Join(dir, CertFile)); err != nil {
				t.Fatal(err)
			}
		}, "is not a key that was made here"},
		"no PEM, no certificate": {true, func(t *testing.T, dir string) {
			put(t, dir, KeyFile, []byte("x"))
			if err := os.Remove(filepath.Join(dir, CertFile)); err != nil {
				t.Fatal(err)
			}
		}, "holds no key in PEM"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			load(t, Config{Dir: dir, Generate: true})
			tt.prepare(t, dir)
			if _, err := Load(Config{Dir: dir, Generate: tt.generate, Now: now}); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
