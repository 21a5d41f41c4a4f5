package pgstore

import (
	"context"

	"baleen/internal/postgres/pgq"
)

// Statement is SQL with its arguments.
type Statement struct {
	Text string
	Args []any
}

// HistoryStatements gives what a page of the history is read with.
func (st *Store[S]) HistoryStatements(ctx context.Context, handle string, q HistoryQuery) ([]Statement, error) {
	stream, err := st.stream(ctx, handle)
	if err != nil {
		return nil, err
	}
	last := min(stream.Version, int64(q.Offset+q.Rows))
	versions := []int64{last - 2, last - 1, last}
	out := []Statement{{pgq.ListEventsAt, []any{stream.ID, versions}}}
	if q.all() {
		return append(out, Statement{pgq.ListCommands, []any{stream.ID, int64(q.Offset), int64(q.Rows)}}), nil
	}
	if q.Choice.Kinds != nil && len(q.Choice.Kinds) == 0 {
		return nil, nil
	}
	out = append(out, Statement{pgq.ListCommandsAt, []any{stream.ID, versions}})
	if q.Choice.Outcome != OutcomeOK { // or it is the difference of two others
		text, args := newChooser(q, stream).counting()
		out = append(out, Statement{text, args})
	}
	text, args := newChooser(q, stream).paging()
	return append(out, Statement{text, args}), nil
}
