package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestThePage holds what browsers get: the page at every address below /ui, and
// the files that it names.
func TestThePage(t *testing.T) {
	w := newRules(t)
	if a := w.ask(anybody, "GET", "/", ""); a.status != http.StatusFound || a.header.Get("Location") != "/ui" || a.header.Get("Content-Type") != "" || a.body != "" {
		t.Errorf("/: got %d %v %q", a.status, a.header, a.body)
	}
	page := w.ask(anybody, "GET", "/ui", "").ok()
	for name, want := range map[string]string{
		"Content-Type": "text/html", "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, rule := range []string{"default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(page.header.Get("Content-Security-Policy"), rule) {
			t.Errorf("the policy lacks %s", rule)
		}
	}
	for _, path := range []string{"/ui/", "/ui/login?token=x", "/ui/cas/ca1/parents", "/ui/nope.js", "/ui/a%2Fb/../c"} {
		if a := w.ask(anybody, "GET", path, "").ok(); a.body != page.body || a.header.Get("ETag") != page.header.Get("ETag") {
			t.Errorf("%s is another page", path)
		}
	}
	again := w.ask(func(r *http.Request) { r.Header.Set("If-None-Match", page.header.Get("ETag")) }, "GET", "/ui/login", "")
	if again.status != http.StatusNotModified || again.body != "" {
		t.Errorf("the page again: got %d %q", again.status, again.body)
	}
	w.filesOf(page.body)
	gzip := func(r *http.Request) { admin(r); r.Header.Set("Accept-Encoding", "gzip") }
	for path, want := range map[string]string{regexp.MustCompile(`/assets/[^"]+\.js`).FindString(page.body): "gzip", "/api/v1/user": ""} {
		if a := w.ask(gzip, "GET", path, "").ok(); a.header.Get("Content-Encoding") != want { // what holds secrets is never compressed
			t.Errorf("%s: got %v", path, a.header)
		}
	}
	for _, path := range []string{"/assets", "/assets/", "/assets/nope.js", "/assets/index.html", "/assets/a/b.js", "/assets/..%2Findex.html", "/index.html", "/favicon.ico", "/uix"} {
		w.ask(anybody, "GET", path, "").nothing(http.StatusNotFound)
	}
	for _, request := range []string{"POST /ui", "HEAD /ui", "POST /", "DELETE /assets/x"} {
		method, path, _ := strings.Cut(request, " ")
		w.ask(anybody, method, path, "").nothing(http.StatusMethodNotAllowed)
	}
}

// filesOf asks for every file that the page loads.
func (w *world) filesOf(page string) {
	w.t.Helper()
	types := map[string]string{".js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
	seen := map[string]bool{}
	for _, path := range regexp.MustCompile(`/assets/[^"]+`).FindAllString(page, -1) {
		a := w.ask(anybody, "GET", path, "").ok()
		kind := a.header.Get("Content-Type")
		seen[kind] = true
		if kind != types[path[len(path)-3:]] || a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			w.t.Errorf("%s: got %v", path, a.header)
		}
		same := w.ask(func(r *http.Request) { r.Header.Set("If-None-Match", a.header.Get("ETag")) }, "GET", path, "")
		if same.status != http.StatusNotModified {
			w.t.Errorf("%s again: got %d", path, same.status)
		}
	}
	if len(seen) != len(types) {
		w.t.Errorf("the page loads files of the types %v", seen)
	}
}
