package secretfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCreateOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "secret")
	var makers atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			made, err := Create(path, fmt.Appendf(nil, "secret %d", i))
			if err != nil {
				t.Error(err)
			}
			if made {
				makers.Add(1)
			}
		})
	}
	wg.Wait()
	if n := makers.Load(); n != 1 {
		t.Errorf("%d made it", n)
	}
	content, err := Read(path, 100, Owner)
	if err != nil || !strings.HasPrefix(string(content), "secret ") {
		t.Errorf("%q, %v", content, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"first", "second"} {
		if err := Replace(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o644 {
		t.Errorf("%v, %v", st, err)
	}
}

func TestRead(t *testing.T) {
	tests := []struct {
		mode   fs.FileMode
		access Access
		ok     bool
	}{
		{0o600, Owner, true},
		{0o400, Owner, true},
		{0o640, Owner, false},
		{0o640, Group, true},
		{0o440, Group, true},
		{0o660, Group, false},
		{0o604, Group, false},
		{0o644, Owner, false},
		{0o644, Group, false},
		{0o601, Owner, false},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "secret")
		if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chmod(path, tt.mode)); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path, 1, tt.access)
		if (err == nil) != tt.ok || err != nil && !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %o for %o: %v", tt.mode, tt.access, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(filepath.Join(dir, "missing"), 1, Owner); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Read(dir, 1, Owner); err == nil {
		t.Error("a folder")
	}
	path := filepath.Join(dir, "long")
	if err := os.WriteFile(path, []byte("xx"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 1, Owner); err == nil || !strings.Contains(err.Error(), path+" is longer than 1 octets") {
		t.Errorf("long: %v", err)
	}
}

func TestCreateFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(file, "secret"), nil); err == nil {
		t.Error("below a file")
	}
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.MkdirAll(filepath.Join(dir, "secret", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "secret"), nil); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
