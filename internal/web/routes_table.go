package web

import (
	"net/http"

	"baleen/internal/web/files"
	"baleen/internal/web/ops"
	"baleen/internal/web/peers"
	"baleen/internal/web/rest"
)

// routes is the table of everything this server answers. api/openapi.yaml
// describes the same routes, and a test compares the two.
func (s *Server) routes(o ops.Handlers, f files.Server, p *peers.Handlers) []route {
	const (
		get    = http.MethodGet
		post   = http.MethodPost
		remove = http.MethodDelete

		ca        = "/api/v1/cas/:ca"
		child     = ca + "/children/:child"
		analysis  = ca + "/routes/analysis"
		commands  = ca + "/history/commands"
		publisher = "/api/v1/pubd/publishers/:publisher"
	)
	a := s.api
	return []route{
		// Everybody.
		{get, "/health", rest.Public, none, o.Health},
		{get, "/health/active", rest.Public, none, o.HealthActive},
		{get, "/metrics", rest.Public, none, o.Measurements},
		{get, "/stats/info", rest.Public, none, a.Stats.Info},
		{get, "/stats/repo", rest.Public, none, a.Stats.Repo},
		{get, "/stats/cas", rest.Public, none, a.Stats.CAs},
		{get, "/testbed.tal", rest.Public, none, a.TA.TAL},
		{get, "/ta/ta.tal", rest.Public, none, a.TA.TAL},
		{get, "/ta/ta.cer", rest.Public, none, a.TA.Certificate},
		{get, "/testbed/enabled", rest.Public, none, s.testbedEnabled},
		{get, "/rrdp/*", rest.Public, none, f.RRDP},
		{get, "/auth/login", rest.Public, ignored, a.Auth.LoginURL},
		{post, "/auth/login", rest.Public, ignored, a.Auth.Login},
		{post, "/auth/logout", rest.Public, ignored, a.Auth.Logout},

		// Peers.
		{post, "/rfc6492/:ca", rest.Public, content, p.UpDown},
		{post, "/rfc8181/:publisher", rest.Public, content, p.Publication},

		// Operators: CAs.
		{get, "/api/v1/authorized", rest.Login, none, a.Auth.Authorized},
		{get, "/api/v1/tasks", rest.Login, none, a.Tasks.Report},
		{post, "/api/v1/tasks/:kind/retry", rest.CAAdmin, none, a.Tasks.Retry},
		{get, "/api/v1/cas", rest.Login, none, a.CAs.List},
		{post, "/api/v1/cas", rest.CACreate, content, a.CAs.Create},
		{get, ca, rest.CARead, none, a.CAs.Get},
		{remove, ca, rest.CADelete, none, a.CAs.Delete},
		{get, ca + "/issues", rest.CARead, none, a.Bulk.Issues},
		{post, ca + "/id", rest.CAUpdate, none, a.Keys.RenewIdentity},
		{get, ca + "/id/child_request.json", rest.CARead, none, a.CAs.ChildRequestJSON},
		{get, ca + "/id/child_request.xml", rest.CARead, none, a.CAs.ChildRequestXML},
		{get, ca + "/id/publisher_request.json", rest.CARead, none, a.CAs.PublisherRequestJSON},
		{get, ca + "/id/publisher_request.xml", rest.CARead, none, a.CAs.PublisherRequestXML},
		{post, ca + "/keys/roll_init", rest.CAUpdate, none, a.Keys.Initiate},
		{post, ca + "/keys/roll_activate", rest.CAUpdate, none, a.Keys.Activate},
		{post, ca + "/sync/parents", rest.CAUpdate, none, a.CAs.SyncParents},
		{post, ca + "/sync/repo", rest.CAUpdate, none, a.CAs.SyncRepository},
		{post, ca + "/children", rest.CAUpdate, content, a.Children.Add},
		{get, child, rest.CARead, none, a.Children.Get},
		{post, child, rest.CAUpdate, content, a.Children.Update},
		{remove, child, rest.CAUpdate, none, a.Children.Remove},
		{get, ca + "/stats/children/connections", rest.CARead, none, a.Children.Connections},
		{get, child + "/contact", rest.CARead, none, a.Children.ResponseJSON},
		{get, child + "/parent_response.json", rest.CARead, none, a.Children.ResponseJSON},
		{get, child + "/parent_response.xml", rest.CARead, none, a.Children.ResponseXML},
		{get, ca + "/parents", rest.CARead, none, a.Parents.List},
		{post, ca + "/parents", rest.CAUpdate, content, a.Parents.Set},
		{get, ca + "/parents/:parent", rest.CARead, none, a.Parents.Get},
		{post, ca + "/parents/:parent", rest.CAUpdate, content, a.Parents.Set},
		{remove, ca + "/parents/:parent", rest.CAUpdate, none, a.Parents.Remove},
		{get, ca + "/repo", rest.CARead, none, a.Repo.Get},
		{post, ca + "/repo", rest.CAUpdate, content, a.Repo.Set},
		{get, ca + "/repo/status", rest.CARead, none, a.Repo.Status},
		{get, ca + "/routes", rest.RoutesRead, none, a.ROAs.List},
		{post, ca + "/routes", rest.RoutesUpdate, content, a.ROAs.Update},
		{get, ca + "/issuing", rest.CARead, none, a.Issuing.Get},
		{post, ca + "/issuing/pause", rest.RoutesUpdate, none, a.Issuing.Pause},
		{post, ca + "/issuing/resume", rest.RoutesUpdate, none, a.Issuing.Resume},
		{post, ca + "/routes/try", rest.RoutesUpdate, content, a.Analysis.Try},
		{get, analysis + "/full", rest.RoutesAnalysis, none, a.Analysis.Full},
		{post, analysis + "/dryrun", rest.RoutesAnalysis, content, a.Analysis.DryRun},
		{get, analysis + "/suggest", rest.RoutesAnalysis, none, a.Analysis.Suggest},
		{post, analysis + "/suggest", rest.RoutesAnalysis, content, a.Analysis.SuggestFor},
		{get, ca + "/aspas", rest.ASPAsRead, none, a.ASPAs.List},
		{post, ca + "/aspas", rest.ASPAsUpdate, content, a.ASPAs.Update},
		{post, ca + "/aspas/as/:asn", rest.ASPAsUpdate, content, a.ASPAs.UpdateOne},
		{remove, ca + "/aspas/as/:asn", rest.ASPAsUpdate, none, a.ASPAs.Remove},
		{get, ca + "/bgpsec", rest.BGPsecRead, none, a.BGPsec.List},
		{post, ca + "/bgpsec", rest.BGPsecUpdate, content, a.BGPsec.Update},
		{get, commands, rest.CARead, none, a.History.Commands},
		{get, commands + "/:rows", rest.CARead, none, a.History.Commands},
		{get, commands + "/:rows/:offset", rest.CARead, none, a.History.Commands},
		{get, commands + "/:rows/:offset/:after", rest.CARead, none, a.History.Commands},
		{get, commands + "/:rows/:offset/:after/:before", rest.CARead, none, a.History.Commands},
		{get, ca + "/history/details/:version", rest.CARead, none, a.History.Details},
		{get, "/api/v1/bulk/cas/issues", rest.Login, none, a.Bulk.AllIssues},
		{post, "/api/v1/bulk/cas/sync/parent", rest.CAAdmin, none, a.Bulk.SyncParents},
		{post, "/api/v1/bulk/cas/sync/repo", rest.CAAdmin, none, a.Bulk.SyncRepositories},
		{post, "/api/v1/bulk/cas/publish", rest.CAAdmin, none, a.Bulk.Publish},
		{post, "/api/v1/bulk/cas/force_publish", rest.CAAdmin, none, a.Bulk.ForcePublish},
		{post, "/api/v1/bulk/cas/suspend", rest.CAAdmin, none, a.Bulk.Suspend},

		// Operators: the publication server.
		{post, "/api/v1/pubd/init", rest.PubAdmin, content, a.Publishers.Init},
		{get, "/api/v1/pubd/publishers", rest.PubList, none, a.Publishers.List},
		{post, "/api/v1/pubd/publishers", rest.PubCreate, content, a.Publishers.Add},
		{get, publisher, rest.PubRead, none, a.Publishers.Get},
		{remove, publisher, rest.PubDelete, none, a.Publishers.Remove},
		{get, publisher + "/response.json", rest.PubRead, none, a.Publishers.ResponseJSON},
		{get, publisher + "/response.xml", rest.PubRead, none, a.Publishers.ResponseXML},
		{post, "/api/v1/pubd/session_reset", rest.PubAdmin, none, a.Publishers.SessionReset},
		{get, "/api/v1/pubd/stale", rest.PubList, none, a.Publishers.Stale},
		{get, "/api/v1/pubd/stale/:seconds", rest.PubList, none, a.Publishers.Stale},
	}
}
