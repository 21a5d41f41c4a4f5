package pgstore_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/postgres"
)

// archive moves what is older than now, in small batches.
func archive(t *testing.T, st *store) pgstore.Archived {
	t.Helper()
	done, err := (pgstore.Archiver{DB: st.DB, Fence: st.Fence, Batch: 5}).Archive(t.Context(), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// withArchive gives a stream of 26 commands, the first 12 of them archived.
func withArchive(t *testing.T) *store {
	t.Helper()
	st := withSnapshots(t) // at versions 12 and 24; the newest command is 25
	if done := archive(t, st); done != (pgstore.Archived{Streams: 1, Commands: 12}) {
		t.Fatalf("archived %+v", done)
	}
	return st
}

func TestArchiveIsPartOfTheLog(t *testing.T) {
	st := withSnapshots(t)
	page := pgstore.HistoryQuery{Rows: 100}
	before, err := st.History(t.Context(), "ada", page)
	if err != nil {
		t.Fatal(err)
	}
	if done := archive(t, st); done != (pgstore.Archived{Streams: 1, Commands: 12}) {
		t.Fatalf("archived %+v", done)
	}
	for table, want := range map[string]int{"es_command": 14, "archive.es_command": 12, "es_event": 28, "archive.es_event": 23} {
		if n := count(t, st.DB, table); n != want {
			t.Errorf("%s has %d rows, want %d", table, n, want)
		}
	}
	if done := archive(t, st); done != (pgstore.Archived{}) {
		t.Errorf("archived again: %+v", done)
	}
	after, err := st.History(t.Context(), "ada", page)
	if err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("the history is another one: %d of %d, %v", len(after.Commands), after.Total, err)
	}
	whole := time.Unix(0, 0)
	if timed, err := st.History(t.Context(), "ada", pgstore.HistoryQuery{Rows: 3, Offset: 10, After: &whole}); err != nil ||
		timed.Total != 25 || !reflect.DeepEqual(timed.Commands, before.Commands[10:13]) {
		t.Errorf("a page across the border: %+v, %v", timed, err)
	}
	for _, version := range []int64{0, 11, 12, 25} {
		if c, err := st.CommandAt(t.Context(), "ada", version); err != nil || c.Version != version || len(c.Events) == 0 {
			t.Errorf("command %d: %+v, %v", version, c, err)
		}
	}
	soundLog(t, st)
	if r := replay(t, st, "ada"); r.State == nil || len(r.Findings) != 0 {
		t.Errorf("replay: %v", r.Findings)
	}
	mustMeet(t, st, "ada", "Eve")
	sameEverywhere(t, st, "ada")
}

// A load needs the archive only when no snapshot is good, and then takes it.
func TestLoadNeedsTheArchiveOnlyWithoutSnapshot(t *testing.T) {
	const newest = "version = (SELECT max(version) FROM es_snapshot)"
	for name, c := range map[string]struct {
		damage string
		folded int
	}{
		"both are good":      {"SELECT 1", 2},
		"the older is left":  {"DELETE FROM es_snapshot WHERE " + newest, 26},
		"both are bad":       {"UPDATE es_snapshot SET hash = sha256('x')", 51},
		"of another program": {"UPDATE es_snapshot SET format = 2", 51},
	} {
		t.Run(name, func(t *testing.T) {
			st := withArchive(t)
			want, version := see(t, st, "ada")
			mustExec(t, st.DB, c.damage)
			if c.folded < 51 {
				mustExec(t, st.DB, "DELETE FROM archive.es_event; DELETE FROM archive.es_command")
			}
			fresh, folded := reader(st, &bytes.Buffer{})
			if got, v := see(t, fresh, "ada"); got != want || v != version || *folded != c.folded {
				t.Errorf("version %d, want %d; %d events were folded, want %d\n%.200s\n%.200s", v, version, *folded, c.folded, got, want)
			}
			mustMeet(t, fresh, "ada", "Cleo")
		})
	}
}

// A cached state from before the border is still brought to the newest.
func TestStateFromBeforeTheBorder(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	standby := twin(st)
	see(t, standby, "ada")
	for range 2 {
		for i := range 12 {
			mustMeet(t, st, "ada", fmt.Sprintf("%d%02000d", i, i))
		}
		if taken, err := st.Snapshot(t.Context(), "ada"); err != nil || !taken {
			t.Fatalf("taken %v, %v", taken, err)
		}
	}
	archive(t, st)
	want, _ := see(t, st, "ada")
	if got, v := see(t, standby, "ada"); got != want || v != 24 {
		t.Errorf("version %d\n%.200s", v, got)
	}
}

func TestWhatStaysOutOfTheArchive(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, st *store)
		before  time.Duration // from now
		want    int
	}{
		"too young":    {func(*testing.T, *store) {}, -time.Hour, 0},
		"one snapshot": {func(t *testing.T, st *store) { mustExec(t, st.DB, "DELETE FROM es_snapshot WHERE version = 24") }, time.Hour, 0},
		"no snapshot":  {func(t *testing.T, st *store) { mustExec(t, st.DB, "DELETE FROM es_snapshot") }, time.Hour, 0},
		"a snapshot does not fit": {func(t *testing.T, st *store) {
			mustExec(t, st.DB, "UPDATE es_snapshot SET hash = sha256('x') WHERE version = 24")
		}, time.Hour, 0},
		"from the first young one": {func(t *testing.T, st *store) {
			mustExec(t, st.DB, "UPDATE es_command SET at = at + interval '1 day' WHERE version = 7")
		}, time.Hour, 7},
		"up to the older snapshot": {func(*testing.T, *store) {}, time.Hour, 12},
		"all of what is deleted":   {func(t *testing.T, st *store) { mustLeave(t, st, "ada") }, time.Hour, 27},
		"deleted just now": {func(t *testing.T, st *store) {
			mustLeave(t, st, "ada")
			mustExec(t, st.DB, "UPDATE es_stream SET deleted_at = now() + interval '1 day'")
		}, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			st := withSnapshots(t)
			c.prepare(t, st)
			done, err := (pgstore.Archiver{DB: st.DB, Fence: st.Fence, Batch: 5}).Archive(t.Context(), time.Now().Add(c.before))
			if err != nil || done.Commands != c.want || count(t, st.DB, "archive.es_command") != c.want {
				t.Errorf("%+v, %v; want %d commands", done, err, c.want)
			}
		})
	}
}

