package web

import (
	"net/http"

	"baleen/internal/web/files"
	"baleen/internal/web/ops"
	"baleen/internal/web/peers"
	"baleen/internal/web/rest"
	"baleen/internal/web/ui"
)

// routes is the table of everything this server answers. api/openapi.yaml
// describes the same routes, and a test compares the two.
func (s *Server) routes(o ops.Handlers, f files.Server, p *peers.Handlers) []route {
	const (
		get    = http.MethodGet
		post   = http.MethodPost
		put    = http.MethodPut
		remove = http.MethodDelete

		ca        = "/api/v1/cas/:ca"
		child     = ca + "/children/:child"
		analysis  = ca + "/routes/analysis"
		commands  = ca + "/history/commands"
		publisher = "/api/v1/pubd/publishers/:publisher"
		taProxy   = "/api/v1/ta/proxy"
		taSigner  = taProxy + "/signer"
		taChild   = taProxy + "/children/:child"
	)
	a := s.api
	supported := a.TAProxy.Supported
	page := ui.New()
	return []route{
		// Everybody.
		{get, "/", rest.Public, none, page.Root},
		{get, "/ui", rest.Public, none, page.Index},
		{get, "/ui/*", rest.Public, none, page.Index},
		{get, "/assets/:file", rest.Public, none, page.Asset},
		{get, "/health", rest.Public, none, o.Health},
		{get, "/health/active", rest.Public, none, o.HealthActive},
		{get, "/metrics", rest.Public, none, o.Measurements},
		{get, "/stats/info", rest.Public, none, a.Stats.Info},
		{get, "/stats/repo", rest.Public, none, a.Stats.Repo},
		{get, "/stats/cas", rest.Public, none, a.Stats.CAs},
		{get, "/testbed.tal", rest.Public, none, a.TA.TAL},
		{get, "/ta/ta.tal", rest.Public, none, a.TA.TAL},
		{get, "/ta/ta.cer", rest.Public, none, a.TA.Certificate},
		{get, "/testbed/enabled", rest.Public, none, a.Testbed.Enabled},
		{get, "/rrdp/*", rest.Public, none, f.RRDP},
		{get, "/auth/login", rest.Public, ignored, a.Auth.LoginURL},
		{post, "/auth/login", rest.Public, ignored, a.Auth.Login},
		{post, "/auth/logout", rest.Public, ignored, a.Auth.Logout},
		{get, "/auth/callback", rest.Public, ignored, a.Auth.Callback},

		// Everybody, where there is a testbed.
		{post, "/testbed/children", rest.Public, content, a.Testbed.AddChild},
		{remove, "/testbed/children/:child", rest.Public, none, a.Testbed.RemoveChild},
		{get, "/testbed/children/:child/parent_response.xml", rest.Public, none, a.Testbed.ParentResponse},
		{post, "/testbed/publishers", rest.Public, content, a.Testbed.AddPublisher},
		{remove, "/testbed/publishers/:publisher", rest.Public, none, a.Testbed.RemovePublisher},
		{get, "/testbed/publishers/:publisher/response.xml", rest.Public, none, a.Testbed.RepositoryResponse},

		// Peers.
		{post, "/rfc6492/:ca", rest.Public, content, p.UpDown},
		{post, "/rfc8181/:publisher", rest.Public, content, p.Publication},

		// Operators: CAs.
		{get, "/api/v1/authorized", rest.Login, none, a.Auth.Authorized},
		{get, "/api/v1/user", rest.Login, none, a.Auth.Who},
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
		{get, ca + "/children", rest.CARead, none, a.Children.List},
		{post, ca + "/children", rest.CAUpdate, content, a.Children.Add},
		{get, child, rest.CARead, none, a.Children.Get},
		{post, child, rest.CAUpdate, content, a.Children.Update},
		{remove, child, rest.CAUpdate, none, a.Children.Remove},
		{get, ca + "/stats/children/connections", rest.CARead, none, a.Children.Connections},
		{get, child + "/contact", rest.CARead, none, a.Children.ResponseJSON},
		{get, child + "/parent_response.json", rest.CARead, none, a.Children.ResponseJSON},
		{get, child + "/parent_response.xml", rest.CARead, none, a.Children.ResponseXML},
		{get, child + "/export", rest.CARead, none, a.Children.Export},
		{post, child + "/import", rest.CAAdmin, content, a.Children.Import},
		{post, ca + "/force_reissue", rest.CAUpdate, none, a.CAs.ForceReissue},
		{get, ca + "/parents", rest.CARead, none, a.Parents.List},
		{post, ca + "/parents", rest.CAUpdate, content, a.Parents.Set},
		{get, ca + "/parents/:parent", rest.CARead, none, a.Parents.Get},
		{post, ca + "/parents/:parent", rest.CAUpdate, content, a.Parents.Set},
		{remove, ca + "/parents/:parent", rest.CAUpdate, none, a.Parents.Remove},
		{get, ca + "/repo", rest.CARead, none, a.Repo.Get},
		{post, ca + "/repo", rest.CAUpdate, content, a.Repo.Set},
		{get, ca + "/repo/status", rest.CARead, none, a.Repo.Status},
		{get, ca + "/routes", rest.RoutesRead, none, a.ROAs.List},
		{put, ca + "/routes", rest.RoutesUpdate, content, a.ROAs.Replace},
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
		{put, ca + "/aspas", rest.ASPAsUpdate, content, a.ASPAs.Replace},
		{post, ca + "/aspas", rest.ASPAsUpdate, content, a.ASPAs.Update},
		{post, ca + "/aspas/as/:asn", rest.ASPAsUpdate, content, a.ASPAs.UpdateOne},
		{remove, ca + "/aspas/as/:asn", rest.ASPAsUpdate, none, a.ASPAs.Remove},
		{get, ca + "/bgpsec", rest.BGPsecRead, none, a.BGPsec.List},
		{post, ca + "/bgpsec", rest.BGPsecUpdate, content, a.BGPsec.Update},
		{get, ca + "/ghostbusters", rest.CARead, none, a.Ghostbusters.List},
		{post, ca + "/ghostbusters", rest.CAUpdate, content, a.Ghostbusters.Update},
		{get, ca + "/rscs", rest.CARead, none, a.Checklists.List},
		{post, ca + "/rscs", rest.CAUpdate, content, a.Checklists.Sign},
		{get, ca + "/rscs/:serial", rest.CARead, none, a.Checklists.Get},
		{remove, ca + "/rscs/:serial", rest.CAUpdate, none, a.Checklists.Revoke},
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
		{post, "/api/v1/bulk/cas/force_reissue", rest.CAAdmin, none, a.Bulk.ForceReissue},
		{get, "/api/v1/bulk/cas/import", rest.CAAdmin, none, a.Bulk.ImportProgress},
		{post, "/api/v1/bulk/cas/import", rest.CAAdmin, content, a.Bulk.Import},
		{remove, "/api/v1/bulk/cas/import/:import", rest.CAAdmin, none, a.Bulk.AbandonImport},
		{post, "/api/v1/bulk/cas/suspend", rest.CAAdmin, none, a.Bulk.Suspend},

		// Operators: the publication server.
		{post, "/api/v1/pubd/init", rest.PubAdmin, content, a.Publishers.Init},
		{remove, "/api/v1/pubd/init", rest.PubAdmin, none, a.Publishers.Clear},
		{post, "/api/v1/pubd/delete", rest.PubAdmin, content, a.Publishers.Delete},
		{get, "/api/v1/pubd/publishers", rest.PubList, none, a.Publishers.List},
		{post, "/api/v1/pubd/publishers", rest.PubCreate, content, a.Publishers.Add},
		{get, publisher, rest.PubRead, none, a.Publishers.Get},
		{remove, publisher, rest.PubDelete, none, a.Publishers.Remove},
		{get, publisher + "/response.json", rest.PubRead, none, a.Publishers.ResponseJSON},
		{get, publisher + "/response.xml", rest.PubRead, none, a.Publishers.ResponseXML},
		{post, "/api/v1/pubd/session_reset", rest.PubAdmin, none, a.Publishers.SessionReset},
		{get, "/api/v1/pubd/stale", rest.PubList, none, a.Publishers.Stale},
		{get, "/api/v1/pubd/stale/:seconds", rest.PubList, none, a.Publishers.Stale},

		// Operators: the online part of a trust anchor.
		{post, taProxy + "/init", rest.CAAdmin, none, supported(a.TAProxy.Init)},
		{get, taProxy + "/id", rest.CAAdmin, none, supported(a.TAProxy.ID)},
		{get, taProxy + "/repo", rest.CAAdmin, none, supported(a.TAProxy.Repo)},
		{post, taProxy + "/repo", rest.CAAdmin, content, supported(a.TAProxy.SetRepo)},
		{get, taProxy + "/repo/request.json", rest.CAAdmin, none, supported(a.TAProxy.PublisherRequestJSON)},
		{get, taProxy + "/repo/request.xml", rest.CAAdmin, none, supported(a.TAProxy.PublisherRequestXML)},
		{get, taProxy + "/issues", rest.Login, none, supported(a.TAProxy.Issues)},
		{get, taSigner, rest.CAAdmin, none, supported(a.TAProxy.Signer)},
		{post, taSigner + "/add", rest.CAAdmin, content, supported(a.TAProxy.AddSigner)},
		{post, taSigner + "/update", rest.CAAdmin, content, supported(a.TAProxy.UpdateSigner)},
		{get, taSigner + "/request", rest.CAAdmin, none, supported(a.TAProxy.Request)},
		{post, taSigner + "/request", rest.CAAdmin, none, supported(a.TAProxy.MakeRequest)},
		{post, taSigner + "/response", rest.CAAdmin, content, supported(a.TAProxy.Response)},
		{get, taProxy + "/children", rest.CAAdmin, none, supported(a.TAProxy.Children)},
		{post, taProxy + "/children", rest.CAAdmin, content, supported(a.TAProxy.AddChild)},
		{post, taChild, rest.CAAdmin, content, supported(a.TAProxy.UpdateChild)},
		{remove, taChild, rest.CAAdmin, none, supported(a.TAProxy.RemoveChild)},
		{get, taChild + "/parent_response.json", rest.CAAdmin, none, supported(a.TAProxy.ParentResponseJSON)},
		{get, taChild + "/parent_response.xml", rest.CAAdmin, none, supported(a.TAProxy.ParentResponseXML)},
	}
}
