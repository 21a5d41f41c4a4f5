package feed_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baleen/internal/bgp"
	"baleen/internal/bgp/feed"
)

// collector is a server of dumps.
type collector struct {
	*httptest.Server
	v4, v6 atomic.Pointer[[]byte] // nil: 404
	asked  atomic.Int64
	agent  atomic.Value
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		c.agent.Store(r.UserAgent())
		body := c.v4.Load()
		if strings.HasSuffix(r.URL.Path, "6.gz") {
			body = c.v6.Load()
		}
		if body == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(*body)
	}))
	t.Cleanup(c.Close)
	return c
}

func packed(t *testing.T, text string) *[]byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	return &raw
}

func plain(text string) *[]byte { raw := []byte(text); return &raw }

const (
	v4text = "64496\t192.0.2.0/24\t100\n64497\t192.0.2.0/24\t3\n"
	v6text = "64496\t2001:db8::/32\t100\n64498\t2001:db8:1::/48\t50\n"
)

func TestRefresh(t *testing.T) {
	c := newCollector(t)
	now := time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	f := &feed.Feed{V4: c.URL + "/4.gz", V6: c.URL + "/6.gz", Every: time.Hour, Agent: "baleen/1.2.3", Now: func() time.Time { return now }}
	refresh := func() (feed.Fetched, bool, error) { return f.Refresh(t.Context()) }

	// One that fails fails both, and is due at once.
	c.v4.Store(packed(t, v4text))
	if _, ok, err := refresh(); ok || err == nil || f.Set() != nil || !strings.Contains(err.Error(), "404") {
		t.Fatalf("one dump is missing: %v, %v", ok, err)
	}
	c.v6.Store(plain(v6text)) // not every server compresses
	got, ok, err := refresh()
	if err != nil || !ok || got != (feed.Fetched{V4: 1, V6: 2, Skipped: 1}) {
		t.Fatalf("got %+v, %v, %v", got, ok, err)
	}
	if c.agent.Load() != "baleen/1.2.3" {
		t.Errorf("it says that it is %v", c.agent.Load())
	}
	set, asked := f.Set(), c.asked.Load()
	if list := set.Within(netip.MustParsePrefix("2001:db8::/32")); len(list) != 2 {
		t.Errorf("got %v", list)
	}

	// Not due: nobody is asked.
	now = now.Add(59 * time.Minute)
	if _, ok, err := refresh(); ok || err != nil || c.asked.Load() != asked {
		t.Errorf("asked before it was due: %v, %v", ok, err)
	}

	// Due and damaged: the former set stays.
	now = now.Add(time.Minute)
	for name, body := range map[string]*[]byte{
		"a web page": plain("<html>\nmoved\n</html>\n"), "cut short": plain(string((*packed(t, strings.Repeat(v6text, 1000)))[:40])), "empty": plain(""),
	} {
		c.v6.Store(body)
		if _, ok, err := refresh(); ok || err == nil || f.Set() != set {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	st := f.Status()
	if st.Err == nil || !st.Tried.Equal(now) || !st.LastSuccess.Equal(now.Add(-time.Hour)) || st.V4 != 1 || st.V6 != 2 {
		t.Errorf("status %+v", st)
	}
	c.v6.Store(packed(t, v6text))
	if _, ok, err := refresh(); !ok || err != nil || f.Set() == set || f.Status().Err != nil {
		t.Errorf("after that: %v, %v", ok, err)
	}
}

// A small file that unpacks to a large one is not taken.
func TestBombs(t *testing.T) {
	c := newCollector(t)
	c.v4.Store(packed(t, strings.Repeat("% comment\n", 100_000)+v4text))
	if n := len(*c.v4.Load()); n > 10_000 {
		t.Fatalf("%d octets", n)
	}
	f := &feed.Feed{V4: c.URL + "/4.gz", V6: c.URL + "/6.gz", Every: time.Hour, Now: time.Now, Limits: bgp.Limits{Octets: 900_000, Routes: 10}}
	if _, _, err := f.Refresh(t.Context()); !errors.Is(err, bgp.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}
