package rest

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
)

// filterPage is how many commands are read at once to be filtered.
const filterPage = 1000

// historyFilter chooses commands. The zero value chooses all.
type historyFilter struct {
	actor, label string // exactly; empty: any
	failed       string // "true": the refused ones, "false": the others
	operators    bool   // not what the server did by itself
}

func historyFilterOf(c echo.Context) (historyFilter, error) {
	f := historyFilter{actor: c.QueryParam("actor"), label: c.QueryParam("label"), failed: c.QueryParam("failed")}
	f.operators = c.QueryParam("machine") == "false"
	if _, err := boolQuery(c, "failed"); err != nil {
		return f, err
	}
	_, err := boolQuery(c, "machine")
	return f, err
}

func (f historyFilter) chooses(cmd pgstore.StoredCommand) (bool, error) {
	switch {
	case f.actor != "" && cmd.Actor.Name != f.actor,
		f.failed == "true" && cmd.Fault == nil, f.failed == "false" && cmd.Fault != nil,
		f.operators && isMachine(cmd.Actor):
		return false, nil
	case f.label == "":
		return true, nil
	}
	d, err := describeCommand(cmd)
	return d.label == f.label, err
}

// isMachine says whether the server acted by itself.
func isMachine(a es.Actor) bool { return a.Name == "baleen" || strings.HasPrefix(a.Name, "task:") }

// historyReader gives a page of the history of a CA.
type historyReader func(ctx context.Context, handle string, q pgstore.HistoryQuery) (pgstore.HistoryPage, error)

// over reads through the history and gives a page of what the filter chooses.
func (f historyFilter) over(read historyReader) func(ctx context.Context, handle string, q pgstore.HistoryQuery) (pgstore.HistoryPage, error) {
	return func(ctx context.Context, handle string, q pgstore.HistoryQuery) (pgstore.HistoryPage, error) {
		out := pgstore.HistoryPage{Offset: q.Offset}
		for offset := 0; ; offset += filterPage {
			part, err := read(ctx, handle, pgstore.HistoryQuery{Rows: filterPage, Offset: offset, After: q.After, Before: q.Before})
			if err != nil {
				return out, err
			}
			for _, cmd := range part.Commands {
				chosen, err := f.chooses(cmd)
				if err != nil {
					return out, err
				}
				if !chosen {
					continue
				}
				if out.Total >= q.Offset && len(out.Commands) < q.Rows {
					out.Commands = append(out.Commands, cmd)
				}
				out.Total++
			}
			if len(part.Commands) == 0 || offset+len(part.Commands) >= part.Total {
				return out, nil
			}
		}
	}
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
