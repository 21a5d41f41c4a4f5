package pgstore_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/testdb"
)

func TestLifeOfAStream(t *testing.T) {
	st := newStore(t)
	clock := time.Date(2026, 11, 22, 10, 0, 0, 1234567, time.UTC)
	st.Now = func() time.Time { return clock }
	woken := 0
	st.Wake = func() { woken++ }
	st.Listeners = []pgstore.Listener{note}

	created, err := st.Create(t.Context(), "ada", register{Name: "Ada"}, bob)
	if err != nil || created.Version != 0 || len(created.Events) != 1 {
		t.Fatalf("create: %+v, %v", created, err)
	}
	alice := pgstore.Write{Actor: es.Actor{Name: "child:alice", KeyID: "00FF"}}
	res, err := st.Execute(t.Context(), "ada", meet{Friend: "Bea", Spend: 3}, alice)
	if err != nil || res.Version != 1 || res.StreamID != created.StreamID {
		t.Fatalf("execute: %+v, %v", res, err)
	}
	if want := []es.Event{met{Friend: "Bea", At: clock.Truncate(time.Microsecond)}, spent{Amount: 3}}; !reflect.DeepEqual(res.Events, want) {
		t.Errorf("events %#v, want %#v", res.Events, want)
	}
	sameEverywhere(t, st, "ada")
	if id, err := st.StreamID(t.Context(), "ada"); err != nil || id != created.StreamID {
		t.Errorf("stream id %v, %v", id, err)
	}
	if _, err := st.Create(t.Context(), "ada", register{Name: "Ada"}, bob); fault.Code(err) != pgstore.CodeStreamExists {
		t.Errorf("created twice: %v", err)
	}

	gone, err := st.Delete(t.Context(), "ada", leave{}, bob)
	if err != nil || gone.Version != 2 {
		t.Fatalf("delete: %+v, %v", gone, err)
	}
	if err := st.View(t.Context(), "ada", nil); fault.Code(err) != pgstore.CodeStreamUnknown {
		t.Errorf("view of a deleted stream: %v", err)
	}
	if _, err := st.Execute(t.Context(), "ada", meet{}, bob); fault.Code(err) != pgstore.CodeStreamUnknown {
		t.Errorf("command on a deleted stream: %v", err)
	}
	again, err := st.Create(t.Context(), "ada", register{Name: "Another"}, bob)
	if err != nil || again.StreamID == created.StreamID {
		t.Fatalf("the handle is not free again: %+v, %v", again, err)
	}
	if _, v := see(t, st, "ada"); v != 0 {
		t.Errorf("the new stream is at version %d", v)
	}
	mustCreate(t, st, "abe")
	if handles, err := st.Handles(t.Context()); err != nil || !reflect.DeepEqual(handles, []string{"abe", "ada"}) {
		t.Errorf("handles %v, %v", handles, err)
	}
	if n := count(t, st.DB, "task"); woken != 5 || n != 5 {
		t.Errorf("woken %d times, %d listener rows; want 5 of each", woken, n)
	}
	soundLog(t, st)
}

func TestRefusalIsPartOfTheLog(t *testing.T) {
	st := newStore(t)
	st.Listeners = []pgstore.Listener{note}
	mustCreate(t, st, "ada")
	before, _ := see(t, st, "ada")

	res, err := st.Execute(t.Context(), "ada", meet{Friend: "ada"}, bob)
	if fault.Code(err) != "person-alone" || res.Version != 1 || len(res.Events) != 0 {
		t.Errorf("refusal: %+v, %v", res, err)
	}
	c, err := st.CommandAt(t.Context(), "ada", 1)
	if err != nil {
		t.Fatal(err)
	}
	want := &pgstore.StoredFault{Code: "person-alone", Msg: "Nobody meets themselves.", Args: map[string]string{"name": "ada"}}
	if c.Outcome != pgstore.OutcomeRefused || !reflect.DeepEqual(c.Fault, want) || len(c.Events) != 0 || string(c.Payload) == "" {
		t.Errorf("stored refusal: %+v", c)
	}
	after, v := see(t, st, "ada")
	if after != before || v != 1 {
		t.Errorf("a refusal changed the state: %s became %s (version %d)", before, after, v)
	}
	mustMeet(t, st, "ada", "Bea")
	if n := count(t, st.DB, "task"); n != 2 {
		t.Errorf("%d listener rows, want those of the creation and the meeting", n)
	}
	mustExec(t, st.DB, "UPDATE es_command SET repeats = 3 WHERE version = 1") // counted outside the hash
	sameEverywhere(t, st, "ada")
	soundLog(t, st)
}

func TestRefusedDeletionLeavesTheStream(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	if _, err := st.Execute(t.Context(), "ada", meet{Friend: "Bea", Spend: 5000}, bob); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Delete(t.Context(), "ada", leave{}, bob); fault.Of(err) != fault.Denied {
		t.Errorf("got %v", err)
	}
	if _, v := see(t, st, "ada"); v != 2 {
		t.Errorf("version %d, want 2", v)
	}
	soundLog(t, st)
}

// odd answers with whatever error it is given.
type odd struct{ err error }

