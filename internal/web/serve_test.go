package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"baleen/internal/web"
)

// serve runs a server on a port of its own and gives its address. stop ends it
// and waits.
func serve(t *testing.T, s *web.Server, secure *tls.Config) (address string, stop func()) {
	t.Helper()
	listeners, err := web.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listeners[0].Addr().String(), background(t, s, secure, listeners...)
}

// background runs a server on listeners. stop ends it and waits.
func background(t *testing.T, s *web.Server, secure *tls.Config, listeners ...net.Listener) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, secure, listeners...) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// raw sends bytes and gives the answer, with its header as it came.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was read to its end
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestAnswersOnTheWire(t *testing.T) {
	address, stop := serve(t, newServerWithoutDatabase(t), nil)
	defer stop()
	const rest = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + token + "\r\n"
	for request, want := range map[string][]string{
		"GET /health" + rest + "\r\n":                            {"HTTP/1.1 200 OK\r\n", "Content-Type: text/plain\r\n", "Content-Length: 0\r\n"},
		"GET /nope" + rest + "\r\n":                              {"HTTP/1.1 404 Not Found\r\n", "Content-Type: text/plain\r\n", "Content-Length: 0\r\n"},
		"HEAD /health" + rest + "\r\n":                           {"HTTP/1.1 405 Method Not Allowed\r\n"},
		"GET /api%2Fv1/authorized" + rest + "\r\n":               {"HTTP/1.1 200 OK\r\n"},
		"GET /stats/info" + rest + "\r\n":                        {"Content-Type: application/json\r\n"},
		"POST /api/v1/cas" + rest + "Content-Length: 65\r\n\r\n": {"HTTP/1.1 400 Bad Request\r\n", "api-post-body-exceeds-limit"},
		"POST /api/v1/cas" + rest + "Transfer-Encoding: chunked\r\n\r\n41\r\n" + strings.Repeat(" ", 65) + "\r\n0\r\n\r\n": {"api-post-body-cannot-read"},
		"POST /api/v1/cas" + rest + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n":                               {"missing field `handle` at line 1 column 2"},
		"POST /api/v1/cas" + rest + "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n":                                       {"api-post-body-cannot-read"},
		"POST /api/v1/bulk/cas/publish" + rest + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                             {"api-unexpected-body"},
	} {
		answer := raw(t, address, request)
		for _, w := range want {
			if !strings.Contains(answer, w) {
				t.Errorf("%q: got %q, want %q in it", request, answer, w)
			}
		}
		if strings.Contains(answer, "Allow:") || strings.Contains(answer, "Server:") || strings.Contains(answer, "charset") {
			t.Errorf("%q: got %q", request, answer)
		}
	}
}

func TestProtocols(t *testing.T) {
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	secure := &tls.Config{Certificates: cert.TLS.Certificates}
	roots := cert.Client().Transport.(*http.Transport).TLSClientConfig
	cert.Close()

	plain, stopPlain := serve(t, newServerWithoutDatabase(t), nil)
	defer stopPlain()
	encrypted, stopEncrypted := serve(t, newServerWithoutDatabase(t), secure)
	defer stopEncrypted()
	socket := filepath.Join(t.TempDir(), "s")
	unix, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- newServerWithoutDatabase(t).Serve(ctx, secure, unix) }()
	defer func() { cancel(); <-done }()

	h2c := &http.Transport{Protocols: new(http.Protocols)}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	onSocket := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	for name, tt := range map[string]struct {
		url       string
		transport *http.Transport
		proto     string
	}{
		"HTTP/1.1":                 {"http://" + plain, &http.Transport{}, "HTTP/1.1"},
		"HTTP/2 prior knowledge":   {"http://" + plain, h2c, "HTTP/2.0"},
		"TLS":                      {"https://" + encrypted, &http.Transport{TLSClientConfig: roots.Clone()}, "HTTP/1.1"},
		"TLS with HTTP/2":          {"https://" + encrypted, &http.Transport{TLSClientConfig: roots.Clone(), ForceAttemptHTTP2: true}, "HTTP/2.0"},
		"a socket is never on TLS": {"http://socket", onSocket, "HTTP/1.1"},
	} {
		defer tt.transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), "GET", tt.url+"/stats/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := tt.transport.RoundTrip(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK || res.Proto != tt.proto {
			t.Errorf("%s: got %s over %s, %v", name, res.Status, res.Proto, err)
		}
	}
}

// nothingLeft wants the goroutines that began since then to end.
func nothingLeft(t *testing.T, since goleak.Option) {
	t.Helper()
	begin := time.Now()
	for {
		err := goleak.Find(since)
		if err == nil {
			return
		}
		if time.Since(begin) > time.Minute {
			t.Error(err)
			return
		}
	}
}

// TestStopLetsRequestsFinish stops a server that has one request under way.
func TestStopLetsRequestsFinish(t *testing.T) {
	defer nothingLeft(t, goleak.IgnoreCurrent())
	s := newServerWithoutDatabase(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.Handle("GET", "/slow", func(c echo.Context) error {
		close(entered)
		<-leave
		return c.String(http.StatusOK, "finished")
	})
	address, stop := serve(t, s, nil)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the server closes it
	if _, err := fmt.Fprint(conn, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	for {
		probe, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			break // the listener is closed
		}
		if err := probe.Close(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-stopped:
		t.Error("the server did not wait")
	default:
	}
	close(leave)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "finished" {
		t.Errorf("got %q, %v", body, err)
	}
	<-stopped
}

func TestListenAllOrNothing(t *testing.T) {
	first, err := web.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := first[0].Addr().String()
	if _, err := web.Listen(t.Context(), "127.0.0.1:0", taken); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("got %v", err)
	}
	if err := first[0].Close(); err != nil {
		t.Fatal(err)
	}
	again, err := web.Listen(t.Context(), taken)
	if err != nil {
		t.Fatal(err)
	}
	if err := again[0].Close(); err != nil {
		t.Fatal(err)
	}
}
