package rest

import (
	"fmt"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
)

// BGPsec answers for the keys of routers.
type BGPsec struct{ *Deps }

// List shows the keys by AS; the ETag is the version of the CA.
func (h BGPsec) List(c echo.Context) error {
	as, err := asQuery(c, "asn")
	if err != nil {
		return err
	}
	var list []api.RouterKey
	var version int64
	err = h.viewCA(c, func(st *ca.State, v int64) error {
		version = v
		for _, r := range st.SortedRouterKeys() {
			if as == nil || r.Router.ASID == *as {
				list = append(list, api.RouterKey{ASN: r.Router.ASID, KeyIdentifier: r.Router.KeyID.String(), CSR: r.CSR})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if list, err = cutSorted(c, list, routerName); err != nil {
		return err
	}
	if done, err := current(c, version, ""); done {
		return err
	}
	return sendJSON(c, append([]api.RouterKey{}, list...))
}

// routerName is what a key is removed by, and the cursor of a list.
func routerName(r api.RouterKey) string { return fmt.Sprintf("ROUTER-%08X-%s", r.ASN, r.KeyIdentifier) }

// Update adds and removes keys: all or nothing. With If-Match it is done only
// if the CA is still at that version.
func (h BGPsec) Update(c echo.Context) error {
	var body api.RouterKeyUpdates
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	cmd := ca.ConfigureRouterKeys{Add: make([]ca.RouterCSR, len(body.Add)), Remove: make([]ca.RouterKey, len(body.Remove))}
	for i, r := range body.Add {
		if _, err := cert.DecodeRouterRequest(r.CSR); err != nil {
			return badField(c, "add", err.Error())
		}
		cmd.Add[i] = ca.RouterCSR{ASID: r.ASN, CSR: r.CSR}
	}
	for i, text := range body.Remove {
		if err := cmd.Remove[i].UnmarshalText([]byte(text)); err != nil {
			return badField(c, "remove", err.Error())
		}
	}
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	version, err := h.Service.ConfigureRouterKeys(c.Request().Context(), actor(c), c.Param(argCA), cmd, ifVersion)
	if err != nil {
		return err
	}
	setVersion(c, version)
	return Done(c)
}
