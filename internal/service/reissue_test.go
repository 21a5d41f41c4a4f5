package service_test

import (
	"os"
	"slices"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
	"baleen/internal/service"
)

// objectsOf gives the files of a publisher that are no manifest and no CRL, with
// their bytes.
func (w *world) objectsOf(name string) map[string]string {
	w.T.Helper()
	files, err := w.Pubs.Files(w.T.Context(), name)
	w.Must(err)
	out := map[string]string{}
	for _, f := range files {
		if ext := f.URI[len(f.URI)-4:]; ext != ".mft" && ext != ".crl" {
			out[f.URI] = string(f.DER)
		}
	}
	return out
}

func (w *world) wantReplaced(name string, n int, before map[string]string) {
	w.T.Helper()
	after := w.objectsOf(name)
	if len(before) != n || len(after) != n {
		w.T.Fatalf("%s has %d objects, had %d, want %d", name, len(after), len(before), n)
	}
	for uri, der := range before {
		if after[uri] == der || after[uri] == "" {
			w.T.Errorf("%s: %s was not issued again", name, uri)
		}
	}
}

// Everything is issued again once: it stays valid, the old certificates are
// revoked, and an interruption between two batches loses nothing.
func TestForcedReissue(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	w.Join("kid", "ca1", set("", "10.1.0.0/16", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496)}}))
	w.Must(w.Configure("kid", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.1.0.0/16", 24, 64496)}}))
	w.ASPA("ca1", ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{{Customer: 64496, Providers: []uint32{65001}}}})
	w.Router("ca1", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: routerCSR(t)}}})
	w.Settle()
	before, number := w.objectsOf("ca1"), w.ManifestNumber("ca1")

	w.Must(w.ForceReissueCA(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	w.wantReplaced("ca1", 4, before)
	if revoked := w.State("ca1").Classes["0"].Current.Revoked; len(revoked) != 4 {
		t.Errorf("%d certificates are revoked, want 4", len(revoked))
	}
	if routes := w.Routes(); len(routes) != 2 {
		t.Errorf("relying parties see %v", routes)
	}
	if got := w.ManifestNumber("ca1"); got <= number {
		t.Errorf("manifest number %d after %d", got, number)
	}
	again := w.objectsOf("ca1")
	w.enqueue(service.IssueCA{CA: "ca1"})
	w.Settle()
	for uri, der := range w.objectsOf("ca1") {
		if again[uri] != der {
			t.Errorf("%s was issued a second time", uri)
		}
	}

	kid, testbed := w.objectsOf("kid"), w.objectsOf("testbed")
	w.Must(w.BulkForceReissue(t.Context(), operator))
	w.Settle()
	w.wantReplaced("ca1", 4, again)
	w.wantReplaced("kid", 1, kid)
	w.wantReplaced("testbed", 1, testbed)
	if routes := w.Routes(); len(routes) != 2 {
		t.Errorf("relying parties see %v", routes)
	}
	w.NoFaults()
	w.Verified()
}

// A publication server is cleared once it has no publishers: files, rows and key
// are gone, the history of what was published stays, and it can be opened again.
func TestPublicationServerIsCleared(t *testing.T) {
	w := newWorld(t)
	w.Must(w.InitPublicationServer(t.Context(), operator, testbed.RRDPBaseURI, testbed.RsyncJail))
	w.Settle()
	id, _, err := w.Pubs.Identity(t.Context())
	w.Must(err)
	w.Must(w.ClearPublicationServer(t.Context(), operator))
	if _, err := os.Stat(w.Export.Dir + "/rrdp/notification.xml"); !os.IsNotExist(err) {
		t.Errorf("the notification is still there: %v", err)
	}
	w.Settle()
	if n := w.Count("rrdp_state"); n != 0 {
		t.Errorf("%d rows of the repository are left", n)
	}
	if n := w.Count("rrdp_serial"); n == 0 {
		t.Error("the history of the serials is gone")
	}
	if !w.Destroyed(id) {
		t.Error("the key of the cleared server is still there")
	}
	w.Must(w.InitPublicationServer(t.Context(), operator, testbed.RRDPBaseURI, testbed.RsyncJail))
	w.Settle()
	if _, err := os.Stat(w.Export.Dir + "/rrdp/notification.xml"); err != nil {
		t.Errorf("the notification of the new repository: %v", err)
	}
	now, _, err := w.Pubs.Identity(t.Context())
	w.Must(err)
	if w.Destroyed(now) || slices.Equal(now[:], id[:]) || now == (cert.KeyID{}) {
		t.Error("the new server has no key of its own")
	}
	w.NoFaults()
}

// D22: what is deleted within the least time between two serials is not
// forgotten: it leaves with the next serial, and its owner publishes it again.
func TestDeletionIsNeverLeftStaged(t *testing.T) {
	w := newWorld(t)
	w.Pubs.DeltaInterval = 3600e9
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496)}}))
	w.Settle()
	w.Pass(3600e9)
	w.Settle()
	before := w.objectsOf("ca1")
	stats, err := w.Pubs.Stats(t.Context())
	w.Must(err)

	w.Must(w.Pubs.WithdrawAt(t.Context(), "rsync://localhost/repo/ca1/"))
	w.Settle() // within the interval
	if now, err := w.Pubs.Stats(t.Context()); err != nil || now.Serial != stats.Serial {
		t.Errorf("serial %d within the interval, %d before (%v)", now.Serial, stats.Serial, err)
	}
	if got := w.objectsOf("ca1"); len(got) > 0 {
		t.Errorf("the publisher has %d objects left", len(got))
	}
	if n := w.Count("task WHERE kind = 'rrdp_update' AND run_at < 'infinity'"); n != 1 {
		t.Errorf("%d tasks wait to make the next serial", n)
	}
	w.Pass(3600e9)
	w.Settle()
	if now, err := w.Pubs.Stats(t.Context()); err != nil || now.Serial != stats.Serial+1 {
		t.Errorf("serial %d after the interval, want %d (%v)", now.Serial, stats.Serial+1, err)
	}
	w.Must(w.SyncRepository(t.Context(), "ca1"))
	w.Settle()
	w.Pass(3600e9)
	w.Settle()
	if got := w.objectsOf("ca1"); len(got) != len(before) {
		t.Errorf("the owner published %d objects again, of %d", len(got), len(before))
	}
	one := "rsync://localhost/repo/ca1/0/" + w.FilesOf("ca1")[".roa"][0]
	w.Must(w.Pubs.WithdrawAt(t.Context(), one))
	if got := w.objectsOf("ca1"); len(got) != len(before)-1 {
		t.Errorf("after one was deleted: %d objects, %d before", len(got), len(before))
	}
}
