// Package feed fetches the dumps of route announcements and keeps the newest
// set in memory.
package feed

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"baleen/internal/bgp"
)

const (
	// timeout is how long fetching one dump may take.
	timeout = 2 * time.Minute

	// maxFetched is how many octets a dump may have as it is fetched.
	maxFetched = 128 << 20
)

// Feed is where the dumps come from. Its fields are set before first use.
type Feed struct {
	V4, V6 string        // URIs of the dumps
	Every  time.Duration // not fetched again before this has passed
	Agent  string        // what it says that it is
	Now    func() time.Time
	Client *http.Client // nil: one that goes by the proxies of the environment
	Limits bgp.Limits   // of a dump; zero: the default

	mu     sync.Mutex
	status Status
	set    *bgp.Set
}

// Status is how the feed stands.
type Status struct {
	Tried       time.Time // zero: never
	LastSuccess time.Time // zero: never
	Err         error     // of the last try
	V4, V6      int       // announcements in use
}

// Fetched is what a refresh brought.
type Fetched struct {
	V4, V6        int // announcements
	Skipped, Junk int // lines left out, and lines that could not be read
}

// Set gives the newest announcements; nil if none were fetched yet.
func (f *Feed) Set() *bgp.Set {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set
}

// Status says how the feed stands.
func (f *Feed) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Refresh fetches both dumps if they are due, and replaces the set only if both
// are good; ok says that it did. What failed is due at the next call.
func (f *Feed) Refresh(ctx context.Context) (got Fetched, ok bool, err error) {
	begin := f.Now()
	if last := f.Status().LastSuccess; !last.IsZero() && begin.Before(last.Add(f.Every)) {
		return Fetched{}, false, nil
	}
	set, got, err := f.fetchBoth(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Tried, f.status.Err = begin, err
	if err != nil {
		return Fetched{}, false, err
	}
	f.set, f.status.LastSuccess = set, begin
	f.status.V4, f.status.V6 = set.Len()
	got.V4, got.V6 = set.Len()
	return got, true, nil
}

func (f *Feed) fetchBoth(ctx context.Context) (*bgp.Set, Fetched, error) {
	v4, err := f.fetch(ctx, f.V4, false)
	if err != nil {
		return nil, Fetched{}, fmt.Errorf("route announcements from %s: %w", f.V4, err)
	}
	v6, err := f.fetch(ctx, f.V6, true)
	if err != nil {
		return nil, Fetched{}, fmt.Errorf("route announcements from %s: %w", f.V6, err)
	}
	got := Fetched{Skipped: v4.Skipped + v6.Skipped, Junk: v4.Junk + v6.Junk}
	return bgp.NewSet(append(v4.Announcements, v6.Announcements...)), got, nil
}

func (f *Feed) fetch(ctx context.Context, uri string, v6 bool) (bgp.Dump, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return bgp.Dump{}, err
	}
	req.Header.Set("User-Agent", f.Agent)
	req.Header.Set("Accept-Encoding", "identity") // the dumps are compressed already
	answer, err := f.client().Do(req)
	if err != nil {
		return bgp.Dump{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return bgp.Dump{}, fmt.Errorf("the server answers %s", answer.Status)
	}
	text, err := plain(&limited{r: answer.Body, left: maxFetched})
	if err != nil {
		return bgp.Dump{}, err
	}
	return bgp.Parse(text, v6, cmp.Or(f.Limits, bgp.DefaultLimits()))
}

func (f *Feed) client() *http.Client {
	if f.Client != nil {
		return f.Client
	}
	return http.DefaultClient
}

// plain unpacks what is compressed, by its first octets: servers differ in what
// they say about it.
func plain(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	magic, err := b.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		return gzip.NewReader(b)
	}
	return b, nil
}

// limited fails, other than io.LimitedReader, where more comes than may.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, bgp.ErrTooLarge
	}
	return n, err
}
