package obs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// fixed is a source that always says the same.
type fixed func(ctx context.Context) (Snapshot, error)

func (f fixed) Snapshot(ctx context.Context) (Snapshot, error) { return f(ctx) }

func always(s Snapshot) Source {
	return fixed(func(context.Context) (Snapshot, error) { return s, nil })
}

var at = time.Unix(1_700_000_000, 0)

// full is a state in which every metric has something to show.
func full() Snapshot {
	return Snapshot{
		Node: Node{Active: true, Epoch: 7}, Sessions: 2,
		CAs: []CA{
			{
				Handle:     "ca1",
				Parents:    []Parent{{"up", Contact{true, true, at}}, {"new", Contact{}}, {"down", Contact{true, false, time.Time{}}}},
				Repository: Contact{true, false, at.Add(-time.Hour)},
				Children: []Child{
					{Handle: "kid", Last: at, Agent: "krill/0.15.0", Contact: Contact{true, true, at}},
					{Handle: "old", Suspended: true, Last: at, Contact: Contact{true, false, time.Time{}}},
					{Handle: "silent"},
				},
				ROAs: 3, BGP: &BGP{1, 2, 3, 4, 5, 6, 7},
			},
			{Handle: "ca2"},
		},
		Repo: &Repo{
			Publishers: []Publisher{{"ca1", 5, 1234, at}, {"empty", 0, 0, time.Time{}}},
			Serial:     42, LastUpdate: at,
		},
		TA:        &TA{NextUpdate: at, NotAfter: at.Add(time.Hour), Due: true},
		Announced: &Announced{Tried: true, LastSuccess: at, V4: 8, V6: 9},

		Tasks:  []Task{{Kind: "ca_publish", Due: 1, Waiting: 5, Running: 2, Failing: 3, Parked: 4, Oldest: 1500 * time.Millisecond}},
		Broken: []Stream{{"ca", "ca2"}},
		Keys:   KeyPool{Size: 32, Ready: 30, Taken: 100, Missed: 1},
	}
}

func newMetrics(s Source, hide Hide) *Metrics {
	return NewMetrics(MetricsConfig{Source: s, Hide: hide, Started: at, Log: slog.New(slog.DiscardHandler)})
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %s\n%s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return w.Body.String()
}

