package pgstore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// History gives a page of the commands of a live stream that a query chooses,
// oldest first. The creating command is not listed. What it costs goes by what is
// chosen, not by how long the history is.
func (st *Store[S]) History(ctx context.Context, handle string, q HistoryQuery) (HistoryPage, error) {
	stream, err := st.stream(ctx, handle)
	if err != nil {
		return HistoryPage{}, err
	}
	page := HistoryPage{Offset: q.Offset, Total: int(stream.Version)}
	var rows []pgq.GetCommandRow
	if q.all() {
		rows, err = st.listCommands(ctx, q, stream.ID)
	} else {
		var versions []int64
		if page.Total, versions, err = st.choose(ctx, q, stream); err == nil && len(versions) > 0 {
			rows, err = st.commandsAt(ctx, stream.ID, versions)
		}
	}
	if err != nil {
		return HistoryPage{}, historyError(handle, err)
	}
	for _, row := range rows {
		c, err := storedCommand(row)
		if err != nil {
			return HistoryPage{}, head{id: stream.ID, version: row.Version}.broken(handle, err)
		}
		page.Commands = append(page.Commands, c)
	}
	if err := st.addEvents(ctx, stream.ID, handle, page.Commands); err != nil {
		return HistoryPage{}, err
	}
	return page, nil
}

// listCommands gives a page of the whole history: versions have no gaps.
func (st *Store[S]) listCommands(ctx context.Context, q HistoryQuery, stream uuid.UUID) ([]pgq.GetCommandRow, error) {
	if q.Rows <= 0 {
		return nil, nil
	}
	rows, err := pgq.New().ListCommands(ctx, st.DB, pgq.ListCommandsParams{StreamID: stream, AfterVersion: int64(q.Offset), MaxRows: int64(q.Rows)})
	out := make([]pgq.GetCommandRow, len(rows))
	for i, r := range rows {
		out[i] = pgq.GetCommandRow(r)
	}
	return out, err
}

func (st *Store[S]) commandsAt(ctx context.Context, stream uuid.UUID, versions []int64) ([]pgq.GetCommandRow, error) {
	rows, err := pgq.New().ListCommandsAt(ctx, st.DB, pgq.ListCommandsAtParams{StreamID: stream, Versions: versions})
	out := make([]pgq.GetCommandRow, len(rows))
	for i, r := range rows {
		out[i] = pgq.GetCommandRow(r)
	}
	return out, err
}

// CommandAt gives one command of a live stream, the creating one (version 0)
// included.
func (st *Store[S]) CommandAt(ctx context.Context, handle string, version int64) (StoredCommand, error) {
	stream, err := st.stream(ctx, handle)
	if err != nil {
		return StoredCommand{}, err
	}
	row, err := pgq.New().GetCommand(ctx, st.DB, pgq.GetCommandParams{StreamID: stream.ID, Version: version})
	if postgres.NoRows(err) {
		return StoredCommand{}, &fault.Error{
			Kind: fault.NotFound, Code: CodeVersionUnknown, Msg: fmt.Sprintf("%q has no command at version %d.", handle, version),
			Args: map[string]string{"handle": handle, "version": fmt.Sprint(version)},
		}
	}
	if err != nil {
		return StoredCommand{}, historyError(handle, err)
	}
	c, err := storedCommand(row)
	if err != nil {
		return StoredCommand{}, head{id: stream.ID, version: version}.broken(handle, err)
	}
	list := []StoredCommand{c}
	if err := st.addEvents(ctx, stream.ID, handle, list); err != nil {
		return StoredCommand{}, err
	}
	return list[0], nil
}

func storedCommand(row pgq.GetCommandRow) (StoredCommand, error) {
	c := StoredCommand{
		Version: row.Version, At: row.At.UTC(), Actor: actorOf(row.Actor, row.ActorKeyID), Name: row.Name,
		Payload: row.Payload, Outcome: row.Outcome, Epoch: row.Epoch, Repeats: int(row.Repeats),
	}
	if row.Fault == nil {
		return c, nil
	}
	c.Fault = &StoredFault{}
	return c, json.Unmarshal(row.Fault, c.Fault)
}

// addEvents gives commands, in order, their events.
func (st *Store[S]) addEvents(ctx context.Context, id uuid.UUID, handle string, list []StoredCommand) error {
	if len(list) == 0 {
		return nil
	}
	versions := make([]int64, len(list))
	for i, c := range list {
		versions[i] = c.Version
	}
	rows, err := pgq.New().ListEventsAt(ctx, st.DB, pgq.ListEventsAtParams{StreamID: id, Versions: versions})
	if err != nil {
		return historyError(handle, err)
	}
	i := 0
	for _, row := range rows {
		for i < len(list) && list[i].Version < row.Version {
			i++
		}
		e, err := st.Type.Codec.Decode(row.Name, row.Payload)
		if err != nil {
			return head{id: id, version: row.Version}.broken(handle, err)
		}
		list[i].Events = append(list[i].Events, e)
	}
	return nil
}

func historyError(handle string, err error) error {
	return fmt.Errorf("history of %q: %w", handle, postgres.Classify(err))
}
