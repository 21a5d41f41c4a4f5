package rest

import (
	"slices"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/bgp"
	"baleen/internal/bgp/analysis"
	"baleen/internal/ca"
	"baleen/internal/rpki/resources"
)

// Analysis compares the authorised routes of a CA with those that are seen
// announced.
type Analysis struct{ *Deps }

// Full tells what is found of every route that the query chooses.
func (h Analysis) Full(c echo.Context) error {
	f, err := routeFilterOf(c)
	if err != nil {
		return err
	}
	report, err := h.Service.AnalyseROAs(c.Request().Context(), c.Param(argCA), nil)
	if err != nil {
		return err
	}
	state := c.QueryParam("state")
	report = slices.DeleteFunc(report, func(e analysis.Entry) bool {
		return state != "" && e.State.String() != state || !f.finding(e)
	})
	if report, err = cut(c, report); err != nil {
		return err
	}
	return h.sendReport(c, report)
}

// DryRun tells what an update would lead to, for the prefixes in it.
func (h Analysis) DryRun(c echo.Context) error {
	var body api.ROAConfigurationUpdates
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	report, err := h.Service.DryRunROAs(c.Request().Context(), c.Param(argCA), roaDelta(body))
	if err != nil {
		return err
	}
	return h.sendReport(c, report)
}

// Suggest says what should change.
func (h Analysis) Suggest(c echo.Context) error { return h.suggest(c, nil) }

// SuggestFor says what should change within the given resources.
func (h Analysis) SuggestFor(c echo.Context) error {
	var scope resources.Set
	if err := h.readJSON(c, &scope); err != nil {
		return err
	}
	return h.suggest(c, &scope)
}

func (h Analysis) suggest(c echo.Context, scope *resources.Set) error {
	ctx := c.Request().Context()
	report, err := h.Service.AnalyseROAs(ctx, c.Param(argCA), scope)
	if err != nil {
		return err
	}
	objects, err := h.objectsOf(c, report)
	if err != nil {
		return err
	}
	return sendJSON(c, objects.suggestion(report.Suggestion()))
}

// Try makes an update, unless announcements in its prefixes would be invalid:
// then it answers with advice and changes nothing. With If-Match it is made only
// if the CA is still at that version.
func (h Analysis) Try(c echo.Context) error {
	var body api.ROAConfigurationUpdates
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	version, advice, err := h.Service.TryROAs(ctx, actor(c), c.Param(argCA), roaDelta(body), ifVersion)
	if err != nil {
		return err
	}
	setVersion(c, version)
	if advice == nil {
		return Done(c)
	}
	objects, err := h.objectsOf(c, advice.Effect, advice.Now)
	if err != nil {
		return err
	}
	return sendJSON(c, api.BGPAnalysisAdvice{Effect: objects.report(advice.Effect), Suggestion: objects.suggestion(advice.Now.Suggestion())})
}

func (h Analysis) sendReport(c echo.Context, report analysis.Report) error {
	objects, err := h.objectsOf(c, report)
	if err != nil {
		return err
	}
	return sendJSON(c, objects.report(report))
}

// objectsByROA are the signed objects of ROAs.
type objectsByROA map[ca.ROA][]api.ROAInfo

// objectsOf gives the objects of the ROAs in reports, or none if the client
// wants none.
func (h Analysis) objectsOf(c echo.Context, reports ...analysis.Report) (objectsByROA, error) {
	wants, err := wantsObjects(c)
	if err != nil {
		return nil, err
	}
	out := objectsByROA{}
	for _, report := range reports {
		for _, e := range report {
			if !e.State.OfAnnouncement() {
				out[e.ROA.ROA] = []api.ROAInfo{}
			}
		}
	}
	if !wants {
		return out, nil
	}
	var routes []configured
	var wanted []ca.ConfiguredROA
	var hashes []ca.Hash
	err = h.viewCA(c, func(st *ca.State, _ int64) error {
		for r, config := range st.ROAs {
			if out[r] != nil {
				wanted = append(wanted, ca.ConfiguredROA{ROA: r, Comment: config.Comment})
			}
		}
		routes = configuredROAs(st, wanted, true)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range routes {
		hashes = append(hashes, r.hashes...)
	}
	ders, err := h.objects(c.Request().Context(), hashes)
	if err != nil {
		return nil, err
	}
	for i, r := range routes {
		out[wanted[i].ROA] = r.withObjects(ders).ROAObjects
	}
	return out, nil
}

func (o objectsByROA) roa(r ca.ConfiguredROA) api.ConfiguredROA {
	return api.ConfiguredROA{ROAConfiguration: roaConfiguration(r), ROAObjects: o[r.ROA]}
}

func (o objectsByROA) roas(list []ca.ConfiguredROA) []api.ConfiguredROA { return each(list, o.roa) }

func (o objectsByROA) report(report analysis.Report) api.BGPAnalysisReport {
	return each(report, func(e analysis.Entry) api.BGPAnalysisEntry {
		out := api.BGPAnalysisEntry{BGPFindings: api.BGPFindings{
			State: e.State.String(), DisallowedBy: roaPayloads(e.DisallowedBy), MadeRedundantBy: roaPayloads(e.MadeRedundantBy),
			Authorizes: announcements(e.Authorizes), Disallows: announcements(e.Disallows),
		}}
		if e.State.OfAnnouncement() {
			out.Announcement = announcement(e.Announcement)
		} else {
			roa := o.roa(e.ROA)
			out.ROA = &roa
		}
		if e.AllowedBy != nil {
			by := roaPayload(*e.AllowedBy)
			out.AllowedBy = &by
		}
		return out
	})
}

func (o objectsByROA) suggestion(s analysis.Suggestion) api.BGPAnalysisSuggestion {
	return api.BGPAnalysisSuggestion{
		Stale: o.roas(s.Stale), Disallowing: o.roas(s.Disallowing), Redundant: o.roas(s.Redundant), NotHeld: o.roas(s.NotHeld),
		AS0Redundant: o.roas(s.AS0Redundant), Keep: o.roas(s.Keep),
		NotFound: announcements(s.NotFound), InvalidASN: announcements(s.InvalidASN), InvalidLength: announcements(s.InvalidLength),
		KeepDisallowing: announcements(s.KeepDisallowing),
		TooPermissive: each(s.TooPermissive, func(r analysis.Replacement) api.ROAReplacement {
			return api.ROAReplacement{Current: o.roa(r.Current), New: each(r.New, func(a bgp.Announcement) api.ROAPayload {
				return api.ROAPayload{ASN: a.Origin, Prefix: api.Prefix{Prefix: a.Prefix}}
			})}
		}),
	}
}

func announcement(a bgp.Announcement) api.Announcement {
	return api.Announcement{ASN: a.Origin, Prefix: api.Prefix{Prefix: a.Prefix}}
}

func announcements(list []bgp.Announcement) []api.Announcement { return each(list, announcement) }

func each[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = f(a)
	}
	return out
}
