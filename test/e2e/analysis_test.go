package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baleen/internal/testdb"
)

// An operator sees the ROAs of a CA beside what is announced, from the dumps to
// the report, the metrics and an update that is not made.
func TestAnalysis(t *testing.T) {
	ctx := bounded(t)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dump := "64496\t10.0.0.0/24\t50\n64497\t10.0.1.0/24\t50\n"
		if r.URL.Path == "/6" {
			dump = "64498\t2001:db8::/32\t50\n"
		}
		_, _ = w.Write([]byte(dump))
	}))
	defer collector.Close()
	s := newServer(t, testdb.URL(t))
	s.Env = append(s.Env, "BALEEN_BGP_RISWHOIS_ENABLED=true", "BALEEN_BGP_RISWHOIS_V4_URI="+collector.URL+"/4", "BALEEN_BGP_RISWHOIS_V6_URI="+collector.URL+"/6")
	mustStart(ctx, t, s)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	metrics := func() string {
		_, text, err := s.Do(ctx, http.MethodGet, "/metrics", nil)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	if err := s.Until(ctx, "the announcements are compared", func() (bool, error) {
		return strings.Contains(metrics(), `krill_cas_bgp_announcements_not_found{ca="ca1"} 2`), nil
	}); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Ctl(ctx, "roas", "update", "-c", "ca1", "--try", "--add", "10.0.0.0/23 => 64497"); err == nil {
		t.Errorf("an update that makes announcements invalid was made: %s", out)
	}
	if out, err := s.Ctl(ctx, "roas", "update", "-c", "ca1", "--try", "--add", "10.0.0.0/24 => 64496"); err != nil || string(out) != "Ok\n" {
		t.Errorf("got %s, %v", out, err)
	}
	const want = `ROAs that cover announcements seen:
  10.0.0.0/24-24 => 64496
    allows:
      10.0.0.0/24 by AS64496

Announcements that are valid:
  10.0.0.0/24 by AS64496
    allowed by: 10.0.0.0/24-24 => 64496

Announcements that no ROA covers:
  10.0.1.0/24 by AS64497

`
	if out, err := s.Ctl(ctx, "roas", "bgp", "analyze", "-c", "ca1"); err != nil || string(out) != want {
		t.Errorf("got %s, %v", out, err)
	}
	text := metrics()
	for name, n := range map[string]int{
		"announcements_valid": 1, "announcements_invalid_asn": 0, "announcements_invalid_length": 0, "announcements_not_found": 1,
		"roas_too_permissive": 0, "roas_redundant": 0, "roas_stale": 0, "roas_total": 1,
	} {
		if line := fmt.Sprintf("krill_cas_bgp_%s{ca=\"ca1\"} %d\n", name, n); !strings.Contains(text, line) {
			t.Errorf("the metrics have no %s", line)
		}
	}
}
