package rest

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// History answers for what was done to a CA.
type History struct{ *Deps }

const (
	defaultRows = 100
	// Times below this are taken for seconds: as milliseconds they would be in
	// the years before 1973, as seconds they reach the year 5138.
	maxSeconds = 100_000_000_000
)

// Commands lists the commands of a CA, oldest first, refused ones included.
// The creation is not listed. The query chooses: machine=false leaves out what
// the server did by itself, actor, label and failed name what is to be listed.
func (h History) Commands(c echo.Context) error {
	q, err := historyQuery(c)
	if err != nil {
		return err
	}
	if q.Choice, err = historyChoice(c); err != nil {
		return err
	}
	page, err := h.Service.History(c.Request().Context(), c.Param(argCA), q)
	if err != nil {
		return err
	}
	count(c, page.Total)
	if next := q.Offset + len(page.Commands); len(page.Commands) > 0 && next < page.Total {
		linkHistory(c, q, next)
	}
	out := api.CommandHistory{Offset: page.Offset, Total: page.Total, Commands: make([]api.CommandSummary, len(page.Commands))}
	for i, cmd := range page.Commands {
		if out.Commands[i], err = commandSummary(c.Param(argCA), cmd); err != nil {
			return err
		}
	}
	return sendJSON(c, out)
}

// historyQuery reads rows, offset, after and before from the path, in this
// order; those at the end may be missing.
func historyQuery(c echo.Context) (pgstore.HistoryQuery, error) {
	q := pgstore.HistoryQuery{Rows: defaultRows}
	given := c.ParamNames()
	for _, name := range given {
		if name == argCA {
			continue
		}
		n, err := intArg(c, name)
		if err != nil {
			return q, err
		}
		switch name {
		case "rows", "offset":
			if n < 0 {
				return q, echo.ErrNotFound
			}
			to := &q.Rows
			if name == "offset" {
				to = &q.Offset
			}
			*to = int(min(n, math.MaxInt32))
		case "after":
			at := instant(n, 0)
			q.After = &at
		case "before":
			at := instant(n, time.Second-time.Millisecond).Add(time.Millisecond - time.Microsecond)
			q.Before = &at
		}
	}
	p, err := pageOf(c.QueryParams())
	if err != nil {
		return q, err
	}
	if p.limit >= 0 && !slices.Contains(given, "rows") {
		q.Rows = p.limit
	}
	if p.offset > 0 && !slices.Contains(given, "offset") {
		q.Offset = p.offset
	}
	return q, nil
}

// instant reads a time of the path: milliseconds, or seconds by its size, as
// some clients send them. rest is what a whole second has beside its first
// millisecond.
func instant(n int64, rest time.Duration) time.Time {
	if -maxSeconds < n && n < maxSeconds {
		return time.Unix(n, 0).UTC().Add(rest)
	}
	const first, last = -62_135_596_800_000, 253_402_300_799_999 // years 1 to 9999
	return time.UnixMilli(min(max(n, first), last)).UTC()
}

func commandSummary(handle string, cmd pgstore.StoredCommand) (api.CommandSummary, error) {
	d, err := describeCommand(cmd)
	if err != nil {
		return api.CommandSummary{}, err
	}
	out := api.CommandSummary{
		Actor: cmd.Actor.Name, Timestamp: cmd.At.UnixMilli(), Handle: handle, Version: cmd.Version,
		Summary: api.Summary{Msg: d.msg, Label: d.label, Args: d.args}, Effect: api.SummaryEffect{Init: cmd.Version == 0},
	}
	if cmd.Fault != nil {
		out.Effect.Error = &cmd.Fault.Msg
	}
	return out, nil
}

// Details shows one command with its events; version 0 is the creation.
func (h History) Details(c echo.Context) error {
	handle := c.Param(argCA)
	wanted, err := strconv.ParseUint(c.Param("version"), 10, 64)
	if err != nil {
		return echo.ErrNotFound
	}
	if wanted > math.MaxInt64 {
		return historyUnknown(handle, c.Param("version"))
	}
	ctx := c.Request().Context()
	cmd, err := h.Service.CommandAt(ctx, handle, int64(wanted))
	if fault.Code(err) == pgstore.CodeVersionUnknown {
		return historyUnknown(handle, c.Param("version"))
	}
	if err != nil {
		return err
	}
	ders, err := h.objects(ctx, namedObjects(cmd.Events))
	if err != nil {
		return err
	}
	out, err := commandDetails(handle, cmd, ders)
	if err != nil {
		return err
	}
	return sendJSON(c, out)
}

// historyUnknown is the refusal for a version that a CA never had.
func historyUnknown(handle, version string) error {
	return &fault.Error{
		Kind: fault.NotFound, Code: "history-unknown", Args: map[string]string{"ca": handle, "version": version},
		Msg: "CA '" + handle + "' has no command with version " + version,
	}
}

func commandDetails(handle string, cmd pgstore.StoredCommand, ders map[ca.Hash][]byte) (api.CommandDetails, error) {
	d, err := describeCommand(cmd)
	if err != nil {
		return api.CommandDetails{}, err
	}
	out := api.CommandDetails{
		Actor: cmd.Actor.Name, Time: api.Time{Time: cmd.At}, Handle: handle, Version: cmd.Version, Msg: d.msg,
		Effect: api.DetailsEffect{Result: "success"},
	}
	if out.Details, err = typed(d.kind, d.fields); err != nil {
		return out, err
	}
	switch {
	case cmd.Fault != nil:
		out.Effect = api.DetailsEffect{Result: "error", Msg: cmd.Fault.Msg}
	case cmd.Version == 0:
		out.Effect.Result = "init"
		out.Effect.Init, err = describeInit(cmd.Events)
	default:
		out.Effect.Events, err = describeEvents(cmd.Events, cmd.At, ders)
	}
	return out, err
}
