// Package web assembles the HTTP server: one table of routes, the checks that
// come before every handler, and the life of the listeners. What the routes
// answer is in the packages below it, one for each audience.
package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"baleen/internal/login"
	"baleen/internal/obs"
	"baleen/internal/service"
	"baleen/internal/setup"
	"baleen/internal/web/files"
	"baleen/internal/web/ops"
	"baleen/internal/web/peers"
	"baleen/internal/web/rest"
)

const (
	headerTimeout = 10 * time.Second // for a request's header
	idleTimeout   = 2 * time.Minute  // of a connection between two requests
	maxHeader     = 64 << 10         // octets
	stopTimeout   = 10 * time.Second // for what is under way when the server stops
)

// Deps is what the server is made of. All fields must be set, except for those
// in the second part.
type Deps struct {
	Service                       *service.Service
	Imports                       *setup.Importer
	AdminToken                    string   // who has it may do everything
	PostLimit                     int64    // octets of a request to the API
	UpDownLimit, PublicationLimit int64    // octets of a message of a child, and of a publisher
	RepoDir                       string   // holds rrdp/
	Role                          ops.Role // of this node
	Metrics                       *obs.Metrics
	Log                           *slog.Logger
	Started                       time.Time

	Now     func() time.Time // nil: time.Now
	Logins  *login.Recorder  // nil: logins are not noted
	Testbed bool             // there is one, open to everybody

	// TestbedProxies are before this server: whom they ask for counts as a visitor of the testbed, or as who wants to log in, not they.
	TestbedProxies []netip.Prefix

	LogInfo bool // log every request at level info, else debug

	Access rest.Access // who there is beside who has the admin token

	WholeLimit int64 // octets of a whole configuration; 0: PostLimit
}

// Server answers HTTP requests.
type Server struct {
	Deps

	api      *rest.API
	echo     *echo.Echo
	stopping atomic.Bool
}

// New makes the server with all its routes.
func New(d Deps) *Server {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Server{Deps: d, echo: echo.New()}
	s.api = rest.New(rest.Deps{
		Service: d.Service, Imports: d.Imports, Log: d.Log, Now: d.Now, AdminToken: d.AdminToken, BodyLimit: d.PostLimit, WholeLimit: cmp.Or(d.WholeLimit, d.PostLimit),
		Version: obs.Version, Started: d.Started, Logins: d.Logins, VisitorIP: visitorIP(d.TestbedProxies), Access: d.Access, MustBeActive: s.mustBeActive,
	})
	s.echo.IPExtractor = echo.ExtractIPDirect()
	s.echo.HTTPErrorHandler = s.api.WriteError
	s.echo.Pre(s.observe, s.normalise)
	s.echo.Use(s.guard)
	published := files.Server{Folder: filepath.Join(d.RepoDir, "rrdp")}
	for _, r := range s.routes(ops.Handlers{Role: d.Role, Metrics: d.Metrics.Handler()}, published, peers.New(d.Service, d.UpDownLimit, d.PublicationLimit)) {
		s.echo.Add(r.method, r.path, s.handle(r))
	}
	return s
}

// mustBeActive refuses what only the active node can do, on any other.
func (s *Server) mustBeActive() error {
	if s.Role.Active() {
		return nil
	}
	return rest.NotActive(s.Role.ActiveNode())
}

// visitorIP tells where a visitor of the testbed comes from, if some stand
// between.
func visitorIP(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		trust = append(trust, echo.TrustIPRange(&net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Serve answers on the listeners until ctx ends, and closes them. Then it lets
// what is under way finish for ten seconds, while it refuses further requests.
// With secure set it speaks TLS, except on Unix sockets. A server serves once.
func (s *Server) Serve(ctx context.Context, secure *tls.Config, listeners ...net.Listener) error {
	srv := &http.Server{
		Handler: s, TLSConfig: secure.Clone(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug), Protocols: new(http.Protocols), ConnContext: connected,
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)

	g, running := errgroup.WithContext(ctx)
	for _, l := range listeners {
		g.Go(func() error {
			var err error
			if secure != nil && l.Addr().Network() != "unix" {
				err = srv.ServeTLS(l, "", "")
			} else {
				err = srv.Serve(l)
			}
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return fmt.Errorf("listener %s: %w", l.Addr(), err)
		})
	}
	g.Go(func() error {
		<-running.Done()
		return s.stop(ctx, srv)
	})
	return g.Wait()
}

func (s *Server) stop(ctx context.Context, srv *http.Server) error {
	s.stopping.Store(true)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		s.Log.Warn("requests were still under way when the server stopped", "error", err)
		return srv.Close()
	}
	return nil
}

// Listen opens the addresses, each a host or nothing, a colon and a port. If
// one cannot be opened none stays open.
func Listen(ctx context.Context, addresses ...string) ([]net.Listener, error) {
	var open []net.Listener
	for _, a := range addresses {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a)
		if err != nil {
			for _, l := range open {
				err = errors.Join(err, l.Close())
			}
			return nil, fmt.Errorf("listen on %s: %w", a, err)
		}
		open = append(open, l)
	}
	return open, nil
}
