package pgstore_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
)

func replay(t *testing.T, st *store, handle string) pgstore.Replayed[person] {
	t.Helper()
	id, err := st.StreamID(t.Context(), handle)
	if err != nil {
		t.Fatal(err)
	}
	r, err := pgstore.Replay(t.Context(), st.DB, st.Type, id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A replay gives the live state.
func TestReplayGivesTheState(t *testing.T) {
	st := withSnapshots(t)
	want, version := see(t, st, "ada")
	r := replay(t, st, "ada")
	got, err := json.Marshal(r.State)
	if err != nil || string(got) != want || r.Version != version || len(r.Findings) != 0 {
		t.Errorf("version %d, findings %v, %v\n%.200s\nwant version %d\n%.200s", r.Version, r.Findings, err, got, version, want)
	}
}

// A log that cannot be folded has no state, and the place is named.
func TestReplayNamesWhatCannotBeFolded(t *testing.T) {
	for name, c := range map[string]struct {
		damage string
		apply  func(*person, es.Meta, es.Event)
		want   []string // parts of the findings, in order
	}{
		"unknown event": {damage: "UPDATE es_event SET name = 'danced/1' WHERE version = 2 AND ordinal = 0", want: []string{
			"version 2: " + pgstore.ProblemHash, `version 2: an event cannot be read or applied: event "danced/1" is unknown`,
		}},
		"other form": {damage: "UPDATE es_event SET payload = '[]' WHERE version = 2 AND ordinal = 0", want: []string{
			"version 2: " + pgstore.ProblemHash, `version 2: an event cannot be read or applied: event "met/1": json:`,
		}},
		"missing command": {damage: "WITH e AS (DELETE FROM es_event WHERE version = 2) DELETE FROM es_command WHERE version = 2", want: []string{
			"version 2: " + pgstore.ProblemMissing,
		}},
		"missing end": {damage: "WITH e AS (DELETE FROM es_event WHERE version = 3) DELETE FROM es_command WHERE version = 3", want: []string{
			"version 3: " + pgstore.ProblemMissing,
		}},
		"apply panics": {damage: "SELECT 1", apply: func(_ *person, m es.Meta, _ es.Event) {
			if m.Version == 1 {
				panic("superstition")
			}
		}, want: []string{"version 1: an event cannot be read or applied: apply panicked: superstition"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			mustCreate(t, st, "ada")
			for i := range 3 {
				mustMeet(t, st, "ada", fmt.Sprint(i))
			}
			mustExec(t, st.DB, c.damage)
			if c.apply != nil {
				st.Type.Apply = c.apply
			}
			r := replay(t, st, "ada")
			if r.State != nil || len(r.Findings) != len(c.want) {
				t.Fatalf("state %v, findings %v, want %q", r.State, r.Findings, c.want)
			}
			for i, f := range r.Findings {
				if !strings.Contains(f.String(), c.want[i]) {
					t.Errorf("%s\nwant %s", f, c.want[i])
				}
			}
		})
	}
}

// Whether a stream lives is what its last event says, not its row.
func TestReplayKnowsWhetherAStreamEnded(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	mustCreate(t, st, "bea")
	ids := map[string]uuid.UUID{}
	for _, handle := range []string{"ada", "bea"} {
		id, err := st.StreamID(t.Context(), handle)
		if err != nil {
			t.Fatal(err)
		}
		ids[handle] = id
	}
	if _, err := st.Delete(t.Context(), "ada", leave{}, bob); err != nil {
		t.Fatal(err)
	}
	for _, edit := range []string{
		"SELECT 1",
		"UPDATE es_stream s SET deleted_at = CASE WHEN s.deleted_at IS NULL THEN c.at END FROM es_command c WHERE c.stream_id = s.id AND c.version = s.version",
	} {
		mustExec(t, st.DB, edit)
		for handle, id := range ids {
			r, err := pgstore.Replay(t.Context(), st.DB, st.Type, id)
			if err != nil {
				t.Fatal(err)
			}
			wrong := len(r.Findings) == 1 && r.Findings[0].Problem == pgstore.ProblemDeleted
			if sound := edit == "SELECT 1"; sound && len(r.Findings) > 0 || !sound && !wrong {
				t.Errorf("%s after %s: %v", handle, edit, r.Findings)
			}
		}
	}
}
