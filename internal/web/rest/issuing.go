package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"baleen/api"
)

// Issuing answers for how far a CA is with its ROAs.
type Issuing struct{ *Deps }

// Get shows how many ROA objects the CA should have and has.
func (h Issuing) Get(c echo.Context) error {
	p, err := h.Service.Progress(c.Request().Context(), c.Param(argCA))
	if err != nil {
		return err
	}
	return sendJSON(c, api.Issuing{Paused: p.Paused, Wanted: int64(p.Wanted), Issued: int64(p.Issued), Withdraw: int64(p.Withdraw)})
}

// Pause holds back the ROAs of routes that none authorises yet.
func (h Issuing) Pause(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.PauseIssuing(ctx, actor(c), c.Param(argCA), ifVersion)
	})
}

// Resume lets them be signed.
func (h Issuing) Resume(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.ResumeIssuing(ctx, actor(c), c.Param(argCA), ifVersion)
	})
}
