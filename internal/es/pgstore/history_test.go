package pgstore_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

func TestHistory(t *testing.T) {
	st := newStore(t)
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	minute := 0
	st.Now = func() time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	mustCreate(t, st, "ada")
	for minute = 1; minute <= 9; minute++ {
		friend := fmt.Sprint("friend ", minute)
		if minute == 4 {
			friend = "ada" // refused
		}
		_, err := st.Execute(t.Context(), "ada", meet{Friend: friend, Spend: minute}, pgstore.Write{Actor: es.Actor{Name: "child:bea", KeyID: "0A"}})
		if (err != nil) != (minute == 4) {
			t.Fatal(err)
		}
	}
	at := func(m int) *time.Time {
		v := noon.Add(time.Duration(m) * time.Minute)
		return &v
	}
	for name, c := range map[string]struct {
		q        pgstore.HistoryQuery
		total    int
		versions []int64
	}{
		"all":              {pgstore.HistoryQuery{Rows: 100}, 9, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"a page":           {pgstore.HistoryQuery{Rows: 3, Offset: 2}, 9, []int64{3, 4, 5}},
		"the last page":    {pgstore.HistoryQuery{Rows: 3, Offset: 8}, 9, []int64{9}},
		"beyond":           {pgstore.HistoryQuery{Rows: 3, Offset: 9}, 9, nil},
		"count only":       {pgstore.HistoryQuery{}, 9, nil},
		"after":            {pgstore.HistoryQuery{Rows: 100, After: at(7)}, 3, []int64{7, 8, 9}},
		"before":           {pgstore.HistoryQuery{Rows: 100, Before: at(2)}, 2, []int64{1, 2}},
		"between":          {pgstore.HistoryQuery{Rows: 2, Offset: 1, After: at(3), Before: at(6)}, 4, []int64{4, 5}},
		"count in between": {pgstore.HistoryQuery{After: at(3), Before: at(6)}, 4, nil},
		"nothing":          {pgstore.HistoryQuery{Rows: 2, After: at(30)}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := st.History(t.Context(), "ada", c.q)
			if err != nil {
				t.Fatal(err)
			}
			var versions []int64
			for _, cmd := range page.Commands {
				versions = append(versions, cmd.Version)
				if cmd.Version == 4 != (cmd.Fault != nil) || (cmd.Fault == nil) != (len(cmd.Events) == 2) {
					t.Errorf("version %d: fault %v, events %v", cmd.Version, cmd.Fault, cmd.Events)
				}
			}
			if page.Total != c.total || page.Offset != c.q.Offset || !reflect.DeepEqual(versions, c.versions) {
				t.Errorf("total %d, versions %v; want %d, %v", page.Total, versions, c.total, c.versions)
			}
		})
	}
}

func TestCommandAt(t *testing.T) {
	st := newStore(t)
	now := time.Date(2026, 11, 22, 12, 0, 0, 5000, time.UTC)
	st.Now = func() time.Time { return now }
	mustCreate(t, st, "ada")
	mustMeet(t, st, "ada", "Bea")
	got, err := st.CommandAt(t.Context(), "ada", 1)
	want := pgstore.StoredCommand{
		Version: 1, At: now, Actor: bob.Actor, Name: "meet", Payload: got.Payload, Outcome: pgstore.OutcomeOK,
		Events: []es.Event{met{Friend: "Bea", At: now}, spent{Amount: 1}}, Epoch: st.Fence.Epoch(),
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if canonical, err := es.Canonical(got.Payload); err != nil || string(canonical) != `{"friend":"Bea","spend":1}` {
		t.Errorf("payload %s, %v", got.Payload, err)
	}
	if got, err := st.CommandAt(t.Context(), "ada", 0); err != nil || got.Name != "register" {
		t.Errorf("creation: %+v, %v", got, err)
	}
	if _, err := st.CommandAt(t.Context(), "ada", 2); fault.Code(err) != pgstore.CodeVersionUnknown {
		t.Errorf("got %v", err)
	}
	for what, err := range map[string]error{
		"command": func() error { _, err := st.CommandAt(t.Context(), "nobody", 0); return err }(),
		"history": func() error { _, err := st.History(t.Context(), "nobody", pgstore.HistoryQuery{}); return err }(),
		"id":      func() error { _, err := st.StreamID(t.Context(), "nobody"); return err }(),
	} {
		if fault.Code(err) != pgstore.CodeStreamUnknown {
			t.Errorf("%s of nobody: %v", what, err)
		}
	}
}
