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

// History gives a page of the commands of a live stream, oldest first. The
// creating command is not listed.
func (st *Store[S]) History(ctx context.Context, handle string, q HistoryQuery) (HistoryPage, error) {
	stream, err := st.stream(ctx, handle)
	if err != nil {
		return HistoryPage{}, err
	}
	page := HistoryPage{Offset: q.Offset, Total: int(stream.Version)}
	p := pgq.ListCommandsParams{StreamID: stream.ID, After: q.After, Before: q.Before, MaxRows: int64(max(q.Rows, 0))}
	if q.After == nil && q.Before == nil {
		p.AfterVersion = int64(q.Offset) // versions have no gaps
	} else {
		p.Skip = int64(q.Offset)
		n, err := pgq.New().CountCommands(ctx, st.DB, pgq.CountCommandsParams{StreamID: stream.ID, After: q.After, Before: q.Before})
		if err != nil {
			return HistoryPage{}, historyError(handle, err)
		}
		page.Total = int(n)
	}
	if p.MaxRows == 0 {
		return page, nil
	}
	rows, err := pgq.New().ListCommands(ctx, st.DB, p)
	if err != nil {
		return HistoryPage{}, historyError(handle, err)
	}
	for _, row := range rows {
		c, err := storedCommand(pgq.GetCommandRow(row))
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

// addEvents gives consecutive commands, in order, their events.
func (st *Store[S]) addEvents(ctx context.Context, id uuid.UUID, handle string, list []StoredCommand) error {
	if len(list) == 0 {
		return nil
	}
	rows, err := pgq.New().ListEvents(ctx, st.DB, pgq.ListEventsParams{StreamID: id, First: list[0].Version, Last: list[len(list)-1].Version})
	if err != nil {
		return historyError(handle, err)
	}
	i := 0
	for _, row := range rows {
		for i < len(list) && list[i].Version < row.Version {
			i++
		}
		if i == len(list) || list[i].Version != row.Version {
			continue // of a command that the page leaves out
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
