package ui

import (
	"io/fs"
	"path"
	"strings"
	"testing"
)

// Everything that was built must be served, for as long as its name allows.
func TestAllThatWasBuiltIsServed(t *testing.T) {
	p := New()
	if !strings.Contains(string(p.index.content), `<div id="app">`) || p.index.keep != keepAsking {
		t.Error("the page is not the built one")
	}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == "dist/index.html" {
			return err
		}
		f := p.assets[path.Base(name)]
		if path.Dir(name) != "dist/assets" || f.contentType == "" || f.keep != keepHashed || len(f.content) == 0 {
			t.Errorf("%s is not served, or its name holds no hash", name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
