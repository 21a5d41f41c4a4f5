package service_test

import (
	"net/netip"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/service"
	visits "baleen/internal/testbed"
)

// What registered itself goes after its time, with all that it had; what came
// another way stays.
func TestRegistrationsExpire(t *testing.T) {
	w := newWorld(t)
	w.Config.Testbed = service.TestbedConfig{Enabled: true, Expire: 30 * 24 * time.Hour, Limits: visits.Limits{PerAddress: 3}}
	w.Start()
	w.Join("operators", "testbed", set("AS64497", "", ""))
	here := netip.MustParseAddr("192.0.2.1")

	if err := w.CreateCA(t.Context(), operator, "visitor"); err != nil {
		t.Fatal(err)
	}
	id := w.State("visitor").Identity.Cert
	repo, err := w.RegisterPublisher(t.Context(), here, oob.PublisherRequest{PublisherHandle: "visitor", IDCert: id})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ConfigureRepository(t.Context(), operator, "visitor", repo, service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	up, err := w.RegisterChild(t.Context(), here, ca.AddChild{Child: "visitor", IDCert: id, Resources: set("AS64496", "", "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetParent(t.Context(), operator, "visitor", "testbed", up, service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.FilesOf("visitor"); len(got[".mft"]) != 1 || len(w.FilesOf("testbed")[".cer"]) != 2 {
		t.Fatalf("the visitor publishes %v", got)
	}

	w.Pass(29 * 24 * time.Hour)
	w.Settle()
	if len(w.State("testbed").Children) != 2 {
		t.Errorf("too early: %v", w.State("testbed").Children)
	}
	w.Pass(25 * time.Hour)
	w.Settle()
	if st := w.State("testbed"); len(st.Children) != 1 || st.Children["operators"] == nil {
		t.Errorf("children %v", st.Children)
	}
	if _, err := w.Pubs.Publisher(t.Context(), "visitor"); fault.Code(err) != "pub-unknown" {
		t.Errorf("the publisher is still there: %v", err)
	}
	if got := w.FilesOf("testbed"); len(got[".cer"]) != 1 {
		t.Errorf("the testbed publishes %v", got)
	}
	if n := w.registrations(); n != 2 {
		t.Errorf("%d registrations, want the two that count until tomorrow", n)
	}
	w.Pass(25 * time.Hour)
	w.Settle()
	if n := w.registrations(); n != 0 {
		t.Errorf("%d registrations are remembered without need", n)
	}
}

func (w *world) registrations() (n int) {
	w.T.Helper()
	if err := w.DB.QueryRow(w.T.Context(), "SELECT count(*) FROM testbed_registration").Scan(&n); err != nil {
		w.T.Fatal(err)
	}
	return n
}
