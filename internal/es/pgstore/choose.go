package pgstore

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"baleen/internal/postgres/pgq"
)

// HistoryChoice chooses commands of a history. The zero value chooses all.
type HistoryChoice struct {
	Actor   string // by exactly this one; empty: by whomever
	Outcome string // OutcomeOK or OutcomeRefused; empty: either
	Asked   bool   // not what the server did by itself: actor baleen, or task:…

	// Kinds are what was commanded: one of them. Nil: whatever.
	Kinds []CommandKind
}

// CommandKind is a command by its name and, where one name stands for
// several, by what it asked for or by what happened.
type CommandKind struct {
	Name    string
	Payload string // SQL/JSON path predicate that its payload fulfils; empty: any
	Event   string // name without form of an event it caused; empty: any
	NoEvent string // name without form of an event it did not cause; empty: any
}

// all says whether nothing is chosen.
func (q HistoryQuery) all() bool {
	c := q.Choice
	return q.After == nil && q.Before == nil && c.Actor == "" && c.Outcome == "" && !c.Asked && c.Kinds == nil
}

// chooser writes the statements that choose from one stream's history, up to
// one version. Every part of the log has statements of its own, and every kind
// of command: each then has its index, in the order of the versions.
//
// The statements differ with what is chosen, which the statement compiler
// cannot read. They hold no text of a caller, only places for arguments.
type chooser struct {
	HistoryQuery

	stream pgq.GetStreamRow
	args   []any
}

// The two parts of the log.
var logParts = []struct{ commands, events string }{{"es_command", "es_event"}, {"archive.es_command", "archive.es_event"}}

func newChooser(q HistoryQuery, stream pgq.GetStreamRow) *chooser {
	return &chooser{HistoryQuery: q, stream: stream}
}

// arg gives the place of an argument.
func (c *chooser) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

// parts are the statements that together choose the versions.
func (c *chooser) parts() []string {
	kinds := c.Choice.Kinds
	if kinds == nil {
		kinds = []CommandKind{{}}
	}
	common := c.common()
	var out []string
	for _, part := range logParts {
		for _, kind := range kinds {
			where := append([]string{common}, c.kind(kind, part.events)...)
			out = append(out, "SELECT c.version FROM "+part.commands+" c WHERE "+strings.Join(where, " AND "))
		}
	}
	return out
}

// common are the conditions that do not tell one kind of command from another.
func (c *chooser) common() string {
	where := []string{"c.stream_id = " + c.arg(c.stream.ID), "c.version BETWEEN 1 AND " + c.arg(c.stream.Version)}
	if c.After != nil {
		where = append(where, "c.at >= "+c.arg(*c.After))
	}
	if c.Before != nil {
		where = append(where, "c.at <= "+c.arg(*c.Before))
	}
	if c.Choice.Actor != "" {
		where = append(where, "c.actor = "+c.arg(c.Choice.Actor))
	}
	switch c.Choice.Outcome {
	case OutcomeRefused:
		where = append(where, "c.outcome = 'refused'")
	case OutcomeOK:
		where = append(where, "c.outcome = 'ok'")
	}
	if c.Choice.Asked { // in the words of the index
		where = append(where, "c.actor <> 'baleen' AND c.actor NOT LIKE 'task:%'")
	}
	return strings.Join(where, " AND ")
}

func (c *chooser) kind(k CommandKind, events string) []string {
	if c.Choice.Kinds == nil {
		return nil
	}
	where := []string{"c.name = " + c.arg(k.Name)}
	if k.Payload != "" {
		where = append(where, "c.payload @@ "+c.arg(k.Payload)+"::text::jsonpath")
	}
	caused := func(name string) string {
		return "EXISTS (SELECT FROM " + events + " e WHERE e.stream_id = c.stream_id AND e.version = c.version AND split_part(e.name, '/', 1) = " + c.arg(name) + ")"
	}
	if k.Event != "" {
		where = append(where, caused(k.Event))
	}
	if k.NoEvent != "" {
		where = append(where, "NOT "+caused(k.NoEvent))
	}
	return where
}

// counting gives the statement that counts what is chosen.
func (c *chooser) counting() (text string, args []any) {
	c.args = nil
	parts := c.parts()
	for i, p := range parts {
		parts[i] = "(SELECT count(*) FROM (" + p + ") p)"
	}
	return "SELECT " + strings.Join(parts, " + "), c.args
}

// paging gives the statement that finds the versions of the page: of each part
// its beginning, up to the end of the page, in the order of an index. Only the
// versions of a time stand in none: they are found first, and sorted then.
func (c *chooser) paging() (text string, args []any) {
	c.args = nil
	parts := c.parts()
	beginning := " ORDER BY version LIMIT " + c.arg(int64(c.Offset)+int64(c.Rows)) + ")"
	for i, p := range parts {
		if c.After != nil || c.Before != nil {
			p = "SELECT t.version FROM (" + p + " OFFSET 0) t"
		}
		parts[i] = "(" + p + beginning
	}
	text = "SELECT u.version FROM (" + strings.Join(parts, " UNION ALL ") + ") u ORDER BY u.version LIMIT " + c.arg(int64(c.Rows))
	return text + " OFFSET " + c.arg(int64(c.Offset)), c.args
}

// choose counts what a query chooses, and finds the versions of the page.
func (st *Store[S]) choose(ctx context.Context, q HistoryQuery, stream pgq.GetStreamRow) (total int, versions []int64, err error) {
	if total, err = st.countChosen(ctx, q, stream); err != nil || q.Rows <= 0 || q.Offset >= total {
		return total, nil, err
	}
	text, args := newChooser(q, stream).paging()
	rows, err := st.DB.Query(ctx, text, args...)
	if err != nil {
		return total, nil, err
	}
	versions, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	return total, versions, err
}

// countChosen counts what a query chooses. Nearly everything succeeds: what did
// is counted as what did not.
func (st *Store[S]) countChosen(ctx context.Context, q HistoryQuery, stream pgq.GetStreamRow) (int, error) {
	switch {
	case q.all():
		return int(stream.Version), nil // versions have no gaps
	case q.Choice.Kinds != nil && len(q.Choice.Kinds) == 0:
		return 0, nil
	}
	if q.Choice.Outcome == OutcomeOK {
		either, refused := q, q
		either.Choice.Outcome, refused.Choice.Outcome = "", OutcomeRefused
		n, err := st.countChosen(ctx, either, stream)
		if err != nil {
			return 0, err
		}
		not, err := st.countChosen(ctx, refused, stream)
		return n - not, err
	}
	text, args := newChooser(q, stream).counting()
	var n int64
	err := st.DB.QueryRow(ctx, text, args...).Scan(&n)
	return int(n), err
}
