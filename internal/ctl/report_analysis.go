package ctl

import (
	"fmt"

	"baleen/api"
)

// analysisSections are the states in the order of the report.
var analysisSections = []struct{ state, title string }{
	{"roa_seen", "ROAs that cover announcements seen:"},
	{"roa_redundant", "ROAs that are redundant:"},
	{"roa_unseen", "ROAs for which nothing is seen:"},
	{"roa_not_held", "ROAs for prefixes that the CA does not hold:"},
	{"roa_disallowing", "ROAs that only make announcements invalid:"},
	{"roa_too_permissive", "ROAs that allow more than is seen:"},
	{"roa_as0", "ROAs for AS0:"},
	{"roa_as0_redundant", "ROAs for AS0 that are redundant:"},
	{"announcement_valid", "Announcements that are valid:"},
	{"announcement_invalid_length", "Announcements that are too specific:"},
	{"announcement_invalid_asn", "Announcements by an AS that is not authorised:"},
	{"announcement_disallowed", "Announcements that ROAs for AS0 disallow:"},
	{"announcement_not_found", "Announcements that no ROA covers:"},
}

func analysisReport(r *report, answer api.BGPAnalysisReport) {
	byState := map[string][]api.BGPAnalysisEntry{}
	for _, e := range answer {
		byState[e.State] = append(byState[e.State], e)
	}
	if len(byState["roa_no_announcement_info"]) > 0 {
		r.line("No announcements are known to the server, so that nothing can be compared.")
		return
	}
	for _, section := range analysisSections {
		entries := byState[section.state]
		if len(entries) == 0 {
			continue
		}
		r.line(section.title)
		for _, e := range entries {
			entryReport(r, e)
		}
		r.line("")
	}
	if len(answer) == 0 {
		r.line(none)
	}
}

func entryReport(r *report, e api.BGPAnalysisEntry) {
	if e.ROA == nil {
		r.linef("  %s", e.Announcement)
	} else {
		r.linef("  %s", oneLine(e.ROA.String()))
	}
	if e.AllowedBy != nil {
		r.linef("    allowed by: %s", e.AllowedBy)
	}
	part(r, "    ", "disallowed by:", e.DisallowedBy)
	part(r, "    ", "made redundant by:", e.MadeRedundantBy)
	part(r, "    ", "allows:", e.Authorizes)
	part(r, "    ", "disallows:", e.Disallows)
}

// part writes a list, if there is anything in it.
func part[E fmt.Stringer](r *report, indent, title string, list []E) {
	if len(list) == 0 {
		return
	}
	r.line(indent + title)
	for _, item := range list {
		r.line(indent + "  " + oneLine(item.String()))
	}
	if indent == "" {
		r.line("")
	}
}

func suggestionReport(r *report, s api.BGPAnalysisSuggestion) {
	before := r.b.Len()
	part(r, "", "Remove, for nothing is seen:", s.Stale)
	if len(s.TooPermissive) > 0 {
		r.line("Replace, for more is allowed than is seen:")
		for _, replacement := range s.TooPermissive {
			r.linef("  %s", oneLine(replacement.Current.String()))
			part(r, "    ", "by:", replacement.New)
		}
		r.line("")
	}
	part(r, "", "Remove, for AS0 is redundant where there are other ROAs:", s.AS0Redundant)
	part(r, "", "Remove, for another ROA allows the same:", s.Redundant)
	part(r, "", "Look at, for the CA does not hold the prefix:", s.NotHeld)
	part(r, "", "Look at, for they only make announcements invalid:", s.Disallowing)
	part(r, "", "Keep:", s.Keep)
	part(r, "", "Keep disallowing:", s.KeepDisallowing)
	part(r, "", "Add, for no ROA covers the announcement:", s.NotFound)
	part(r, "", "Add, for the announcement is too specific:", s.InvalidLength)
	part(r, "", "Add, for the AS is not authorised:", s.InvalidASN)
	if r.b.Len() == before {
		r.line(none)
	}
}
