package ctl

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"baleen/api"
	"baleen/internal/tlsfiles"
)

const (
	callTimeout = 120 * time.Second // for a call and its whole answer
	maxAnswer   = 1 << 30           // octets; a repository's status holds all of its objects
)

// call is one request of the API.
type call struct {
	method string
	path   string // escaped, from the first slash on
	body   any    // a file, or what is sent as JSON; nil: none
	accept string // the wanted type of the answer; empty: JSON
}

// client sends calls to one server.
type client struct {
	base  string // without a final slash
	token string
	http  *http.Client
}

// callError is an answer that is not the one hoped for.
type callError struct {
	call     call
	status   int
	noToken  bool               // the call carried none
	response *api.ErrorResponse // nil: the answer had no such body
}

// Error gives the server's message, or what can be said without one.
func (e *callError) Error() string {
	switch {
	case e.response != nil && e.response.Msg != "":
		return e.response.Msg
	case e.status == http.StatusNotFound || e.status == http.StatusMethodNotAllowed:
		return fmt.Sprintf("the server has no %s %s", e.call.method, e.call.path)
	default:
		return fmt.Sprintf("the server answered %s %s with %d %s", e.call.method, e.call.path, e.status, http.StatusText(e.status))
	}
}

// hint says what an operator may have forgotten, or is empty.
func (e *callError) hint() string {
	if e.noToken && (e.status == http.StatusUnauthorized || e.status == http.StatusForbidden) {
		return "No token was given: see --token, --token-file and BALEEN_CLI_TOKEN." + e.onSocket()
	}
	return ""
}

// onSocket says what else would do where a user of the system is not known.
func (e *callError) onSocket() string {
	if e.status != http.StatusUnauthorized {
		return ""
	}
	return " On a Unix socket the server's BALEEN_UNIX_USERS can name you instead."
}

// hasLabel tells whether err is the server's error of this label.
func hasLabel(err error, label string) bool {
	var e *callError
	return errors.As(err, &e) && e.response != nil && e.response.Label == label
}

// tryAgain tells whether the same call may succeed a little later: the state
// moved meanwhile, or the server cannot serve right now.
func tryAgain(err error) bool {
	var e *callError
	return errors.As(err, &e) && (e.status == http.StatusConflict || e.status == http.StatusServiceUnavailable)
}

func newClient(o options) (*client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 2 * loadWorkers}
	base := strings.TrimRight(o.base.String(), "/")
	if o.base.Scheme == "unix" {
		base = "http://localhost"
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", o.base.Path)
		}
	}
	config, err := tlsConfig(o.base, o.rootCerts)
	if err != nil {
		return nil, err
	}
	transport.TLSClientConfig = config
	return &client{base: base, token: o.token, http: &http.Client{
		Transport:     transport,
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// tlsConfig trusts the system's and the given roots. A server on this very
// machine may show the self-signed certificate that it made for itself.
func tlsConfig(server *url.URL, rootCerts []string) (*tls.Config, error) {
	host := server.Hostname()
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: host == "localhost" || host == "127.0.0.1"}
	roots, err := tlsfiles.Roots(rootCerts)
	if err != nil {
		return nil, fmt.Errorf("root certificates: %w", err)
	}
	config.RootCAs = roots
	return config, nil
}

// fetch sends a call and decodes the JSON of its answer. The answer is given
// as received, too.
func (c *client) fetch(ctx context.Context, q call, answer any) ([]byte, error) {
	raw, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return nil, fmt.Errorf("the answer to %s %s cannot be read: %w", q.method, q.path, err)
	}
	return raw, nil
}

// do sends a call and gives the body of its answer, which is empty where the
// API has nothing to say but that it was done.
func (c *client) do(ctx context.Context, q call) ([]byte, error) {
	request, err := c.request(ctx, q)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the server: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // read to its end or given up
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer to %s %s broke off: %w", q.method, q.path, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer to %s %s is larger than %d octets", q.method, q.path, maxAnswer)
	case answer.StatusCode != http.StatusOK:
		return nil, c.refusal(q, answer.StatusCode, body)
	}
	return body, nil
}

func (c *client) refusal(q call, status int, body []byte) error {
	refused := &callError{call: q, status: status, noToken: c.token == ""}
	var response api.ErrorResponse
	if json.Unmarshal(body, &response) == nil && response.Label != "" {
		refused.response = &response
	}
	return refused
}

func (c *client) request(ctx context.Context, q call) (*http.Request, error) {
	var body io.Reader
	contentType := "application/json"
	switch content := q.body.(type) {
	case nil:
	case file:
		body, contentType = bytes.NewReader(content.text), content.contentType
	default:
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "baleenctl")
	if q.body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	if q.accept != "" {
		request.Header.Set("Accept", q.accept)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return request, nil
}
