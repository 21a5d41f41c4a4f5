package service_test

import (
	"slices"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/service"
)

// A hierarchy in which a CA has two parents and a child of its own, taken apart
// again: whoever is removed leaves nothing published, and names of classes are
// not used twice.
func TestHierarchyIsTakenApart(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Join("ca2", "testbed", set("AS65001", "10.1.0.0/16", ""))
	w.Join("ca3", "ca1", set("AS65000", "10.0.0.0/16", ""))
	w.Attach("ca3", "ca2", set("AS65001", "10.1.0.0/24", ""))
	w.Settle()
	w.Join("ca4", "ca3", set("AS65000", "10.0.0.0-10.1.0.255", ""))
	w.WantPublished("ca3", 2, 2, 0)
	w.WantPublished("ca4", 2, 0, 0)
	w.Must(w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.WantPublished("ca1", 2, 1, 0)
	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.WantKeys("ca1", "0", "active")
	w.WantPublished("ca1", 1, 1, 0)
	w.WantRoutes("rolled")

	st := w.State("ca4")
	gone := []cert.KeyID{st.Classes["0"].Current.KeyID, st.Classes["1"].Current.KeyID}
	w.Must(w.RemoveParent(ctx, operator, "ca4", "ca3", service.AnyVersion))
	w.Settle()
	w.WantPublished("ca4", 0, 0, 0)
	w.WantPublished("ca3", 2, 0, 0) // the parent was asked to revoke
	for _, key := range gone {
		if !w.Destroyed(key) {
			t.Errorf("key %s is there still", key)
		}
	}
	w.Must(w.RemoveChild(ctx, operator, "ca3", "ca4", service.AnyVersion))
	w.Attach("ca4", "ca3", set("AS65000", "10.0.0.0-10.1.0.255", ""))
	w.Settle()
	w.WantKeys("ca4", "0", "none")
	w.WantKeys("ca4", "2", "active")
	w.WantKeys("ca4", "3", "active")
	w.WantRoutes("registered again")
	w.Verified()

	w.Must(w.RemoveParent(ctx, operator, "ca4", "ca3", service.AnyVersion))
	w.Settle()
	w.Must(w.DeleteCA(ctx, operator, "ca3", service.AnyVersion))
	w.Settle()
	w.WantPublished("ca3", 0, 0, 0)
	w.WantPublished("ca1", 1, 0, 0)
	w.WantPublished("ca2", 1, 0, 0)
	if err := w.ViewCA(ctx, "ca3", nil); fault.Code(err) != "ca-unknown" {
		t.Errorf("the CA that was deleted: %v", err)
	}
	if err := w.DeleteCA(ctx, operator, "ca3", service.AnyVersion); fault.Code(err) != "ca-unknown" {
		t.Errorf("deleted again: %v", err)
	}
	w.Must(w.CreateCA(ctx, operator, "ca3"))
	if st := w.State("ca3"); len(st.Classes) != 0 || len(st.Parents) != 0 {
		t.Errorf("the new CA of that name has something of the old: %+v", st)
	}
	w.WantRoutes("deleted")
	w.Verified()
}

// Removing a child revokes what it has; it can be registered again with the
// same key.
func TestRemoveChild(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 64496)}}))
	w.Settle()
	w.Must(w.RemoveChild(ctx, operator, "testbed", "ca1", service.AnyVersion))
	if err := w.RemoveChild(ctx, operator, "testbed", "ca1", service.AnyVersion); fault.Code(err) != "ca-child-unknown" {
		t.Errorf("removed again: %v", err)
	}
	w.Settle()
	w.WantPublished("testbed", 1, 0, 0)
	st := w.State("ca1")
	_, err := w.AddChild(ctx, operator, "testbed", ca.AddChild{Child: "ca1", IDCert: st.Identity.Cert, Resources: set("AS65000", "10.0.0.0/16", "")}, service.AnyVersion)
	w.Must(err)
	w.Pass(time.Hour)
	w.Must(w.SyncParents(ctx, "ca1"))
	w.Settle()
	w.WantRoutes("registered again", "10.0.0.0/16-16 => 64496")
	w.Verified()
}

