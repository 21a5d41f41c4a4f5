package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

const (
	messageLimit = 4 << 20 // octets of a message, in this test

	// grown is by how much the server may become larger, in octets: four of the largest messages, what the runtime keeps
	// beside them, and some hundred connections. What is sent to it is far more.
	grown = 160 << 20
)

// pressed is a server at which strangers send what never ends.
type pressed struct {
	operator
	address string
	open    []net.Conn
}

func newPressed(t *testing.T) *pressed {
	t.Helper()
	s := newServer(t, testdb.URL(t))
	s.Env = []string{fmt.Sprint("BALEEN_POST_LIMIT_RFC8181=", messageLimit)}
	ctx := bounded(t)
	mustStart(ctx, t, s)
	settle(ctx, t, s)
	u, err := url.Parse(s.URL("/"))
	if err != nil {
		t.Fatal(err)
	}
	p := &pressed{operator: operator{Server: s, ctx: ctx, t: t}, address: u.Host}
	t.Cleanup(func() {
		for _, c := range p.open {
			_ = c.Close()
		}
	})
	return p
}

// resident gives the server's resident memory in octets.
func (p *pressed) resident() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		p.t.Skip("this system does not tell how large a process is")
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok { // at its largest
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return kib << 10
		}
	}
	p.t.Fatal("the size of the process is not told")
	return 0
}

// dial opens a connection, says something and leaves it open.
func (p *pressed) dial(say string) net.Conn {
	p.t.Helper()
	c, err := (&net.Dialer{}).DialContext(p.ctx, "tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.open = append(p.open, c)
	if _, err := io.WriteString(c, say); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// serves checks that operators and monitoring are answered as ever.
func (p *pressed) serves() {
	p.t.Helper()
	for _, path := range []string{"/health", "/api/v1/cas", "/metrics", "/rrdp/notification.xml"} {
		status, _, err := p.Do(p.ctx, http.MethodGet, path, nil)
		if err != nil || status != http.StatusOK {
			p.t.Errorf("%s: status %d, %v", path, status, err)
		}
	}
}

// endless writes chunks until the server closes or has answered, and gives what
// it answered.
func endless(ctx context.Context, address, path string) (status int, sent int64, err error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = c.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return 0, 0, err
		}
	}
	answered := make(chan int, 1)
	go func() {
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			answered <- 0
			return
		}
		_ = res.Body.Close()
		answered <- res.StatusCode
	}()
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", path); err != nil {
		return 0, 0, err
	}
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", 64<<10, bytes.Repeat([]byte{'x'}, 64<<10))
	for sent < 100*messageLimit {
		if _, err := c.Write(chunk); err != nil {
			break
		}
		sent += 64 << 10
	}
	return <-answered, sent, nil
}

// Bodies that are too long are refused, whether they say so or not, and cost no
// memory to speak of; meanwhile everybody else is served.
func TestBodiesWithoutEnd(t *testing.T) {
	p := newPressed(t)
	before := p.resident()
	for path, limit := range map[string]int{"/rfc6492/testbed": 1 << 20, "/rfc8181/testbed": messageLimit, routesPath: apiLimit} {
		a, err := p.Ask(p.ctx, harness.Request{
			Method: http.MethodPost, Path: path, Body: bytes.NewReader(make([]byte, limit+1)), Header: map[string]string{"Authorization": "Bearer " + harness.Token},
		})
		if err != nil || a.Status != http.StatusBadRequest || !bytes.Contains(a.Body, []byte("api-post-body-exceeds-limit")) {
			t.Errorf("%s: %d %s, %v", path, a.Status, a.Body, err)
		}
	}
	var g sync.WaitGroup
	for i := range 40 {
		path := [...]string{"/rfc6492/testbed", "/rfc8181/testbed"}[i%2]
		g.Go(func() {
			status, sent, err := endless(p.ctx, p.address, path)
			if err != nil || status != http.StatusBadRequest && status != 0 || sent >= 100*messageLimit {
				t.Errorf("%s: status %d after %d octets, %v", path, status, sent, err)
			}
		})
	}
	for range 20 {
		p.serves()
	}
	g.Wait()
	p.serves()
	if by := p.resident() - before; by > grown {
		t.Errorf("the server grew by %d MiB", by>>20)
	}
}

// Connections on which next to nothing comes, in the header or in the body, in
// whatever number, hold up nobody, cost little and come to an end.
func TestSlowConnections(t *testing.T) {
	p := newPressed(t)
	before := p.resident()
	var headers []net.Conn
	for range 300 {
		headers = append(headers, p.dial("POST /rfc6492/testbed HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	}
	piece := strings.Repeat("x", 100<<10)
	for i := range 300 {
		path := [...]string{"/rfc6492/testbed", "/rfc8181/testbed", "/api/v1/cas"}[i%3]
		// Nothing of what they announce is taken for granted.
		say := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, 1<<20)
		if i%3 == 1 {
			say += piece
		}
		p.dial(say)
	}
	for range 20 {
		p.serves()
	}
	if by := p.resident() - before; by > grown {
		t.Errorf("the server grew by %d MiB", by>>20)
	}
	for _, c := range headers {
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("a connection without a header stays open: %v", err)
		}
	}
	p.serves()
}
