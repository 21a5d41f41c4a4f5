// Package ui serves the web page: one page for every address below /ui, which
// decides in the browser what it shows, and the files that it loads. Both are
// built from the folder ui of this repository into dist, and are part of the
// program.
package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

//go:embed all:dist
var dist embed.FS

// types are the content types by the end of a file's name, exactly as clients
// compare them. No other files are served.
func types() map[string]string {
	return map[string]string{
		".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".ico": "image/x-icon", ".html": "text/html",
		".woff": "font/woff", ".woff2": "font/woff2",
	}
}

// What the page may do in a browser: load files of this server and nothing
// else, with no script in its text and no frame around it. Text becomes
// elements by Svelte's policy alone, and a document that nobody sees by that for
// set-up documents.
const contentSecurityPolicy = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types svelte-trusted-html baleen-setup"

// How long browsers may keep files: those with a hash of their content in
// their name never change.
const (
	keepAsking = "no-cache"
	keepHashed = "public, max-age=31536000, immutable"
)

var hashed = regexp.MustCompile(`-[A-Za-z0-9_-]{8}\.[a-z0-9]+$`)

// file is one that is served, as it is or compressed.
type file struct {
	content     []byte
	contentType string
	tag         string // of the content
	keep        string
	compressed  func() []byte // nothing where that would be no shorter; made once, when the file is first asked for
}

// Pages answers for the page and its files.
type Pages struct {
	index  file
	assets map[string]file
}

// New reads what was built into the program. What is not there is not found
// later: a test of this package holds that all is there.
func New() *Pages { return read(dist) }

func read(built fs.FS) *Pages {
	p := &Pages{assets: map[string]file{}}
	if index, err := fs.ReadFile(built, "dist/index.html"); err == nil {
		p.index = newFile("index.html", index)
	}
	names, _ := fs.Glob(built, "dist/assets/*") // the pattern is a good one
	for _, name := range names {
		if content, err := fs.ReadFile(built, name); err == nil {
			p.assets[path.Base(name)] = newFile(name, content)
		}
	}
	return p
}

func newFile(name string, content []byte) file {
	sum := sha256.Sum256(content)
	f := file{content: content, contentType: types()[path.Ext(name)], tag: hex.EncodeToString(sum[:16]), keep: keepAsking}
	f.compressed = sync.OnceValue(func() []byte { return compressed(content) })
	if hashed.MatchString(name) {
		f.keep = keepHashed
	}
	return f
}

// Root leads to the page.
func (*Pages) Root(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderLocation, "/ui")
	return c.NoContent(http.StatusFound)
}

// Index answers with the page, whatever comes behind /ui.
func (p *Pages) Index(c echo.Context) error { return p.index.send(c) }

// Asset answers with the file that :file names.
func (p *Pages) Asset(c echo.Context) error {
	return p.assets[c.Param("file")].send(c)
}

// send answers with a file, if there is one of a known type. The compressed form
// is a representation of its own, with its own length and strong ETag (RFC 9110
// section 8.8.3).
func (f file) send(c echo.Context) error {
	if f.contentType == "" {
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, f.contentType)
	h.Set(echo.HeaderCacheControl, f.keep)
	h.Set(echo.HeaderContentSecurityPolicy, contentSecurityPolicy)
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	h.Set(echo.HeaderReferrerPolicy, "no-referrer")
	content, tag := f.content, f.tag
	if short := f.compressed(); short != nil {
		h.Set(echo.HeaderVary, echo.HeaderAcceptEncoding)
		if acceptsGzip(c.Request().Header.Values(echo.HeaderAcceptEncoding)) {
			content, tag = short, f.tag+"-gzip"
			h.Set(echo.HeaderContentEncoding, "gzip")
			h.Set(echo.HeaderContentLength, strconv.Itoa(len(content))) // ServeContent leaves it out where there is an encoding
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(content))
	return nil
}
