package remote_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// tunnel is a proxy that connects everybody who asks for anything to one
// address. It gives its URL.
func tunnel(t *testing.T, address string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			t.Errorf("the proxy got a %s", r.Method)
			return
		}
		there, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		defer there.Close()
		here, read, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer here.Close()
		_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(there, read) }() // what the server had read already is in there
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
