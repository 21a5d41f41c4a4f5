package web

import (
	"net/http/httptest"

	"github.com/labstack/echo/v4"

	"baleen/internal/web/files"
	"baleen/internal/web/ops"
	"baleen/internal/web/peers"
)

// Registered gives the routes as echo knows them.
func (s *Server) Registered() []*echo.Route { return s.echo.Routes() }

// Handle adds a route for tests of what surrounds handlers.
func (s *Server) Handle(method, path string, h echo.HandlerFunc) { s.echo.Add(method, path, h) }

// Stop makes the server refuse requests as if it was stopping.
func (s *Server) Stop() { s.stopping.Store(true) }

// Line is one line of the table of routes.
type Line struct{ Method, Path, Permission string }

// Table gives the table of routes in its order.
func (s *Server) Table() (lines []Line) {
	for _, r := range s.routes(ops.Handlers{}, files.Server{}, peers.New(nil, 0, 0)) {
		lines = append(lines, Line{r.method, r.path, string(r.permission)})
	}
	return lines
}

// RouteOf gives the path of the route that answers requests to a path, "" if
// there is none.
func (s *Server) RouteOf(method, path string) string {
	c := s.echo.NewContext(httptest.NewRequest(method, "/", nil), httptest.NewRecorder())
	s.echo.Router().Find(method, dropSlash(path), c)
	for _, r := range s.echo.Routes() {
		if r.Method == method && r.Path == c.Path() {
			return r.Path
		}
	}
	return ""
}
