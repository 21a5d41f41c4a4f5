package service_test

import (
	"testing"

	"baleen/internal/ca"
	"baleen/internal/rpki/resources"
)

func TestTestbedHoldsEverything(t *testing.T) {
	w := newWorld(t)
	w.Start()
	st := w.State("testbed")
	if held := st.Held(); !held.Equal(resources.AllResources()) {
		t.Fatalf("testbed holds %s", held)
	}
	if got := w.FilesOf("testbed"); len(got[".mft"]) != 1 || len(got[".crl"]) != 1 || len(got) != 2 {
		t.Errorf("testbed publishes %v", got)
	}
	if got := w.FilesOf("ta"); len(got[".mft"]) != 1 || len(got[".crl"]) != 1 || len(got[".cer"]) != 1 {
		t.Errorf("ta publishes %v", got)
	}
	w.Start() // again: nothing is missing
	if again := w.State("testbed"); len(again.Classes) != 1 {
		t.Errorf("a second start made more classes: %v", again.Classes)
	}
}

func TestROAsFollowTheResources(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", "2001:db8::/32"))
	if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496), route("2001:db8::/48", 48, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.FilesOf("ca1"); len(got[".roa"]) != 2 {
		t.Fatalf("published: %v", got)
	}
	// The parent takes the IPv6 space back: its ROA goes, its configuration stays.
	if err := w.UpdateChildResources(t.Context(), operator, "testbed", "ca1", set("AS64496", "10.0.0.0/8", "")); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.FilesOf("ca1"); len(got[".roa"]) != 1 {
		t.Errorf("published without the resources: %v", got)
	}
	if st := w.State("ca1"); len(st.ROAs) != 2 || !st.Held().Equal(set("AS64496", "10.0.0.0/8", "")) {
		t.Errorf("configured: %v, held: %s", st.ROAs, st.Held())
	}
	// And gives it again.
	if err := w.UpdateChildResources(t.Context(), operator, "testbed", "ca1", set("AS64496", "10.0.0.0/8", "2001:db8::/32")); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if got := w.FilesOf("ca1"); len(got[".roa"]) != 2 {
		t.Errorf("published after the resources came back: %v", got)
	}
}
