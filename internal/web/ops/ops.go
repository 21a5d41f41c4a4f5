// Package ops answers what load balancers and monitoring ask: is this process
// alive, is it the active node, what do its metrics say.
package ops

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Role says which part this node plays now.
type Role interface {
	Active() bool       // this node carries out writes
	ActiveNode() string // the name of the node that does, "" if that is not known
}

// Handlers answers the operations routes.
type Handlers struct {
	Role    Role
	Metrics http.Handler
}

// Health answers 200 without a body as long as the process serves requests;
// the node's role stands in headers.
func (h Handlers) Health(c echo.Context) error {
	return h.answer(c, http.StatusOK)
}

// HealthActive answers 200 on the active node and 503 on others, so that load
// balancers send writes to the right one.
func (h Handlers) HealthActive(c echo.Context) error {
	if !h.Role.Active() {
		c.Response().Header().Set(echo.HeaderRetryAfter, "2")
		return h.answer(c, http.StatusServiceUnavailable)
	}
	return h.answer(c, http.StatusOK)
}

func (h Handlers) answer(c echo.Context, status int) error {
	header := c.Response().Header()
	if h.Role.Active() {
		header.Set("Baleen-Role", "active")
	} else {
		header.Set("Baleen-Role", "standby")
		if active := h.Role.ActiveNode(); active != "" {
			header.Set("Baleen-Active-Node", active)
		}
	}
	header.Set(echo.HeaderContentType, "text/plain")
	return c.NoContent(status)
}

// Measurements answers with the metrics in Prometheus's text form.
func (h Handlers) Measurements(c echo.Context) error {
	h.Metrics.ServeHTTP(c.Response(), c.Request())
	return nil
}
