package pgstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

func TestHeadsTellWhatChanged(t *testing.T) {
	st := newStore(t)
	for _, name := range []string{"bob", "ada"} {
		mustCreate(t, st, name)
	}
	before, err := st.Heads(t.Context())
	if err != nil || len(before) != 2 || before[0].Handle != "ada" || before[1].Handle != "bob" {
		t.Fatalf("got %+v, %v", before, err)
	}
	mustMeet(t, st, "bob", "Cy")
	after, err := st.Heads(t.Context())
	if err != nil || after[0] != before[0] || after[1] == before[1] || after[1].Version != 1 {
		t.Errorf("got %+v, %v", after, err)
	}
}

// TestPeekKeepsNothing peeks at a stream that is not cached, and again when its
// log cannot be read: the state was not kept. That of a cached one is used.
func TestPeekKeepsNothing(t *testing.T) {
	st := newStore(t)
	for _, name := range []string{"ada", "bob"} {
		mustCreate(t, st, name)
		mustMeet(t, st, name, "Cy")
	}
	st.Forget()
	peek := func(name string) (version int64, err error) {
		err = st.Peek(t.Context(), name, func(_ *person, v int64) error { version = v; return nil })
		return version, err
	}
	if err := st.View(t.Context(), "bob", func(*person, int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ada", "bob"} {
		if v, err := peek(name); v != 1 || err != nil {
			t.Errorf("%s: version %d, %v", name, v, err)
		}
	}
	if _, err := st.DB.Exec(t.Context(), "UPDATE es_command SET actor = 'user:eve' WHERE version = 0"); err != nil {
		t.Fatal(err)
	}
	if _, err := peek("ada"); fault.Code(err) != pgstore.CodeStreamBroken {
		t.Errorf("the state was kept: %v", err)
	}
	if v, err := peek("bob"); v != 1 || err != nil {
		t.Errorf("a cached state was not used: version %d, %v", v, err)
	}
	if _, err := peek("nobody"); fault.Code(err) != pgstore.CodeStreamUnknown {
		t.Errorf("got %v", err)
	}
}

// TestWorthyIsWhatSnapshotTakes compares the two for streams of every age.
func TestWorthyIsWhatSnapshotTakes(t *testing.T) {
	st := newStore(t)
	for i := range 6 {
		name := fmt.Sprint("p", i)
		mustCreate(t, st, name)
		for j := range 4 * i {
			mustMeet(t, st, name, fmt.Sprint(j, strings.Repeat("x", 1<<10)))
		}
	}
	for round := range 3 {
		worthy, err := st.Worthy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var taken []string
		for i := range 6 {
			name := fmt.Sprint("p", i)
			if ok, err := st.Snapshot(t.Context(), name); err != nil {
				t.Fatal(err)
			} else if ok {
				taken = append(taken, name)
			}
			for j := range 6 {
				mustMeet(t, st, name, fmt.Sprint(round, j, strings.Repeat("y", 1<<10)))
			}
		}
		if !slices.Equal(worthy, taken) || len(taken) == 0 {
			t.Errorf("round %d: worthy are %v, taken were those of %v", round, worthy, taken)
		}
	}
}
