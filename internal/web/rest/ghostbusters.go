package rest

import (
	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
)

// Ghostbusters answers for the records that say whom to call about a CA.
type Ghostbusters struct{ *Deps }

// List shows the records by name; the ETag is the version of the CA.
func (h Ghostbusters) List(c echo.Context) error {
	var list []api.GhostbustersRecord
	var version int64
	err := h.viewCA(c, func(st *ca.State, v int64) error {
		list, version = ghostbustersRecords(st.SortedGhostbusters()), v
		return nil
	})
	if err != nil {
		return err
	}
	if list, err = cut(c, list); err != nil {
		return err
	}
	setVersion(c, version)
	return sendJSON(c, list)
}

func ghostbustersRecords(list []ca.Ghostbusters) []api.GhostbustersRecord {
	out := make([]api.GhostbustersRecord, len(list))
	for i, g := range list {
		out[i] = api.GhostbustersRecord(g)
	}
	return out
}

// Update adds, replaces and removes records: all or nothing. With If-Match it is
// done only if the CA is still at that version.
func (h Ghostbusters) Update(c echo.Context) error {
	var body api.GhostbustersUpdates
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	cmd := ca.ConfigureGhostbusters{Add: make([]ca.Ghostbusters, len(body.Add)), Remove: body.Remove}
	for i, r := range body.Add {
		cmd.Add[i] = ca.Ghostbusters(r)
	}
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	version, err := h.Service.ConfigureGhostbusters(c.Request().Context(), actor(c), c.Param(argCA), cmd, ifVersion)
	if err != nil {
		return err
	}
	setVersion(c, version)
	return Done(c)
}