func mustLeave(t *testing.T, st *store, handle string) {
	t.Helper()
	if _, err := st.Delete(t.Context(), handle, leave{}, bob); err != nil {
		t.Fatal(err)
	}
}

// A handle that is taken again has a log of its own; the former one's stays
// whole in the archive.
func TestDeletedStreamInTheArchive(t *testing.T) {
	st := withSnapshots(t)
	mustLeave(t, st, "ada")
	archive(t, st)
	mustCreate(t, st, "ada")
	mustMeet(t, st, "ada", "Bea")
	soundLog(t, st)
	sameEverywhere(t, st, "ada")
	if page, err := st.History(t.Context(), "ada", pgstore.HistoryQuery{Rows: 10}); err != nil || page.Total != 1 {
		t.Errorf("history of the new one: %+v, %v", page, err)
	}
}

// Edits of the archive are found like those of the log, on both sides of the
// border.
func TestVerifyReadsTheArchive(t *testing.T) {
	for name, c := range map[string]struct {
		edit string
		want map[int64]string
	}{
		"payload":    {"UPDATE archive.es_event SET payload = '{}' WHERE version = 3 AND ordinal = 0", map[int64]string{3: pgstore.ProblemHash}},
		"the border": {"UPDATE archive.es_command SET hash = sha256('x') WHERE version = 11", map[int64]string{11: pgstore.ProblemHash, 12: pgstore.ProblemHash}},
		"lost":       {"WITH e AS (DELETE FROM archive.es_event WHERE version = 11) DELETE FROM archive.es_command WHERE version = 11", map[int64]string{11: pgstore.ProblemMissing}},
	} {
		t.Run(name, func(t *testing.T) {
			st := withArchive(t)
			mustExec(t, st.DB, c.edit)
			got := map[int64]string{}
			if _, err := pgstore.VerifyAll(t.Context(), st.DB, func(f pgstore.Finding) { got[f.Version] = f.Problem }); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A node that was replaced moves nothing.
func TestArchiveIsFenced(t *testing.T) {
	st := withSnapshots(t)
	mustExec(t, st.DB, "UPDATE leader SET epoch = epoch + 1")
	_, err := (pgstore.Archiver{DB: st.DB, Fence: st.Fence}).Archive(t.Context(), time.Now().Add(time.Hour))
	if fault.Code(err) != postgres.CodeNotActive || count(t, st.DB, "archive.es_command") != 0 {
		t.Errorf("got %v", err)
	}
}
