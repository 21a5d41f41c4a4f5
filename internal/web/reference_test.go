package web_test

import (
	"strings"
)

// What stands here is not taken from the table of routes: it is what the API's
// reference says, which the table is held against.

// reference lists every route of the API that this server's operators and their
// programs know: method, path, permission, - where nobody needs one.
const reference = `
GET / -
GET /ui -
GET /ui/* -
GET /assets/:file -
GET /health -
GET /metrics -
GET /stats/info -
GET /stats/repo -
GET /stats/cas -
GET /testbed.tal -
GET /ta/ta.tal -
GET /ta/ta.cer -
GET /rrdp/* -
POST /rfc6492/:ca -
POST /rfc8181/:publisher -

GET /api/v1/authorized login
GET /api/v1/cas login
POST /api/v1/cas ca-create
GET /api/v1/cas/:ca ca-read
DELETE /api/v1/cas/:ca ca-delete
GET /api/v1/cas/:ca/aspas aspas-read
POST /api/v1/cas/:ca/aspas aspas-update
POST /api/v1/cas/:ca/aspas/as/:asn aspas-update
DELETE /api/v1/cas/:ca/aspas/as/:asn aspas-update
GET /api/v1/cas/:ca/bgpsec bgpsec-read
POST /api/v1/cas/:ca/bgpsec bgpsec-update
POST /api/v1/cas/:ca/children ca-update
GET /api/v1/cas/:ca/children/:child ca-read
POST /api/v1/cas/:ca/children/:child ca-update
DELETE /api/v1/cas/:ca/children/:child ca-update
GET /api/v1/cas/:ca/children/:child/contact ca-read
GET /api/v1/cas/:ca/children/:child/parent_response.json ca-read
GET /api/v1/cas/:ca/children/:child/parent_response.xml ca-read
GET /api/v1/cas/:ca/children/:child/export ca-read
POST /api/v1/cas/:ca/children/:child/import ca-admin
GET /api/v1/cas/:ca/history/commands ca-read
GET /api/v1/cas/:ca/history/commands/:rows ca-read
GET /api/v1/cas/:ca/history/commands/:rows/:offset ca-read
GET /api/v1/cas/:ca/history/commands/:rows/:offset/:after ca-read
GET /api/v1/cas/:ca/history/commands/:rows/:offset/:after/:before ca-read
GET /api/v1/cas/:ca/history/details/:version ca-read
POST /api/v1/cas/:ca/id ca-update
GET /api/v1/cas/:ca/id/child_request.json ca-read
GET /api/v1/cas/:ca/id/child_request.xml ca-read
GET /api/v1/cas/:ca/id/publisher_request.json ca-read
GET /api/v1/cas/:ca/id/publisher_request.xml ca-read
GET /api/v1/cas/:ca/issues ca-read
POST /api/v1/cas/:ca/keys/roll_init ca-update
POST /api/v1/cas/:ca/keys/roll_activate ca-update
GET /api/v1/cas/:ca/parents ca-read
POST /api/v1/cas/:ca/parents ca-update
GET /api/v1/cas/:ca/parents/:parent ca-read
POST /api/v1/cas/:ca/parents/:parent ca-update
DELETE /api/v1/cas/:ca/parents/:parent ca-update
GET /api/v1/cas/:ca/repo ca-read
POST /api/v1/cas/:ca/repo ca-update
GET /api/v1/cas/:ca/repo/status ca-read
GET /api/v1/cas/:ca/routes routes-read
POST /api/v1/cas/:ca/routes routes-update
POST /api/v1/cas/:ca/routes/try routes-update
GET /api/v1/cas/:ca/routes/analysis/full routes-analysis
POST /api/v1/cas/:ca/routes/analysis/dryrun routes-analysis
GET /api/v1/cas/:ca/routes/analysis/suggest routes-analysis
POST /api/v1/cas/:ca/routes/analysis/suggest routes-analysis
GET /api/v1/cas/:ca/stats/children/connections ca-read
POST /api/v1/cas/:ca/sync/parents ca-update
POST /api/v1/cas/:ca/sync/repo ca-update

POST /api/v1/bulk/cas/import ca-admin
GET /api/v1/bulk/cas/issues login
POST /api/v1/bulk/cas/sync/parent ca-admin
POST /api/v1/bulk/cas/sync/repo ca-admin
POST /api/v1/bulk/cas/publish ca-admin
POST /api/v1/bulk/cas/force_publish ca-admin
POST /api/v1/bulk/cas/suspend ca-admin

POST /api/v1/pubd/init pub-admin
DELETE /api/v1/pubd/init pub-admin
POST /api/v1/pubd/delete pub-admin
GET /api/v1/pubd/publishers pub-list
POST /api/v1/pubd/publishers pub-create
GET /api/v1/pubd/publishers/:publisher pub-read
DELETE /api/v1/pubd/publishers/:publisher pub-delete
GET /api/v1/pubd/publishers/:publisher/response.json pub-read
GET /api/v1/pubd/publishers/:publisher/response.xml pub-read
POST /api/v1/pubd/session_reset pub-admin
GET /api/v1/pubd/stale pub-list
GET /api/v1/pubd/stale/:seconds pub-list

POST /api/v1/ta/proxy/init ca-admin
GET /api/v1/ta/proxy/id ca-admin
GET /api/v1/ta/proxy/repo ca-admin
POST /api/v1/ta/proxy/repo ca-admin
GET /api/v1/ta/proxy/repo/request.json ca-admin
GET /api/v1/ta/proxy/repo/request.xml ca-admin
POST /api/v1/ta/proxy/signer/add ca-admin
POST /api/v1/ta/proxy/signer/update ca-admin
GET /api/v1/ta/proxy/signer/request ca-admin
POST /api/v1/ta/proxy/signer/request ca-admin
POST /api/v1/ta/proxy/signer/response ca-admin
GET /api/v1/ta/proxy/children ca-admin
POST /api/v1/ta/proxy/children ca-admin
POST /api/v1/ta/proxy/children/:child ca-admin
DELETE /api/v1/ta/proxy/children/:child ca-admin
GET /api/v1/ta/proxy/children/:child/parent_response.json ca-admin
GET /api/v1/ta/proxy/children/:child/parent_response.xml ca-admin

GET /testbed/enabled -
POST /testbed/children -
DELETE /testbed/children/:child -
GET /testbed/children/:child/parent_response.xml -
POST /testbed/publishers -
DELETE /testbed/publishers/:publisher -
GET /testbed/publishers/:publisher/response.xml -

GET /auth/login -
POST /auth/login -
POST /auth/logout -
GET /auth/callback -
`

