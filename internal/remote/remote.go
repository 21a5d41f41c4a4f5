// Package remote carries protocol messages to peers: the client's half of the
// HTTP transport that RFC 6492 section 3 and RFC 8181 section 2 share. It knows
// nothing of what a message says. CMS proves who wrote a message; TLS, whose
// certificates are verified here all the same, hides it from others.
package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"baleen/internal/fault"
	"baleen/internal/tlsfiles"
)

// The content types of the two protocols (RFC 6492 section 3, RFC 8181
// section 2).
const (
	TypeUpDown      = "application/rpki-updown"
	TypePublication = "application/rpki-publication"
)

// CodeHTTP is the code of every failure to exchange a message: no connection,
// no answer in time, an answer that is none. All of them may pass.
const CodeHTTP = "sys-http-client"

// excerpt is how much of a refusal is shown to the operator, in octets.
const excerpt = 300

// Config says how peers are reached.
type Config struct {
	Timeout   time.Duration // of a whole exchange; it ends an exchange in which nothing moves, too
	RootFiles []string      // PEM files of certificates to trust beside the system's
	Unchecked []string      // hosts, each perhaps with a port, whose TLS certificate is not verified
	UserAgent string
}

// Client posts messages. It follows no redirects, uses the proxies of the
// environment, and is safe for use by many at once.
type Client struct {
	timeout   time.Duration
	agent     string
	unchecked []string
	verifying *http.Client
	trusting  *http.Client
}

// New makes a client.
func New(c Config) (*Client, error) {
	roots, err := tlsfiles.Roots(c.RootFiles)
	if err != nil {
		return nil, fmt.Errorf("trust roots: %w", err)
	}
	unchecked := make([]string, len(c.Unchecked))
	for i, host := range c.Unchecked {
		unchecked[i] = strings.ToLower(host)
	}
	return &Client{
		timeout: c.Timeout, agent: c.UserAgent, unchecked: unchecked,
		verifying: newClient(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}),
		trusting:  newClient(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}),
	}, nil
}

func newClient(secure *tls.Config) *http.Client {
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
			DialContext:            (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        secure,
			TLSHandshakeTimeout:    30 * time.Second,
			MaxIdleConnsPerHost:    2,
			MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout:        90 * time.Second,
			DisableCompression:     true, // a message is signed, and its limit is that of its octets
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Message is a signed message on its way.
type Message struct {
	URI   string // the peer's service URI, http or https
	Type  string // content type
	Body  []byte
	Limit int64 // octets of the longest answer that is read
}

// Post sends a message and gives the peer's answer. Every failure is
// Unavailable with CodeHTTP: the peer may answer later. Its text names the peer.
func (c *Client) Post(ctx context.Context, m Message) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no complete answer within %s", c.timeout))
	defer cancel()
	answer, err := c.post(ctx, m)
	if err == nil {
		return answer, nil
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) {
		err = cause
	}
	return nil, &fault.Error{
		Kind: fault.Unavailable, Code: CodeHTTP, Msg: "HTTP client error: " + m.URI + ": " + err.Error(),
		Args: map[string]string{"uri": m.URI, "cause": err.Error()}, Err: err,
	}
}

func (c *Client) post(ctx context.Context, m Message) ([]byte, error) {
	u, err := url.Parse(m.URI)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URI, bytes.NewReader(m.Body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", m.Type)
	req.Header.Set("User-Agent", c.agent)
	res, err := c.clientFor(u).Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // it repeats method and URI
			err = wrapped.Err
		}
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, refused(res)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, m.Limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > m.Limit {
		return nil, fmt.Errorf("the answer is longer than %d octets", m.Limit)
	}
	return body, nil
}

// clientFor gives the client whose idea of TLS fits the peer: nobody stands
// between this server and its own machine, and an operator may say that a
// peer's certificate does not matter.
func (c *Client) clientFor(u *url.URL) *http.Client {
	host := strings.ToLower(u.Hostname())
	if isLoopback(host) || slices.Contains(c.unchecked, host) || slices.Contains(c.unchecked, strings.ToLower(u.Host)) {
		return c.trusting
	}
	return c.verifying
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// refused says what a peer answered instead of a message.
func refused(res *http.Response) error {
	text := "status " + printable(res.Status)
	if to := res.Header.Get("Location"); to != "" {
		text += ", it points to " + printable(to)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, excerpt))
	if shown := printable(string(body)); err == nil && shown != "" {
		text += ": " + shown
	}
	return errors.New(text)
}

// printable makes a peer's words safe for logs: one line, no control characters.
func printable(text string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || r == '\uFFFD' || r >= 0x80 && r < 0xa0:
			return -1
		}
		return r
	}, text)
	return strings.TrimSpace(clean[:min(len(clean), excerpt)])
}
