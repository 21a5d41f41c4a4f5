package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// kills is how often the server is killed while ROAs change.
const kills = 50

// What was acknowledged is kept: the server is killed again and again, each
// time at another moment between an answer and the publication of what it
// promised, and in the end everything is configured, issued and published, and
// nothing else.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	settle(ctx, t, s)
	w := newWriter(s, "ca1")
	var restarts time.Duration
	for i := range kills {
		w.runAndKill(ctx, t, time.Duration(rand.IntN(150*(1+i%3)))*time.Millisecond)
		begin := time.Now()
		mustStart(ctx, t, s)
		restarts += time.Since(begin)
	}
	settle(ctx, t, s)
	w.check(ctx, t)
	checkHistory(ctx, t, s, "ca1")
	verifyLog(ctx, t, s)
	t.Logf("%d changes acknowledged, %d answers lost over %d kills; active again after %v on average",
		w.acked, len(w.unknown), kills, restarts/kills)
}

// A testbed that was killed while it was being made goes on where it was.
func TestKillDuringSetUp(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	for i := range 10 {
		if err := s.Launch(); err != nil {
			t.Fatal(err)
		}
		launched := time.Now()
		err := s.Until(ctx, "it is time", func() (bool, error) { return time.Since(launched) > time.Duration(i)*80*time.Millisecond, nil })
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	mustStart(ctx, t, s)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8", "--asn", "AS64496")
	w := newWriter(s, "ca1")
	if err := w.change(ctx); err != nil {
		t.Fatal(err)
	}
	settle(ctx, t, s)
	w.check(ctx, t)
	verifyLog(ctx, t, s)
}

// writer changes the ROAs of a CA, one after the other, and remembers what was
// answered. Every fourth change takes away the ROA that was added first.
type writer struct {
	server  *harness.Server
	ca      string
	count   int
	acked   int
	added   []string        // prefixes, oldest first
	certain map[string]bool // text form: configured or not, as acknowledged
	unknown map[string]bool // the answer was lost: either way is right
}

func newWriter(s *harness.Server, ca string) *writer {
	return &writer{server: s, ca: ca, certain: map[string]bool{}, unknown: map[string]bool{}}
}

// lost says that no answer came.
type lost struct{ error }

// refusedError is an answer other than success.
type refusedError struct {
	status int
	body   []byte
}

func (e refusedError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.body) }

// change makes the next change.
func (w *writer) change(ctx context.Context) error {
	w.count++
	if w.count%4 == 0 && len(w.added) > 0 {
		prefix := w.added[0]
		w.added = w.added[1:]
		return w.send(ctx, prefix, false)
	}
	prefix := fmt.Sprintf("10.%d.%d.0/24", w.count/256, w.count%256)
	err := w.send(ctx, prefix, true)
	if err == nil {
		w.added = append(w.added, prefix)
	}
	return err
}

func (w *writer) send(ctx context.Context, prefix string, add bool) error {
	delta := map[string]any{"added": []any{}, "removed": []any{}}
	text := prefix + "-24 => 64496"
	if add {
		delta["added"] = []any{map[string]any{"asn": 64496, "prefix": prefix}}
	} else {
		delta["removed"] = []any{map[string]any{"asn": 64496, "prefix": prefix}}
	}
	status, body, err := w.server.Do(ctx, http.MethodPost, "/api/v1/cas/"+w.ca+"/routes", delta)
	if err != nil || strings.Contains(string(body), `"label":"outcome-unknown"`) {
		delete(w.certain, text)
		w.unknown[text] = true
	}
	switch {
	case err != nil:
		return lost{err}
	case status != http.StatusOK && w.unknown[text]:
		return refusedError{status, body}
	case status != http.StatusOK:
		if !add {
			w.added = append(w.added, prefix)
		}
		return refusedError{status, body}
	}
	w.certain[text] = add
	w.acked++
	return nil
}

// runAndKill changes ROAs until the server is killed, some time after the first
// change of this round was acknowledged.
func (w *writer) runAndKill(ctx context.Context, t *testing.T, after time.Duration) {
	t.Helper()
	var once sync.Once
	killed := make(chan error, 1)
	for {
		err := w.change(ctx)
		if err == nil {
			once.Do(func() { time.AfterFunc(after, func() { killed <- w.server.Kill() }) })
			continue
		}
		if _, ok := err.(lost); !ok {
			t.Fatal(err)
		}
		select {
		case kill := <-killed:
			if kill != nil {
				t.Fatal(kill)
			}
			return
		case <-ctx.Done():
			t.Fatalf("no answer, but nobody killed the server: %v", err)
		}
	}
}

// check wants exactly what was acknowledged to be configured, and what is
// configured to be what a relying party sees.
func (w *writer) check(ctx context.Context, t *testing.T) {
	t.Helper()
	configured := configuredROAs(ctx, t, w.server, w.ca)
	for text, want := range w.certain {
		if configured[text] != want {
			t.Errorf("%s: the change was acknowledged and is lost", text)
		}
	}
	for text := range configured {
		if !w.certain[text] && !w.unknown[text] {
			t.Errorf("%s is configured, but nobody asked for it", text)
		}
	}
	vrps, err := w.server.VRPs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(vrps, configured) {
		t.Errorf("published are %d routes, configured %d", len(vrps), len(configured))
	}
}

// configuredROAs gives what GET routes lists, in text form.
func configuredROAs(ctx context.Context, t *testing.T, s *harness.Server, ca string) map[string]bool {
	t.Helper()
	status, body, err := s.Do(ctx, http.MethodGet, "/api/v1/cas/"+ca+"/routes", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("routes: %d %s %v", status, body, err)
	}
	var list []struct {
		ASN       uint32 `json:"asn"`
		Prefix    string `json:"prefix"`
		MaxLength int    `json:"max_length"`
		Objects   []any  `json:"roa_objects"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, r := range list {
		text := fmt.Sprintf("%s-%d => %d", r.Prefix, r.MaxLength, r.ASN)
		out[text] = true
		if len(r.Objects) == 0 {
			t.Errorf("%s is configured but not issued", text)
		}
	}
	return out
}

// checkHistory wants versions without a gap.
func checkHistory(ctx context.Context, t *testing.T, s *harness.Server, ca string) {
	t.Helper()
	status, body, err := s.Do(ctx, http.MethodGet, "/api/v1/cas/"+ca+"/history/commands/100000", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("history: %d %s %v", status, body, err)
	}
	var h struct {
		Commands []struct {
			Version int `json:"version"`
		} `json:"commands"`
	}
	if err := json.Unmarshal(body, &h); err != nil {
		t.Fatal(err)
	}
	if len(h.Commands) == 0 {
		t.Error("the history is empty")
	}
	for i, c := range h.Commands {
		if c.Version != i+1 {
			t.Fatalf("the history has version %d at place %d", c.Version, i+1)
		}
	}
}

// verifyLog has the program prove that the log is as it was written.
func verifyLog(ctx context.Context, t *testing.T, s *harness.Server) {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "baleen"), "verify")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "BALEEN_DATA_DIR=" + s.Dir, "BALEEN_DATABASE_URL=" + s.Database}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), " streams verified, 0 findings\n") {
		t.Errorf("verify: %v\n%s", err, out)
	}
}
