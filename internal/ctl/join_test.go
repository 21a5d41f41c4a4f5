package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baleen/internal/rpki/resources"
)

var joinArgs = []string{"testbed", "join", "--ca", "ca1", "--asn", "AS64496", "--ipv4", "192.0.2.0/24", "--ipv6", "2001:db8::/32"}

// joinWrites are all calls of a join that change something.
var joinWrites = []string{
	"POST /api/v1/cas",
	"POST /api/v1/pubd/publishers",
	"POST /api/v1/cas/ca1/repo",
	"POST /api/v1/cas/testbed/children",
	"POST /api/v1/cas/ca1/parents",
}

func (f *fakeServer) run(t *testing.T, args []string) (status int, stdout, stderr string) {
	t.Helper()
	return runWith(t, append([]string{"--server", f.URL}, args...), nil)
}

func TestJoin(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	status, stdout, stderr := f.run(t, joinArgs)
	const want = "CA: created\n" +
		"repository: publishes below rsync://localhost/repo/ca1/\n" +
		"child of testbed: added with asn: 'AS64496', ipv4: '192.0.2.0/24', ipv6: '2001:db8::/32'\n" +
		"parent testbed: added\n" +
		"certificate: received\n"
	if status != 0 || stdout != want {
		t.Errorf("status %d, %s\nprinted %s\nwant %s", status, stderr, stdout, want)
	}
	if !reflect.DeepEqual(f.writes, joinWrites) {
		t.Errorf("wrote %q, want %q", f.writes, joinWrites)
	}
}

func TestJoinAgainChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.run(t, joinArgs)
	f.writes = nil
	status, stdout, stderr := f.run(t, joinArgs)
	const want = "CA: already there\nrepository: already configured\nchild of testbed: already there\nparent testbed: already there\ncertificate: received\n"
	if status != 0 || stdout != want || len(f.writes) != 0 {
		t.Errorf("status %d, %s\nprinted %s\nwrote %q", status, stderr, stdout, f.writes)
	}
}

func TestJoinWithOtherResources(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.run(t, joinArgs)
	f.writes = nil
	status, stdout, stderr := f.run(t, []string{"testbed", "join", "-c", "ca1", "--asn", "AS64497"})
	if status != 0 || !strings.Contains(stdout, "child of testbed: resources changed to asn: 'AS64497', ipv4: '', ipv6: ''\nparent testbed: asked again\n") {
		t.Errorf("status %d, %s\nprinted %s", status, stderr, stdout)
	}
	want := []string{"POST /api/v1/cas/testbed/children/ca1", "POST /api/v1/cas/ca1/sync/parents"}
	if !reflect.DeepEqual(f.writes, want) {
		t.Errorf("wrote %q, want %q", f.writes, want)
	}
}

// TestJoinInTrouble lets each write fail in each way and looks at the whole
// state afterwards, and again after the command was repeated.
func TestJoinInTrouble(t *testing.T) {
	t.Parallel()
	undisturbed := newFake(t)
	undisturbed.run(t, joinArgs)
	for _, write := range joinWrites {
		for name, happens := range map[string]trouble{"conflict": conflict, "refused": refused, "answer lost": answerLost} {
			t.Run(write+" "+name, func(t *testing.T) {
				t.Parallel()
				f := newFake(t)
				f.trouble[write] = happens
				status, _, stderr := f.run(t, joinArgs)
				if happens == conflict && status != 0 {
					t.Errorf("a conflict was not tried again: %s", stderr)
				}
				if happens != conflict && (status != 1 || !strings.HasPrefix(stderr, "Error: CA ca1: ")) {
					t.Errorf("status %d, %q", status, stderr)
				}
				if status, _, stderr = f.run(t, joinArgs); status != 0 {
					t.Errorf("repeated: %s", stderr)
				}
				if !reflect.DeepEqual(f.cas, undisturbed.cas) || !reflect.DeepEqual(f.publishers, undisturbed.publishers) ||
					!reflect.DeepEqual(f.children, undisturbed.children) {
					t.Errorf("in the end there is %+v, %q, %v", f.cas, f.publishers, f.children)
				}
				if got := len(f.writes); got != len(joinWrites) {
					t.Errorf("%d writes were done: %q", got, f.writes)
				}
			})
		}
	}
}

