package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"baleen/test/harness"
)

// What is published can be made again from the database: the folder of the
// repository may be lost.
func TestRepositoryFolderLost(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	w := newWriter(s, "ca1")
	for range 5 {
		if err := w.change(ctx); err != nil {
			t.Fatal(err)
		}
	}
	settle(ctx, t, s)
	before, err := s.Notification(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(s.Dir, "repo")); err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, s)
	settle(ctx, t, s)
	after, err := s.Notification(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if after.Session != before.Session || after.Serial != before.Serial || after.Snapshot != before.Snapshot {
		t.Errorf("the notification was %+v and is %+v", before, after)
	}
	w.check(ctx, t)
}

// problem is a task that failed, as the API shows it.
type problem struct {
	Kind  string `json:"kind"`
	Fault struct {
		Code string `json:"code"`
		Msg  string `json:"msg"`
	} `json:"last_fault"`
}

// When the repository's folder cannot be written the API says so, and not that
// something else is wrong. When it can be written again all is published.
func TestRepositoryFolderFails(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	settle(ctx, t, s)
	n, err := s.Notification(ctx)
	if err != nil {
		t.Fatal(err)
	}
	inTheWay := filepath.Join(s.Dir, "repo", "rrdp", n.Session, strconv.FormatUint(n.Serial+1, 10))
	if err := os.WriteFile(inTheWay, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w := newWriter(s, "ca1")
	if err := w.change(ctx); err != nil {
		t.Fatal(err)
	}
	p := firstProblem(t, operator{Server: s, ctx: ctx, t: t})
	if p.Kind != "rrdp_update" || !strings.Contains(p.Fault.Msg, "repository files") || strings.Contains(p.Fault.Code+p.Fault.Msg, "atabase") {
		t.Errorf("the failure is shown as %+v", p)
	}
	if now, err := s.Notification(ctx); err != nil || now.Serial != n.Serial {
		t.Errorf("the notification is at serial %d, %v; want the old one, %d", now.Serial, err, n.Serial)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	settle(ctx, t, s)
	w.check(ctx, t)
}

// firstProblem waits until a task has failed.
func firstProblem(t *testing.T, o operator) problem {
	t.Helper()
	var queue struct {
		Problems []problem `json:"problems"`
	}
	o.until("a failure is shown", "/api/v1/tasks", func(body []byte) bool {
		return json.Unmarshal(body, &queue) == nil && len(queue.Problems) > 0
	})
	return queue.Problems[0]
}

// What relying parties fetch has the headers and refusals of the reference.
func TestRRDPFiles(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	settle(ctx, t, s)
	n, err := s.Notification(ctx)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := strings.TrimPrefix(n.Snapshot.URI, strings.TrimSuffix(s.PublicURI(), "/"))
	for path, keep := range map[string]string{
		"/rrdp/notification.xml": "max-age=60",
		snapshot:                 "max-age=86400",
		"/rrdp":                  "",
		"/rrdp/":                 "",
		"/rrdp/" + n.Session:     "",
		"/rrdp/nothing.xml":      "",
		snapshot + "/":           "",
		"/rrdp/" + n.Session + "/1/../1/x/snapshot.xml": "",
		"/rrdp/%2e%2e/%2e%2e/master.key":                "",
		"/rrdp/../master.key":                           "",
	} {
		a, err := s.Ask(ctx, harness.Request{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case keep == "" && (a.Status != http.StatusNotFound || len(a.Body) > 0):
			t.Errorf("%s: got %s, want 404 without data", path, show(a))
		case keep != "" && (a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/xml" || a.Header.Get("Cache-Control") != keep):
			t.Errorf("%s: got %d %v", path, a.Status, a.Header)
		}
	}
	a, err := s.Ask(ctx, harness.Request{Method: http.MethodPost, Path: "/rrdp/notification.xml"})
	if err != nil || a.Status != http.StatusMethodNotAllowed || len(a.Body) > 0 {
		t.Errorf("POST: got %s, %v", show(a), err)
	}
}
