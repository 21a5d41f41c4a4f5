package pgstore_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
)

// longHistory makes a stream of n commands, as a server writes them by itself: every tenth is asked for by a person,
// every hundredth refused, every thousandth by another person and of another name. It goes around the store, which
// would take too long; the first half is in the archive.
func longHistory(tb testing.TB, st *store, handle string, n int) {
	tb.Helper()
	mustBegin(tb, st, handle)
	const fill = `
INSERT INTO %[1]s (stream_id, version, at, actor, name, payload, outcome, fault, epoch, hash)
SELECT s.id, v, s.created_at + v * interval '1 minute',
       CASE WHEN v %% 1000 = 0 THEN 'user:eve' WHEN v %% 10 = 0 THEN 'user:bob' ELSE 'task:meet' END,
       CASE WHEN v %% 1000 = 0 THEN 'rename' ELSE 'meet' END, jsonb_build_object('friend', v::text, 'spend', 1),
       CASE WHEN v %% 100 = 0 THEN 'refused' ELSE 'ok' END, CASE WHEN v %% 100 = 0 THEN '{"code":"c","msg":"m"}'::jsonb END, 1, sha256(v::text::bytea)
FROM es_stream s, generate_series($2::bigint, $3::bigint) v WHERE s.handle = $1`
	const events = `INSERT INTO %s (stream_id, version, ordinal, name, payload)
SELECT c.stream_id, c.version, 0, 'spent/1', '{"amount":1}' FROM %s c JOIN es_stream s ON s.id = c.stream_id
WHERE s.handle = $1 AND c.outcome = 'ok' AND c.version > 0`
	half := n / 2
	for _, step := range []struct {
		text string
		args []any
	}{
		{fmt.Sprintf(fill, "archive.es_command"), []any{handle, 1, half}},
		{fmt.Sprintf(fill, "es_command"), []any{handle, half + 1, n}},
		{fmt.Sprintf(events, "archive.es_event", "archive.es_command"), []any{handle}},
		{fmt.Sprintf(events, "es_event", "es_command"), []any{handle}},
		{"UPDATE es_stream SET version = $2 WHERE handle = $1", []any{handle, n}},
		{"VACUUM ANALYZE es_command, es_event, archive.es_command, archive.es_event, es_stream", nil},
	} {
		if _, err := st.DB.Exec(tb.Context(), step.text, step.args...); err != nil {
			tb.Fatal(err)
		}
	}
}

func mustBegin(tb testing.TB, st *store, handle string) {
	tb.Helper()
	if _, err := st.Create(tb.Context(), handle, register{Name: handle}, bob); err != nil {
		tb.Fatal(err)
	}
}

// choices are queries whose answers are as long in a short history as in a long one.
func choices(began time.Time, n int) map[string]pgstore.HistoryQuery {
	ago := func(back int) *time.Time {
		at := began.Add(time.Duration(n-back)*time.Minute - time.Second)
		return &at
	}
	first := began.Add(150*time.Minute + time.Second)
	page := func(c pgstore.HistoryChoice) pgstore.HistoryQuery { return pgstore.HistoryQuery{Rows: 20, Choice: c} }
	return map[string]pgstore.HistoryQuery{
		"first page":              {Rows: 20},
		"page in the middle":      {Rows: 20, Offset: n / 2},
		"last page":               {Rows: 20, Offset: n - 20},
		"after":                   {Rows: 20, After: ago(150)},
		"before":                  {Rows: 20, Before: &first},
		"succeeded":               page(pgstore.HistoryChoice{Outcome: pgstore.OutcomeOK}),
		"by one who did little":   page(pgstore.HistoryChoice{Actor: "user:eve"}),
		"of a rare kind":          page(pgstore.HistoryChoice{Kinds: []pgstore.CommandKind{{Name: "rename"}, {Name: "never"}}}),
		"refused, of a rare kind": page(pgstore.HistoryChoice{Outcome: pgstore.OutcomeRefused, Kinds: []pgstore.CommandKind{{Name: "rename"}}}),
		"asked for, lately":       {Rows: 20, After: ago(150), Choice: pgstore.HistoryChoice{Asked: true}},
		"nothing":                 page(pgstore.HistoryChoice{Kinds: []pgstore.CommandKind{}}),
	}
}

// A page costs what is chosen, not what the history has: the plans read so few rows, of the live log and of the archive.
func TestPagesDoNotReadTheWholeHistory(t *testing.T) {
	const n = 20_000
	st := newStore(t)
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	st.Now = func() time.Time { return began }
	mustCreate(t, st, "bea") // others have histories too
	longHistory(t, st, "ada", n)
	for name, q := range choices(began, n) {
		t.Run(name, func(t *testing.T) {
			statements, err := st.HistoryStatements(t.Context(), "ada", q)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range statements {
				var raw []byte
				if err := st.DB.QueryRow(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "+s.Text, s.Args...).Scan(&raw); err != nil {
					t.Fatal(err)
				}
				var plans []struct{ Plan plan }
				if err := json.Unmarshal(raw, &plans); err != nil {
					t.Fatal(err)
				}
				if read := plans[0].Plan.read(); read > 1000 {
					t.Errorf("reads %v rows of %d\n%s\n%s", read, n, s.Text, raw)
				}
			}
		})
	}
}

// plan is a node of what EXPLAIN tells.
type plan struct {
	Node    string  `json:"Node Type"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Filter"`
	Plans   []plan
}

