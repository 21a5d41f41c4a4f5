package rest

import (
	"errors"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/fault"
)

// Replace makes the routes of a CA exactly those of the request, in one step
// or not at all; what is there already is left alone. With dry_run=true it only
// tells what would change, and with effect=true also what that would do to
// announcements. With If-Match it is done only if the CA is at that version.
func (h ROAs) Replace(c echo.Context) error {
	dry, err := boolQuery(c, "dry_run")
	if err != nil {
		return err
	}
	effect, err := boolQuery(c, "effect")
	if err != nil {
		return err
	}
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	sent, err := h.readWhole(c, headerROAs)
	if err != nil {
		return err
	}
	wanted, err := sent.routes()
	if err != nil {
		return err
	}
	ctx, handle := c.Request().Context(), c.Param(argCA)
	out := api.ROADifference{DryRun: dry}
	var d ca.ROADifference
	if dry {
		d, out.Version, err = h.Service.TrialROAs(ctx, handle, wanted, ifVersion)
	} else {
		d, out.Version, err = h.Service.ReplaceROAs(ctx, actor(c), handle, wanted, ifVersion)
	}
	if err != nil {
		return sent.blame(err, refusedRoutes(err, wanted), len(wanted))
	}
	out.Added, out.Removed, out.Commented, out.Unchanged = roaConfigurations(d.Added), roaConfigurations(d.Removed), commented(d), int64(d.Unchanged)
	if dry && effect {
		if out.Effect, err = h.effect(c, d); err != nil {
			return err
		}
	}
	setVersion(c, out.Version)
	return sendJSON(c, out)
}

func (h ROAs) effect(c echo.Context, d ca.ROADifference) ([]api.BGPAnalysisEntry, error) {
	report, err := h.Service.EffectOfROAs(c.Request().Context(), c.Param(argCA), d)
	if err != nil {
		return nil, err
	}
	objects, err := Analysis(h).objectsOf(c, report)
	if err != nil {
		return nil, err
	}
	return objects.report(report), nil
}

func commented(d ca.ROADifference) []api.ROACommentChange {
	out := make([]api.ROACommentChange, len(d.Commented))
	for i, r := range d.Commented {
		out[i] = api.ROACommentChange{ROAConfiguration: roaConfiguration(r), Was: optional(d.Were[i])}
	}
	return out
}

// refusedRoutes says which entries a refusal of the CA is about.
func refusedRoutes(err error, wanted []ca.ConfiguredROA) func(*fault.Error, int) bool {
	refused := map[ca.ROA]bool{}
	var f *fault.Error
	if errors.As(err, &f) {
		d, _ := f.Detail.(ca.DeltaError)
		for _, r := range d.NotHeld {
			refused[r.ROA] = true
		}
	}
	return func(_ *fault.Error, entry int) bool { return refused[wanted[entry].ROA] }
}

// Replace makes the ASPAs of a CA exactly those of the request, as with routes.
func (h ASPAs) Replace(c echo.Context) error {
	dry, err := boolQuery(c, "dry_run")
	if err != nil {
		return err
	}
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	sent, err := h.readWhole(c, headerASPAs)
	if err != nil {
		return err
	}
	wanted, err := sent.aspas()
	if err != nil {
		return err
	}
	ctx, handle := c.Request().Context(), c.Param(argCA)
	out := api.ASPADifference{DryRun: dry}
	var d ca.ASPADifference
	if dry {
		d, out.Version, err = h.Service.TrialASPAs(ctx, handle, wanted, ifVersion)
	} else {
		d, out.Version, err = h.Service.ReplaceASPAs(ctx, actor(c), handle, wanted, ifVersion)
	}
	if err != nil {
		return sent.blame(err, func(f *fault.Error, entry int) bool {
			return f.Args["asn"] == api.ASText(wanted[entry].Customer)
		}, len(wanted))
	}
	out.Added, out.Removed, out.Unchanged = aspaDefinitions(d.Added), aspaDefinitions(d.Removed), int64(d.Unchanged)
	out.Updated = each(d.Updated, func(u ca.ASPAUpdate) api.ASPAChange {
		return api.ASPAChange{
			ASPADefinition: api.ASPADefinition(u.ASPA), AddedProviders: append([]uint32{}, u.Added...), RemovedProviders: append([]uint32{}, u.Removed...),
		}
	})
	setVersion(c, out.Version)
	return sendJSON(c, out)
}
