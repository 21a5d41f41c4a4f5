package service_test

import (
	"slices"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/service"
)

func (w *world) allFigures() []service.Figures {
	w.T.Helper()
	all, err := w.Figures(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return all
}

// TestFiguresLoadOnlyWhatChanged makes the log of every CA unreadable: who reads
// one notices.
func TestFiguresLoadOnlyWhatChanged(t *testing.T) {
	w := newWorld(t)
	w.Start()
	for _, name := range []string{"ca1", "ca2", "ca3"} {
		w.Join(name, "testbed", set("", "10.0.0.0/8", ""))
	}
	same := func(a, b service.Figures) bool {
		return a.Handle == b.Handle && a.ROAs == b.ROAs && a.BGP == b.BGP && slices.Equal(a.Children, b.Children)
	}
	first := w.allFigures()
	if len(first) != 4 || first[3].Handle != "testbed" || len(first[3].Children) != 3 {
		t.Fatalf("got %+v", first)
	}

	w.Exec("ALTER TABLE es_event RENAME COLUMN payload TO hidden")
	w.CAs.Forget()
	if again := w.allFigures(); !slices.EqualFunc(first, again, same) {
		t.Errorf("got %+v, want %+v", again, first)
	}
	w.Exec("ALTER TABLE es_event RENAME COLUMN hidden TO payload")

	if err := w.Configure("ca2", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/24", 24, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.Exec("UPDATE es_command SET actor = 'user:eve' WHERE stream_id IN (SELECT id FROM es_stream WHERE handle <> 'ca2')")
	w.CAs.Forget()
	first[1].ROAs, first[1].BGP.ROAs = 1, 1
	if again := w.allFigures(); !slices.EqualFunc(first, again, same) {
		t.Errorf("after a change: got %+v, want %+v", again, first)
	}
	if b := w.Broken(); len(b) != 0 {
		t.Errorf("others were read: %v", b)
	}
}
