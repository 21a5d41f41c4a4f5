package service_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/fault"
	"baleen/internal/service"
)

// parentAndChild is a world with a CA below testbed that has a child.
func parentAndChild(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Config.SuspendAfter = 72 * time.Hour
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	w.Join("ca2", "ca1", set("", "10.0.0.0/16", ""))
	if err := w.Configure("ca2", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.valid(); got != "10.0.0.0/16-16 => 64496" {
		t.Fatalf("valid: %s", got)
	}
	return w
}

// valid gives the routes that a relying party takes for valid.
func (w *world) valid() string {
	w.T.Helper()
	got, err := w.Validate()
	if err != nil {
		w.T.Fatal(err)
	}
	return lines(got)
}

// silence lets time pass in which no child says anything, and none will.
func (w *world) silence(d time.Duration) {
	w.T.Helper()
	w.Pass(d)
	w.Exec("UPDATE task SET run_at = now() + interval '1 year' WHERE kind IN ('ca_sync_parent', 'ca_refresh')")
}

// quiet does the same while the server works.
func (w *world) quiet(d time.Duration) {
	w.T.Helper()
	w.silence(d)
	w.Settle()
	w.Run(service.Republish{})
}

func (w *world) suspended(parent string) []string {
	st := w.State(parent)
	return st.SuspendedChildren()
}

// An operator suspends a child and makes it active again: its certificate goes,
// and comes back with another serial.
func TestSuspendByHand(t *testing.T) {
	w := parentAndChild(t)
	before := w.State("ca1").Classes["0"].Certs
	var old ca.IssuedCert
	for _, c := range before {
		old = c
	}
	der, err := w.Object(t.Context(), old.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetChildSuspended(t.Context(), operator, "ca1", "ca2", true, service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.FilesOf("ca1")[".cer"]; len(got) != 0 {
		t.Errorf("published: %v", got)
	}
	if got := w.suspended("ca1"); !slices.Equal(got, []string{"ca2"}) {
		t.Errorf("suspended: %v", got)
	}
	w.Exec("UPDATE der_object SET der = '\\x00' WHERE hash = $1", old.Hash[:])
	if findings, _ := w.Verify(); len(findings) == 0 || !strings.Contains(strings.Join(findings, "\n"), "certificate of suspended child ca2") {
		t.Errorf("what is kept aside was damaged: findings %q", findings)
	}
	w.Exec("UPDATE der_object SET der = $2 WHERE hash = $1", old.Hash[:], der)
	if findings, _ := w.Verify(); len(findings) > 0 {
		t.Errorf("findings %q", findings)
	}
	if err := w.SetChildSuspended(t.Context(), operator, "ca1", "ca2", false, service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.FilesOf("ca1")[".cer"]; len(got) != 1 || w.valid() != "10.0.0.0/16-16 => 64496" {
		t.Errorf("published: %v, valid: %s", got, w.valid())
	}
	if again := w.State("ca1").Classes["0"].Certs[old.KeyID]; again.Serial == old.Serial || again.Hash == old.Hash || again.URI != old.URI {
		t.Errorf("got %+v, had %+v", again, old)
	}
	if err := w.SetChildSuspended(t.Context(), operator, "ca1", "nobody", true, service.AnyVersion); fault.Code(err) != "ca-child-unknown" {
		t.Errorf("an unknown child: %v", err)
	}
	if n := w.Waiting(); n != 0 {
		t.Errorf("%d tasks failed", n)
	}
	if findings, _ := w.Verify(); len(findings) > 0 {
		t.Errorf("findings %q", findings)
	}
}

// A child that is silent for too long is suspended; as soon as it speaks it is
// active again.
func TestSilentChildIsSuspended(t *testing.T) {
	w := parentAndChild(t)
	w.Exec("UPDATE ca_child_status SET user_agent = 'rpkid' WHERE child = 'ca1'") // other software is left alone
	w.quiet(71 * time.Hour)
	w.Run(service.SuspendSilent{})
	if got := w.suspended("ca1"); len(got) != 0 {
		t.Fatalf("suspended too early: %v", got)
	}
	w.quiet(2 * time.Hour)
	if err := w.BulkSuspend(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.suspended("ca1"); !slices.Equal(got, []string{"ca2"}) {
		t.Fatalf("suspended: %v", got)
	}
	if got := w.suspended("testbed"); len(got) != 0 {
		t.Errorf("suspended although it may call rarely: %v", got)
	}
	if got := w.FilesOf("ca1")[".cer"]; len(got) != 0 {
		t.Errorf("published: %v", got)
	}
	if n := w.Count("task WHERE kind = 'cas_suspend' AND run_at > now() + interval '73 hours 50 minutes'"); n != 1 {
		t.Error("it does not come again")
	}
	statuses, err := w.ChildStatuses(t.Context(), "ca1")
	if err != nil || len(statuses) != 1 || !statuses[0].Suspended || statuses[0].UserAgent != "local-child" {
		t.Errorf("status: %+v, %v", statuses, err)
	}

	if err := w.SyncParents(t.Context(), "ca2"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.suspended("ca1"); len(got) != 0 {
		t.Errorf("it spoke and is suspended: %v", got)
	}
	if got := w.FilesOf("ca1")[".cer"]; len(got) != 1 {
		t.Errorf("published: %v", got)
	}
	if n := w.Count("ca_child_status WHERE suspended"); n != 0 {
		t.Errorf("%d rows say suspended", n)
	}
	if n := w.Waiting(); n != 0 {
		t.Errorf("%d tasks failed", n)
	}
}

// As long as the server itself was away, nobody was silent.
func TestNobodyIsSuspendedRightAfterAStart(t *testing.T) {
	w := parentAndChild(t)
	w.silence(100 * time.Hour)
	if err := w.ScheduleStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Exec("DELETE FROM task WHERE kind = 'queue_start'")
	w.Run(service.SuspendSilent{})
	if got := w.suspended("ca1"); len(got) != 0 {
		t.Errorf("suspended: %v", got)
	}
}

// Without the setting nothing is suspended, not even by the task.
func TestSuspensionIsOffByDefault(t *testing.T) {
	w := parentAndChild(t)
	w.Config.SuspendAfter = 0
	w.quiet(100 * time.Hour) // the task is due and runs a last time
	if err := w.BulkSuspend(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.suspended("ca1"); len(got) != 0 {
		t.Errorf("suspended: %v", got)
	}
	if n := w.Count("task WHERE kind = 'cas_suspend'"); n != 0 {
		t.Error("the task comes again")
	}
}

// A child that speaks in the moment in which it would be suspended is not.
func TestChildThatSpeaksInThatMoment(t *testing.T) {
	w := parentAndChild(t)
	w.silence(100 * time.Hour)
	stream, err := w.CAs.StreamID(t.Context(), "ca1")
	if err != nil {
		t.Fatal(err)
	}
	// The trigger stands for the child's message between the task's look and its command.
	w.Exec(`CREATE FUNCTION speak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.name = 'suspend_child' THEN UPDATE ca_child_status SET at = now() + interval '100 hours' WHERE child = 'ca2'; END IF; RETURN NEW; END $$`)
	w.Exec("CREATE TRIGGER speak BEFORE INSERT ON es_command FOR EACH ROW EXECUTE FUNCTION speak()")
	w.Run(service.SuspendSilent{})
	w.Exec("DROP TRIGGER speak ON es_command")
	if got := w.suspended("ca1"); len(got) != 0 {
		t.Errorf("suspended: %v", got)
	}
	// And the other way round: the note of a message tells that the child was just suspended.
	if err := w.SetChildSuspended(t.Context(), operator, "ca1", "ca2", true, service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if suspended, err := w.Rows.NoteChild(t.Context(), w.Fence, stream, castore.ChildExchange{Child: "ca2", At: w.Now(), UserAgent: "local-child"}); err != nil || !suspended {
		t.Errorf("the note says %v, %v", suspended, err)
	}
}
