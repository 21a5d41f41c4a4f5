package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

// Front is where relying parties reach a server by TLS, whose certificate they
// verify: a proxy that stays while the server comes and goes.
type Front struct {
	Roots string // PEM file with the certificate authority that signed for localhost

	http http.Server
}

// NewFront opens a front for a server that has not been started yet and makes
// it the base of the server's URIs. roots is the file for its authority.
func NewFront(s *Server, roots string) (*Front, error) {
	if err := s.pickPort(); err != nil {
		return nil, err
	}
	target, err := url.Parse(s.URL("/"))
	if err != nil {
		return nil, err
	}
	chain, authority, err := localhostTLS()
	if err != nil {
		return nil, fmt.Errorf("front: %w", err)
	}
	if err := os.WriteFile(roots, authority, 0o644); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0) // a server that is down is what tests are about
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, ErrorLog: quiet}
	f := &Front{Roots: roots, http: http.Server{Handler: proxy, ErrorLog: quiet, ReadHeaderTimeout: time.Minute}}
	go func() {
		_ = f.http.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{chain}, MinVersion: tls.VersionTLS12}))
	}()
	s.Public = fmt.Sprintf("https://localhost:%d/", l.Addr().(*net.TCPAddr).Port)
	return f, nil
}

// Close ends the front.
func (f *Front) Close() error { return f.http.Close() }

// localhostTLS makes a certificate for localhost and the PEM of who signed it.
func localhostTLS() (chain tls.Certificate, authority []byte, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return chain, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return chain, nil, err
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: from, NotAfter: to,
		DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return chain, nil, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return chain, nil, err
	}
	chain = tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
	return chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), nil
}
