package restore

import (
	"maps"
	"net/http"
	"path/filepath"

	"baleen/test/harness"
)

// judges gives the world the validators that are installed, and the server a
// front with TLS that they verify. It is called before the first start.
func (w *world) judges() {
	w.t.Helper()
	dir := folder(w.t)
	front, err := harness.NewFront(w.server, filepath.Join(dir, "roots.pem"))
	w.check(err)
	w.t.Cleanup(func() { _ = front.Close() })
	var why string
	w.validators, why, err = harness.Validators(w.ctx, dir, front.Roots)
	w.check(err)
	if why != "" {
		w.t.Logf("only the relying party of these tests judges what is published: %s", why)
	}
}

// judged has each validator fetch what is published now, on top of what its
// cache has of earlier, possibly newer, states. It must find just what our own
// relying party found, without complaint.
func (w *world) judged(s seen) {
	w.t.Helper()
	a, err := w.server.Ask(w.ctx, harness.Request{Path: "/ta/ta.tal"})
	w.check(err)
	if a.Status != http.StatusOK {
		w.t.Fatalf("the trust anchor locator: status %d", a.Status)
	}
	for _, v := range w.validators {
		got, err := v.Validate(w.ctx, a.Body)
		if err != nil {
			w.t.Errorf("at serial %d of session %s: %v", s.serial, s.session, err)
			continue
		}
		if !maps.Equal(got, s.vrps) {
			w.t.Errorf("at serial %d of session %s: %s finds %d routes, %d are published", s.serial, s.session, v.Name, len(got), len(s.vrps))
			continue
		}
		w.t.Logf("%s agrees on %d routes, at serial %d of session %s", v.Name, len(got), s.serial, s.session)
	}
}
