package service_test

import (
	"testing"
	"time"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/testworld"
)

// The database goes away while a command is committed that brings a key, and
// comes back too late to say what became of it: it may be done, and then
// everything rests on that key. It stays.
func TestKeysOfACommandThatMayBeDone(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	if err := w.CreateCA(t.Context(), testworld.Operator, "ca2"); err != nil {
		t.Fatal(err)
	}
	repo, err := w.Pubs.AddPublisher(t.Context(), testworld.Operator, oob.PublisherRequest{PublisherHandle: "ca2", IDCert: w.State("ca2").Identity.Cert})
	w.Must(err)
	w.Must(w.ConfigureRepository(t.Context(), testworld.Operator, "ca2", repo, nil))
	w.Settle()
	w.CAs.SettleFor = time.Millisecond
	w.Exec(`CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$`)
	cut := func() { // every session ends at its commit
		w.Exec(`CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON es_command DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut()`)
	}
	unknown := func(what string, err error) {
		w.Exec("DROP TRIGGER cut ON es_command")
		if fault.Code(err) != pgstore.CodeOutcomeUnknown {
			t.Errorf("%s: %v", what, err)
		}
		if n := w.Count("signer_key WHERE destroyed_at IS NOT NULL"); n != 0 {
			t.Errorf("%s: %d keys were destroyed", what, n)
		}
	}
	cut()
	unknown("create", w.CreateCA(t.Context(), testworld.Operator, "ca3"))
	cut()
	unknown("identity", w.RenewIdentity(t.Context(), testworld.Operator, "ca1", nil))
	cut()
	unknown("roll", w.InitiateKeyRoll(t.Context(), testworld.Operator, "ca1", nil))

	w.Attach("ca2", "testbed", set("AS64497", "", ""))
	keys := w.Count("signer_key")
	cut()
	w.Settle()
	unknown("a class offered by the parent", w.lastFault("ca_sync_parent"))
	if n := w.Count("signer_key") - keys; n == 0 {
		t.Error("no key was made for the class")
	}
}

// lastFault is that of the task of a kind which failed.
func (w *world) lastFault(kind string) error {
	w.T.Helper()
	var code string
	if err := w.DB.QueryRow(w.T.Context(), "SELECT last_fault ->> 'code' FROM task WHERE kind = $1 AND failures > 0", kind).Scan(&code); err != nil {
		w.T.Fatal(err)
	}
	return fault.New(fault.Unavailable, code, "")
}
