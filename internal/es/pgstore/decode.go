package pgstore

import (
	"baleen/internal/es"
	"baleen/internal/postgres/pgq"
)

// decode turns rows, one for each event or command without event, into facts.
// It makes sure that no command is missing between them and that each is, with
// its events, as it was written: what was edited is not acted upon.
func (st *Store[S]) decode(handle string, after head, rows []pgq.ReadLogRow) ([]fact, error) {
	var facts []fact
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Version == rows[0].Version {
			n++
		}
		f, err := st.fact(handle, after, rows[:n])
		if err != nil {
			return nil, err
		}
		facts = append(facts, f)
		after, rows = f.head, rows[n:]
	}
	return facts, nil
}

// fact reads the rows of one command, the one behind after.
func (st *Store[S]) fact(handle string, after head, rows []pgq.ReadLogRow) (fact, error) {
	first := rows[0]
	if first.Version != after.version+1 {
		return fact{}, head{id: first.ID, version: after.version + 1}.broken(handle, errMissing)
	}
	f := fact{head: headOf(first), meta: es.Meta{
		Handle: handle, Version: first.Version, At: first.At.UTC(), Actor: actorOf(first.Actor, first.ActorKeyID),
	}}
	if err := checkHash(st.Type.Kind, f, after.hash, rows); err != nil {
		return fact{}, f.broken(handle, err)
	}
	for _, row := range rows {
		if row.Name == nil {
			continue
		}
		event, err := st.Type.Codec.Decode(*row.Name, row.Payload)
		if err != nil {
			return fact{}, f.broken(handle, err)
		}
		f.events = append(f.events, event)
	}
	return f, nil
}

// checkHash recomputes the hash of a command.
func checkHash(kind string, f fact, previous [32]byte, rows []pgq.ReadLogRow) error {
	c := rows[0]
	in := es.HashInput{
		Stream: c.ID.String(), Kind: kind, Handle: f.meta.Handle, Version: c.Version, At: c.At, Actor: f.meta.Actor,
		Name: c.Command, Payload: c.Asked, Outcome: c.Outcome, Fault: c.Fault, Epoch: c.Epoch,
	}
	for _, row := range rows {
		if row.Name != nil {
			in.Events = append(in.Events, es.HashEvent{Name: *row.Name, Payload: row.Payload})
		}
	}
	hash, err := es.CanonicalHash(previous, in)
	if err != nil {
		return err
	}
	if hash != f.hash {
		return errHash
	}
	return nil
}
