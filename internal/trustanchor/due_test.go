package trustanchor_test

import (
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/resources"
	"baleen/internal/testworld"
	"baleen/internal/trustanchor"
)

// Without an exchange the log becomes louder, and in the end nothing is valid. An
// exchange mends it, also then.
func TestForgottenExchange(t *testing.T) {
	w := testworld.New(t)
	log := w.Listen()
	o := w.StartOffline()
	if f := testworld.Got[*trustanchor.Figures](w)(w.TA().Figures(t.Context())); f == nil || f.Due || f.Waiting || !f.NextUpdate.Equal(o.State.Objects.NextUpdate) || !f.NotAfter.Equal(o.State.TA.NotAfter) {
		t.Errorf("in the beginning: %+v", f)
	}
	w.Join("online", "ta", resources.AllResources())
	if f := testworld.Got[*trustanchor.Figures](w)(w.TA().Figures(t.Context())); !f.Waiting || !strings.Contains(log.Take(), "children wait for the trust anchor's signer") {
		t.Errorf("a child asked: %+v", f)
	}
	if i := testworld.Got[trustanchor.Issues](w)(w.TA().Issues(t.Context())); len(i.Issues) != 1 || i.Issues[0].Label != "ta-children-waiting" || !i.NextUpdate.Equal(o.State.Objects.NextUpdate) {
		t.Errorf("a child asked: %+v", i)
	}
	o.Exchange()
	for _, after := range []struct {
		weeks time.Duration
		says  string
		valid bool
	}{{5, "", true}, {2, "is due", true}, {4, "is late", true}, {2, "is over", false}} {
		w.Pass(after.weeks * testworld.Week)
		w.Settle()
		w.WantReminder(log, after.says)
		if _, err := w.Validate(); (err == nil) != after.valid {
			t.Errorf("log says %q: %v", after.says, err)
		}
	}
	o.Exchange()
	w.WantReminder(log, "")
	w.Routes()
}
