package pgstore_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// withSnapshots gives a stream with two snapshots and commands behind them.
func withSnapshots(t *testing.T) *store {
	t.Helper()
	st := newStore(t)
	mustCreate(t, st, "ada")
	for range 2 {
		for i := range 12 { // each adds to the state: 2 KiB of name
			mustMeet(t, st, "ada", fmt.Sprint(i, strings.Repeat("x", 2<<10)))
		}
		if taken, err := st.Snapshot(t.Context(), "ada"); err != nil || !taken {
			t.Fatalf("taken %v, %v", taken, err)
		}
	}
	mustMeet(t, st, "ada", "Bea")
	return st
}

func TestSnapshotsAreTakenWhenTheyPay(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	taken := 0
	for i := range 120 {
		mustMeet(t, st, "ada", fmt.Sprint(i, strings.Repeat("x", 1<<10)))
		ok, err := st.Snapshot(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			taken++
		}
	}
	if taken < 2 || taken > 6 { // at about 16, 32, 64 KiB…
		t.Errorf("%d snapshots for 120 growing states", taken)
	}
	if n := count(t, st.DB, "es_snapshot"); n != 2 {
		t.Errorf("%d snapshots are kept, want 2", n)
	}
	sameEverywhere(t, st, "ada")
	soundLog(t, st)
	if r := replay(t, st, "ada"); len(r.Findings) != 0 {
		t.Errorf("findings %v", r.Findings)
	}
	if _, err := st.Snapshot(t.Context(), "nobody"); fault.Code(err) != pgstore.CodeStreamUnknown {
		t.Errorf("got %v", err)
	}
}

// reader counts what is folded.
func reader(st *store, log *bytes.Buffer) (*store, *int) {
	folded := 0
	r := twin(st)
	r.Type.Apply = func(s *person, m es.Meta, e es.Event) {
		folded++
		applyPerson(s, m, e)
	}
	r.Log = slog.New(slog.NewTextHandler(log, nil))
	return r, &folded
}

func TestLoadFallsBackFromSnapshotToSnapshotToLog(t *testing.T) {
	const (
		newest = "version = (SELECT max(version) FROM es_snapshot)"
		forged = "state = jsonb_set(state::jsonb, '{spent}', '0')::json"
	)
	for name, c := range map[string]struct {
		damage string
		folded int // events
		logged int // snapshots set aside
	}{
		"both are good":          {"SELECT 1", 2, 0},
		"the newest was edited":  {"UPDATE es_snapshot SET " + forged + " WHERE " + newest, 26, 1},
		"its hash was edited":    {"UPDATE es_snapshot SET hash = sha256('x') WHERE " + newest, 26, 1},
		"another log":            {"UPDATE es_snapshot SET version = version - 1 WHERE " + newest, 26, 1},
		"ahead of the log":       {"UPDATE es_snapshot SET version = 1000 WHERE " + newest, 26, 1},
		"another format":         {"UPDATE es_snapshot SET format = 2 WHERE " + newest, 26, 0},
		"both were edited":       {"UPDATE es_snapshot SET " + forged, 51, 2},
		"there is none":          {"DELETE FROM es_snapshot", 51, 0},
		"the newest is not JSON": {"UPDATE es_snapshot p SET state = '[]', hash = sha256(c.hash || '[]'::bytea) FROM es_command c WHERE c.version = p.version AND p." + newest, 26, 1},
	} {
		t.Run(name, func(t *testing.T) {
			st := withSnapshots(t)
			want, version := see(t, st, "ada")
			mustExec(t, st.DB, c.damage)
			var log bytes.Buffer
			fresh, folded := reader(st, &log)
			got, v := see(t, fresh, "ada")
			if got != want || v != version {
				t.Errorf("version %d\n%.200s\nwant version %d\n%.200s", v, got, version, want)
			}
			if *folded != c.folded {
				t.Errorf("%d events were folded, want %d", *folded, c.folded)
			}
			if n := strings.Count(log.String(), "set aside"); n != c.logged {
				t.Errorf("%d snapshots were reported, want %d:\n%s", n, c.logged, log.String())
			}
			mustMeet(t, fresh, "ada", "Cleo")
			sameEverywhere(t, fresh, "ada")
		})
	}
}

func TestVerifyFindsForgedSnapshots(t *testing.T) {
	st := withSnapshots(t)
	mustExec(t, st.DB, "UPDATE es_snapshot SET state = jsonb_set(state::jsonb, '{spent}', '0')::json WHERE version = 24")
	var found []pgstore.Finding
	if _, err := pgstore.VerifyAll(t.Context(), st.DB, func(f pgstore.Finding) { found = append(found, f) }); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Version != 24 || found[0].Problem != pgstore.ProblemSnapshotHash {
		t.Errorf("forged state: %v", found)
	}
	mustExec(t, st.DB, `UPDATE es_snapshot p SET hash = sha256(c.hash || convert_to(p.state::text, 'UTF8'))
		FROM es_command c WHERE c.stream_id = p.stream_id AND c.version = p.version`)
	soundLog(t, st)
	if found := replay(t, st, "ada").Findings; len(found) != 1 || found[0].Version != 24 || found[0].Problem != pgstore.ProblemSnapshotFold {
		t.Errorf("forged state and hash: %v", found)
	}
}

// secretive is a state that JSON loses.
type secretive struct{ hidden bool }

// MarshalJSON writes what UnmarshalJSON does not read.
func (s secretive) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"pad":%q,"hidden":%v}`, strings.Repeat("x", 32<<10), s.hidden), nil
}

type confide struct{ Secret string }

func (confide) CommandName() string { return "confide" }
func (c confide) Process(*secretive, time.Time) ([]es.Event, error) {
	return []es.Event{registered{Name: c.Secret}}, nil
}

func TestStateThatDoesNotSurviveJSONIsNotStored(t *testing.T) {
	base := newStore(t)
	st := &pgstore.Store[secretive]{DB: base.DB, Fence: base.Fence, Type: es.Type[secretive]{
		Kind: "secretive", Codec: personType.Codec, Apply: func(s *secretive, _ es.Meta, _ es.Event) { s.hidden = true },
	}}
	if _, err := st.Create(t.Context(), "ada", confide{strings.Repeat("x", 20<<10)}, bob); err != nil {
		t.Fatal(err)
	}
	if taken, err := st.Snapshot(t.Context(), "ada"); err == nil || taken {
		t.Errorf("taken %v, %v", taken, err)
	}
}

// For any sequence of commands: the live state, a replay of the log and a
// replay from a snapshot are the same, and the hash chain holds.
func TestReplayIsLive(t *testing.T) {
	st := newStore(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		handle := fmt.Sprint("p", n)
		mustCreate(t, st, handle)
		for i := range rapid.IntRange(1, 15).Draw(rt, "commands") {
			name := rapid.StringMatching(`[a-cé<"\\]{0,2}`).Draw(rt, "name")
			var cmd es.Command[person] = meet{Friend: name, Spend: rapid.IntRange(-5, 200).Draw(rt, "spend")}
			if rapid.Bool().Draw(rt, "rename") {
				cmd = rename{Name: name}
			}
			if _, err := st.Execute(t.Context(), handle, cmd, bob); err != nil && fault.Of(err) != fault.Invalid {
				rt.Fatalf("command %d %#v: %v", i, cmd, err)
			}
		}
		live, v := see(t, st, handle)
		replayed, w := see(t, twin(st), handle)
		if live != replayed || v != w {
			rt.Fatalf("live (version %d) %s, replayed (version %d) %s", v, live, w, replayed)
		}
	})
	soundLog(t, st)
}
