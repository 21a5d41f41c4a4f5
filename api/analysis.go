package api

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Announcement is a route that is seen announced.
type Announcement struct {
	ASN    uint32 `json:"asn"`
	Prefix Prefix `json:"prefix"`
}

// String gives the text form, such as "10.0.0.0/16 by AS64496".
func (a Announcement) String() string { return a.Prefix.String() + " by " + ASText(a.ASN) }

// BGPAnalysisReport is the answer to GET
// /api/v1/cas/{ca}/routes/analysis/full: what is found of each ROA and each
// announcement, by state, prefix, maximum length and AS.
type BGPAnalysisReport []BGPAnalysisEntry

// BGPAnalysisEntry is what is found of one ROA, if there is one, or else of
// one announcement. In JSON its fields stand beside the others.
type BGPAnalysisEntry struct {
	ROA          *ConfiguredROA
	Announcement Announcement
	BGPFindings
}

// BGPFindings is a state, and what it comes from.
type BGPFindings struct {
	State           string         `json:"state"` // "roa_…" or "announcement_…"
	AllowedBy       *ROAPayload    `json:"allowed_by,omitempty"`
	DisallowedBy    []ROAPayload   `json:"disallowed_by,omitempty"`
	MadeRedundantBy []ROAPayload   `json:"made_redundant_by,omitempty"`
	Authorizes      []Announcement `json:"authorizes,omitempty"`
	Disallows       []Announcement `json:"disallows,omitempty"`
}

type roaEntry struct {
	ConfiguredROA
	BGPFindings
}

type announcementEntry struct {
	Announcement
	BGPFindings
}

// MarshalJSON writes either form.
func (e BGPAnalysisEntry) MarshalJSON() ([]byte, error) {
	if e.ROA != nil {
		return Marshal(roaEntry{*e.ROA, e.BGPFindings})
	}
	return Marshal(announcementEntry{e.Announcement, e.BGPFindings})
}

// UnmarshalJSON reads either form: the state says which it is. No prefix may be
// missing.
func (e *BGPAnalysisEntry) UnmarshalJSON(data []byte) error {
	var in roaEntry
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if !in.Prefix.IsValid() || !in.complete() {
		return errors.New("an entry of the analysis lacks a prefix")
	}
	*e = BGPAnalysisEntry{BGPFindings: in.BGPFindings}
	if strings.HasPrefix(in.State, "roa_") {
		e.ROA = &in.ConfiguredROA
	} else {
		e.Announcement = Announcement{ASN: in.ASN, Prefix: in.Prefix}
	}
	return nil
}

// complete says whether every route in it has a prefix.
func (f BGPFindings) complete() bool {
	noROA := func(r ROAPayload) bool { return !r.Prefix.IsValid() }
	noRoute := func(a Announcement) bool { return !a.Prefix.IsValid() }
	return (f.AllowedBy == nil || f.AllowedBy.Prefix.IsValid()) &&
		!slices.ContainsFunc(f.DisallowedBy, noROA) && !slices.ContainsFunc(f.MadeRedundantBy, noROA) &&
		!slices.ContainsFunc(f.Authorizes, noRoute) && !slices.ContainsFunc(f.Disallows, noRoute)
}

// BGPAnalysisSuggestion is the answer to /api/v1/cas/{ca}/routes/analysis/suggest:
// each ROA and announcement by what should be done about it.
type BGPAnalysisSuggestion struct {
	Stale           []ConfiguredROA  `json:"stale,omitempty"`            // remove
	NotFound        []Announcement   `json:"not_found,omitempty"`        // add
	InvalidASN      []Announcement   `json:"invalid_asn,omitempty"`      // add
	InvalidLength   []Announcement   `json:"invalid_length,omitempty"`   // add
	TooPermissive   []ROAReplacement `json:"too_permissive,omitempty"`   // replace
	Disallowing     []ConfiguredROA  `json:"disallowing,omitempty"`      // look at
	Redundant       []ConfiguredROA  `json:"redundant,omitempty"`        // remove
	NotHeld         []ConfiguredROA  `json:"not_held,omitempty"`         // look at
	AS0Redundant    []ConfiguredROA  `json:"as0_redundant,omitempty"`    // remove
	Keep            []ConfiguredROA  `json:"keep,omitempty"`             // leave
	KeepDisallowing []Announcement   `json:"keep_disallowing,omitempty"` // leave
}

// ROAReplacement puts exact ROAs in the place of one that allows too much.
type ROAReplacement struct {
	Current ConfiguredROA `json:"current"`
	New     []ROAPayload  `json:"new"`
}

// BGPAnalysisAdvice is the answer to POST /api/v1/cas/{ca}/routes/try if the
// update was not made.
type BGPAnalysisAdvice struct {
	Effect     BGPAnalysisReport     `json:"effect"`     // of the update
	Suggestion BGPAnalysisSuggestion `json:"suggestion"` // for the configuration as it is
}
