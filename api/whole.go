package api

import "baleen/internal/rpki/resources"

// ROADifference is the answer to PUT /api/v1/cas/{ca}/routes: what led, or
// with dry_run would lead, from the routes that were configured to those of
// the request.
type ROADifference struct {
	Version   int64              `json:"version"` // of the CA, afterwards
	DryRun    bool               `json:"dry_run"` // nothing was changed
	Added     []ROAConfiguration `json:"added"`
	Removed   []ROAConfiguration `json:"removed"`
	Commented []ROACommentChange `json:"comment_changed"`
	Unchanged int64              `json:"unchanged"`        // how many routes
	Effect    []BGPAnalysisEntry `json:"effect,omitempty"` // on announcements in these prefixes; only if it was asked for
}

// ROACommentChange is a route whose comment is another one.
type ROACommentChange struct {
	ROAConfiguration
	Was *string `json:"comment_was"`
}

// ASPADifference is the answer to PUT /api/v1/cas/{ca}/aspas.
type ASPADifference struct {
	Version   int64            `json:"version"` // of the CA, afterwards
	DryRun    bool             `json:"dry_run"` // nothing was changed
	Added     []ASPADefinition `json:"added"`
	Removed   []ASPADefinition `json:"removed"`
	Updated   []ASPAChange     `json:"updated"`
	Unchanged int64            `json:"unchanged"` // how many definitions
}

// ASPAChange is a definition with other providers than before.
type ASPAChange struct {
	ASPADefinition
	AddedProviders   []uint32 `json:"added_providers"`
	RemovedProviders []uint32 `json:"removed_providers"`
}

// ChildList is the answer to GET /api/v1/cas/{ca}/children.
type ChildList struct {
	Children []ChildListItem `json:"children"`
}

// ChildListItem says what a child is entitled to.
type ChildListItem struct {
	Handle            string        `json:"handle"`
	State             string        `json:"state"` // active or suspended
	EntitledResources resources.Set `json:"entitled_resources"`
}
