package pgstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/testdb"
)

// A small aggregate that shows all there is to one: a state, commands, events
// and Apply. People have a name and friends; friendships cost.

// person is the state: the fold of the events below. Its zero value is nobody.
type person struct {
	Name    string         `json:"name"`
	Friends map[string]int `json:"friends,omitempty"` // by name, with the number of times they met
	Spent   int            `json:"spent"`
	Last    es.Meta        `json:"last"` // of the newest event
}

// Commands: one intent each, with their JSON as stored payload.
type (
	register struct {
		Name string `json:"name"`
	}
	meet struct {
		Friend string `json:"friend"`
		Spend  int    `json:"spend"`
	}
	rename struct {
		Name string `json:"name"`
	}
	leave struct{}
)

func (register) CommandName() string { return "register" }
func (meet) CommandName() string     { return "meet" }
func (rename) CommandName() string   { return "rename" }
func (leave) CommandName() string    { return "leave" }

// Process decides. It refuses with a fault, or says what happens, or nothing.
func (c register) Process(_ *person, _ time.Time) ([]es.Event, error) {
	if c.Name == "" {
		return nil, fault.New(fault.Invalid, "person-nameless", "A person needs a name.")
	}
	return []es.Event{registered(c)}, nil
}

func (c meet) Process(s *person, now time.Time) ([]es.Event, error) {
	if c.Friend == s.Name {
		return nil, &fault.Error{
			Kind: fault.Invalid, Code: "person-alone", Msg: "Nobody meets themselves.", Args: map[string]string{"name": c.Friend},
		}
	}
	return []es.Event{met{Friend: c.Friend, At: now}, spent{Amount: c.Spend}}, nil
}

func (c rename) Process(s *person, _ time.Time) ([]es.Event, error) {
	if c.Name == s.Name {
		return nil, nil // nothing to do
	}
	return []es.Event{renamed{First: c.Name}}, nil
}

func (leave) Process(s *person, _ time.Time) ([]es.Event, error) {
	if s.Spent > 1000 {
		return nil, fault.New(fault.Denied, "person-in-debt", "Debts come first.")
	}
	return []es.Event{left{}}, nil
}

// Events: facts. Their names carry the number of their form.
type (
	registered struct {
		Name string `json:"name"`
	}
	met struct {
		Friend string    `json:"friend"`
		At     time.Time `json:"at"`
	}
	spent struct {
		Amount int `json:"amount"`
	}
	renamed struct { // form 1 had "name"
		First string `json:"first"`
	}
	left struct{}
)

func (registered) EventName() string { return "registered/1" }
func (met) EventName() string        { return "met/1" }
func (spent) EventName() string      { return "spent/1" }
func (renamed) EventName() string    { return "renamed/2" }
func (left) EventName() string       { return "left/1" }

type renamedV1 struct {
	Name string `json:"name"`
}

// personType ties state, events and Apply together.
var personType = es.Type[person]{
	Kind: "person", Apply: applyPerson, End: "left/1", Format: 1,
	Codec: es.Codec{
		"registered/1": es.JSON[registered],
		"met/1":        es.JSON[met],
		"spent/1":      es.JSON[spent],
		"renamed/1":    es.Upcast(func(old renamedV1) renamed { return renamed{First: old.Name} }),
		"renamed/2":    es.JSON[renamed],
		"left/1":       es.JSON[left],
	},
}

// applyPerson takes a fact in. It cannot fail.
func applyPerson(s *person, m es.Meta, e es.Event) {
	s.Last = m
	switch e := e.(type) {
	case registered:
		s.Name = e.Name
	case met:
		if s.Friends == nil {
			s.Friends = map[string]int{}
		}
		s.Friends[e.Friend]++
	case spent:
		s.Spent += e.Amount
	case renamed:
		s.Name = e.First
	}
}

type store = pgstore.Store[person]

// newStore gives a store on a database of its own, at a current epoch.
func newStore(t testing.TB) *store {
	t.Helper()
	pool := testdb.New(t)
	return &store{Type: personType, DB: pool, Fence: testdb.Fence(t, pool)}
}

// twin is another process on the same database: nothing cached.
func twin(st *store) *store {
	return &store{Type: st.Type, DB: st.DB, Fence: st.Fence}
}

var bob = pgstore.Write{Actor: es.Actor{Name: "user:bob"}}

func mustCreate(t *testing.T, st *store, handle string) {
	t.Helper()
	if _, err := st.Create(t.Context(), handle, register{Name: handle}, bob); err != nil {
		t.Fatal(err)
	}
}

func mustMeet(t *testing.T, st *store, handle, friend string) {
	t.Helper()
	if _, err := st.Execute(t.Context(), handle, meet{Friend: friend, Spend: 1}, bob); err != nil {
		t.Fatal(err)
	}
}

// see gives the state as JSON, and its version.
func see(t *testing.T, st *store, handle string) (state string, version int64) {
	t.Helper()
	err := st.View(t.Context(), handle, func(s *person, v int64) error {
		raw, err := json.Marshal(s)
		state, version = string(raw), v
		return err
	})
	if err != nil {
		t.Fatalf("view %s: %v", handle, err)
	}
	return state, version
}

// sameEverywhere compares the cached state with one that is folded anew.
func sameEverywhere(t *testing.T, st *store, handle string) {
	t.Helper()
	live, v := see(t, st, handle)
	replayed, w := see(t, twin(st), handle)
	if live != replayed || v != w {
		t.Errorf("live (version %d)\n%s\nreplayed (version %d)\n%s", v, live, w, replayed)
	}
}

// soundLog verifies all streams and the rows around them.
func soundLog(t *testing.T, st *store) {
	t.Helper()
	if _, err := pgstore.VerifyAll(t.Context(), st.DB, func(f pgstore.Finding) { t.Error(f) }); err != nil {
		t.Error(err)
	}
}

func count(t *testing.T, db *pgxpool.Pool, sql string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM "+sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func mustExec(t *testing.T, db *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// note is a listener that leaves a row for each command: a stand-in for read
// models and tasks.
func note(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
	_, err := tx.Exec(ctx, "INSERT INTO task (kind, key, args, run_at, created_at) VALUES ('note', $1, $2, $3, $3)",
		fmt.Sprintf("%s %d", c.StreamID, c.Version), map[string]any{"command": c.Command, "events": len(c.Events)}, c.At)
	return err
}