// A parent that was removed and does not answer is asked for some time, and
// then given up.
func TestRevocationAtALostParentIsGivenUp(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Join("ca2", "ca1", set("AS65000", "10.0.0.0/24", ""))
	w.Must(w.DeleteCA(ctx, operator, "ca1", service.AnyVersion))
	w.Must(w.RemoveParent(ctx, operator, "ca2", "ca1", service.AnyVersion))
	for range 12 {
		w.Pass(time.Hour)
		w.Settle()
	}
	if left := w.Faults(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	w.WantPublished("ca2", 0, 0, 0)
	w.WantRoutes("at the end")
	w.Verified()
}

// repository gives the CA a place of its own under another publisher's name.
func (w *world) repository(publisher, name string) oob.RepositoryResponse {
	w.T.Helper()
	st := w.State(name)
	answer, err := w.Pubs.AddPublisher(w.T.Context(), operator, oob.PublisherRequest{PublisherHandle: publisher, IDCert: st.Identity.Cert})
	w.Must(err)
	return answer
}

// Moving to another repository is a key roll: the old keys stay where they
// are, and when they are gone nothing is left there.
func TestMigration(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Join("kid", "ca1", set("AS65000", "10.0.8.0/24", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 65000)}}))
	w.Must(w.Configure("kid", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.8.0/24", 24, 65000)}}))
	w.Settle()
	w.Exec("UPDATE ca_object SET repository = ''") // as an earlier release wrote them
	all := []string{"10.0.0.0/16-16 => 65000", "10.0.8.0/24-24 => 65000"}
	other := w.repository("other", "ca1")
	bad := other
	bad.SIABase = "rsync://localhost/repo/elsewhere/"
	if err := w.ConfigureRepository(ctx, operator, "ca1", bad, service.AnyVersion); fault.Code(err) != "ca-repo-issue" {
		t.Errorf("a repository that does not agree: %v", err)
	}
	w.Must(w.ConfigureRepository(ctx, operator, "ca1", other, service.AnyVersion))
	if err := w.ConfigureRepository(ctx, operator, "ca1", other, service.AnyVersion); fault.Code(err) != "ca-repo-same" {
		t.Errorf("the same again: %v", err)
	}
	w.Settle()
	w.WantKeys("ca1", "0", "roll new")
	w.WantPublished("ca1", 1, 1, 1)
	w.WantPublished("other", 1, 0, 0)
	w.WantRoutes("staged", all...)
	w.Verified()
	back, err := w.Pubs.Response(ctx, "ca1")
	w.Must(err)
	if err := w.ConfigureRepository(ctx, operator, "ca1", back, service.AnyVersion); fault.Code(err) != "key-roll-disallowed" {
		t.Errorf("moving while moving: %v", err)
	}
	w.Pass(20 * time.Hour) // manifests at both places are made again
	w.Must(w.BulkPublish(ctx, false))
	w.Settle()
	w.WantRoutes("a day later", all...)
	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.WantKeys("ca1", "0", "active")
	w.WantPublished("ca1", 0, 0, 0)
	w.WantPublished("other", 1, 1, 1)
	if st := w.State("ca1"); len(st.Former) != 0 {
		t.Errorf("not left: %+v", st.Former)
	}
	w.Pass(time.Hour)
	w.Must(w.SyncParents(ctx, "kid")) // its certificate is somewhere else
	w.Settle()
	if st := w.State("kid"); st.Classes["0"].Current.Cert.URI[:len(other.SIABase)] != other.SIABase {
		t.Errorf("the child thinks that its certificate is at %s", st.Classes["0"].Current.Cert.URI)
	}
	w.WantRoutes("moved", all...)
	w.Verified()
}

// A repository that is gone is given up after some tries.
func TestMigrationAwayFromALostRepository(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 65000)}}))
	w.Settle()
	w.Must(w.ConfigureRepository(ctx, operator, "ca1", w.repository("other", "ca1"), service.AnyVersion))
	w.Settle()
	w.Must(w.Pubs.RemovePublisher(ctx, operator, "ca1"))
	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	for range 12 {
		w.Pass(10 * time.Minute)
		w.Settle()
	}
	w.WantKeys("ca1", "0", "active")
	if st := w.State("ca1"); len(st.Former) != 0 {
		t.Errorf("not given up: %+v", st.Former)
	}
	if left := w.Faults(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	w.WantRoutes("moved", "10.0.0.0/16-16 => 65000")
	w.Verified()
}

