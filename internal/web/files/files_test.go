package files_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/internal/web/files"
)

const session = "43339357-ef95-43b2-acf1-cd161b3282b6"

// get asks for a path below /rrdp/.
func get(t *testing.T, folder, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	e := echo.New()
	e.GET("/rrdp/*", files.Server{Folder: folder}.RRDP)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/rrdp/x", nil)
	r.URL.Path = "/rrdp/" + path
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, r)
	return rec
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatAreThere(t *testing.T) {
	folder := t.TempDir()
	for path, keep := range map[string]string{
		"notification.xml":                   "max-age=60",
		session + "/1/a-B9/snapshot.xml":     "max-age=86400",
		session + "/12/0123abcdef/delta.xml": "max-age=86400",
	} {
		write(t, filepath.Join(folder, path), "<"+path+"/>")
		age(t, filepath.Join(folder, path), time.Hour)
		rec := get(t, folder, path)
		if rec.Code != http.StatusOK || rec.Body.String() != "<"+path+"/>" || rec.Header().Get("Content-Type") != "application/xml" || rec.Header().Get("Cache-Control") != keep {
			t.Errorf("%s: got %d %s %v", path, rec.Code, rec.Body, rec.Header())
		}
		for header, answer := range map[string]string{"If-None-Match": rec.Header().Get("ETag"), "If-Modified-Since": rec.Header().Get("Last-Modified")} {
			if again := get(t, folder, path, header, answer); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
				t.Errorf("%s with %s %q: got %d", path, header, answer, again.Code)
			}
		}
	}
}

// age makes a file look as if it had been written some time ago.
func age(t *testing.T, path string, d time.Duration) {
	t.Helper()
	at := time.Now().Add(-d)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// Dates of HTTP count seconds, and two serials may share one: a client that saw
// the first must not be told for ever that nothing has changed.
func TestTheSecondSerialOfASecondIsSeen(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "notification.xml")
	for _, since := range []time.Duration{0, -time.Hour} { // also by a clock that goes wrong
		write(t, name, "<serial1/>")
		age(t, name, since)
		first := get(t, folder, "notification.xml")
		if at := first.Header().Get("Last-Modified"); first.Code != http.StatusOK || at != "" {
			t.Errorf("just written: got %d, last modified %q", first.Code, at)
		}
		if again := get(t, folder, "notification.xml", "If-None-Match", first.Header().Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("the same again: got %d", again.Code)
		}
		write(t, name, "<serial2/>")
		age(t, name, since)
		second := get(t, folder, "notification.xml", "If-Modified-Since", time.Now().UTC().Format(http.TimeFormat))
		if second.Code != http.StatusOK || second.Body.String() != "<serial2/>" {
			t.Errorf("the second serial: got %d %s", second.Code, second.Body)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	parent := t.TempDir()
	folder := filepath.Join(parent, "rrdp")
	write(t, filepath.Join(parent, "secret.xml"), "secret")
	write(t, filepath.Join(parent, "snapshot.xml"), "secret")
	for _, path := range []string{"other.xml", session + "/1/x/other.xml", session + "/1/x_y/snapshot.xml", session + "/1/x/y/snapshot.xml", "a/snapshot.xml"} {
		write(t, filepath.Join(folder, path), "secret")
	}
	if err := os.MkdirAll(filepath.Join(folder, "a", "1", "folder", "snapshot.xml"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"a/1/file/delta.xml": filepath.Join(parent, "secret.xml"), "a/2": parent} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{
		"", "/", "nope.xml", "other.xml", "notification.xml", "notification.xml/", "/notification.xml", "../secret.xml", "a/../../secret.xml", "./notification.xml",
		session + "/1/x/other.xml", session + "/1/x_y/snapshot.xml", session + "/1/x/y/snapshot.xml", "a/snapshot.xml", "a/1/../snapshot.xml", "a/../../snapshot.xml",
		"a/1/folder/snapshot.xml", "a/1/folder/snapshot.xml/", "a/1//snapshot.xml", "a/1/b\x00/snapshot.xml", "a/1/é/snapshot.xml", "a/1/b/SNAPSHOT.XML",
		strings.Repeat("a", 300) + "/1/b/snapshot.xml", "a/1/file/delta.xml", "a/2/rrdp/snapshot.xml",
	} {
		rec := get(t, folder, path)
		leadsOut := strings.HasPrefix(path, "a/1/file/") || strings.HasPrefix(path, "a/2/")
		if rec.Code != http.StatusNotFound && !leadsOut || rec.Code == http.StatusOK || strings.Contains(rec.Body.String(), "secret") {
			t.Errorf("%q: got %d %s", path, rec.Code, rec.Body)
		}
	}
	if rec := get(t, filepath.Join(parent, "nowhere"), "notification.xml"); rec.Code != http.StatusNotFound {
		t.Errorf("without a folder: got %d", rec.Code)
	}
}
