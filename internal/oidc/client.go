package oidc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	openid "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/net/http/httpproxy"

	"baleen/internal/tlsfiles"
)

// maxAnswer is the longest answer of a provider that is read, in octets. It is
// below what the OAuth library cuts off without a word.
const maxAnswer = 512 << 10

var errTooLong = fmt.Errorf("the answer is longer than %d octets", maxAnswer)

// newClient makes the HTTP client of everything that is asked of a provider. It
// follows no redirects: one could point into a network that only this server
// reaches. It uses the proxies of the environment.
func newClient(c Config) (*http.Client, error) {
	roots, err := tlsfiles.Roots(c.RootFiles)
	if err != nil {
		return nil, fmt.Errorf("trust roots: %w", err)
	}
	return &http.Client{
		Transport: &transport{
			agent:     c.UserAgent,
			verifying: newTransport(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}),
			trusting:  newTransport(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       c.Timeout,
	}, nil
}

func newTransport(secure *tls.Config) *http.Transport {
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	return &http.Transport{
		Proxy:                  func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true, // codes and refresh tokens are good once: none goes into a connection that the provider is about to close
	}
}

// transport bounds answers, and picks the idea of TLS that fits a host: nobody
// stands between this server and its own machine.
type transport struct {
	agent               string
	verifying, trusting http.RoundTripper
}

// RoundTrip is http.RoundTripper's.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !secure(req.URL.String()) {
		return nil, errors.New("the address is neither https nor on this machine")
	}
	if t.agent != "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", t.agent)
	}
	next := t.verifying
	if isLoopback(req.URL.Hostname()) {
		next = t.trusting
	}
	res, err := next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	res.Body = &bounded{ReadCloser: res.Body, left: maxAnswer}
	return res, nil
}

// bounded is a body that fails where it becomes too long.
type bounded struct {
	io.ReadCloser
	left int
}

// Read is io.Reader's.
func (b *bounded) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if n > b.left {
		return b.left, errTooLong
	}
	b.left -= n
	return n, err
}

// withClient hands the client to the libraries.
func (p *Provider) withClient(ctx context.Context) context.Context {
	return openid.ClientContext(ctx, p.client)
}

// get asks for a JSON document and gives it with its content type.
func (p *Provider) get(ctx context.Context, what, address, token string) ([]byte, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", permanent("the OpenID Connect provider names an address that is none ("+what+")", nil)
	}
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, "", p.unreachable(what, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, "", p.refused(what, res.StatusCode)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, "", p.unreachable(what, err)
	}
	return body, res.Header.Get("Content-Type"), nil
}

// refused is the error of an answer that is none.
func (p *Provider) refused(what string, status int) error {
	cause := fmt.Sprintf("the OpenID Connect provider %s answers with status %d %s (%s)", p.config.issuer(), status, http.StatusText(status), what)
	if status >= 500 || status == http.StatusTooManyRequests {
		return transient(cause+": try again later", nil)
	}
	return permanent(cause, nil)
}