// additions lists the routes that only this server has. What stands below an
// older path needs what that path needs.
const additions = `
GET /health/active -
GET /api/v1/user login
GET /api/v1/tasks login
GET /api/v1/cas/:ca/issuing ca-read
POST /api/v1/cas/:ca/issuing/pause routes-update
POST /api/v1/cas/:ca/issuing/resume routes-update
POST /api/v1/tasks/:kind/retry ca-admin
GET /api/v1/cas/:ca/children ca-read
PUT /api/v1/cas/:ca/routes routes-update
PUT /api/v1/cas/:ca/aspas aspas-update
POST /api/v1/cas/:ca/force_reissue ca-update
GET /api/v1/cas/:ca/issuing ca-read
POST /api/v1/cas/:ca/issuing/pause routes-update
POST /api/v1/cas/:ca/issuing/resume routes-update
GET /api/v1/cas/:ca/ghostbusters ca-read
POST /api/v1/cas/:ca/ghostbusters ca-update
GET /api/v1/cas/:ca/rscs ca-read
POST /api/v1/cas/:ca/rscs ca-update
GET /api/v1/cas/:ca/rscs/:serial ca-read
DELETE /api/v1/cas/:ca/rscs/:serial ca-update
GET /api/v1/bulk/cas/import ca-admin
DELETE /api/v1/bulk/cas/import/:import ca-admin
POST /api/v1/bulk/cas/force_reissue ca-admin
GET /api/v1/ta/proxy/signer ca-admin
GET /api/v1/ta/proxy/issues login
`

// missing says why a route of the reference is not there. The longest part of
// method and path that fits counts.
var missing = map[string]string{}

// whyMissing gives the reason of the longest entry that a route begins with.
func whyMissing(route string) (reason string, ok bool) {
	best := -1
	for prefix, why := range missing {
		if len(prefix) > best && (route == prefix || strings.HasPrefix(route, prefix+"/")) {
			best, reason, ok = len(prefix), why, true
		}
	}
	return reason, ok
}

// listed reads a list of routes: "METHOD path" to permission, in order.
func listed(text string) (routes []string, permission map[string]string) {
	permission = map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 3 {
			route := f[0] + " " + f[1]
			routes = append(routes, route)
			permission[route] = strings.TrimPrefix(f[2], "-")
		}
	}
	return routes, permission
}
