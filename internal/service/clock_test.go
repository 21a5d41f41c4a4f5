package service_test

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/relying"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/manifest"
	"baleen/internal/service"
	"baleen/internal/tasks"
	"baleen/internal/trustanchor"
)

// said is what a publication point says about time.
type said struct {
	number                 int64
	manifest, crl, expires time.Time
}

// says reads the newest manifest and CRL of a publisher.
func (w *world) says(name string) (out said) {
	w.T.Helper()
	files, err := w.Pubs.Files(w.T.Context(), name)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, f := range files {
		switch path.Ext(f.URI) {
		case ".mft":
			obj, err := cms.Decode(f.DER)
			if err != nil {
				w.T.Fatal(err)
			}
			m, err := manifest.Decode(obj.Content)
			if err != nil {
				w.T.Fatal(err)
			}
			out.number, out.manifest, out.expires = m.Number.Int64(), m.ThisUpdate, m.NextUpdate
		case ".crl":
			c, err := crl.Decode(f.DER)
			if err != nil {
				w.T.Fatal(err)
			}
			out.crl = c.ThisUpdate
		}
	}
	return out
}

// The clock jumps ahead and back by an hour, twice each way, while routes change
// and the trust anchor signs: nothing waits for the clock, numbers and times of
// manifests and CRLs only grow, the history stays whole, and relying parties
// whose clock is right by then find all that is configured.
func TestClockJumps(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	publishers := []string{"ca1", "testbed", "ta"}
	before := map[string]said{}
	for i, jump := range []time.Duration{0, time.Hour, -time.Hour, -time.Hour, time.Hour} {
		w.Pass(jump)
		cmd := ca.ConfigureROAs{Added: []ca.ConfiguredROA{route(fmt.Sprintf("10.%d.0.0/16", i), 24, 64496)}}
		if err := w.Configure("ca1", cmd); err != nil {
			t.Fatal(err)
		}
		w.enqueue(service.PublishCA{CA: "testbed", Force: true}, trustanchor.Sign{Renew: true})
		w.Settle()
		now := w.Now()
		for _, name := range publishers {
			got, old := w.says(name), before[name]
			if got.number <= old.number || !got.manifest.After(old.manifest) || !got.crl.Equal(got.manifest) || got.expires.Before(now.Add(8*time.Hour)) {
				t.Errorf("jump %d, by %v: %s says %+v after %+v", i, jump, name, got, old)
			}
			before[name] = got
			if got.manifest.After(now) {
				now = got.manifest
			}
		}
		w.complete(now, i+1)
		if left := w.left(); len(left) > 0 {
			t.Errorf("jump %d, by %v: tasks failed or wait: %q", i, jump, left)
		}
	}
	w.wholeHistory("ca1", 5)
}

// left names the tasks that failed, and those that wait although they do not recur.
func (w *world) left() (out []string) {
	w.T.Helper()
	list, err := tasks.List(w.T.Context(), w.DB, 1000, 0)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, r := range list {
		switch {
		case r.LastFault != nil:
			out = append(out, r.Kind+" "+r.LastFault.Msg)
		case strings.HasPrefix(r.Kind, "ca_issue"), strings.HasPrefix(r.Kind, "ca_publish"), strings.HasPrefix(r.Kind, "repo_"), r.Kind == "ta_sign":
			out = append(out, r.Kind+" "+r.Key)
		}
	}
	return out
}

// enqueue schedules tasks for now.
func (w *world) enqueue(list ...tasks.Args) {
	w.T.Helper()
	for _, a := range list {
		if err := tasks.Enqueue(w.T.Context(), w.DB, w.Now(), tasks.Scheduled{Args: a}); err != nil {
			w.T.Fatal(err)
		}
	}
}

// complete wants a relying party to find so many routes at a time.
func (w *world) complete(at time.Time, routes int) {
	w.T.Helper()
	objects, err := w.Repository()
	if err != nil {
		w.T.Fatal(err)
	}
	anchor, err := w.TA().Certificate(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	if vrps, err := relying.Validate(at, anchor, objects); err != nil || len(vrps) != routes {
		w.T.Errorf("published at %v: %d routes instead of %d, %v", at, len(vrps), routes, err)
	}
}

// wholeHistory wants the history in the order in which it was made, whatever the
// clock said, the serials' times never to go back, and verify to find nothing.
func (w *world) wholeHistory(name string, configured int) {
	w.T.Helper()
	page, err := w.History(w.T.Context(), name, pgstore.HistoryQuery{Rows: 1000})
	if err != nil {
		w.T.Fatal(err)
	}
	n, back := 0, 0
	for i, c := range page.Commands {
		if c.Version != page.Commands[0].Version+int64(i) {
			w.T.Errorf("version %d at place %d", c.Version, i)
		}
		if i > 0 && c.At.Before(page.Commands[i-1].At) {
			back++
		}
		if c.Name == "configure_roas" {
			n++
		}
	}
	if n != configured || back == 0 {
		w.T.Errorf("%d changes of routes in the history, want %d; %d times the clock went back, as it did", n, configured, back)
	}
	if n := w.Count("(SELECT at < lag(at) OVER (ORDER BY revision, serial) AS back FROM rrdp_serial) s WHERE back"); n > 0 {
		w.T.Errorf("the time of %d serials is before that of an earlier one", n)
	}
	if findings, _ := w.Verify(); len(findings) > 0 {
		w.T.Errorf("findings:\n%s", strings.Join(findings, "\n"))
	}
}

// A CA got its certificate while the clock was an hour ahead. Now that it is
// right the certificate is not valid yet; what the CA does is done all the same,
// and good as soon as the certificate is.
func TestCAThatWasMadeWhileTheClockWasAhead(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Pass(time.Hour)
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	w.Pass(-time.Hour)
	if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if left := w.left(); len(left) > 0 {
		t.Errorf("tasks failed or wait: %q", left)
	}
	w.complete(w.Now().Add(time.Hour), 1)
}
