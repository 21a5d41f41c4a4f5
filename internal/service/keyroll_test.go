package service_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/service"
)

// number gives the manifest number of a key.
func (w *world) number(name string, key fmt.Stringer) (n int64) {
	w.T.Helper()
	err := w.DB.QueryRow(w.T.Context(), "SELECT number FROM ca_manifest m JOIN es_stream s ON s.id = m.stream_id WHERE s.handle = $1 AND key_id = $2", name, key.String()).Scan(&n)
	if err != nil {
		w.T.Fatal(err)
	}
	return n
}

// A roll in a CA that has routes and a child (RFC 6489 section 2): numbers of
// manifests go on, names stay, and at every step all is valid.
func TestKeyRoll(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Join("kid", "ca1", set("", "10.0.8.0/24", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 64496)}}))
	w.Must(w.Configure("kid", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.8.0/24", 24, 64497)}}))
	w.Settle()
	all := []string{"10.0.0.0/16-16 => 64496", "10.0.8.0/24-24 => 64497"}
	w.WantRoutes("before", all...)
	before := w.FilesOf("ca1")
	st := w.State("ca1")
	first := st.Classes["0"].Current.KeyID
	was := w.number("ca1", first)

	w.Must(w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.WantKeys("ca1", "0", "roll new")
	st = w.State("ca1")
	second := st.Classes["0"].New.KeyID
	if n, m := w.number("ca1", first), w.number("ca1", second); n != was || m != 1 {
		t.Errorf("staged: numbers %d and %d, want %d and 1", n, m, was)
	}
	w.WantRoutes("staged", all...)
	w.Verified()
	w.Must(w.BulkPublish(ctx, true))
	w.Settle()
	if n, m := w.number("ca1", first), w.number("ca1", second); n != was+1 || m != 2 {
		t.Errorf("published by force: numbers %d and %d, want %d and 2", n, m, was+1)
	}
	// Once more, nothing happens: only keys at rest are rolled.
	w.Must(w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion))

	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.WantKeys("ca1", "0", "active")
	w.WantRoutes("activated", all...)
	st = w.State("ca1")
	if st.Classes["0"].Current.KeyID != second {
		t.Errorf("the current key is %s, want %s", st.Classes["0"].Current.KeyID, second)
	}
	if n := w.number("ca1", second); n != 3 {
		t.Errorf("activated: number %d, want 3", n)
	}
	after := w.FilesOf("ca1")
	if !slices.Equal(after[".roa"], before[".roa"]) || !slices.Equal(after[".cer"], before[".cer"]) {
		t.Errorf("names changed from %v to %v", before, after)
	}
	if want := []string{second.String() + ".mft"}; !slices.Equal(after[".mft"], want) {
		t.Errorf("manifests %v, want %v", after[".mft"], want)
	}
	if !w.Destroyed(first) || w.Destroyed(second) {
		t.Error("the old key must be destroyed, and only that")
	}
	w.Verified()
}

// The old key is revoked only when all that replaces its objects is published.
func TestOldKeyStaysUntilTheNewSetIsPublished(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 64496)}}))
	w.Must(w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.WantKeys("ca1", "0", "roll new")
	w.WantRoutes("intent committed", "10.0.0.0/16-16 => 64496")
	w.Must(w.Pubs.RemovePublisher(ctx, operator, "ca1")) // the repository is away
	w.Settle()
	st := w.State("ca1")
	if old := st.Classes["0"].Old; old == nil || old.Revoking || w.Destroyed(old.KeyID) {
		t.Errorf("the old key goes before its successor's objects are published: %+v", old)
	}
	if n := w.Waiting(); n == 0 {
		t.Error("nothing says that the repository is away")
	}
	_, err := w.Pubs.AddPublisher(ctx, operator, oob.PublisherRequest{PublisherHandle: "ca1", IDCert: st.Identity.Cert})
	w.Must(err)
	w.Pass(time.Hour)
	w.Settle()
	w.WantKeys("ca1", "0", "active")
	w.WantRoutes("published", "10.0.0.0/16-16 => 64496")
	w.Verified()
}

