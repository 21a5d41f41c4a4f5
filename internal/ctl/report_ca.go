package ctl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"baleen/api"
)

func caReport(r *report, ca api.CAInfo) {
	r.linef("Name: %s", ca.Handle)
	r.line("")
	if ca.RepoInfo == nil {
		r.line("No repository is configured yet.")
	} else {
		r.linef("Base uri: %s", ca.RepoInfo.SIABase)
		r.linef("RRDP uri: %s", orText(ca.RepoInfo.NotificationURI, none))
	}

	r.line("\nID cert PEM:")
	r.certificate(ca.IDCert.Base64)
	r.linef("Hash: %s", ca.IDCert.Hash)

	r.line("\nTotal resources:")
	r.resources("    ", ca.Resources)

	r.line("\nParents:")
	for _, parent := range ca.Parents {
		r.linef("Handle: %s Kind: RFC 6492 Parent", parent.Handle)
	}
	if len(ca.Parents) == 0 {
		r.line(none)
	}

	for _, name := range slices.Sorted(maps.Keys(ca.ResourceClasses)) {
		classReport(r, name, ca.ResourceClasses[name])
	}

	r.line("\nChildren:")
	for _, child := range slices.Sorted(slices.Values(ca.Children)) {
		r.line(child)
	}
	if len(ca.Children) == 0 {
		r.line(none)
	}
}

func classReport(r *report, name string, class api.ResourceClassInfo) {
	state, current := keyState(class.Keys)
	r.linef("\nResource Class: %s", name)
	r.linef("Parent: %s", class.ParentHandle)
	r.linef("State: %s", state)
	if current == nil {
		return
	}
	r.line("Resources:")
	r.resources("    ", current.IncomingCert.Resources)
}

// keyState names the state of a class and gives the key that signs, if there
// is one already.
func keyState(keys api.KeyState) (string, *api.CertifiedKeyInfo) {
	switch {
	case keys.Active != nil:
		return "active", &keys.Active.ActiveKey
	case keys.RollPending != nil:
		return "roll phase 1: pending and active key", &keys.RollPending.ActiveKey
	case keys.RollNew != nil:
		return "roll phase 2: new and active key", &keys.RollNew.ActiveKey
	case keys.RollOld != nil:
		return "roll phase 3: active and old key", &keys.RollOld.ActiveKey
	default:
		return "pending", nil
	}
}

func issuesReport(r *report, issues api.CAIssues) {
	if issues.RepoIssue == nil && len(issues.ParentIssues) == 0 {
		r.line("no issues found")
		return
	}
	if issues.RepoIssue != nil {
		r.linef("Repository Issue: %s", issues.RepoIssue.Msg)
	}
	for _, issue := range issues.ParentIssues {
		r.linef("Parent '%s' has issue: %s", issue.Parent, issue.Issue.Msg)
	}
}

func allIssuesReport(r *report, all api.AllCAIssues) {
	if len(all.CAs) == 0 {
		r.line("no issues found")
		return
	}
	for _, ca := range slices.Sorted(maps.Keys(all.CAs)) {
		r.linef("Found issue for CA '%s':", ca)
		issuesReport(r, all.CAs[ca])
	}
}

func tasksReport(r *report, answer api.TaskReport) {
	table := tabwriter.NewWriter(&r.b, 0, 0, 2, ' ', tabwriter.AlignRight)
	// A buffer takes every write.
	_, _ = fmt.Fprintln(table, "waiting\tdue\trunning\tfailing\tparked\t  task")
	for _, kind := range slices.Sorted(maps.Keys(answer.Kinds)) {
		n := answer.Kinds[kind]
		_, _ = fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%d\t  %s\n", n.Waiting, n.Due, n.Running, n.Failing, n.Parked, kind)
	}
	_ = table.Flush()

	for _, problem := range answer.Problems {
		next := "parked"
		if problem.RunAt != nil {
			next = "next try " + problem.RunAt.String()
		}
		what := strings.TrimSpace(problem.Kind + " " + problem.Key)
		r.linef("%s failed %d times (%s): %s: %s", what, problem.Failures, next, problem.Fault.Code, oneLine(problem.Fault.Msg))
	}
}
