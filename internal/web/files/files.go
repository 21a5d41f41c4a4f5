// Package files serves the RRDP files (RFC 8182) that package export renders.
// It opens nothing but files below its folder whose paths have exactly the
// form that RRDP URIs have here.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// How long clients and caches may keep files: the notification changes with
// every serial, the others never change.
const (
	keepNotification = "max-age=60"
	keepOthers       = "max-age=86400"
)

// Server serves the files below a folder.
type Server struct {
	Folder string // may not exist yet: then no file exists
}

// RRDP answers for the path behind "/rrdp/".
func (s Server) RRDP(c echo.Context) error {
	name, keep, ok := fileOf(c.Param("*"))
	if !ok {
		return echo.ErrNotFound
	}
	f, info, err := s.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return echo.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("RRDP file: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "application/xml")
	h.Set(echo.HeaderCacheControl, keep)
	h.Set("ETag", `"`+strconv.FormatInt(info.ModTime().UnixNano(), 36)+"-"+strconv.FormatInt(info.Size(), 36)+`"`)
	http.ServeContent(c.Response(), c.Request(), "", dated(info.ModTime(), time.Now()), f)
	return nil
}

// dated gives the Last-Modified of a file, or zero for none. Dates of HTTP count
// seconds (RFC 9110 section 5.6.7): another serial may be written in the second
// of this one, and who compares dates would be told for ever that nothing has
// changed. So a file has a date once its second has passed for certain; until
// then only its ETag tells it from others.
func dated(written, now time.Time) time.Time {
	if now.Sub(written) < 2*time.Second {
		return time.Time{}
	}
	return written.Truncate(time.Second)
}

// open opens a regular file below the folder; links that lead out of it are
// not followed.
func (s Server) open(name string) (*os.File, fs.FileInfo, error) {
	root, err := os.OpenRoot(s.Folder)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written through it
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// fileOf says which file a path names, and how long it may be kept: the
// notification, or a snapshot or delta in session, serial and a random folder.
func fileOf(path string) (name, keep string, ok bool) {
	if path == "notification.xml" {
		return path, keepNotification, true
	}
	parts := strings.Split(path, "/")
	if len(parts) != 4 || parts[3] != "snapshot.xml" && parts[3] != "delta.xml" {
		return "", "", false
	}
	for _, p := range parts[:3] {
		if !isPlain(p) {
			return "", "", false
		}
	}
	return path, keepOthers, true
}

// isPlain says whether a folder's name has only letters, digits and "-", and
// not more of them than a file system takes.
func isPlain(name string) bool {
	for i := range len(name) {
		c := name[i] | 0x20
		if (c < 'a' || c > 'z') && (name[i] < '0' || name[i] > '9') && name[i] != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 255
}
