package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"baleen/api"
	"baleen/internal/testdb"
	"baleen/test/harness"
)

func issuing(ctx context.Context, t *testing.T, s *harness.Server) (p api.Issuing) {
	t.Helper()
	status, body, err := s.Do(ctx, http.MethodGet, "/api/v1/cas/ca1/issuing", nil)
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &p) != nil {
		t.Fatalf("issuing: %d %s, %v", status, body, err)
	}
	return p
}

// A bulk load shows its progress, is held, outlives a kill, and goes on.
func TestBulkLoad(t *testing.T) {
	const routes = 120
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	s.Env = append(s.Env, "BALEEN_ROA_AGGREGATE_THRESHOLD=1000", "BALEEN_ROA_DEAGGREGATE_THRESHOLD=900")
	mustStart(ctx, t, s)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/16")
	settle(ctx, t, s)
	ctl := func(args ...string) string {
		t.Helper()
		out, err := s.Ctl(ctx, append(args, "--ca", "ca1")...)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}

	var list []map[string]any
	want := map[string]bool{}
	for i := range routes {
		list = append(list, map[string]any{"asn": 64496, "prefix": fmt.Sprintf("10.0.%d.0/24", i)})
		want[fmt.Sprintf("10.0.%d.0/24-24 => 64496", i)] = true
	}
	status, body, err := s.Do(ctx, http.MethodPost, "/api/v1/cas/ca1/routes", map[string]any{"added": list, "removed": []any{}})
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	if p := issuing(ctx, t, s); p.Wanted != routes || p.Issued == routes {
		t.Errorf("all is issued with the answer: %+v", p)
	}
	ctl("roas", "pause")
	held := issuing(ctx, t, s)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, s)
	settle(ctx, t, s)
	if p := issuing(ctx, t, s); p != held || !p.Paused || p.Issued >= routes {
		t.Errorf("held at %+v, after the restart %+v", held, p)
	}
	if got, want := ctl("roas", "progress"), fmt.Sprintf("issued %d of %d\npaused: 'roas resume' lets the others be issued\n", held.Issued, routes); got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	ctl("roas", "resume")
	err = s.Until(ctx, "some are issued, not all", func() (bool, error) {
		p := issuing(ctx, t, s)
		if p.Issued == routes {
			return false, fmt.Errorf("all were issued at once: %+v", p)
		}
		return p.Issued > held.Issued, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, s)
	settle(ctx, t, s)
	if p := issuing(ctx, t, s); p != (api.Issuing{Wanted: routes, Issued: routes}) {
		t.Errorf("in the end %+v", p)
	}
	if got, err := s.VRPs(ctx); err != nil || len(got) != len(want) {
		t.Errorf("%d routes, %v", len(got), err)
	}
}
