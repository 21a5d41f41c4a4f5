package peer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/fault"
	"baleen/internal/service"
)

// How CAs stand with their peers, and when they will speak to them next, can be
// asked at any time.
func TestContactsAndPlans(t *testing.T) {
	w, p := intoPuppet(t)
	contacts := func() map[string]castore.Contact {
		t.Helper()
		all, err := w.Rows.Contacts(t.Context())
		must(t, err)
		out := map[string]castore.Contact{}
		for _, c := range all["ca1"] {
			out[c.Peer] = c
		}
		return out
	}
	if got := contacts(); len(got) != 2 || !got[""].OK || !got["testbed"].OK || got[""].LastSuccess.IsZero() || got["testbed"].LastSuccess.IsZero() {
		t.Errorf("got %+v", got)
	}
	next, err := w.NextParents(t.Context(), "ca1", []string{"testbed", "none"})
	must(t, err)
	if at := next["testbed"].Sub(w.Now()); len(next) != 1 || at < 23*time.Hour || at > 37*time.Hour {
		t.Errorf("next %v", next)
	}
	at, err := w.NextRepo(t.Context(), "ca1")
	if err != nil || !at.IsZero() {
		t.Errorf("nothing is to be published, but planned: %v, %v", at, err)
	}

	good := contacts()[""].LastSuccess
	p.set(func(p *puppets) {
		p.answer = func([]byte) ([]byte, error) {
			return nil, &fault.Error{Kind: fault.Unavailable, Code: "sys-http-client", Msg: "down", Err: errors.New("down")}
		}
	})
	must(t, w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/17", 17, 65000)}}))
	w.Settle()
	if got := contacts(); got[""].OK || !got[""].LastSuccess.Equal(good) || !got["testbed"].OK {
		t.Errorf("got %+v", got)
	}
	at, err = w.NextRepo(t.Context(), "ca1")
	if wait := at.Sub(w.Now()); err != nil || wait > 5*time.Minute || at.IsZero() {
		t.Errorf("the repository is asked again at %v, %v", at, err)
	}
	p.honestly()
	must(t, w.DeleteCA(context.WithoutCancel(t.Context()), operator, "ca1", service.AnyVersion))
	w.Settle()
	if all, err := w.Rows.Contacts(t.Context()); err != nil || all["ca1"] != nil {
		t.Errorf("of a CA that is gone: %v, %v", all["ca1"], err)
	}
}
