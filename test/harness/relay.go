package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Relay stands between a server and its database, so that a test can cut the
// connection.
type Relay struct {
	url     *url.URL
	network string
	target  string
	address string // where it listens, the same all its life

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	conns    map[net.Conn]struct{}
	open     chan struct{} // closed while what comes in goes on
	running  sync.WaitGroup
}

// NewRelay listens before the database of a connection string in URL form.
func NewRelay(database string) (*Relay, error) {
	u, err := url.Parse(database)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	cfg, err := pgx.ParseConfig(database)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	port, err := ReservePort() // it stays ours while the relay is cut
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	r := &Relay{url: u, network: "tcp", target: net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port)), address: fmt.Sprint("127.0.0.1:", port), conns: map[net.Conn]struct{}{}, open: make(chan struct{})}
	close(r.open)
	if strings.HasPrefix(cfg.Host, "/") {
		r.network, r.target = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	return r, r.Restore()
}

// URL is the connection string by way of the relay.
func (r *Relay) URL() string {
	u := *r.url
	u.Host = r.address
	q := u.Query()
	q.Del("host")
	q.Del("port")
	u.RawQuery = q.Encode()
	return u.String()
}

// Cut breaks all connections and refuses new ones, as a database does that is
// stopped.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		_ = r.listener.Close()
		r.listener = nil
	}
	r.breakAll()
}

// Break breaks all connections and takes new ones.
func (r *Relay) Break() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.breakAll()
}

// BreakSome breaks about half of the connections.
func (r *Relay) BreakSome() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		if rand.IntN(4) == 0 { // each connection has two ends here
			_ = c.Close()
		}
	}
}

func (r *Relay) breakAll() {
	for c := range r.conns {
		_ = c.Close()
	}
}

// Freeze keeps all connections and lets nothing through any more, as a network
// does that is broken in between.
func (r *Relay) Freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.open:
		r.open = make(chan struct{})
	default:
	}
}

// Restore makes everything work again.
func (r *Relay) Restore() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.open:
	default:
		close(r.open)
	}
	if r.listener != nil {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", r.address)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	r.listener = l
	r.running.Go(func() { r.serve(l) })
	return nil
}

// Close ends the relay.
func (r *Relay) Close() {
	r.Cut()
	r.mu.Lock()
	select {
	case <-r.open:
	default:
		close(r.open)
	}
	r.mu.Unlock()
	r.running.Wait()
}

func (r *Relay) serve(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial(r.network, r.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		r.mu.Lock()
		r.conns[in], r.conns[out] = struct{}{}, struct{}{}
		if r.listener != l { // it was cut meanwhile
			r.breakAll()
		}
		r.mu.Unlock()
		r.running.Go(func() { r.pump(in, out) })
		r.running.Go(func() { r.pump(out, in) })
	}
}

// pump copies until one side ends, and ends both.
func (r *Relay) pump(from, to net.Conn) {
	defer func() {
		_, _ = from.Close(), to.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, from)
		delete(r.conns, to)
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			r.mu.Lock()
			open := r.open
			r.mu.Unlock()
			<-open
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
