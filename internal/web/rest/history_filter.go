package rest

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/internal/es/pgstore"
)

// historyChoice reads from the query what is to be listed.
func historyChoice(c echo.Context) (pgstore.HistoryChoice, error) {
	out := pgstore.HistoryChoice{Actor: c.QueryParam("actor"), Asked: c.QueryParam("machine") == "false"}
	if _, err := boolQuery(c, "failed"); err != nil {
		return out, err
	}
	switch c.QueryParam("failed") {
	case "true":
		out.Outcome = pgstore.OutcomeRefused
	case "false":
		out.Outcome = pgstore.OutcomeOK
	}
	if label := c.QueryParam("label"); label != "" {
		out.Kinds = kindsOf(label)
	}
	_, err := boolQuery(c, "machine")
	return out, err
}

// What update_child asks for, one thing or several: see describeUpdateChild.
const (
	hasID        = `exists($.id_cert ? (@ != null && @ != ""))`
	hasResources = `exists($.resources ? (@ != null))`
	hasMapping   = `exists($.class ? (@ != null))`
	hasSuspend   = `exists($.suspend ? (@ != null))`

	onlyID        = hasID + ` && !` + hasResources + ` && !` + hasMapping + ` && !` + hasSuspend
	onlyResources = hasResources + ` && !` + hasID + ` && !` + hasMapping + ` && !` + hasSuspend
	onlyMapping   = hasMapping + ` && !` + hasID + ` && !` + hasResources + ` && !` + hasSuspend
)

// oneCert is what record_child_certs asks for as an answer to a child: see
// describeChildCerts.
const oneCert = `$.issued.size() == 1 && exists($.issued[*] ? (@ != null)) && !exists($.revoked[*] ? (@ != null))`

// historyLabels says which commands are behind a label: the reverse of
// describeCommand, in words that the database understands.
var historyLabels = map[string][]pgstore.CommandKind{
	"cmd-ca-init":                      command("init"),
	"cmd-ca-child-add":                 command("add_child"),
	"cmd-ca-child-update":              {{Name: "update_child", Payload: "!(" + onlyID + ") && !(" + onlyResources + ") && !(" + onlyMapping + ")"}},
	"cmd-ca-child-update-id":           {{Name: "update_child", Payload: onlyID}},
	"cmd-ca-child-update-res":          {{Name: "update_child_resources"}, {Name: "update_child", Payload: onlyResources}},
	"cmd-ca-child-update-rcn-mapping":  {{Name: "update_child", Payload: onlyMapping}},
	"cmd-ca-child-suspend-inactive":    command("suspend_child"),
	"cmd-ca-child-unsuspend":           command("unsuspend_child"),
	"cmd-ca-child-certify":             {{Name: "record_child_certs", Payload: oneCert}},
	"cmd-ca-child-certificates-update": {{Name: "record_child_certs", Payload: "!(" + oneCert + ")"}},
	"cmd-ca-child-remove":              command("remove_child"),
	"cmd-ca-child-import":              command("import_child"),
	"cmd-ca-child-revoke":              command("revoke_child_key"),
	"cmd-ca-roas-updated":              command("configure_roas"),
	"cmd-ca-roas-issued":               command("record_roas"),
	"cmd-ca-parent-add":                {{Name: "set_parent", NoEvent: "parent_updated"}},
	"cmd-ca-parent-update":             {{Name: "set_parent", Event: "parent_updated"}},
	"cmd-ca-parent-remove":             command("remove_parent"),
	"cmd-ca-parent-entitlements":       command("update_entitlements"),
	"cmd-ca-repo-update":               command("configure_repository"),
	"cmd-ca-repo-leave":                command("leave_repository"),
	"cmd-ca-rcn-receive":               command("receive_certificate"),
	"cmd-ca-rc-drop":                   {{Name: "drop_key", NoEvent: "key_roll_abandoned"}},
	"cmd-ca-keyroll-abandon":           {{Name: "drop_key", Event: "key_roll_abandoned"}},
	"cmd-ca-keyroll-init":              command("initiate_key_roll"),
	"cmd-ca-keyroll-activate":          command("activate_key_roll"),
	"cmd-ca-keyroll-switch":            command("switch_keys"),
	"cmd-ca-keyroll-revoke":            command("request_revocation"),
	"cmd-ca-keyroll-finish":            {{Name: "finish_revocation", NoEvent: "unexpected_key_revoked"}},
	"cmd-ca-unexpected-key-revoke":     {{Name: "finish_revocation", Event: "unexpected_key_revoked"}},
	"cmd-ca-generate-new-id":           command("renew_identity"),
	"cmd-ca-force-reissue":             command("force_reissue"),
	"cmd-ca-restore-noted":             command("note_restore"),
	"cmd-ca-issuing-pause":             command("pause_issuing"),
	"cmd-ca-issuing-resume":            command("resume_issuing"),
	"cmd-ca-delete":                    command("delete"),
	"cmd-ca-aspas-update":              command("configure_aspas"),
	"cmd-ca-aspas-update-existing":     command("update_aspa"),
	"cmd-ca-aspas-issued":              command("record_aspas"),
	"cmd-bgpsec-update":                command("configure_router_keys"),
	"cmd-bgpsec-issued":                command("record_router_certs"),
	"cmd-ca-ghostbusters-update":       command("configure_ghostbusters"),
	"cmd-ca-ghostbusters-issued":       command("record_ghostbusters"),
	"cmd-ca-rsc-sign":                  command("sign_checklist"),
	"cmd-ca-rsc-revoke":                command("revoke_checklist"),
	"cmd-ca-rscs-revoked":              command("revoke_checklists"),
}

func command(name string) []pgstore.CommandKind { return []pgstore.CommandKind{{Name: name}} }

// kindsOf gives the commands behind a label. Those that another program stored
// have labels made of their names.
func kindsOf(label string) []pgstore.CommandKind {
	if kinds, ok := historyLabels[label]; ok {
		return kinds
	}
	name := strings.ReplaceAll(strings.TrimPrefix(label, "cmd-"), "-", "_")
	cmd := pgstore.StoredCommand{Name: name, Payload: json.RawMessage("{}")}
	if d, err := describeCommand(cmd); err != nil || d.label != label {
		return []pgstore.CommandKind{}
	}
	return command(name)
}

// linkHistory tells where the next page is: the path says the same as before,
// but for the offset.
func linkHistory(c echo.Context, q pgstore.HistoryQuery, offset int) {
	path, query := c.Request().URL.Path, url.Values{}
	for k, v := range c.QueryParams() {
		query[k] = v
	}
	names := c.ParamNames()
	if len(names) > 2 { // the CA, rows and offset, perhaps more
		parts := strings.Split(path, "/")
		parts[len(parts)-len(names)+2] = strconv.Itoa(offset)
		path = strings.Join(parts, "/")
		query.Del(argOffset)
	} else {
		query.Set(argOffset, strconv.Itoa(offset))
	}
	if len(names) < 2 {
		query.Set(argLimit, strconv.Itoa(q.Rows))
	}
	next := url.URL{Path: path, RawQuery: query.Encode()}
	c.Response().Header().Set("Link", "<"+next.String()+`>; rel="next"`)
}
