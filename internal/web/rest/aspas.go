package rest

import (
	"slices"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
)

// ASPAs answers for the providers that a CA authorises for its ASes.
type ASPAs struct{ *Deps }

// List shows the definitions by customer; the ETag is the version of the CA.
func (h ASPAs) List(c echo.Context) error {
	asCSV := wantsCSV(c)
	customer, err := asQuery(c, "asn")
	if err != nil {
		return err
	}
	provider, err := asQuery(c, "provider")
	if err != nil {
		return err
	}
	var list []ca.ASPA
	var version int64
	err = h.viewCA(c, func(st *ca.State, v int64) error {
		list, version = slices.DeleteFunc(st.SortedASPAs(), func(a ca.ASPA) bool {
			return customer != nil && a.Customer != *customer || provider != nil && !slices.Contains(a.Providers, *provider)
		}), v
		return nil
	})
	if err != nil {
		return err
	}
	if list, err = cutByAS(c, list, func(a ca.ASPA) uint32 { return a.Customer }); err != nil {
		return err
	}
	form := ""
	if asCSV {
		form = csvTag
	}
	if done, err := current(c, version, form); done {
		return err
	}
	out := aspaDefinitions(list)
	if asCSV {
		return sendCSV(c, headerASPAs, each(out, rowOfASPA))
	}
	return sendJSON(c, out)
}

func aspaDefinitions(list []ca.ASPA) []api.ASPADefinition {
	out := make([]api.ASPADefinition, len(list))
	for i, a := range list {
		out[i] = api.ASPADefinition(a)
	}
	return out
}

// Update replaces and removes whole definitions: all or nothing. With If-Match
// it is done only if the CA is still at that version.
func (h ASPAs) Update(c echo.Context) error {
	var body api.ASPADefinitionUpdates
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	cmd := ca.ConfigureASPAs{AddOrReplace: make([]ca.ASPA, len(body.AddOrReplace)), Remove: body.Remove}
	for i, d := range body.AddOrReplace {
		cmd.AddOrReplace[i] = ca.ASPA(d)
	}
	return h.configure(c, cmd)
}

func (h ASPAs) configure(c echo.Context, cmd ca.ConfigureASPAs) error {
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	version, err := h.Service.ConfigureASPAs(c.Request().Context(), actor(c), c.Param(argCA), cmd, ifVersion)
	if err != nil {
		return err
	}
	setVersion(c, version)
	return Done(c)
}

// UpdateOne adds and removes providers of one customer.
func (h ASPAs) UpdateOne(c echo.Context) error {
	customer, err := asArg(c)
	if err != nil {
		return err
	}
	var body api.ASPAProvidersUpdate
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	cmd := ca.UpdateASPA{Customer: customer, Added: body.Added, Removed: body.Removed}
	version, err := h.Service.UpdateASPA(c.Request().Context(), actor(c), c.Param(argCA), cmd, ifVersion)
	if err != nil {
		return err
	}
	setVersion(c, version)
	return Done(c)
}

// Remove takes the definition of one customer away.
func (h ASPAs) Remove(c echo.Context) error {
	customer, err := asArg(c)
	if err != nil {
		return err
	}
	return h.configure(c, ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{}, Remove: []uint32{customer}})
}

// asArg reads an AS number from the path, such as AS64512 or 64512; what is
// none does not match the route.
func asArg(c echo.Context) (uint32, error) {
	n, ok := asNumber(c.Param("asn"))
	if !ok {
		return 0, echo.ErrNotFound
	}
	return n, nil
}
