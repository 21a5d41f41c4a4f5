// Package e2e plays an operator's day with the built programs.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
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
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	s := newServer(t, testdb.URL(t))
	mustStart(ctx, t, s)
	if _, err := s.Ctl(ctx, "testbed", "join", "--ca", "ca1", "--ipv4", "10.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	w := &writer{server: s, acked: map[string]bool{}, unknown: map[string]bool{}}
	for i := range kills {
		w.runAndKill(ctx, t, i)
		mustStart(ctx, t, s)
	}
	if err := s.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	w.check(ctx, t)
	t.Logf("%d changes acknowledged over %d kills", len(w.acked), kills)
}

// writer adds one ROA after the other and remembers what was answered.
type writer struct {
	server  *harness.Server
	next    int
	acked   map[string]bool
	unknown map[string]bool // the answer was lost: either way is right
}

// runAndKill adds ROAs until the server is killed, some milliseconds after the
// first of this round was acknowledged.
func (w *writer) runAndKill(ctx context.Context, t *testing.T, round int) {
	t.Helper()
	var once sync.Once
	killed := make(chan error, 1)
	kill := func() {
		once.Do(func() {
			delay := time.Duration(rand.IntN(150*(1+round%3))) * time.Millisecond
			time.AfterFunc(delay, func() { killed <- w.server.Kill() })
		})
	}
	for {
		prefix := fmt.Sprintf("10.%d.%d.0/24", w.next/256, w.next%256)
		w.next++
		roa := map[string]any{"asn": 64496, "prefix": prefix}
		text := prefix + "-24 => 64496"
		status, body, err := w.server.Do(ctx, http.MethodPost, "/api/v1/cas/ca1/routes", map[string]any{"added": []any{roa}, "removed": []any{}})
		switch {
		case err != nil:
			w.unknown[text] = true
			if err := <-killed; err != nil {
				t.Fatal(err)
			}
			return
		case status == http.StatusOK:
			w.acked[text] = true
			kill()
		default:
			t.Fatalf("round %d: status %d: %s", round, status, body)
		}
	}
}

func (w *writer) check(ctx context.Context, t *testing.T) {
	t.Helper()
	configured := configuredROAs(ctx, t, w.server, "ca1")
	for text := range w.acked {
		if !configured[text] {
			t.Errorf("%s was acknowledged and is lost", text)
		}
	}
	for text := range configured {
		if !w.acked[text] && !w.unknown[text] {
			t.Errorf("%s is configured, but nobody asked for it", text)
		}
	}
	p, err := w.server.Published(ctx)
	if err != nil {
		t.Fatal(err)
	}
	vrps, err := p.VRPs("rsync://localhost/repo/ca1/")
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(vrps, configured) {
		t.Errorf("published are %d routes, configured %d", len(vrps), len(configured))
	}
	checkHistory(ctx, t, w.server, "ca1")
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
