package rest

import (
	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/setup"
)

// Import makes a whole set-up. It answers once everything was checked and the CAs
// are being made.
func (h Bulk) Import(c echo.Context) error {
	var body api.ImportStructure
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	var m setup.Import
	if t := body.TA; t != nil {
		m.TA = &setup.ImportTA{AIA: t.TAAIA, URI: t.TAURI, KeyPEM: text(t.TAKeyPEM)}
		if t.TAMftNrOverride != nil {
			m.TA.ManifestNumber = *t.TAMftNrOverride
		}
	}
	if p := body.PublicationServer; p != nil {
		m.PublicationServer = &setup.ImportServer{RRDPBase: p.RRDPBaseURI, RsyncJail: p.RsyncJail}
	}
	for _, b := range body.CAs {
		one := setup.ImportCA{Handle: b.Handle, ROAs: roaDelta(api.ROAConfigurationUpdates{Added: b.ROAs}).Added}
		for _, p := range b.Parent {
			one.Parents = append(one.Parents, setup.ImportParent(p))
		}
		m.CAs = append(m.CAs, one)
	}
	return finish(c, h.Imports.BulkImport(c.Request().Context(), actor(c), m))
}

// mostFailing is how many CAs of an import are shown that could not be made.
const mostFailing = 100

// ImportProgress shows how far the imports are that are not complete.
func (h Bulk) ImportProgress(c echo.Context) error {
	running, err := h.Imports.ImportProgress(c.Request().Context())
	if err != nil {
		return err
	}
	out := api.ImportProgress{Imports: []api.RunningImport{}}
	for _, r := range running {
		one := api.RunningImport{
			ID: r.ID, Since: api.Time{Time: r.Since}, Prepared: r.Prepared, CAs: int64(r.CAs), Made: int64(r.CAs - len(r.Left)), Failing: []api.ImportProblem{},
			Abandoned: r.Abandoned,
		}
		for _, l := range r.Left {
			if l.Fault != nil && len(one.Failing) < mostFailing {
				one.Failing = append(one.Failing, api.ImportProblem{Handle: l.Key, Failures: int64(l.Failures), Parked: l.Parked, Fault: api.TaskFault(*l.Fault)})
			}
		}
		out.Imports = append(out.Imports, one)
	}
	return sendJSON(c, out)
}

// AbandonImport gives up an import that is not complete.
func (h Bulk) AbandonImport(c echo.Context) error {
	return finish(c, h.Imports.Abandon(c.Request().Context(), actor(c), c.Param("import")))
}
