package rest

import (
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/service"
)

// Issues shows which exchanges of a CA failed last.
func (h Bulk) Issues(c echo.Context) error {
	found, err := h.Service.Issues(c.Request().Context(), c.Param(argCA))
	if err != nil {
		return err
	}
	issues := issuesOf(found)
	if issues.ParentIssues, err = cut(c, issues.ParentIssues); err != nil {
		return err
	}
	return sendJSON(c, issues)
}

// AllIssues shows the same for every CA that has issues and that the user may
// read.
func (h Bulk) AllIssues(c echo.Context) error {
	p, err := cursorOf(c.QueryParams())
	if err != nil {
		return err
	}
	begin, may := c.QueryParam("handle_prefix"), mayRead(c)
	list, err := h.Service.AllIssues(c.Request().Context(), func(handle string) bool {
		return handle > p.after && strings.HasPrefix(handle, begin) && may(handle)
	})
	if err != nil {
		return err
	}
	from, to := p.of(len(list), 0)
	if to < len(list) && to > from {
		linkNext(c, argAfter, list[to-1].CA)
	}
	out := api.AllCAIssues{CAs: make(map[string]api.CAIssues, to-from)}
	for _, i := range list[from:to] {
		out.CAs[i.CA] = issuesOf(i)
	}
	return sendJSON(c, out)
}

// mayRead says which CAs the user may read. Every list of CAs goes through it.
func mayRead(c echo.Context) func(handle string) bool {
	user := UserOf(c)
	return func(handle string) bool { return user.Check(CARead, handle) == nil }
}

func issuesOf(i service.CAIssues) api.CAIssues {
	out := api.CAIssues{RepoIssue: failure(i.Repo), ParentIssues: []api.ParentIssue{}}
	for _, p := range i.Parents {
		out.ParentIssues = append(out.ParentIssues, api.ParentIssue{Parent: p.Peer, Issue: *failure(&p.Fault)})
	}
	if i.Broken != nil {
		response := errorResponse(i.Broken.Fault())
		out.RepoIssue = &response
	}
	return out
}

// Issues shows what keeps the trust anchor from being well.
func (h TAProxy) Issues(c echo.Context) error {
	found, err := h.Service.TA().Issues(c.Request().Context())
	if err != nil {
		return err
	}
	out := api.TAIssues{Issues: []api.ErrorResponse{}}
	if !found.NextUpdate.IsZero() {
		out.NextUpdate, out.NotAfter = &api.Time{Time: found.NextUpdate}, &api.Time{Time: found.NotAfter}
	}
	for _, i := range found.Issues {
		out.Issues = append(out.Issues, *failure(&i))
	}
	return sendJSON(c, out)
}
