package ctl

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTryThatIsNotMade gets advice, and fails in every format.
func TestTryThatIsNotMade(t *testing.T) {
	const advice = `{"effect":[{"asn":2,"prefix":"10.0.0.0/24","state":"announcement_invalid_asn","disallowed_by":[{"asn":1,"prefix":"10.0.0.0/24","max_length":24}]}],` +
		`"suggestion":{"not_found":[{"asn":2,"prefix":"10.0.0.0/24"}],"keep_disallowing":[{"asn":3,"prefix":"10.0.1.0/24"}]}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(advice)) }))
	defer server.Close()
	const text = `Unsafe update, please review what it would lead to:

Announcements by an AS that is not authorised:
  10.0.0.0/24 by AS2
    disallowed by:
      10.0.0.0/24-24 => 1

Suggested instead:

Keep disallowing:
  10.0.1.0/24 by AS3

Add, for no ROA covers the announcement:
  10.0.0.0/24 by AS2

`
	for format, want := range map[string]string{"text": text, "json": advice, "none": ""} {
		status, stdout, stderr := runWith(t, []string{"-s", server.URL, "-f", format, "roas", "update", "-c", "ca1", "--try", "--add", "10.0.0.0/24 => 1"}, nil)
		if format == "json" {
			stdout = strings.NewReplacer("\n", "", " ", "").Replace(stdout)
		}
		if status != 1 || stdout != want || strings.Contains(stderr, errNotMade.Error()) == (format == "none") {
			t.Errorf("%s: status %d, printed\n%s%s", format, status, stdout, stderr)
		}
	}
	if status, _, stderr := runWith(t, []string{"-s", server.URL, "roas", "update", "-c", "ca1", "--try", "--dryrun", "--add", "10.0.0.0/24 => 1"}, nil); status != 1 || !strings.Contains(stderr, "dryrun") {
		t.Errorf("both at once: status %d, %s", status, stderr)
	}
}