// samples gives the lines of the page that begin with one of the prefixes, sorted.
func samples(page string, prefixes ...string) []string {
	var lines []string
	for line := range strings.Lines(page) {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				lines = append(lines, strings.TrimSpace(line))
				break
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func equal(t *testing.T, got []string, want string) {
	t.Helper()
	wanted := strings.Split(strings.TrimSpace(want), "\n")
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
}

func TestEveryMetric(t *testing.T) {
	page := scrape(t, newMetrics(always(full()), Hide{}))
	equal(t, samples(page, "krill_"), `
krill_auth_session_cache_size 2
krill_ca_child_agent_total{ca="ca1",user_agent="<none>"} 1
krill_ca_child_agent_total{ca="ca1",user_agent="krill/0.15.0"} 1
krill_ca_child_last_connection{ca="ca1",child="kid"} 1.7e+09
krill_ca_child_last_connection{ca="ca1",child="old"} 1.7e+09
krill_ca_child_last_success{ca="ca1",child="kid"} 1.7e+09
krill_ca_child_state{ca="ca1",child="kid"} 1
krill_ca_child_state{ca="ca1",child="old"} 0
krill_ca_child_state{ca="ca1",child="silent"} 1
krill_ca_child_success{ca="ca1",child="kid"} 1
krill_ca_child_success{ca="ca1",child="old"} 0
krill_ca_parent_last_success_time{ca="ca1",parent="up"} 1.7e+09
krill_ca_parent_success{ca="ca1",parent="down"} 0
krill_ca_parent_success{ca="ca1",parent="up"} 1
krill_ca_ps_last_success_time{ca="ca1"} 1.6999964e+09
krill_ca_ps_success{ca="ca1"} 0
krill_cas 2
krill_cas_bgp_announcements_invalid_asn{ca="ca1"} 2
krill_cas_bgp_announcements_invalid_asn{ca="ca2"} 0
krill_cas_bgp_announcements_invalid_length{ca="ca1"} 3
krill_cas_bgp_announcements_invalid_length{ca="ca2"} 0
krill_cas_bgp_announcements_not_found{ca="ca1"} 4
krill_cas_bgp_announcements_not_found{ca="ca2"} 0
krill_cas_bgp_announcements_valid{ca="ca1"} 1
krill_cas_bgp_announcements_valid{ca="ca2"} 0
krill_cas_bgp_roas_redundant{ca="ca1"} 6
krill_cas_bgp_roas_redundant{ca="ca2"} 0
krill_cas_bgp_roas_stale{ca="ca1"} 7
krill_cas_bgp_roas_stale{ca="ca2"} 0
krill_cas_bgp_roas_too_permissive{ca="ca1"} 5
krill_cas_bgp_roas_too_permissive{ca="ca2"} 0
krill_cas_bgp_roas_total{ca="ca1"} 3
krill_cas_bgp_roas_total{ca="ca2"} 0
krill_cas_children{ca="ca1"} 3
krill_cas_children{ca="ca2"} 0
krill_repo_last_update{publisher="ca1"} 1.7e+09
krill_repo_objects{publisher="ca1"} 5
krill_repo_objects{publisher="empty"} 0
krill_repo_publisher 2
krill_repo_rrdp_last_update 1.7e+09
krill_repo_rrdp_serial 42
krill_repo_size{publisher="ca1"} 1234
krill_repo_size{publisher="empty"} 0
krill_server_start 1.7e+09
krill_version_major 0
krill_version_minor 1
krill_version_patch 0`)
	equal(t, samples(page, "baleen_"), `
baleen_active 1
baleen_bgp_announcements{family="ipv4"} 8
baleen_bgp_announcements{family="ipv6"} 9
baleen_bgp_last_success_time 1.7e+09
baleen_bgp_success 0
baleen_epoch 7
baleen_key_pool_ready 30
baleen_key_pool_size 32
baleen_keys_missed_total 1
baleen_keys_taken_total 100
baleen_snapshot_success 1
baleen_stream_broken{handle="ca2",kind="ca"} 1
baleen_streams_broken 1
baleen_ta_certificate_not_after_time 1.7000036e+09
baleen_ta_children_waiting 0
baleen_ta_exchange_due 1
baleen_ta_manifest_next_update_time 1.7e+09
baleen_task_oldest_seconds{kind="ca_publish"} 1.5
baleen_tasks_due{kind="ca_publish"} 1
baleen_tasks_failing{kind="ca_publish"} 3
baleen_tasks_parked{kind="ca_publish"} 4
baleen_tasks_running{kind="ca_publish"} 2
baleen_tasks_waiting{kind="ca_publish"} 5`)
	if !strings.Contains(page, "# TYPE krill_repo_rrdp_serial counter") || !strings.Contains(page, "# TYPE krill_cas gauge") {
		t.Error("types are missing")
	}
	if !strings.Contains(page, "go_goroutines") || !strings.Contains(page, "process_start_time_seconds") {
		t.Error("runtime metrics are missing")
	}
}

func TestNamesAreSound(t *testing.T) {
	m := newMetrics(always(full()), Hide{})
	m.Observe(Request{Route: "/health", Method: http.MethodGet, Status: 200})
	problems, err := promlint.New(bytes.NewReader([]byte(scrape(t, m)))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "baleen_") { // the others' names are given
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestHide(t *testing.T) {
	tests := map[string]struct {
		hide        Hide
		gone, stays []string
	}{
		"nothing":    {Hide{}, nil, []string{"krill_cas ", "krill_ca_parent_", "krill_ca_child_", "krill_cas_children", "krill_cas_bgp_", "krill_repo_objects"}},
		"CAs":        {Hide{CADetails: true}, []string{"krill_ca_", "krill_cas_"}, []string{"krill_cas ", "krill_repo_objects"}},
		"children":   {Hide{ChildDetails: true}, []string{"krill_ca_child_", "krill_cas_children"}, []string{"krill_ca_parent_", "krill_cas_bgp_"}},
		"ROAs":       {Hide{ROADetails: true}, []string{"krill_cas_bgp_"}, []string{"krill_ca_parent_", "krill_ca_child_"}},
		"publishers": {Hide{PublisherDetails: true}, []string{"krill_repo_objects", "krill_repo_size", "krill_repo_last_update"}, []string{"krill_repo_publisher", "krill_repo_rrdp_serial"}},
	}
	for name, tt := range tests {
		page := scrape(t, newMetrics(always(full()), tt.hide))
		for _, prefix := range tt.gone {
			if got := samples(page, prefix); len(got) > 0 {
				t.Errorf("%s: %q", name, got)
			}
		}
		for _, prefix := range tt.stays {
			if len(samples(page, prefix)) == 0 {
				t.Errorf("%s: %s is missing", name, prefix)
			}
		}
	}
}

func TestEmptyServer(t *testing.T) {
	page := scrape(t, newMetrics(always(Snapshot{CAs: []CA{{Handle: "only"}}}), Hide{}))
	equal(t, samples(page, "krill_cas ", "krill_cas_children", "krill_repo", "krill_ca_", "baleen_active", "baleen_epoch"), "krill_cas 1\nbaleen_active 0\nbaleen_epoch 0")
}

func TestSourceFails(t *testing.T) {
	m := newMetrics(fixed(func(ctx context.Context) (Snapshot, error) {
		<-ctx.Done() // as with a database that does not answer
		return Snapshot{}, ctx.Err()
	}), Hide{})
	m.cfg.Timeout = time.Millisecond
	page := scrape(t, m)
	equal(t, samples(page, "krill_", "baleen_"), "krill_server_start 1.7e+09\nkrill_version_major 0\nkrill_version_minor 1\nkrill_version_patch 0\nbaleen_snapshot_success 0")
	m.cfg.Source = fixed(func(context.Context) (Snapshot, error) { return Snapshot{}, errors.New("broken") })
	if got := samples(scrape(t, m), "baleen_snapshot_success"); len(got) != 1 || !strings.HasSuffix(got[0], " 0") {
		t.Errorf("got %q", got)
	}
}

func TestOddNamesDoNotSpoilThePage(t *testing.T) {
	s := Snapshot{CAs: []CA{{Handle: "a\"b\\c\nd", ROAs: 1}, {Handle: "bad\xff", ROAs: 2}, {Handle: "twice", ROAs: 3}, {Handle: "twice", ROAs: 4}}}
	page := scrape(t, newMetrics(always(s), Hide{}))
	got := samples(page, "krill_cas_bgp_roas_total")
	for _, want := range []string{`{ca="a\"b\\c\nd"} 1`, "{ca=\"bad\uFFFD\"} 2"} {
		if !slices.Contains(got, "krill_cas_bgp_roas_total"+want) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	if len(samples(page, "krill_cas ")) != 1 {
		t.Error("one fault hides the rest")
	}
}

func TestScrapesAreBounded(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	m := newMetrics(fixed(func(context.Context) (Snapshot, error) {
		enter <- struct{}{}
		<-leave
		return Snapshot{}, nil
	}), Hide{})
	srv := httptest.NewServer(m.Handler())
	defer srv.Close()
	codes := make(chan int, maxScrapes)
	for range maxScrapes {
		go func() {
			resp, err := http.Get(srv.URL)
			if err != nil {
				codes <- 0
				return
			}
			_ = resp.Body.Close()
			codes <- resp.StatusCode
		}()
		<-enter
	}
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", resp.StatusCode)
	}
	close(leave)
	for range maxScrapes {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("got %d", code)
		}
	}
}

func TestObserve(t *testing.T) {
	m := newMetrics(always(Snapshot{}), Hide{})
	for _, r := range []Request{
		{"/api/v1/cas/:ca", http.MethodGet, 200, 20 * time.Millisecond},
		{"/api/v1/cas/:ca", http.MethodGet, 200, 2 * time.Second},
		{"/api/v1/cas/:ca", http.MethodPost, 409, 0},
		{"", http.MethodGet, 404, 0},
		{"/health", "BREW", 299, 0},
	} {
		m.Observe(r)
	}
	page := scrape(t, m)
	equal(t, samples(page, "baleen_http_requests_total"), `
baleen_http_requests_total{method="GET",route="/api/v1/cas/:ca",status="200"} 2
baleen_http_requests_total{method="POST",route="/api/v1/cas/:ca",status="409"} 1
baleen_http_requests_total{method="GET",route="none",status="404"} 1
baleen_http_requests_total{method="other",route="/health",status="other"} 1`)
	equal(t, samples(page, `baleen_http_request_seconds_bucket{route="/api/v1/cas/:ca",le="0.025"}`, `baleen_http_request_seconds_count{route="/api/v1/cas/:ca"}`), `
baleen_http_request_seconds_bucket{route="/api/v1/cas/:ca",le="0.025"} 2
baleen_http_request_seconds_count{route="/api/v1/cas/:ca"} 3`)
}

func TestSeriesAreBounded(t *testing.T) {
	m := newMetrics(always(Snapshot{}), Hide{})
	for i := range 2 * maxRoutes {
		m.Observe(Request{Route: fmt.Sprintf("/made-up/%d", i), Method: fmt.Sprintf("M%d", i), Status: 1000 + i})
	}
	if n := len(samples(scrape(t, m), "baleen_http_requests_total")); n != maxRoutes+1 {
		t.Errorf("%d time series", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := newMetrics(always(Snapshot{}), Hide{})
	for b.Loop() {
		m.Observe(Request{"/api/v1/cas/:ca", http.MethodGet, 200, time.Millisecond})
	}
}
