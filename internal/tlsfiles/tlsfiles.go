// Package tlsfiles gives the HTTP server its certificate: cert.pem and key.pem
// in a folder, put there by the operator or made at the first start; and clients
// the roots that they trust.
package tlsfiles

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"baleen/internal/secretfile"
)

// Names of the files.
const (
	CertFile = "cert.pem" // the certificate, then those of its issuers
	KeyFile  = "key.pem"  // its private key; at most owner and group may read it
)

// maxFile bounds what is read of a file, in octets.
const maxFile = 1 << 20

// validity is that of a self-signed certificate: nobody is there to renew it.
const validityYears = 100

// Config says where the files are and what may be made.
type Config struct {
	Dir      string
	Generate bool   // make a self-signed certificate if there is none
	Host     string // name or address at which clients reach the server, without a port; may be empty
	Now      time.Time
}

// Files is a certificate that is ready to use.
type Files struct {
	Certificate tls.Certificate
	Made        bool     // now, by Load
	Warnings    []string // what clients may dislike about it
}

// ServerConfig is what a server needs.
func (f Files) ServerConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{f.Certificate}, MinVersion: tls.VersionTLS12}
}

// Load reads the certificate and its key. With Generate a missing certificate is
// made: self-signed, for localhost and Host, with the key that is there or else
// a new one. A certificate without a key is always an error, because making
// others would overwrite what somebody put there.
func Load(cfg Config) (Files, error) {
	certPath, keyPath := filepath.Join(cfg.Dir, CertFile), filepath.Join(cfg.Dir, KeyFile)
	certPEM, err := readCert(certPath)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && !cfg.Generate:
		return Files{}, fmt.Errorf("TLS: %s is missing: put the certificate there, or set BALEEN_HTTPS_MODE=generate", certPath)
	case missing:
		if certPEM, err = generate(cfg, keyPath); err != nil {
			return Files{}, fmt.Errorf("TLS: %w", err)
		}
		if err := secretfile.Replace(certPath, certPEM); err != nil {
			return Files{}, fmt.Errorf("TLS: %w", err)
		}
	case err != nil:
		return Files{}, fmt.Errorf("TLS: %w", err)
	}
	keyPEM, err := secretfile.Read(keyPath, maxFile, secretfile.Group)
	if errors.Is(err, fs.ErrNotExist) {
		return Files{}, fmt.Errorf("TLS: %s is there, but its key %s is missing: put it there, or remove the certificate", certPath, keyPath)
	}
	if err != nil {
		return Files{}, fmt.Errorf("TLS: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return Files{}, fmt.Errorf("TLS: %s and %s: %w", certPath, keyPath, err)
	}
	return Files{Certificate: pair, Made: missing, Warnings: warnings(pair.Leaf, cfg)}, nil
}

func readCert(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a file with a certificate", path)
	}
	return os.ReadFile(path)
}

// warnings tells what clients that check certificates will refuse.
func warnings(leaf *x509.Certificate, cfg Config) []string {
	var w []string
	if cfg.Now.After(leaf.NotAfter) {
		w = append(w, "the TLS certificate expired on "+leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if cfg.Now.Before(leaf.NotBefore) {
		w = append(w, "the TLS certificate is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	if cfg.Host != "" {
		if err := leaf.VerifyHostname(cfg.Host); err != nil {
			w = append(w, "the TLS certificate is not for "+cfg.Host)
		}
	}
	return w
}

// generate makes a certificate in PEM for the key that is there, or a new one.
// The key is on disk before the certificate, so that a crash in between leaves
// what the next start can go on with.
func generate(cfg Config, keyPath string) ([]byte, error) {
	key, err := readOrMakeKey(keyPath)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	t := x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)),
		Subject:               pkix.Name{CommonName: "Baleen"},
		NotBefore:             cfg.Now.Add(-5 * time.Minute),
		NotAfter:              cfg.Now.AddDate(validityYears, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(strings.Trim(cfg.Host, "[]")); ip != nil {
		if !slices.ContainsFunc(t.IPAddresses, ip.Equal) {
			t.IPAddresses = append(t.IPAddresses, ip)
		}
	} else if cfg.Host != "" && cfg.Host != "localhost" {
		t.DNSNames = append(t.DNSNames, cfg.Host)
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("self-signed certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// readOrMakeKey gives the key of the file, which is made when missing.
func readOrMakeKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := secretfile.Read(path, maxFile, secretfile.Group)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(path); err != nil {
			return nil, err
		}
		text, err = secretfile.Read(path, maxFile, secretfile.Group)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key in PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is there without %s, and is not a key that was made here: put its certificate there, or remove it", path, CertFile)
	}
	return ec, nil
}

func makeKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("TLS key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("TLS key: %w", err)
	}
	_, err = secretfile.Create(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return err
}