func (odd) CommandName() string                              { return "odd" }
func (c odd) Process(*person, time.Time) ([]es.Event, error) { return nil, c.err }

func TestWhatStoresNothing(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	one := int64(1)
	for name, c := range map[string]struct {
		cmd  es.Command[person]
		w    pgstore.Write
		kind fault.Kind
		code string
	}{
		"conflict":        {odd{fault.New(fault.Conflict, "a", "")}, bob, fault.Conflict, "a"},
		"unavailable":     {odd{fault.New(fault.Unavailable, "b", "")}, bob, fault.Unavailable, "b"},
		"internal":        {odd{errors.New("bug")}, bob, fault.Internal, ""},
		"another version": {meet{Friend: "Bea"}, pgstore.Write{Actor: bob.Actor, IfVersion: &one}, fault.Conflict, pgstore.CodeVersionMismatch},
		"text with NUL":   {meet{Friend: "B\x00a"}, bob, fault.Invalid, pgstore.CodeTextNUL},
		"NUL in actor":    {meet{Friend: "Bea"}, pgstore.Write{Actor: es.Actor{Name: "\x00"}}, fault.Invalid, pgstore.CodeTextNUL},
		"no actor":        {meet{Friend: "Bea"}, pgstore.Write{}, fault.Internal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := st.Execute(t.Context(), "ada", c.cmd, c.w)
			if err == nil || fault.Of(err) != c.kind || fault.Code(err) != c.code {
				t.Errorf("got %v (%v %q)", err, fault.Of(err), fault.Code(err))
			}
		})
	}
	res, err := st.Execute(t.Context(), "ada", rename{Name: "ada"}, bob)
	if err != nil || res.Version != 0 || res.Events != nil {
		t.Errorf("nothing to do: %+v, %v", res, err)
	}
	if _, err := st.Create(t.Context(), "bea", register{}, bob); fault.Code(err) != "person-nameless" {
		t.Errorf("refused creation: %v", err)
	}
	for _, handle := range []string{"", "a\x00", "\xff"} {
		if _, err := st.Create(t.Context(), handle, register{Name: "x"}, bob); fault.Code(err) != pgstore.CodeHandleInvalid {
			t.Errorf("handle %q: %v", handle, err)
		}
		if err := st.View(t.Context(), handle, nil); fault.Of(err) != fault.NotFound {
			t.Errorf("view %q: %v", handle, err)
		}
	}
	if _, err := st.Execute(t.Context(), "nobody", meet{}, bob); fault.Code(err) != pgstore.CodeStreamUnknown {
		t.Errorf("unknown: %v", err)
	}
	if _, err := st.Delete(t.Context(), "ada", rename{Name: "ada"}, bob); err == nil {
		t.Error("a stream ended without an event")
	}
	if n, m := count(t, st.DB, "es_command"), count(t, st.DB, "es_stream"); n != 1 || m != 1 {
		t.Errorf("%d commands in %d streams, want only the creation", n, m)
	}
	sameEverywhere(t, st, "ada")
}

func TestRowsCommitWithTheCommandOrNotAtAll(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	refused := errors.New("the listener objects")
	inTx := pgstore.Write{Actor: bob.Actor, InTx: note}

	st.Listeners = []pgstore.Listener{note, func(context.Context, pgx.Tx, pgstore.Commit) error { return refused }}
	before, _ := see(t, st, "ada")
	if _, err := st.Execute(t.Context(), "ada", meet{Friend: "Bea"}, bob); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if _, err := st.Create(t.Context(), "bea", register{Name: "Bea"}, bob); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if n, m := count(t, st.DB, "es_command"), count(t, st.DB, "task"); n != 1 || m != 0 {
		t.Errorf("%d commands and %d rows beside them, want 1 and 0", n, m)
	}
	if after, v := see(t, st, "ada"); after != before || v != 0 {
		t.Errorf("the state saw what was rolled back: %s", after)
	}

	st.Listeners = nil
	if _, err := st.Execute(t.Context(), "ada", meet{Friend: "Bea"}, inTx); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Create(t.Context(), "bea", register{Name: "Bea"}, inTx); err != nil {
		t.Fatal(err)
	}
	if n := count(t, st.DB, "task WHERE args->>'command' IN ('meet', 'register')"); n != 2 {
		t.Errorf("%d rows beside the commands, want 2", n)
	}
	soundLog(t, st)
}

