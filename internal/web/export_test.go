package web

import "github.com/labstack/echo/v4"

// Registered gives the routes as echo knows them.
func (s *Server) Registered() []*echo.Route { return s.echo.Routes() }

// Handle adds a route for tests of what surrounds handlers.
func (s *Server) Handle(method, path string, h echo.HandlerFunc) { s.echo.Add(method, path, h) }

// Stop makes the server refuse requests as if it was stopping.
func (s *Server) Stop() { s.stopping.Store(true) }