// A certificate that the parent lists for a key that we do not know is revoked.
func TestUnexpectedKeyIsRevoked(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Must(w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	st := w.State("ca1")
	stray := st.Classes["0"].New.KeyID
	_, err := w.CAs.Execute(ctx, "ca1", ca.DropKey{Class: "0", Key: stray, Reason: "test"}, pgstore.Write{Actor: operator})
	w.Must(err)
	w.Settle()
	w.WantKeys("ca1", "0", "active")
	w.Must(w.SyncParents(ctx, "ca1"))
	w.Settle()
	w.WantPublished("testbed", 1, 1, 0)
	if st := w.State("ca1"); len(st.Classes["0"].Unexpected) != 0 {
		t.Errorf("not done: %v", st.Classes["0"].Unexpected)
	}
	w.WantRoutes("at the end")
	w.Verified()
}

// A new identity takes the place of the old at once.
func TestRenewIdentity(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	old := w.State("ca1").Identity
	w.Must(w.RenewIdentity(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	if now := w.State("ca1").Identity; now.KeyID == old.KeyID || !w.Destroyed(old.KeyID) || w.Destroyed(now.KeyID) {
		t.Errorf("old %s, now %s", old.KeyID, now.KeyID)
	}
	if err := w.RenewIdentity(ctx, operator, "none", service.AnyVersion); fault.Code(err) != "ca-unknown" {
		t.Errorf("got %v", err)
	}
	w.Verified()
}

// Losing and regaining resources takes objects away and brings them back; many
// routes of one AS share an object (with the thresholds 3 and 2).
func TestRoutesFollowWhatIsHeld(t *testing.T) {
	w := newWorld(t)
	w.Config.Policy.ROAAggregate, w.Config.Policy.ROADeaggregate = 3, 2
	w.Start()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/8", ""))
	a, b, c := route("10.0.0.0/16", 16, 64496), route("10.0.0.0/16", 16, 64497), route("10.1.0.0/24", 24, 64496)
	c.Comment = "will be shrunk"
	resize := func(held string) {
		t.Helper()
		w.Must(w.UpdateChildResources(t.Context(), operator, "testbed", "ca1", set("AS65000", held, "")))
		w.Settle()
	}
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{a, b, c}}))
	w.Settle()
	w.WantPublished("ca1", 1, 0, 3)
	resize("10.0.0.0/16")
	w.WantPublished("ca1", 1, 0, 2)
	w.WantRoutes("shrunk", a.ROA.String(), b.ROA.String())
	resize("10.0.0.0/8")
	w.WantRoutes("grown", a.ROA.String(), b.ROA.String(), c.ROA.String())
	d, e := route("10.0.0.0/24", 24, 64496), route("10.0.0.0/24", 24, 64497)
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{d, e}}))
	w.Settle()
	if got := w.FilesOf("ca1")[".roa"]; !slices.Equal(got, []string{"AS64496.roa", "AS64497.roa"}) {
		t.Errorf("got %v", got)
	}
	w.Must(w.InitiateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	w.Must(w.ActivateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	if got := w.FilesOf("ca1")[".roa"]; !slices.Equal(got, []string{"AS64496.roa", "AS64497.roa"}) {
		t.Errorf("rolled: got %v", got)
	}
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Removed: []ca.ROA{b.ROA, c.ROA, d.ROA, e.ROA}}))
	w.Settle()
	w.WantPublished("ca1", 1, 0, 1)
	w.WantRoutes("at the end", a.ROA.String())
	w.Verified()
}
