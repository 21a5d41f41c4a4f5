package service_test

import (
	"fmt"
	"maps"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/service"
)

// A start schedules what is lost, keeps what waits, and runs twice without harm.
func TestStartSchedulesWhatIsMissing(t *testing.T) {
	w := parentAndChild(t)
	w.Exec("UPDATE task SET run_at = '2030-01-01' WHERE kind = 'ca_sync_parent' AND key LIKE 'ca1 %'")                                          // waits
	w.Exec("UPDATE task SET run_at = 'infinity', failures = 1, last_fault = '{}' WHERE kind = 'ca_sync_parent' AND key LIKE 'ca2 %'")           // parked
	w.Exec("DELETE FROM task WHERE kind = 'ca_sync_parent' AND key LIKE 'testbed %' OR kind IN ('cas_renew', 'cas_republish', 'log_snapshot')") // lost
	w.Exec("UPDATE task SET run_at = 'infinity', failures = 1, last_fault = '{}' WHERE kind = 'log_archive'")                                   // parked
	for range 2 {
		if err := w.ScheduleStart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for kind, want := range map[string]int{"queue_start": 1, "cas_renew": 1, "cas_republish": 1, "cas_suspend": 1, "log_snapshot": 1, "log_archive": 1, "ta_renew": 1, "rrdp_update": 1, "bgp_refresh": 0} {
		if n := w.Count("task WHERE kind = '" + kind + "'"); n != want {
			t.Errorf("%d tasks %s, want %d", n, kind, want)
		}
	}
	w.Settle()
	if n := w.Count("task WHERE kind = 'ca_sync_parent' AND run_at = '2030-01-01'"); n != 1 {
		t.Error("a task that waited did not keep its time")
	}
	if n := w.Count("task WHERE run_at = 'infinity'"); n != 0 {
		t.Errorf("%d tasks are still parked", n)
	}
	if n := w.Count("task WHERE kind = 'ca_sync_parent' AND failures = 0 AND run_at < 'infinity'"); n != 3 {
		t.Errorf("%d of 3 CAs will ask their parent", n)
	}
	if n := w.Count("ca_repo_status"); n != 3 {
		t.Errorf("%d of 3 repositories were compared", n)
	}
}

// Where there are many CAs their first questions are spread, and a start does
// what it does with none: it loads none of them and writes no row for any.
func TestStartWithManyCAs(t *testing.T) {
	w := newWorld(t)
	if err := w.ScheduleStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	few := w.Count("task")
	w.Exec("DELETE FROM task")
	// These streams have no log: whoever loads one of them fails.
	w.Exec(`INSERT INTO es_stream (id, kind, handle, version, created_at)
		SELECT gen_random_uuid(), 'ca', 'ca' || lpad(i::text, 5, '0'), 0, now() FROM generate_series(1, 5000) i`)
	if err := w.ScheduleStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.Count("task"); n != few {
		t.Errorf("it left %d tasks, and %d without any CA", n, few)
	}
	w.Exec("DELETE FROM task WHERE kind <> 'queue_start'")
	w.Settle()
	if n := w.Count("task WHERE kind = 'ca_refresh' AND run_at < now() + interval '12 hours'"); n != 5000 {
		t.Errorf("%d of 5000 CAs will ask their parents", n)
	}
	if n := w.Count("task WHERE kind = 'ca_refresh' AND run_at < now() + interval '6 hours'"); n < 2000 || n > 3000 {
		t.Errorf("%d in the first half of the time", n)
	}
	if n := w.Count("task WHERE kind = 'repo_sync'") + w.Count("task WHERE kind = 'queue_start'"); n != 0 {
		t.Errorf("%d tasks for repositories and the start are left", n)
	}
}

// A parent that refuses is asked again: no answer of it ends that.
func TestRefusalsOfAParentEndNothing(t *testing.T) {
	w := parentAndChild(t)
	up, err := w.ParentResponse(t.Context(), "ca1", "ca2")
	if err != nil {
		t.Fatal(err)
	}
	up.ChildHandle = "nobody"
	if err := w.SetParent(t.Context(), operator, "ca2", "ca1", up, service.AnyVersion); fault.Code(err) != "ca-child-unknown" {
		t.Fatalf("a parent that refuses is taken: %v", err)
	}
	contact := w.State("ca2").Parents["ca1"]
	contact.ChildHandle = "nobody"
	if _, err := w.CAs.Execute(t.Context(), "ca2", ca.SetParent{Parent: "ca1", Contact: contact}, pgstore.Write{Actor: operator}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if n := w.Count("task WHERE kind = 'ca_sync_parent' AND key = 'ca2 ca1' AND failures > 0 AND run_at < now() + interval '301 seconds'"); n != 1 {
		t.Error("the parent will not be asked again")
	}
	if n := w.Count("ca_child_status WHERE child = 'nobody'"); n != 0 {
		t.Error("a child that is unknown has a status")
	}
}

// Only CAs whose objects come close to their expiry are looked at, and what was
// renewed is not looked at again.
func TestRenewLooksOnlyWhereItIsDue(t *testing.T) {
	w := parentAndChild(t)
	first := maps.Clone(w.State("ca2").Classes["0"].ROAs)
	w.Run(service.Renew{})
	if n := w.Count("ca_renewal WHERE kind = 'roa' AND not_after < now() + interval '53 weeks'"); n != 1 {
		t.Fatalf("%d CAs are known to have ROAs", n)
	}
	w.Pass(49 * week)
	w.Exec("DELETE FROM task WHERE kind <> 'cas_renew'")
	w.Run(service.Renew{})
	for name, r := range w.State("ca2").Classes["0"].ROAs {
		if r.Serial == first[name].Serial {
			t.Errorf("%s was not renewed", name)
		}
	}
	w.Run(service.Renew{}) // looks once more, and puts right when it is due
	if n := w.Count(fmt.Sprintf("ca_renewal WHERE not_after < now() + interval '%d weeks'", 49+50)); n != 0 {
		t.Errorf("%d CAs are still due", n)
	}
}

// A CA with more parents than a batch has those asked first that were not asked
// for longest.
func TestBulkRefreshTakesABatch(t *testing.T) {
	w := parentAndChild(t)
	w.Config.RefreshBatch = 2
	contact := w.State("ca2").Parents["ca1"]
	for i := range 3 {
		contact.ServiceURI = fmt.Sprintf("https://elsewhere%d.example.net/rfc6492/p", i)
		if _, err := w.CAs.Execute(t.Context(), "ca2", ca.SetParent{Parent: fmt.Sprintf("p%d", i), Contact: contact}, pgstore.Write{Actor: operator}); err != nil {
			t.Fatal(err)
		}
	}
	w.Exec("DELETE FROM task")
	w.Exec("DELETE FROM ca_parent_status WHERE parent LIKE 'p_'")
	w.Exec(`INSERT INTO ca_parent_status (stream_id, parent, uri, at, fault)
		SELECT id, 'p0', 'x', now() - interval '1 day', '{"label":"x","msg":"x","args":{}}'::jsonb FROM es_stream WHERE handle = 'ca2' AND kind = 'ca'`)
	w.Exec(`INSERT INTO ca_parent_status (stream_id, parent, uri, at) SELECT id, 'p1', 'x', now() + interval '1 hour' FROM es_stream WHERE handle = 'ca2' AND kind = 'ca'`)
	if err := w.BulkSyncParents(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Exec("DELETE FROM task WHERE key <> 'ca2 batch'")
	w.Settle()
	var asked string
	if err := w.DB.QueryRow(t.Context(), "SELECT string_agg(key, ', ' ORDER BY key) FROM task WHERE kind = 'ca_ask_parent'").Scan(&asked); err != nil {
		t.Fatal(err)
	}
	if asked != "ca2 p0, ca2 p2" {
		t.Errorf("asked: %s", asked)
	}
}

// A task that a dead node was running when it died does not block its kind: it
// is due again under the next epoch, although a start leaves what runs alone
// (defect D23).
func TestOrphanOfADeadNodeRunsAgain(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Exec("DELETE FROM task WHERE kind <> 'cas_renew'")
	w.Exec("UPDATE task SET leased_by = 'dead', leased_epoch = $1, run_at = now() + interval '1 hour', attempt = attempt + 1", w.Fence.Epoch()-1)
	if err := w.ScheduleStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if n := w.Count("task WHERE kind = 'cas_renew' AND leased_by IS NULL AND attempt = 3 AND run_at > now() + interval '50 minutes' AND run_at < now() + interval '61 minutes'"); n != 1 {
		t.Error("the orphan did not run again")
	}
}
