package ui

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
)

// get asks for a file.
func get(t *testing.T, p *Pages, name string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/assets/"+name, nil)
	r.Header = header
	rec := httptest.NewRecorder()
	c := echo.New().NewContext(r, rec)
	c.SetParamNames("file")
	c.SetParamValues(name)
	if err := p.Asset(c); err != nil {
		t.Fatal(err)
	}
	return rec.Result()
}

func octets(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFilesAreCompressed for who can read that; each form has its own ETag and
// length, and caches are told what it depends on.
func TestFilesAreCompressed(t *testing.T) {
	script := []byte(strings.Repeat("console.log('again and again')\n", 200))
	p := read(fstest.MapFS{"dist/assets/a-12345678.js": {Data: script}, "dist/assets/b-12345678.css": {Data: []byte("p{}")}})

	plain := get(t, p, "a-12345678.js", http.Header{})
	if body := octets(t, plain.Body); !bytes.Equal(body, script) || plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Content-Length") != strconv.Itoa(len(script)) {
		t.Errorf("got %d octets, %v", len(body), plain.Header)
	}
	wants := http.Header{"Accept-Encoding": {"br, gzip;q=0.8", "deflate"}}
	short := get(t, p, "a-12345678.js", wants)
	body := octets(t, short.Body)
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(octets(t, unzip), script) || len(body) > len(script)/10 || short.Header.Get("Content-Encoding") != "gzip" || short.Header.Get("Content-Length") != strconv.Itoa(len(body)) {
		t.Errorf("got %d octets, %v", len(body), short.Header)
	}
	for _, r := range []*http.Response{plain, short} {
		if r.Header.Get("Vary") != "Accept-Encoding" || r.Header.Get("Content-Type") != "text/javascript" || r.Header.Get("Cache-Control") != keepHashed {
			t.Errorf("got %v", r.Header)
		}
	}
	tag := short.Header.Get("ETag")
	if tag == plain.Header.Get("ETag") || !strings.HasPrefix(tag, `"`) {
		t.Errorf("the ETags are %s and %s", plain.Header.Get("ETag"), tag)
	}
	wants.Set("If-None-Match", tag)
	again := get(t, p, "a-12345678.js", wants)
	if again.StatusCode != http.StatusNotModified || len(octets(t, again.Body)) != 0 || again.Header.Get("ETag") != tag || again.Header.Get("Vary") == "" || again.Header.Get("Content-Encoding") != "" {
		t.Errorf("got %d %v", again.StatusCode, again.Header)
	}
	if other := get(t, p, "a-12345678.js", http.Header{"If-None-Match": {tag}}); other.StatusCode != http.StatusOK {
		t.Errorf("one form stands for the other: %d", other.StatusCode)
	}
	part := get(t, p, "a-12345678.js", http.Header{"Accept-Encoding": {"gzip"}, "Range": {"bytes=2-4"}})
	if got := octets(t, part.Body); part.StatusCode != http.StatusPartialContent || !bytes.Equal(got, body[2:5]) || part.Header.Get("Content-Length") != "3" {
		t.Errorf("got %d %v %v", part.StatusCode, got, part.Header)
	}

	small := get(t, p, "b-12345678.css", http.Header{"Accept-Encoding": {"gzip"}})
	if string(octets(t, small.Body)) != "p{}" || small.Header.Get("Content-Encoding") != "" || small.Header.Get("Vary") != "" {
		t.Errorf("got %v", small.Header)
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "identity": false, "br": false, "gzip": true, "GZip": true, "x-gzip": true, "gzip;q=1": true, "gzip ; Q=0.001": true, "gzip;q=0": false, "gzip;q=0.000": false,
		"*": true, "*;q=0": false, "*;q=0, gzip": true, "gzip;q=0, *": false, "br;q=1.0, gzip;q=0.5": true, "gzipped": false, "gzip;q=x": false, "gzip;z=1": false,
	} {
		if got := acceptsGzip([]string{header}); got != want {
			t.Errorf("%q: got %v", header, got)
		}
	}
}
