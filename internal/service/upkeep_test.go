package service_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/service"
	"baleen/internal/tasks"
)

// Once a day snapshots are taken where they pay and, if it is wanted, what is
// old goes to the archive; history and proof stay whole.
func TestLogIsLookedAfter(t *testing.T) {
	w := newWorld(t)
	w.Config.ArchiveAfter = 30 * 24 * time.Hour
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	comment := strings.Repeat("x", 200)
	for round := range 3 {
		for i := range 12 {
			var cmd ca.ConfigureROAs
			for j := range 10 {
				r := route(fmt.Sprintf("10.%d.%d.0/24", 80*round+i, j), 24, 64496)
				r.Comment = comment
				cmd.Added = append(cmd.Added, r)
			}
			if err := w.Configure("ca1", cmd); err != nil {
				t.Fatal(err)
			}
		}
		w.Exec("DELETE FROM task WHERE kind = 'ca_issue'") // nobody needs all these objects
		w.Run(service.SnapshotLog{})
	}
	if n := w.Count("es_snapshot"); n < 2 {
		t.Fatalf("%d snapshots", n)
	}
	before, err := w.History(t.Context(), "ca1", pgstore.HistoryQuery{Rows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	w.Run(service.ArchiveLog{})
	if n := w.Count("archive.es_command"); n != 0 {
		t.Errorf("%d commands of today were archived", n)
	}
	w.Pass(31 * 24 * time.Hour)
	w.Exec("DELETE FROM task WHERE kind <> 'log_archive'")
	w.Run(service.ArchiveLog{})
	if n := w.Count("archive.es_command"); n == 0 {
		t.Error("nothing was archived")
	}
	after, err := w.History(t.Context(), "ca1", pgstore.HistoryQuery{Rows: 1000})
	if err != nil || len(after.Commands) != len(before.Commands) {
		t.Errorf("the history has %d commands, and had %d: %v", len(after.Commands), len(before.Commands), err)
	}
	if findings, _ := w.Verify(); len(findings) > 0 {
		t.Errorf("findings %q", findings)
	}
	if n := w.Count("task WHERE kind = 'log_archive' AND run_at > now() + interval '31 days 23 hours'"); n != 1 {
		t.Error("it does not come again")
	}
}

// Without a threshold nothing is archived.
func TestArchiveIsOffByDefault(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Pass(10 * 365 * 24 * time.Hour)
	w.Exec("DELETE FROM task WHERE kind <> 'log_archive'")
	w.Run(service.ArchiveLog{})
	if n := w.Count("archive.es_command"); n != 0 {
		t.Errorf("%d commands were archived", n)
	}
}

// A CA whose log was edited stops, with a clear fault; everybody else goes on,
// and so do the tasks that go through all CAs.
func TestBrokenStreamStopsAlone(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	w.Join("ca2", "testbed", set("AS64496", "11.0.0.0/8", ""))
	w.Exec(`UPDATE es_event SET payload = jsonb_set(payload, '{repository,sia_base}', '"rsync://evil/"') WHERE name LIKE 'repository_configured/%'
		AND stream_id = (SELECT id FROM es_stream WHERE kind = 'ca' AND handle = 'ca1')`)
	w.CAs.Forget() // as after a start
	err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496)}})
	if fault.Code(err) != pgstore.CodeStreamBroken || !strings.Contains(err.Error(), "baleen verify") {
		t.Errorf("a command for ca1: %v", err)
	}
	if err := w.Configure("ca2", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("11.0.0.0/16", 24, 64496)}}); err != nil {
		t.Error(err)
	}
	w.Settle()
	if err := w.Overtake(t.Context(), 7, "another cluster"); err != nil {
		t.Errorf("overtake: %v", err)
	}
	for _, a := range []tasks.Args{service.Renew{}, service.Republish{}, service.SnapshotLog{}} {
		w.Run(a)
		if n := w.Count("task WHERE failures > 0 AND kind = '" + a.Kind() + "'"); n != 0 {
			t.Errorf("%s failed", a.Kind())
		}
	}
	if n := len(w.State("ca2").Classes["0"].ROAs); n != 1 {
		t.Errorf("ca2 has %d ROAs", n)
	}
	if list := w.Broken(); len(list) != 1 || list[0].Handle != "ca1" || list[0].Kind != "ca" {
		t.Errorf("broken: %+v", list)
	}
}

// A rebuild sets aside what does not fit, and brings everything that follows
// from the log back to what it says; a broken stream stays as it is.
func TestRecoverRebuildsEverything(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	w.Join("ca2", "testbed", set("AS64496", "11.0.0.0/8", ""))
	if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	want, err := w.Validate()
	if err != nil {
		t.Fatal(err)
	}
	number := w.ManifestNumber("ca1")
	w.ForceSnapshot("ca1")
	w.Exec(`UPDATE es_snapshot SET state = jsonb_set(state::jsonb, '{handle}', '"eve"')::json`)
	w.Exec("DELETE FROM ca_object WHERE uri LIKE '%.roa'")
	w.Exec("UPDATE es_command SET actor = 'user:eve' WHERE version = 1 AND stream_id = (SELECT id FROM es_stream WHERE kind = 'ca' AND handle = 'ca2')")
	r, err := w.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.SetAside) != 1 || r.SetAside[0].Handle != "ca1" || len(r.Broken) != 1 || r.Broken[0].Handle != "ca2" || r.Streams != 6 {
		t.Errorf("got %+v", r)
	}
	w.Settle()
	if got, err := w.Validate(); err != nil || lines(got) != lines(want) {
		t.Errorf("published\n%s\nwant\n%s\n%v", lines(got), lines(want), err)
	}
	if n := w.ManifestNumber("ca1"); n <= number {
		t.Errorf("nothing was issued again: the manifest's number is %d, and was %d", n, number)
	}
	findings, _ := w.Verify()
	if len(findings) != 1 || !strings.Contains(findings[0], `ca "ca2"`) {
		t.Errorf("findings %q", findings)
	}
}
