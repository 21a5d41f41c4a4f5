package rest

import (
	"context"
	"errors"
	"slices"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// Bulk answers for all CAs at once, and for the issues of one.
type Bulk struct{ *Deps }

// Issues shows which exchanges of a CA failed last.
func (h Bulk) Issues(c echo.Context) error {
	issues, err := h.issuesOf(c.Request().Context(), c.Param(argCA))
	if err != nil {
		return err
	}
	if issues.ParentIssues, err = cut(c, issues.ParentIssues); err != nil {
		return err
	}
	return sendJSON(c, issues)
}

// AllIssues shows the same for every CA that has issues and that the user may
// read.
func (h Bulk) AllIssues(c echo.Context) error {
	ctx := c.Request().Context()
	handles, err := h.Service.Handles(ctx)
	if err != nil {
		return err
	}
	p, err := cursorOf(c.QueryParams())
	if err != nil {
		return err
	}
	slices.Sort(handles)
	last, skip := "", p.offset
	out := api.AllCAIssues{CAs: map[string]api.CAIssues{}}
	for _, handle := range startingAs(c, handles) {
		if handle <= p.after || UserOf(c).Check(CARead, handle) != nil {
			continue
		}
		issues, err := h.issuesOf(ctx, handle)
		if fault.Code(err) == "ca-unknown" { // deleted meanwhile
			continue
		}
		var f *fault.Error
		if fault.Code(err) == pgstore.CodeStreamBroken && errors.As(err, &f) {
			response := errorResponse(f)
			issues.RepoIssue, err = &response, nil
		}
		if err != nil {
			return err
		}
		switch {
		case issues.RepoIssue == nil && len(issues.ParentIssues) == 0:
		case skip > 0:
			skip--
		case p.limit >= 0 && len(out.CAs) == p.limit: // there are more
			if last != "" {
				linkNext(c, argAfter, last)
			}
			return sendJSON(c, out)
		default:
			out.CAs[handle], last = issues, handle
		}
	}
	return sendJSON(c, out)
}

func (h Bulk) issuesOf(ctx context.Context, handle string) (api.CAIssues, error) {
	out := api.CAIssues{ParentIssues: []api.ParentIssue{}}
	parents := map[string]bool{}
	err := h.Service.ViewCA(ctx, handle, func(st *ca.State, _ int64) error {
		for name := range st.Parents {
			parents[name] = true
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	statuses, err := h.Service.ParentStatuses(ctx, handle)
	if err != nil {
		return out, err
	}
	for _, s := range statuses {
		if s.Fault != nil && parents[s.Parent] {
			out.ParentIssues = append(out.ParentIssues, api.ParentIssue{Parent: s.Parent, Issue: *failure(s.Fault)})
		}
	}
	stream, err := h.Service.CAs.StreamID(ctx, handle)
	if err != nil {
		return out, err
	}
	x, contacted, err := h.Service.Rows.RepoStatus(ctx, stream)
	if err == nil && contacted && x.Fault != nil {
		out.RepoIssue = failure(x.Fault)
	}
	return out, err
}

// SyncParents asks all parents of every CA again, soon.
func (h Bulk) SyncParents(c echo.Context) error {
	return finish(c, h.Service.BulkSyncParents(c.Request().Context()))
}

// SyncRepositories compares every CA's repository with what it wants
// published, soon.
func (h Bulk) SyncRepositories(c echo.Context) error {
	return finish(c, h.Service.BulkSyncRepositories(c.Request().Context()))
}

// Suspend looks for children that have been silent for too long, now.
func (h Bulk) Suspend(c echo.Context) error {
	return finish(c, h.Service.BulkSuspend(c.Request().Context()))
}

// Publish re-issues the manifests and CRLs that are due.
func (h Bulk) Publish(c echo.Context) error {
	return finish(c, h.Service.BulkPublish(c.Request().Context(), false))
}

// ForcePublish re-issues all manifests and CRLs.
func (h Bulk) ForcePublish(c echo.Context) error {
	return finish(c, h.Service.BulkPublish(c.Request().Context(), true))
}
