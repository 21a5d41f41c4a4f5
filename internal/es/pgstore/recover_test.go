package pgstore_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// Recover drops the snapshots that do not fit and nothing else; a broken stream
// stays as it is, is named, and stops alone.
func TestRecoverSetsAsideWhatDoesNotFit(t *testing.T) {
	st := withSnapshots(t) // ada: snapshots at 12 and 24
	want, version := see(t, st, "ada")
	mustCreate(t, st, "bea")
	mustMeet(t, st, "bea", "Cleo")
	mustCreate(t, st, "gone")
	mustLeave(t, st, "gone")
	mustExec(t, st.DB, "UPDATE es_snapshot SET state = jsonb_set(state::jsonb, '{spent}', '0')::json WHERE version = 24")
	mustExec(t, st.DB, "UPDATE es_event SET payload = '{\"amount\": 9}' WHERE name = 'spent/1' AND stream_id = (SELECT id FROM es_stream WHERE handle = 'bea')")
	var log bytes.Buffer
	st.Log = slog.New(slog.NewTextHandler(&log, nil))
	r, err := st.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Streams != 2 || len(r.SetAside) != 1 || r.SetAside[0].Version != 24 || len(r.Broken) != 1 || r.Broken[0].Handle != "bea" || r.Broken[0].Version != 1 {
		t.Errorf("got %+v", r)
	}
	if n := strings.Count(log.String(), "snapshot set aside"); n != 1 || !strings.Contains(log.String(), "handle=bea") {
		t.Errorf("the log says:\n%s", log.String())
	}
	if n := count(t, st.DB, "es_snapshot WHERE version = 12"); n != 1 || count(t, st.DB, "es_snapshot") != 1 {
		t.Error("the wrong snapshots are left")
	}
	if got, v := see(t, st, "ada"); got != want || v != version {
		t.Errorf("version %d\n%.200s", v, got)
	}
	if err := st.View(t.Context(), "bea", nil); fault.Code(err) != pgstore.CodeStreamBroken {
		t.Errorf("bea: %v", err)
	}
}

// What is broken is listed until it is repaired, and logged once.
func TestBrokenStreamsAreListed(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	mustMeet(t, st, "ada", "Bea")
	mustCreate(t, st, "bea")
	mustExec(t, st.DB, "CREATE TABLE keep AS SELECT * FROM es_event; UPDATE es_event SET payload = '{\"amount\": 9}' WHERE name = 'spent/1'")
	var log bytes.Buffer
	fresh := twin(st)
	fresh.Log = slog.New(slog.NewTextHandler(&log, nil))
	if list := fresh.Broken(); len(list) != 0 {
		t.Errorf("nobody looked yet: %v", list)
	}
	for range 3 {
		if err := fresh.View(t.Context(), "ada", nil); fault.Code(err) != pgstore.CodeStreamBroken {
			t.Fatal(err)
		}
	}
	id, err := st.StreamID(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	want := pgstore.Broken{Kind: "person", Handle: "ada", Stream: id.String(), Version: "1", Problem: pgstore.ProblemHash}
	if list := fresh.Broken(); len(list) != 1 || list[0] != want {
		t.Errorf("got %+v, want %+v", list, want)
	}
	if n := strings.Count(log.String(), "broken"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
	see(t, fresh, "bea")
	mustExec(t, st.DB, "UPDATE es_event e SET payload = k.payload FROM keep k WHERE k.stream_id = e.stream_id AND k.version = e.version AND k.ordinal = e.ordinal")
	sameEverywhere(t, fresh, "ada")
	if list := fresh.Broken(); len(list) != 0 {
		t.Errorf("repaired, yet %v", list)
	}
}

func TestVerifyHeads(t *testing.T) {
	const old = "version = 2 AND ordinal = 0"
	for name, c := range map[string]struct {
		edit string
		want string // part of the finding; "": none
	}{
		"nothing":         {"SELECT 1", ""},
		"an older edit":   {"UPDATE es_event SET payload = '{}' WHERE " + old, ""},
		"the newest":      {"UPDATE es_event SET payload = '{}' WHERE version = 3 AND ordinal = 0", "version 3: " + pgstore.ProblemHash},
		"cut off":         {"WITH e AS (DELETE FROM es_event WHERE version = 3) DELETE FROM es_command WHERE version = 3", "version 3: " + pgstore.ProblemMissing},
		"all of it":       {"WITH e AS (DELETE FROM es_event) DELETE FROM es_command", "version 3: " + pgstore.ProblemMissing},
		"the one before":  {"WITH e AS (DELETE FROM es_event WHERE version = 2) DELETE FROM es_command WHERE version = 2", "version 2: " + pgstore.ProblemMissing},
		"stream's number": {"UPDATE es_stream SET version = 2", "version 2: " + pgstore.ProblemNewest},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			mustCreate(t, st, "ada")
			for i := range 3 {
				mustMeet(t, st, "ada", fmt.Sprint(i))
			}
			mustExec(t, st.DB, c.edit)
			var found []string
			n, err := pgstore.VerifyHeads(t.Context(), st.DB, func(f pgstore.Finding) { found = append(found, f.String()) })
			if err != nil || n != 1 {
				t.Fatalf("%d streams, %v", n, err)
			}
			if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}
