package pgstore_test

import (
	"testing"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// peer is a protocol peer with a key.
func peer(name, key string) pgstore.Write {
	return pgstore.Write{Actor: es.Actor{Name: name, KeyID: key}}
}

// A peer that repeats a refused request is counted; anything else is stored.
func TestRepeatedRefusalsOfAPeerAreCounted(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	refused := func(st *store, w pgstore.Write, cmd es.Command[person], version int64) {
		t.Helper()
		r, err := st.Execute(t.Context(), "ada", cmd, w)
		if fault.Of(err) != fault.Invalid && fault.Of(err) != fault.Denied || r.Version != version {
			t.Errorf("version %d, want %d; %v", r.Version, version, err)
		}
	}
	alone := meet{Friend: "ada"}
	child := peer("child:bob", "AA")
	refused(st, child, alone, 1)
	refused(st, child, alone, 1)                                                           // counted
	refused(twin(st), child, alone, 1)                                                     // by another process too
	refused(st, child, meet{Friend: "ada", Spend: 2}, 2)                                   // another request
	refused(st, child, alone, 3)                                                           // no longer the newest of this peer
	refused(st, peer("child:bob", "BB"), alone, 4)                                         // another key
	refused(st, peer("child:eve", "AA"), alone, 5)                                         // another peer
	refused(st, child, alone, 5)                                                           // others in between do not matter
	mustMeet(t, st, "ada", "Cleo")                                                         // 6
	refused(st, child, alone, 6)                                                           // counted on 3
	refused(st, bob, alone, 7)                                                             // an operator's refusals
	refused(st, bob, alone, 8)                                                             // are stored each
	if _, err := st.Execute(t.Context(), "ada", meet{Friend: "Dora"}, child); err != nil { // 9
		t.Fatal(err)
	}
	refused(st, child, alone, 10)
	page, err := st.History(t.Context(), "ada", pgstore.HistoryQuery{Rows: 100})
	if err != nil || page.Total != 10 {
		t.Fatalf("%d commands, %v", page.Total, err)
	}
	for i, want := range []int{2, 0, 2, 0, 0, 0, 0, 0, 0, 0} {
		if c := page.Commands[i]; c.Repeats != want {
			t.Errorf("command %d is repeated %d times, want %d", c.Version, c.Repeats, want)
		}
	}
	soundLog(t, st)
	sameEverywhere(t, st, "ada")
}

// A refusal on a state that is out of date is not counted: the peer gets what
// it asks for as soon as it may.
func TestRepeatIsDecidedOnTheNewestState(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	child := peer("child:bob", "AA")
	if _, err := st.Execute(t.Context(), "ada", meet{Friend: "ada"}, child); err == nil {
		t.Fatal("taken")
	}
	if _, err := twin(st).Execute(t.Context(), "ada", rename{Name: "Augusta"}, bob); err != nil {
		t.Fatal(err)
	}
	if r, err := st.Execute(t.Context(), "ada", meet{Friend: "ada"}, child); err != nil || r.Version != 3 {
		t.Errorf("version %d, %v", r.Version, err)
	}
	sameEverywhere(t, st, "ada")
}

// A node that was replaced counts nothing.
func TestRepeatIsFenced(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	child := peer("child:bob", "AA")
	for range 2 {
		_, _ = st.Execute(t.Context(), "ada", meet{Friend: "ada"}, child)
	}
	mustExec(t, st.DB, "UPDATE leader SET epoch = epoch + 1")
	if _, err := st.Execute(t.Context(), "ada", meet{Friend: "ada"}, child); fault.Code(err) != "not-active" {
		t.Errorf("got %v", err)
	}
	if n := count(t, st.DB, "es_command WHERE repeats = 1"); n != 1 {
		t.Error("it was counted")
	}
}
