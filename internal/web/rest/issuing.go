package rest

import (
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
	return finish(c, h.Service.PauseIssuing(c.Request().Context(), actor(c), c.Param(argCA)))
}

// Resume lets them be signed.
func (h Issuing) Resume(c echo.Context) error {
	return finish(c, h.Service.ResumeIssuing(c.Request().Context(), actor(c), c.Param(argCA)))
}
