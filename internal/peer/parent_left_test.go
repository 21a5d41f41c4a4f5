package peer_test

import (
	"context"
	"testing"

	"baleen/internal/remote"
	"baleen/internal/service"
)

// leaver removes the parent while that is being asked.
type leaver struct {
	*puppets
	leave func()
}

// Post leaves, and gives no answer.
func (l leaver) Post(context.Context, remote.Message) ([]byte, error) {
	l.leave()
	return nil, context.DeadlineExceeded
}

// A parent that was left while it was asked leaves no issue behind.
func TestParentLeftWhileItIsAsked(t *testing.T) {
	w, p := underPuppet(t)
	asked := 0
	w.Peers = leaver{puppets: p, leave: func() {
		if asked++; asked == 2 {
			must(t, w.RemoveParent(t.Context(), operator, "ca1", "up", service.AnyVersion))
		}
	}}
	issues := func() []service.CAIssues {
		t.Helper()
		all, err := w.AllIssues(t.Context(), func(string) bool { return true })
		must(t, err)
		return all
	}
	w.Run(service.AskParent{CA: "ca1", Parent: "up"})
	if all := issues(); len(all) != 1 || all[0].CA != "ca1" || len(all[0].Parents) != 1 || all[0].Parents[0].Peer != "up" {
		t.Errorf("after a failure: %+v", all)
	}
	w.Run(service.AskParent{CA: "ca1", Parent: "up"})
	if all := issues(); len(all) != 0 {
		t.Errorf("after the parent was left: %+v", all)
	}
	if n := w.Count("ca_parent_status p JOIN es_stream s ON s.id = p.stream_id WHERE s.handle = 'ca1'"); n != 0 {
		t.Errorf("%d outcomes are kept", n)
	}
}