// read is how many rows its scans read.
func (p plan) read() (n float64) {
	if strings.Contains(p.Node, "Scan") && !strings.HasPrefix(p.Node, "Subquery") {
		n = (p.Rows + p.Removed) * p.Loops
	}
	for _, below := range p.Plans {
		n += below.read()
	}
	return n
}

// What is chosen, counted and cut into pages by the database is what one finds who reads everything.
func TestEveryChoiceOfHistory(t *testing.T) {
	const n = 400
	st := newStore(t)
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	st.Now = func() time.Time { return began }
	longHistory(t, st, "ada", n)
	// The clock went back once.
	if _, err := st.DB.Exec(t.Context(), "UPDATE es_command SET at = at - interval '3 hours' WHERE version = 390"); err != nil {
		t.Fatal(err)
	}
	whole, err := st.History(t.Context(), "ada", pgstore.HistoryQuery{Rows: n})
	if err != nil || len(whole.Commands) != n {
		t.Fatal(len(whole.Commands), err)
	}
	at := func(minute int) *time.Time {
		v := began.Add(time.Duration(minute) * time.Minute)
		return &v
	}
	kinds := []pgstore.CommandKind{{Name: "rename"}, {Name: "meet", Payload: `$.friend like_regex "7$"`, NoEvent: "met"}, {Name: "meet", Payload: `$.friend == "8"`, Event: "spent"}}
	for _, times := range [][2]*time.Time{{nil, nil}, {at(180), nil}, {nil, at(230)}, {at(150), at(300)}} {
		for _, c := range []pgstore.HistoryChoice{
			{},
			{Actor: "user:bob"},
			{Actor: "task:meet"},
			{Actor: "nobody"},
			{Asked: true},
			{Outcome: pgstore.OutcomeOK},
			{Outcome: pgstore.OutcomeRefused},
			{Kinds: kinds},
			{Kinds: kinds, Outcome: pgstore.OutcomeOK},
			{Kinds: []pgstore.CommandKind{}},
			{Actor: "user:bob", Asked: true, Outcome: pgstore.OutcomeRefused},
		} {
			q := pgstore.HistoryQuery{After: times[0], Before: times[1], Choice: c}
			var want []int64
			for _, cmd := range whole.Commands {
				if chosen(q, cmd) {
					want = append(want, cmd.Version)
				}
			}
			for _, cut := range [][2]int{{n, 0}, {7, 3}, {0, 0}, {5, len(want)}} {
				q.Rows, q.Offset = cut[0], cut[1]
				page, err := st.History(t.Context(), "ada", q)
				if err != nil {
					t.Fatal(err)
				}
				from := min(q.Offset, len(want))
				if got := versions(page); page.Total != len(want) || page.Offset != q.Offset || !slices.Equal(got, want[from:min(from+q.Rows, len(want))]) {
					t.Errorf("%+v: total %d, got %v of %v", q, page.Total, got, want)
				}
				for _, cmd := range page.Commands {
					if (len(cmd.Events) == 1) != (cmd.Outcome == pgstore.OutcomeOK) {
						t.Errorf("version %d has %d events", cmd.Version, len(cmd.Events))
					}
				}
			}
		}
	}
}

func versions(page pgstore.HistoryPage) (out []int64) {
	for _, cmd := range page.Commands {
		out = append(out, cmd.Version)
	}
	return out
}

// chosen says in Go what a query means.
func chosen(q pgstore.HistoryQuery, cmd pgstore.StoredCommand) bool {
	c := q.Choice
	kind := c.Kinds == nil
	friend := fmt.Sprint(cmd.Version)
	for _, k := range c.Kinds {
		switch {
		case k.Name != cmd.Name:
		case k.Payload == "", k.Event != "" && friend == "8" && caused(cmd, "spent/1"), k.NoEvent != "" && strings.HasSuffix(friend, "7") && !caused(cmd, "met/1"):
			kind = true
		}
	}
	return kind && (q.After == nil || !cmd.At.Before(*q.After)) && (q.Before == nil || !cmd.At.After(*q.Before)) &&
		(c.Actor == "" || c.Actor == cmd.Actor.Name) && (c.Outcome == "" || c.Outcome == cmd.Outcome) &&
		(!c.Asked || cmd.Actor.Name != "baleen" && !strings.HasPrefix(cmd.Actor.Name, "task:"))
}

func caused(cmd pgstore.StoredCommand, name string) bool {
	return slices.ContainsFunc(cmd.Events, func(e es.Event) bool { return e.EventName() == name })
}

// BenchmarkHistory measures pages of a short and of a long history.
func BenchmarkHistory(b *testing.B) {
	for _, n := range []int{200, 200_000} {
		st := newStore(b)
		began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		st.Now = func() time.Time { return began }
		longHistory(b, st, "ada", n)
		queries := choices(began, n)
		queries["by one who did most (everything is counted)"] = pgstore.HistoryQuery{Rows: 20, Choice: pgstore.HistoryChoice{Actor: "task:meet"}}
		queries["asked for (a tenth is counted)"] = pgstore.HistoryQuery{Rows: 20, Choice: pgstore.HistoryChoice{Asked: true}}
		for name, q := range queries {
			b.Run(fmt.Sprintf("%s of %d", name, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := st.History(b.Context(), "ada", q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
