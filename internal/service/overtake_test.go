package service_test

import (
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
)

// After a restore validators that saw the newer state accept what follows: a
// new session, numbers above all that went before, everything issued again; and
// the history says so, once.
func TestRestoreIsOvertaken(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	before, err := w.Pubs.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	moved := w.Now()
	if err := w.Overtake(t.Context(), 7, "another cluster"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.Pass(2 * time.Second) // the next thisUpdate is later than any before
	w.Settle()
	after, err := w.Pubs.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Session == before.Session {
		t.Error("the RRDP session is the old one")
	}
	for _, name := range []string{"ca1", "testbed", "ta"} {
		if n := w.ManifestNumber(name); n < moved.Unix() {
			t.Errorf("manifest number of %s is %d, want at least %d", name, n, moved.Unix())
		}
	}
	if vrps, err := w.Validate(); err != nil || len(vrps) != 1 {
		t.Errorf("published: %v, %v", vrps, err)
	}
	if n := w.noted("ca1"); n != 1 {
		t.Errorf("the history notes %d restores", n)
	}
	// The same notice again, as after a crash, changes nothing in the history; a
	// later restore jumps again.
	if err := w.Overtake(t.Context(), 7, "another cluster"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if n := w.noted("ca1"); n != 1 {
		t.Errorf("the history notes %d restores after the same notice", n)
	}
	w.Pass(time.Hour)
	if err := w.Overtake(t.Context(), 9, "another timeline"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.Pass(2 * time.Second)
	w.Settle()
	if n := w.ManifestNumber("ca1"); n < moved.Add(time.Hour).Unix() {
		t.Errorf("manifest number after a second restore is %d", n)
	}
}

// The restore may have lost the first manifest of a key too: the world saw its
// numbers from 1 on, so that the key's next manifest cannot begin there.
func TestRestoreThatLostTheFirstManifest(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	w.Settle()
	w.Exec("DELETE FROM ca_manifest m USING es_stream s WHERE s.id = m.stream_id AND s.handle = 'ca1'")
	moved := w.Now()
	if err := w.Overtake(t.Context(), 7, "another timeline"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if n := w.ManifestNumber("ca1"); n < moved.Unix() {
		t.Errorf("manifest number is %d, want at least %d", n, moved.Unix())
	}
	if _, err := w.Validate(); err != nil {
		t.Error(err)
	}
}

// noted counts the restores in a CA's history.
func (w *world) noted(name string) (n int) {
	w.T.Helper()
	page, err := w.History(w.T.Context(), name, pgstore.HistoryQuery{Rows: 1000})
	if err != nil {
		w.T.Fatal(err)
	}
	for _, c := range page.Commands {
		if c.Name == "note_restore" {
			n++
		}
	}
	return n
}