// An activation is refused while a certificate is asked for; and two keys that
// need one at the same time both get it.
func TestActivationWaitsForRequests(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Must(w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.Must(w.UpdateChildResources(ctx, operator, "testbed", "ca1", set("AS65000", "10.0.0.0/15", "")))
	st := w.State("ca1")
	c := st.Classes["0"]
	current, next := c.Current.KeyID, c.New.KeyID
	_, err := w.CAs.Execute(ctx, "ca1", ca.UpdateEntitlements{Parent: "testbed", Entitlements: []ca.Entitlement{
		{Class: "0", Resources: set("AS65000", "10.0.0.0/15", ""), NotAfter: c.Current.Cert.NotAfter},
	}}, pgstore.Write{Actor: operator})
	w.Must(err)
	if err := w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion); fault.Code(err) != "key-roll-pending-requests" {
		t.Errorf("got %v", err)
	}
	w.Settle()
	st = w.State("ca1")
	c = st.Classes["0"]
	for _, k := range []*ca.CertifiedKey{c.Current, &c.New.CertifiedKey} {
		if k.Requested || !k.Cert.Resources.Equal(set("AS65000", "10.0.0.0/15", "")) || k.Cert.KeyID != k.KeyID {
			t.Errorf("key %s: %+v", k.KeyID, k)
		}
	}
	if c.Current.KeyID != current || c.New.KeyID != next {
		t.Error("the keys changed places")
	}
	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.WantKeys("ca1", "0", "active")
	w.Verified()
}

// Thousands of objects are staged in batches, and change hands at once.
func TestRollOfManyRoutes(t *testing.T) {
	w := newWorld(t)
	w.Config.Policy.ROAAggregate, w.Config.Policy.ROADeaggregate = 1000, 900
	w.Start()
	w.Join("ca1", "testbed", set("", "10.0.0.0/8", ""))
	var cmd ca.ConfigureROAs
	for i := range 130 {
		cmd.Added = append(cmd.Added, route(fmt.Sprintf("10.0.%d.0/24", i), 24, 64496))
	}
	w.Must(w.Configure("ca1", cmd))
	w.Must(w.InitiateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	w.Must(w.ActivateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	w.WantKeys("ca1", "0", "active")
	if got := w.Routes(); len(got) != 130 {
		t.Errorf("%d routes", len(got))
	}
	var batches, largest int
	w.Must(w.DB.QueryRow(t.Context(), "SELECT count(*), max(jsonb_array_length(payload->'issued')) FROM es_event WHERE name = 'roas_staged/1'").Scan(&batches, &largest))
	if batches != 2 || largest != 100 {
		t.Errorf("%d batches, the largest of %d", batches, largest)
	}
	w.Verified()
}

// What a child may have is decided by the new key's certificate.
func TestRollWithFewerResources(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/8", ""))
	w.Join("kid", "ca1", set("AS65000", "10.0.0.0/16", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 1), route("10.9.0.0/16", 16, 1)}}))
	w.Must(w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Must(w.UpdateChildResources(ctx, operator, "testbed", "ca1", set("AS65000", "10.0.0.0/12", "")))
	w.Settle()
	w.Pass(time.Hour)
	w.Settle()
	w.WantKeys("ca1", "0", "active")
	w.WantRoutes("after", "10.0.0.0/16-16 => 1", "10.9.0.0/16-16 => 1")
	w.Must(w.UpdateChildResources(ctx, operator, "testbed", "ca1", set("AS65000", "10.0.0.0/16", "")))
	w.Settle()
	w.WantRoutes("less", "10.0.0.0/16-16 => 1")
	w.Verified()
}

// The trust anchor answers late: its children's keys roll all the same.
func TestRollUnderTheTrustAnchor(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 64496)}}))
	w.Must(w.InitiateKeyRoll(ctx, operator, "testbed", service.AnyVersion))
	w.Settle()
	w.WantKeys("testbed", "0", "roll new")
	w.WantRoutes("staged", "10.0.0.0/16-16 => 64496")
	w.Must(w.ActivateKeyRoll(ctx, operator, "testbed", service.AnyVersion))
	w.Settle()
	w.Pass(15 * time.Minute)
	w.Settle()
	w.WantKeys("testbed", "0", "active")
	w.WantRoutes("activated", "10.0.0.0/16-16 => 64496")
	w.Verified()
}