func TestStaleEpochStoresNothing(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	before, _ := see(t, st, "ada")
	testdb.Fence(t, st.DB) // another node takes over
	for what, err := range map[string]error{
		"command": second(st.Execute(t.Context(), "ada", meet{Friend: "Bea"}, bob)),
		"refusal": second(st.Execute(t.Context(), "ada", meet{Friend: "ada"}, bob)),
		"create":  second(st.Create(t.Context(), "bea", register{Name: "Bea"}, bob)),
		"delete":  second(st.Delete(t.Context(), "ada", leave{}, bob)),
	} {
		if fault.Code(err) != postgres.CodeNotActive {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if n := count(t, st.DB, "es_command"); n != 1 {
		t.Errorf("%d commands, want 1", n)
	}
	if after, v := see(t, st, "ada"); after != before || v != 0 {
		t.Errorf("the state saw what was not committed: %s", after)
	}
	soundLog(t, st)
}

func TestStoreWithoutFenceOnlyReads(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	standby := &store{Type: personType, DB: st.DB}
	if _, v := see(t, standby, "ada"); v != 0 {
		t.Errorf("version %d", v)
	}
	if _, err := standby.Execute(t.Context(), "ada", meet{Friend: "Bea"}, bob); fault.Code(err) != postgres.CodeNotActive {
		t.Errorf("got %v", err)
	}
}

func second(_ pgstore.Result, err error) error { return err }

func TestEventsThatCannotBeReadBackAreNotStored(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	st.Type.Codec = es.Codec{"registered/1": es.JSON[registered]}
	if _, err := st.Execute(t.Context(), "ada", meet{Friend: "Bea"}, bob); err == nil {
		t.Error("an event without decoder was stored")
	}
	if n := count(t, st.DB, "es_command"); n != 1 {
		t.Errorf("%d commands, want 1", n)
	}
}

// renameOnce is rename as an older program stored it.
type renameOnce struct {
	Name string `json:"name"`
}

func (renameOnce) CommandName() string { return "rename" }

func (c renameOnce) Process(*person, time.Time) ([]es.Event, error) {
	return []es.Event{renamedV1(c)}, nil
}

func (renamedV1) EventName() string { return "renamed/1" }

func TestOlderEventsAreLifted(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	if _, err := st.Execute(t.Context(), "ada", renameOnce{Name: "Augusta"}, bob); err != nil {
		t.Fatal(err)
	}
	if n := count(t, st.DB, `es_event WHERE name = 'renamed/1' AND payload = '{"name": "Augusta"}'`); n != 1 {
		t.Fatalf("%d events of the older form", n)
	}
	sameEverywhere(t, st, "ada")
	c, err := st.CommandAt(t.Context(), "ada", 1)
	if err != nil || !reflect.DeepEqual(c.Events, []es.Event{renamed{First: "Augusta"}}) {
		t.Errorf("history: %+v, %v", c, err)
	}
}

func TestABrokenLogStopsOneStreamOnly(t *testing.T) {
	st := newStore(t)
	for _, handle := range []string{"ada", "bea"} {
		mustCreate(t, st, handle)
		mustMeet(t, st, handle, "Cleo")
		mustMeet(t, st, handle, "Dora")
	}
	for name, damage := range map[string]string{
		"unknown event":  `UPDATE es_event SET name = 'danced/1' WHERE version = 1 AND ordinal = 0`,
		"missing middle": `DELETE FROM es_event WHERE version = 1`,
		"missing end":    `DELETE FROM es_event WHERE version = 2`,
		"edited event":   `UPDATE es_event SET payload = '{"amount": 2}' WHERE version = 1 AND ordinal = 1`,
		"edited actor":   `UPDATE es_command SET actor = 'user:eve' WHERE version = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			mustExec(t, st.DB, "CREATE TABLE keep_event AS TABLE es_event; CREATE TABLE keep_command AS TABLE es_command")
			defer mustExec(t, st.DB, `DELETE FROM es_event; DELETE FROM es_command; INSERT INTO es_command TABLE keep_command;
				INSERT INTO es_event TABLE keep_event; DROP TABLE keep_event, keep_command`)
			const only = " AND stream_id = (SELECT id FROM es_stream WHERE handle = 'ada')"
			mustExec(t, st.DB, damage+only)
			mustExec(t, st.DB, `DELETE FROM es_command c WHERE outcome = 'ok' AND NOT EXISTS
				(SELECT FROM es_event e WHERE e.stream_id = c.stream_id AND e.version = c.version)`)
			fresh := twin(st)
			if err := fresh.View(t.Context(), "ada", nil); fault.Code(err) != pgstore.CodeStreamBroken {
				t.Errorf("view: %v", err)
			}
			if _, err := fresh.Execute(t.Context(), "ada", meet{Friend: "Eve"}, bob); fault.Code(err) != pgstore.CodeStreamBroken {
				t.Errorf("execute: %v", err)
			}
			sameEverywhere(t, fresh, "bea")
		})
	}
	sameEverywhere(t, st, "ada")
}

func TestAPanicInApplyStopsOneStreamOnly(t *testing.T) {
	st := newStore(t)
	st.Type.Apply = func(s *person, m es.Meta, e es.Event) {
		applyPerson(s, m, e)
		if s.Spent == 13 {
			panic("superstition")
		}
	}
	mustCreate(t, st, "ada")
	mustCreate(t, st, "bea")
	if res, err := st.Execute(t.Context(), "ada", meet{Friend: "Cleo", Spend: 13}, bob); err != nil || res.Version != 1 {
		t.Errorf("the command was committed, yet: %+v, %v", res, err)
	}
	if err := st.View(t.Context(), "ada", nil); fault.Code(err) != pgstore.CodeStreamBroken {
		t.Errorf("got %v", err)
	}
	sameEverywhere(t, st, "bea")
}