func TestJoinKeepsOffOthers(t *testing.T) {
	tests := map[string]struct {
		arrange func(f *fakeServer)
		want    string
	}{
		"publisher of another": {
			func(f *fakeServer) { f.publishers["ca1"] = []byte("somebody") },
			"Error: CA ca1: a publisher of this name is there already, with another identity\n",
		},
		"child of another": {
			func(f *fakeServer) {
				child := f.children["ca1"]
				child.IDCert = []byte("somebody")
				f.children["ca1"] = child
			},
			"Error: CA ca1: testbed has a child of this name already, with another identity\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			test.arrange(f)
			if status, _, stderr := f.run(t, joinArgs); status != 1 || stderr != test.want {
				t.Errorf("status %d, %q, want %q", status, stderr, test.want)
			}
		})
	}
}

func TestJoinReports(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	_, stdout, _ := f.run(t, append([]string{"-f", "json"}, joinArgs...))
	var got joinReport
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.CA != "ca1" || len(got.Steps) != 5 {
		t.Errorf("%v: %s", err, stdout)
	}
	if status, stdout, _ := f.run(t, append([]string{"-f", "none"}, joinArgs...)); status != 0 || stdout != "" {
		t.Errorf("status %d, printed %q", status, stdout)
	}
	for _, args := range [][]string{append([]string{"--api"}, joinArgs...), {"testbed", "join", "-c", "ca1"}} {
		if status, _, stderr := f.run(t, args); status != 1 || stderr == "" {
			t.Errorf("%q: status %d, %q", args, status, stderr)
		}
	}
}

// TestJoinWaits: a CA that gets no certificate is reported when the time is up.
func TestJoinWaits(t *testing.T) {
	f := newFake(t)
	f.cas["ca1"] = &fakeCA{hasRepo: true}
	wanted := resources.Set{AS: resources.NewASSet(resources.ASRange{Lo: 64496, Hi: 64496})}
	j := &joiner{client: &client{base: f.URL, http: f.Client()}, say: func(s joinStep) { t.Errorf("said %v", s) }}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := j.await(ctx, "ca1", wanted); err == nil || !strings.Contains(err.Error(), "has not received its certificate yet") {
		t.Errorf("got %v", err)
	}
}

func TestJoinNeedsTestbed(t *testing.T) {
	f := newFake(t)
	small := resources.Set{AS: resources.NewASSet(resources.ASRange{Lo: 1, Hi: 5})}
	wanted := resources.Set{AS: resources.NewASSet(resources.ASRange{Lo: 4, Hi: 6})}
	for want, testbed := range map[string]*fakeCA{
		"this server has no CA testbed":                           nil,
		"CA testbed does not hold asn: 'AS6', ipv4: '', ipv6: ''": {held: small},
	} {
		f.mu.Lock()
		f.cas["testbed"] = testbed
		f.mu.Unlock()
		synctest.Test(t, func(t *testing.T) { // so that the patience costs no time, and every answer comes within it
			j := newJoiner(&client{base: f.URL, http: &http.Client{Transport: direct{f.Config.Handler}}}, nil)
			if err := j.join(t.Context(), "ca1", wanted); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
	if len(f.writes) != 0 {
		t.Errorf("wrote %q", f.writes)
	}
}

// direct has a handler answer without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, r)
	return rec.Result(), nil
}

func TestRetryEnds(t *testing.T) {
	busy := &callError{status: 503}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := retry(ctx, func() error { calls++; cancel(); return busy })
	if !errors.Is(err, busy) || calls != 1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
	if err := poll(ctx, func() (bool, error) { return false, busy }); !errors.Is(err, context.Canceled) {
		t.Errorf("poll gave %v", err)
	}
}
