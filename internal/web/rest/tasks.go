package rest

import (
	"context"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/tasks"
)

// Tasks answers for the queue.
type Tasks struct{ *Deps }

const (
	taskPage    = 1000 // rows read at once
	mostProblem = 1000 // problems shown at most
)

// Report counts the tasks by kind and shows those that failed last time.
func (h Tasks) Report(c echo.Context) error {
	ctx := c.Request().Context()
	stats, err := tasks.Stats(ctx, h.Service.DB, h.Now())
	if err != nil {
		return err
	}
	out := api.TaskReport{Kinds: make(map[string]api.TaskCounts, len(stats)), Problems: []api.TaskProblem{}}
	failed := 0
	for _, k := range stats {
		out.Kinds[k.Kind] = api.TaskCounts{
			Waiting: int64(k.Waiting), Due: int64(k.Due), Running: int64(k.Running), Failing: int64(k.Failing), Parked: int64(k.Parked),
		}
		failed += k.Failing + k.Parked
	}
	if failed > 0 {
		if out.Problems, err = h.problems(ctx); err != nil {
			return err
		}
	}
	out.Problems = slices.DeleteFunc(out.Problems, func(p api.TaskProblem) bool { return !UserOf(c).mayKnow(p) })
	if kind := c.QueryParam("kind"); kind != "" {
		out.Problems = slices.DeleteFunc(out.Problems, func(p api.TaskProblem) bool { return p.Kind != kind })
	}
	if out.Problems, err = cut(c, out.Problems); err != nil {
		return err
	}
	return sendJSON(c, out)
}

// mayKnow says whether a user may hear of a problem: one whose role is bound to
// some CAs, of those only.
func (u User) mayKnow(p api.TaskProblem) bool {
	if !u.role.Bound() {
		return true
	}
	ofCA := strings.HasPrefix(p.Kind, "ca_") || strings.HasPrefix(p.Kind, "repo_") || p.Kind == "keys_destroy"
	ca, _, _ := strings.Cut(p.Key, " ")
	return ofCA && u.Check(CARead, ca) == nil
}

// Retry has a task run now that waits, backs off or is parked: the kind stands
// in the path, the key in the query.
func (h Tasks) Retry(c echo.Context) error {
	return finish(c, h.Service.RetryTask(c.Request().Context(), c.Param("kind"), c.QueryParam("key")))
}

// problems looks through the queue for tasks that failed.
func (h Tasks) problems(ctx context.Context) ([]api.TaskProblem, error) {
	out := []api.TaskProblem{}
	for offset := 0; ; offset += taskPage {
		rows, err := tasks.List(ctx, h.Service.DB, taskPage, offset)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if r.LastFault != nil && len(out) < mostProblem {
				out = append(out, taskProblem(r))
			}
		}
		if len(rows) < taskPage || len(out) == mostProblem {
			return out, nil
		}
	}
}

func taskProblem(r tasks.Row) api.TaskProblem {
	p := api.TaskProblem{Kind: r.Kind, Key: r.Key, Failures: int64(r.Failures), Fault: api.TaskFault(*r.LastFault)}
	if !r.RunAt.IsZero() {
		p.RunAt = &api.Time{Time: r.RunAt}
	}
	return p
}
