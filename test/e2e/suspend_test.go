package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// T12: a child that is silent is suspended and comes back as soon as it speaks;
// an operator can do both by hand. What relying parties see follows.
func TestSuspendedChild(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	s.Env = append(s.Env, "BALEEN_SUSPEND_CHILD_AFTER_INACTIVE_SECONDS=2")
	mustStart(ctx, t, s)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/16")
	settle(ctx, t, s)
	uri, first := childCert(ctx, t, s)
	if first == nil || isSuspended(ctx, t, s) {
		t.Fatal("no certificate is published for the child, or it is suspended")
	}

	done := func(path string, body any) {
		t.Helper()
		if status, answer, err := s.Do(ctx, http.MethodPost, path, body); err != nil || status != http.StatusOK {
			t.Fatalf("POST %s: %d %s, %v", path, status, answer, err)
		}
	}
	until := func(what string, suspended bool, nudge func()) {
		t.Helper()
		err := s.Until(ctx, what, func() (bool, error) {
			if nudge != nil {
				nudge()
			}
			_, der := childCert(ctx, t, s)
			return isSuspended(ctx, t, s) == suspended && (der == nil) == suspended, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	until("the silent child is suspended", true, func() { done("/api/v1/bulk/cas/suspend", nil) })
	settle(ctx, t, s) // what was asked for once more is over
	done("/api/v1/cas/ca1/sync/parents", nil)
	until("the child that speaks is active", false, nil)
	done("/api/v1/cas/testbed/children/ca1", map[string]bool{"suspend": true})
	until("the child is suspended by hand", true, nil)
	done("/api/v1/cas/testbed/children/ca1", map[string]bool{"suspend": false})
	until("the child is active by hand", false, nil)
	if now, again := childCert(ctx, t, s); now != uri || string(again) == string(first) {
		t.Errorf("there is %s, want another certificate than the first, which is revoked, at %s", now, uri)
	}
	if _, err := s.VRPs(ctx); err != nil {
		t.Error(err)
	}
}

func isSuspended(ctx context.Context, t *testing.T, s *harness.Server) bool {
	t.Helper()
	_, body, err := s.Do(ctx, http.MethodGet, "/api/v1/cas/testbed", nil)
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Suspended []string `json:"suspended_children"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		t.Fatal(err)
	}
	return slices.Contains(info.Suspended, "ca1")
}

// childCert gives the certificate that testbed publishes for its child, and
// where; nil if there is none.
func childCert(ctx context.Context, t *testing.T, s *harness.Server) (uri string, der []byte) {
	t.Helper()
	p, err := s.Published(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for uri, der := range p.Objects {
		if strings.HasPrefix(uri, "rsync://localhost/repo/testbed/") && strings.HasSuffix(uri, ".cer") {
			return uri, der
		}
	}
	return "", nil
}
