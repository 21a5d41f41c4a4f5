package remote_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/internal/fault"
	"baleen/internal/remote"
)

func client(t *testing.T, c remote.Config) *remote.Client {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	c.UserAgent = "baleen/test"
	made, err := remote.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func message(uri string) remote.Message {
	return remote.Message{URI: uri, Type: remote.TypeUpDown, Body: []byte("question"), Limit: 100}
}

func TestPost(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "question" || r.Method != http.MethodPost {
			t.Errorf("got %s with %q, %v", r.Method, body, err)
		}
		if got := r.Header.Get("Content-Type"); got != "application/rpki-updown" {
			t.Errorf("content type %q", got)
		}
		if got := r.Header.Get("User-Agent"); got != "baleen/test" {
			t.Errorf("user agent %q", got)
		}
		_, _ = io.WriteString(w, "answer")
	}))
	defer srv.Close()
	got, err := client(t, remote.Config{}).Post(t.Context(), message(srv.URL+"/x"))
	if err != nil || string(got) != "answer" {
		t.Errorf("got %q, %v", got, err)
	}
}

// What a peer does wrong is Unavailable, says what happened and names the peer.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		handler  http.HandlerFunc
		patience time.Duration // zero: enough
		want     string
	}{
		"refusal with a text": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "{\"msg\":\"unknown\nchild\x1b[31m\"}")
		}, want: `status 403 Forbidden: {"msg":"unknown child[31m"}`},
		"odd words": {handler: func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 403 Go\x1b[31m a\x00way\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
		}, want: "status 403 Go[31m away"},
		"redirect": {handler: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
		}, want: "status 307 Temporary Redirect, it points to https://elsewhere.example/"},
		"too long": {handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 101))
		}, want: "the answer is longer than 100 octets"},
		"breaks off": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "50")
			_, _ = io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		}, want: "EOF"},
		"silent": {handler: func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client is gone
			<-r.Context().Done()
		}, patience: 200 * time.Millisecond, want: "no complete answer within 200ms"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(c.handler)
			defer srv.Close()
			_, err := client(t, remote.Config{Timeout: c.patience}).Post(t.Context(), message(srv.URL))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), srv.URL) {
				t.Errorf("got %v, want %q about %s", err, c.want, srv.URL)
			}
			if fault.Of(err) != fault.Unavailable || fault.Code(err) != remote.CodeHTTP {
				t.Errorf("kind %v, code %q", fault.Of(err), fault.Code(err))
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	_, err := client(t, remote.Config{}).Post(t.Context(), message(srv.URL))
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, remote.Config{}).Post(ctx, message("http://localhost:1/")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A peer's certificate must be one that a trust root vouches for, unless the
// operator said otherwise for this peer. On the machine itself nobody asks.
func TestTLS(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	// The test server's certificate is for example.com; a proxy brings us there.
	t.Setenv("HTTPS_PROXY", tunnel(t, u.Host))
	for name, c := range map[string]struct {
		uri    string
		config remote.Config
		ok     bool
	}{
		"unknown issuer":        {"https://example.com/", remote.Config{}, false},
		"root added":            {"https://example.com/", remote.Config{RootFiles: []string{roots}}, true},
		"root added, bad name":  {"https://other.example/", remote.Config{RootFiles: []string{roots}}, false},
		"opted out":             {"https://example.com/", remote.Config{Unchecked: []string{"EXAMPLE.com"}}, true},
		"opted out, with port":  {"https://example.com:443/", remote.Config{Unchecked: []string{"example.com:443"}}, true},
		"opted out for another": {"https://example.com/", remote.Config{Unchecked: []string{"ample.com"}}, false},
		"loopback":              {srv.URL, remote.Config{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, c.config).Post(t.Context(), message(c.uri))
			if (err == nil) != c.ok {
				t.Errorf("got %v, want ok %v", err, c.ok)
			}
		})
	}
}

func TestRootFiles(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{empty, empty + ".missing"} {
		if _, err := remote.New(remote.Config{RootFiles: []string{name}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
