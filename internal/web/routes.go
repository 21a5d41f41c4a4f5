package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/internal/rpki/oob"
	"baleen/internal/web/rest"
)

// body says what a route does with the body of a request.
type body int

const (
	none    body = iota // a body is refused
	content             // the handler reads it
	ignored             // it may come and is not looked at
)

// route is one line of the table.
type route struct {
	method, path string
	permission   rest.Permission
	body         body
	handler      echo.HandlerFunc
}

// writes says whether the route may change something, which only the active
// node does. Those of logins see to that themselves.
func (r route) writes() bool {
	return r.method != http.MethodGet && !strings.HasPrefix(r.path, "/auth/") && !strings.Contains(r.path, "/routes/analysis/")
}

// handle puts the checks of a route before its handler: names on the path, the
// user's permission, the role of this node, the body.
func (s *Server) handle(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		for _, name := range c.ParamNames() {
			switch name {
			case "ca", "child", "parent", "publisher":
				if oob.CheckHandle(c.Param(name)) != nil {
					return echo.ErrNotFound
				}
			}
		}
		if err := rest.UserOf(c).Check(r.permission, c.Param("ca")); err != nil {
			return err
		}
		if r.writes() {
			if err := s.mustBeActive(); err != nil {
				return err
			}
		}
		if r.body == none {
			if err := rest.CheckNoBody(c); err != nil {
				return err
			}
		}
		patience := answerWithin
		if r.asksPeers() {
			patience = peersAnswerWithin
		}
		if r.body != none {
			patience += rest.BodyTimeout
		}
		ctx, cancel := context.WithTimeout(c.Request().Context(), patience)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		return r.handler(c)
	}
}

// asksPeers says whether the handler may have to wait for a parent or a
// repository outside this server.
func (r route) asksPeers() bool {
	if r.method == http.MethodGet {
		return false
	}
	switch strings.TrimPrefix(r.path, "/api/v1/cas/:ca") {
	case "/api/v1/ta/proxy/repo", "", "/parents", "/parents/:parent", "/repo":
		return true
	default:
		return false
	}
}

// peersAnswerWithin is answerWithin for handlers that ask peers: less than
// clients of the API commonly wait.
const peersAnswerWithin = 60 * time.Second

// answerWithin bounds what a handler may wait for, above all a database that
// says nothing any more.
const answerWithin = 15 * time.Second
