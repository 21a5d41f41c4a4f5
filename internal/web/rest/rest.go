// Package rest answers the operators' API: it reads requests, checks who may
// do what, calls the service and writes its answers in the JSON of package
// api. It decides nothing about the RPKI. A file stands for a resource; which
// handler serves which route is the table in package web.
package rest

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/internal/login"
	"baleen/internal/service"
	"baleen/internal/setup"
)

// Deps is what the handlers need. All fields must be set, but for Logins, VisitorIP and Access.
type Deps struct {
	Service    *service.Service
	Imports    *setup.Importer
	Log        *slog.Logger
	Now        func() time.Time
	AdminToken string // who has it may do everything; nobody has the empty one
	BodyLimit  int64  // octets of a request's body
	WholeLimit int64  // octets of a body that is a whole configuration
	Version    string // of the program
	Started    time.Time
	Logins     *login.Recorder // nil: logins are not noted

	VisitorIP echo.IPExtractor // tells where a visitor of the testbed, or who wants to log in, comes from; nil: the address of the connection
	// Access says who there is beside who has the admin token.
	Access Access
	// MustBeActive refuses what only the active node can do, on any other.
	MustBeActive func() error
}

// API holds the handlers by resource.
type API struct {
	*Deps

	Auth     Auth
	CAs      CAs
	Children Children
	Keys     Keys
	Parents  Parents
	Repo     Repo
	ROAs     ROAs
	Analysis Analysis
	ASPAs    ASPAs
	BGPsec   BGPsec

	Ghostbusters Ghostbusters
	Checklists   Checklists

	History    History
	Bulk       Bulk
	Publishers Publishers
	Stats      Stats
	TA         TrustAnchor
	TAProxy    TAProxy
	Testbed    Testbed
	Tasks      Tasks
	Issuing    Issuing
}

// New makes the handlers.
func New(d Deps) *API {
	return &API{
		Deps: &d, Auth: newAuth(&d), CAs: CAs{&d}, Children: Children{&d}, Keys: Keys{&d}, Parents: Parents{&d}, Repo: Repo{&d}, ROAs: ROAs{&d},
		Analysis: Analysis{&d}, ASPAs: ASPAs{&d}, BGPsec: BGPsec{&d}, Ghostbusters: Ghostbusters{&d}, Checklists: Checklists{&d},
		History: History{&d}, Bulk: Bulk{&d}, Publishers: Publishers{&d}, Stats: Stats{Deps: &d, turns: make(chan struct{}, maxTurns)},
		TA: TrustAnchor{&d}, TAProxy: TAProxy{&d}, Testbed: Testbed{&d}, Tasks: Tasks{&d}, Issuing: Issuing{&d},
	}
}

// Done answers that there is nothing to say: 200 without a body.
func Done(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, "text/plain")
	return c.NoContent(http.StatusOK)
}
