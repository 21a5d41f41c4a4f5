package service_test

import (
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
)

// joinAs makes a CA under a parent that knows it by another name, as it knows the parent.
func (w *world) joinAs(name, parent string, held resources.Set) {
	w.T.Helper()
	ctx := w.T.Context()
	w.Must(w.CreateCA(ctx, operator, name))
	id := w.State(name).Identity.Cert
	repo, err := w.Pubs.AddPublisher(ctx, operator, oob.PublisherRequest{PublisherHandle: name, IDCert: id})
	w.Must(err)
	w.Must(w.ConfigureRepository(ctx, operator, name, repo, service.AnyVersion))
	w.adopt(name, parent, held)
}

// adopt gives a CA a parent.
func (w *world) adopt(name, parent string, held resources.Set) {
	w.T.Helper()
	up, err := w.AddChild(w.T.Context(), operator, parent, ca.AddChild{Child: "kid-" + name, IDCert: w.State(name).Identity.Cert, Resources: held}, service.AnyVersion)
	w.Must(err)
	w.Must(w.SetParent(w.T.Context(), operator, name, "above", up, service.AnyVersion))
	w.Settle()
}

// A change of what the first of three generations holds reaches the last without a refresh: the clock stands still.
func TestChildrenFollowTheirParentsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.joinAs("a", "testbed", set("AS64496-AS64511", "10.0.0.0/8", ""))
	w.joinAs("b", "a", set("AS64496-AS64500", "10.0.0.0/9", ""))
	w.joinAs("c", "b", set("AS64496", "10.0.0.0/10", ""))
	w.Must(w.Configure("c", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.32.0.0/16", 16, 64496)}}))
	w.Settle()
	holds := func(when string, wanted map[string]resources.Set, roas int) {
		t.Helper()
		w.Settle()
		for name, want := range wanted {
			if st := w.State(name); !st.Held().Equal(want) {
				t.Errorf("%s: %s holds %s, want %s", when, name, st.Held(), want)
			}
		}
		if got := w.FilesOf("c")[".roa"]; len(got) != roas {
			t.Errorf("%s: published %v", when, got)
		}
	}
	entitle := func(held resources.Set) {
		t.Helper()
		w.Must(w.UpdateChildResources(t.Context(), operator, "testbed", "kid-a", held))
		w.Must(w.SyncParents(t.Context(), "a")) // the testbed knows it by another name
	}
	whole := map[string]resources.Set{"a": set("AS64496-AS64511", "10.0.0.0/8", ""), "b": set("AS64496-AS64500", "10.0.0.0/9", ""), "c": set("AS64496", "10.0.0.0/10", "")}
	holds("at first", whole, 1)

	entitle(set("AS64496", "10.0.0.0/12", ""))
	small := set("AS64496", "10.0.0.0/12", "")
	holds("shrunk", map[string]resources.Set{"a": small, "b": small, "c": small}, 0)
	entitle(whole["a"])
	holds("grown", whole, 1)

	entitle(set("AS64499", "11.0.0.0/8", ""))
	holds("nothing left for c", map[string]resources.Set{"b": set("AS64499", "", ""), "c": {}}, 0)
	entitle(whole["a"])
	holds("back", whole, 1)

	w.Must(w.RemoveParent(t.Context(), operator, "a", "above", service.AnyVersion))
	holds("class lost", map[string]resources.Set{"a": {}, "b": {}, "c": {}}, 0)
	w.Must(w.RemoveChild(t.Context(), operator, "testbed", "kid-a", service.AnyVersion))
	w.adopt("a", "testbed", whole["a"])
	holds("class regained", whole, 1)

	// What was lost and regained before the child asked again, which the testbed cannot tell it, is there again: the child
	// sees that its certificate was replaced.
	w.Pass(time.Hour)
	for _, held := range []resources.Set{small, whole["a"]} {
		w.Must(w.UpdateChildResources(t.Context(), operator, "testbed", "kid-a", held))
		w.Settle()
	}
	w.Must(w.SyncParents(t.Context(), "a"))
	holds("regained at once", whole, 1)
	w.WantRoutes("regained at once", "10.32.0.0/16-16 => 64496")

	// Nothing goes on by itself: whoever asks without need changes nothing.
	before := w.Count("es_command")
	w.Must(w.SyncParents(t.Context(), "a"))
	w.Settle()
	if n := w.Count("es_command"); n != before {
		t.Errorf("%d commands for nothing", n-before)
	}
}
