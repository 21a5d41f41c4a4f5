package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// Monitoring learns how a CA gets on with its parent, its repository and its
// children, unless it is not to know their names.
func TestMetricsOfPeers(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	mustStart(ctx, t, s)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/16")
	settle(ctx, t, s)
	if _, err := s.Ctl(ctx, "children", "suspend", "--ca", "testbed", "--child", "ca1"); err != nil {
		t.Fatal(err)
	}
	seen := scrape(ctx, t, s)
	for _, want := range []string{
		`krill_ca_parent_success{ca="ca1",parent="testbed"} 1`, `krill_ca_parent_last_success_time{ca="ca1",parent="testbed"} `,
		`krill_ca_ps_success{ca="ca1"} 1`, `krill_ca_ps_last_success_time{ca="ca1"} `,
		`krill_ca_child_success{ca="testbed",child="ca1"} 1`, `krill_ca_child_state{ca="testbed",child="ca1"} 0`,
		`baleen_ta_exchange_due 0`, `baleen_ta_children_waiting 0`, `baleen_ta_manifest_next_update_time `, `baleen_ta_certificate_not_after_time `,
	} {
		if !slices.ContainsFunc(seen, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no %s in\n%s", want, strings.Join(seen, "\n"))
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s.Env = append(s.Env, "BALEEN_METRICS_HIDE_CA_DETAILS=true")
	mustStart(ctx, t, s)
	for _, line := range scrape(ctx, t, s) {
		if strings.HasPrefix(line, "krill_ca_") {
			t.Errorf("names are told: %s", line)
		}
	}
}

// A child that an operator suspends, and lets go again, is seen as such.
func TestChildrenByCommandLine(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/16")
	settle(ctx, t, s)
	for _, step := range []struct{ command, state string }{{"suspend", "suspended"}, {"unsuspend", "active"}} {
		if _, err := s.Ctl(ctx, "children", step.command, "--ca", "testbed", "--child", "ca1"); err != nil {
			t.Fatal(err)
		}
		out, err := s.Ctl(ctx, "children", "connections", "--ca", "testbed")
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		last := lines[len(lines)-1]
		if len(lines) != 2 || !strings.HasPrefix(last, "ca1,local-child,") || !strings.HasSuffix(last, ",success,"+step.state) {
			t.Errorf("after %s: got\n%s", step.command, out)
		}
	}
	if _, err := s.Ctl(ctx, "bulk", "suspend"); err != nil {
		t.Error(err)
	}
}

// scrape gives the lines of the metrics.
func scrape(ctx context.Context, t *testing.T, s *harness.Server) []string {
	t.Helper()
	status, page, err := s.Do(ctx, http.MethodGet, "/metrics", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("metrics: status %d, %v", status, err)
	}
	return strings.Split(string(page), "\n")
}
