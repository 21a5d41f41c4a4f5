package web_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"baleen/internal/web"
)

// me is the login name of who runs the tests.
func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// onSocket runs a server on a Unix socket and gives a way to connect to it.
func onSocket(t *testing.T, s *web.Server) *http.Transport {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := web.ListenUnix(t.Context(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(background(t, s, nil, l))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// TestTheKernelSaysWhoAsks: users of a Unix socket need no token, whatever they
// say that they are.
func TestTheKernelSaysWhoAsks(t *testing.T) {
	for _, tt := range []struct {
		what       string
		users      map[string]string
		header     string
		path       string
		status     int
		wantInBody string
	}{
		{"admin", map[string]string{me(t): "admin"}, "", "/api/v1/authorized", 200, ""},
		{"wrong token", map[string]string{me(t): "admin"}, "Bearer wrong", "/api/v1/authorized", 200, ""},
		{"readonly", map[string]string{me(t): "readonly"}, "", "/api/v1/authorized", 200, ""},
		{"readonly asks for more", map[string]string{me(t): "readonly"}, "", "/api/v1/pubd/publishers", 403, "User '" + me(t) + "' does not have permission 'pub-admin'"},
		{"not listed", map[string]string{"somebody-else": "admin"}, "", "/api/v1/authorized", 401, "Unauthorised system user '" + me(t) + "'"},
		{"not listed, with the token", nil, "Bearer " + token, "/api/v1/authorized", 200, ""},
		{"not listed, what is public", nil, "", "/health", 200, ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			old := onSocket(t, newServerWithUsers(t, tt.users))
			h2c := onSocket(t, newServerWithUsers(t, tt.users))
			h2c.Protocols = new(http.Protocols)
			h2c.Protocols.SetUnencryptedHTTP2(true)
			for _, transport := range []*http.Transport{old, h2c} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+tt.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if tt.header != "" {
					req.Header.Set("Authorization", tt.header)
				}
				res, err := transport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != tt.status || !strings.Contains(string(body), tt.wantInBody) {
					t.Errorf("%s: got %d %s %v", res.Proto, res.StatusCode, body, err)
				}
			}
		})
	}
}

// TestNobodyIsASystemUserOnTCP: the login names count on the socket only.
func TestNobodyIsASystemUserOnTCP(t *testing.T) {
	address, stop := serve(t, newServerWithUsers(t, map[string]string{me(t): "admin", "": "admin", "unknown user": "admin"}), nil)
	defer stop()
	if got := raw(t, address, "GET /api/v1/authorized HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 403 ") {
		t.Errorf("got %q", got)
	}
}

func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if _, err := web.ListenUnix(t.Context(), path, false); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a socket in use was taken over: %v", err)
	}
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	for open, mode := range map[bool]fs.FileMode{false: 0o600, true: 0o666} {
		l, err := web.ListenUnix(t.Context(), path, open)
		if err != nil {
			t.Fatalf("a stale socket is in the way: %v", err)
		}
		st, err := os.Lstat(path)
		if err != nil || st.Mode() != fs.ModeSocket|mode {
			t.Errorf("mode %v, %v; want %v", st.Mode(), err, mode)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := web.ListenUnix(t.Context(), path, false); err == nil {
		t.Error("a file was replaced by a socket")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
}
