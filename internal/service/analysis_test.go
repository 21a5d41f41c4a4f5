package service_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"baleen/internal/bgp/analysis"
	"baleen/internal/bgp/feed"
	"baleen/internal/ca"
	"baleen/internal/service"
)

// announce has the routes fetched from a server of the test.
func (w *world) announce(v4 string) {
	w.T.Helper()
	collector := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		text := v4
		if r.URL.Path == "/6" {
			text = "64496\t2001:db8::/32\t50\n"
		}
		_, _ = rw.Write([]byte(text))
	}))
	w.T.Cleanup(collector.Close)
	w.Announcements = &feed.Feed{V4: collector.URL + "/4", V6: collector.URL + "/6", Every: time.Hour, Now: w.Now}
	if _, ok, err := w.Announcements.Refresh(w.T.Context()); err != nil || !ok {
		w.T.Fatalf("nothing was fetched: %v", err)
	}
}

func (w *world) figures(name string) analysis.Stats {
	w.T.Helper()
	all, err := w.Figures(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	for _, f := range all {
		if f.Handle == name {
			return f.BGP
		}
	}
	w.T.Fatalf("no figures of %s", name)
	return analysis.Stats{}
}

// over is the fence of a node whose term is over.
type over struct{}

func (over) Epoch() int64 { return -1 }

// TestFiguresFollowWhatChanges asks twice each time: the second answer is
// remembered.
func TestFiguresFollowWhatChanges(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("", "10.0.0.0/8", ""))
	is := func(when string, want analysis.Stats) {
		t.Helper()
		for range 2 {
			if got := w.figures("ca1"); got != want {
				t.Errorf("%s: got %+v, want %+v", when, got, want)
			}
		}
	}
	is("nothing is known", analysis.Stats{})
	w.announce("64496\t10.0.0.0/24\t50\n")
	is("something is announced", analysis.Stats{NotFound: 1})
	if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/24", 24, 64497)}}); err != nil {
		t.Fatal(err)
	}
	is("a ROA disallows it", analysis.Stats{InvalidASN: 1, Disallowing: 1, ROAs: 1})
	w.announce("64497\t10.0.0.0/24\t50\n64497\t10.0.0.0/25\t50\n")
	is("others are announced", analysis.Stats{Valid: 1, InvalidLength: 1, ROAs: 1})
	w.resize("ca1", "", "10.1.0.0/16")
	if err := w.SyncParents(t.Context(), "ca1"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	is("the prefix is lost", analysis.Stats{NotHeld: 1, ROAs: 1})
	if got := w.figures("testbed"); got != (analysis.Stats{}) {
		t.Errorf("the testbed is compared: %+v", got)
	}
}

// TestAnotherCAOfThatName comes to the same version as the first.
func TestAnotherCAOfThatName(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.announce("64496\t10.0.0.0/24\t50\n64496\t10.1.0.0/24\t50\n64496\t10.1.1.0/24\t50\n")
	for i, held := range []string{"10.0.0.0/16", "10.1.0.0/16"} {
		w.Join("ca1", "testbed", set("", held, ""))
		if got := w.figures("ca1"); got != (analysis.Stats{NotFound: i + 1}) {
			t.Errorf("%s: got %+v", held, got)
		}
		if err := w.DeleteCA(t.Context(), operator, "ca1", service.AnyVersion); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		if err := w.RemoveChild(t.Context(), operator, "testbed", "ca1", service.AnyVersion); err != nil {
			t.Fatal(err)
		}
		if err := w.Pubs.RemovePublisher(t.Context(), operator, "ca1"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOnlyTheActiveNodeKnowsAnnouncements has a term end.
func TestOnlyTheActiveNodeKnowsAnnouncements(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("", "10.0.0.0/8", ""))
	w.announce("64496\t10.0.0.0/24\t50\n")
	if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/24", 24, 64496)}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []analysis.State{analysis.Seen, analysis.NoAnnouncementInfo} {
		report, err := w.AnalyseROAs(t.Context(), "ca1", nil)
		if err != nil || len(report) == 0 || report[0].State != want {
			t.Errorf("got %v, %v; want %s", report, err, want)
		}
		w.Fence = over{}
	}
}

// TestTriesAtOnce has several operators try updates, each of which is good
// whatever the others do.
func TestTriesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("", "10.0.0.0/8", ""))
	w.announce("64496\t10.0.0.0/24\t50\n")
	var g sync.WaitGroup
	for i := range 4 {
		g.Go(func() {
			cmd := ca.ConfigureROAs{Added: []ca.ConfiguredROA{route(fmt.Sprintf("10.%d.0.0/16", i+1), 16, 64496)}}
			if _, advice, err := w.TryROAs(t.Context(), operator, "ca1", cmd, nil); err != nil || advice != nil {
				t.Errorf("try %d: %+v, %v", i, advice, err)
			}
		})
	}
	g.Wait()
	if st := w.State("ca1"); len(st.ROAs) != 4 {
		t.Errorf("there are %d ROAs", len(st.ROAs))
	}
}
