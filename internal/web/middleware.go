package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"baleen/internal/obs"
	"baleen/internal/web/rest"
)

// observe gives every request a number, answers for handlers that fail or
// panic, and writes the request into log and metrics.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		c.Response().Header().Set(echo.HeaderXRequestID, requestID())
		if err := s.survive(c, next); err != nil {
			c.Error(err)
		}
		took := time.Since(start)
		s.Metrics.Observe(obs.Request{Route: c.Path(), Method: c.Request().Method, Status: c.Response().Status, Duration: took})
		s.logRequest(c, took)
		return nil
	}
}

// survive turns a panic into an error; its stack goes to the log.
func (s *Server) survive(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p) // how a handler breaks off a connection
		default:
			s.Log.Error("a handler panicked", "path", c.Request().URL.Path, "panic", p, "stack", string(debug.Stack()))
			err = rest.Panicked(fmt.Errorf("panic: %v", p))
		}
	}()
	return next(c)
}

func (s *Server) logRequest(c echo.Context, took time.Duration) {
	level := slog.LevelDebug
	if s.LogInfo {
		level = slog.LevelInfo
	}
	r := c.Request()
	s.Log.LogAttrs(context.WithoutCancel(r.Context()), level, "request",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", c.Response().Status),
		slog.Int64("ms", took.Milliseconds()), slog.Int64("octets", c.Response().Size), slog.String("user", rest.UserOf(c).Name()),
		slog.String("remote", c.RealIP()), slog.String("request", c.Response().Header().Get(echo.HeaderXRequestID)))
}

// requestID gives a number that nobody else chose.
func requestID() string {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "unknown"
	}
	return hex.EncodeToString(b[:])
}

// normalise brings paths into the form that is matched: percent-decoded as a
// whole, and without the slash that some routes allow at their end.
func (s *Server) normalise(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.stopping.Load() {
			c.Response().Header().Set("Connection", "close")
			return rest.Unavailable("")
		}
		u := c.Request().URL
		u.RawPath = ""
		if !utf8.ValidString(u.Path) {
			return rest.InvalidPath()
		}
		u.Path = dropSlash(u.Path)
		return next(c)
	}
}

// dropSlash takes one slash off the end of the paths that may have one.
func dropSlash(path string) string {
	short, ok := strings.CutSuffix(path, "/")
	if !ok {
		return path
	}
	parts := strings.Split(short, "/")[1:]
	switch {
	case len(parts) == 2 && (parts[0] == "rfc6492" || parts[0] == "rfc8181"):
		return short
	case len(parts) >= 6 && strings.HasPrefix(path, "/api/v1/cas/") && parts[4] == "history" && parts[5] == "commands":
		return short
	default:
		return path
	}
}

// guard finds out who asks, and checks what whole parts of the API demand,
// whether the path exists or not.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.Testbed && strings.HasPrefix(c.Request().URL.Path, "/testbed/") {
			return echo.ErrNotFound
		}
		user := s.api.Auth.Identify(c)
		for _, d := range demands(c.Request().URL.Path) {
			if err := user.Check(d.permission, d.resource); err != nil {
				return err
			}
		}
		if c.Request().Method == http.MethodOptions { // echo would answer it by itself
			if c.Get(echo.ContextKeyHeaderAllow) == nil {
				return echo.ErrNotFound
			}
			return echo.ErrMethodNotAllowed
		}
		return next(c)
	}
}

// demand is a permission, for a CA if resource names one.
type demand struct {
	permission rest.Permission
	resource   string
}

// demands gives what must hold below a path.
func demands(path string) []demand {
	below, ok := strings.CutPrefix(path, "/api/v1/")
	if !ok && path != "/api/v1" || below == "authorized" {
		return nil
	}
	out := []demand{{permission: rest.Login}}
	part, tail, _ := strings.Cut(below, "/")
	handle, _, _ := strings.Cut(tail, "/")
	switch {
	case part == "cas" && handle != "":
		out = append(out, demand{rest.CARead, handle})
	case part == "pubd":
		out = append(out, demand{permission: rest.PubAdmin})
	}
	return out
}
