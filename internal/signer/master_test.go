package signer

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/testdb"
)

func TestMasterKeyIsCreatedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "master.key")
	if _, err := LoadMasterKey(path, false); err == nil || !strings.Contains(err.Error(), path+" is missing") {
		t.Errorf("missing: %v", err)
	}
	keys := make([]MasterKey, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = LoadMasterKey(path, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode() != 0o600 || st.Size() != masterSize {
		t.Errorf("file: %v, %v", st, err)
	}
	again, err := LoadMasterKey(path, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		if got, err := again.open(key.seal([]byte("x"), nil), nil); err != nil || string(got) != "x" {
			t.Errorf("starter %d has another key: %v", i, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".master.key-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestMasterKeyFileIsRefused(t *testing.T) {
	tests := map[string]struct {
		size int
		mode fs.FileMode
		want string
	}{
		"empty":           {0, 0o600, "0 octets instead of 32"},
		"too long":        {33, 0o600, "33 octets instead of 32"},
		"all may read":    {32, 0o644, "chmod 600"},
		"group may read":  {32, 0o640, "chmod 600"},
		"group may write": {32, 0o620, "chmod 600"},
	}
	for name, tt := range tests {
		path := filepath.Join(t.TempDir(), "master.key")
		if err := errors.Join(os.WriteFile(path, make([]byte, tt.size), tt.mode), os.Chmod(path, tt.mode)); err != nil {
			t.Fatal(err)
		}
		_, err := LoadMasterKey(path, true)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadMasterKey(t.TempDir(), true); err == nil {
		t.Error("a folder was taken")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMasterKey(filepath.Join(file, "master.key"), true); err == nil {
		t.Error("below a file")
	}
}

func TestReadOnlyMasterKeyIsFine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(path, make([]byte, masterSize), 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMasterKey(path, false); err != nil {
		t.Error(err)
	}
}

func TestCheckMaster(t *testing.T) {
	k := newKeys(t)
	ctx := t.Context()
	if has, err := HasMaster(ctx, k.DB); has || err != nil {
		t.Errorf("new database: %v, %v", has, err)
	}
	if err := CheckMaster(ctx, k.DB, nil, k.Master); err != nil {
		t.Errorf("standby on a new database: %v", err)
	}
	for range 2 {
		if err := CheckMaster(ctx, k.DB, k.Fence, k.Master); err != nil {
			t.Error(err)
		}
	}
	if has, err := HasMaster(ctx, k.DB); !has || err != nil {
		t.Errorf("used database: %v, %v", has, err)
	}
	path := filepath.Join(t.TempDir(), "other.key")
	wrong, err := LoadMasterKey(path, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, fence := range []postgres.Fence{nil, k.Fence} {
		if err := CheckMaster(ctx, k.DB, fence, wrong); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("wrong file: %v", err)
		}
	}
	if err := CheckMaster(ctx, k.DB, nil, k.Master); err != nil {
		t.Errorf("standby: %v", err)
	}
}

func TestOneMasterPerDatabase(t *testing.T) {
	k := newKeys(t)
	wrong, err := LoadMasterKey(filepath.Join(t.TempDir(), "other.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			master := k.Master
			if i%2 == 1 {
				master = wrong
			}
			errs[i] = CheckMaster(t.Context(), k.DB, k.Fence, master)
		})
	}
	wg.Wait()
	for i := range errs {
		if (errs[i] == nil) != (errs[i%2] == nil) || (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("one of the two must win, everywhere: %v", errs)
		}
	}
}

func TestStaleNodeRecordsNoMaster(t *testing.T) {
	k := newKeys(t)
	testdb.Fence(t, k.DB)
	hasCode(t, CheckMaster(t.Context(), k.DB, k.Fence, k.Master), fault.Unavailable, postgres.CodeNotActive)
}

func FuzzOpen(f *testing.F) {
	master, err := LoadMasterKey(filepath.Join(f.TempDir(), "master.key"), true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(master.seal([]byte("secret"), []byte("id"))[1:], []byte("id"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, data, bound []byte) {
		if secret, err := master.open(data, bound); err == nil {
			t.Errorf("%x opened to %x", data, secret)
		}
		sealed := master.seal(data, bound)
		if got, err := master.open(sealed, bound); err != nil || !bytes.Equal(got, data) {
			t.Errorf("got %x, %v", got, err)
		}
		sealed[len(sealed)/2] ^= 1
		if _, err := master.open(sealed, bound); err == nil {
			t.Error("a changed bit went unnoticed")
		}
	})
}

// TestSealForOthers: what is sealed for others is bound to what it was bound to,
// and never taken for a key.
func TestSealForOthers(t *testing.T) {
	key, err := LoadMasterKey(filepath.Join(t.TempDir(), "master.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	sealed := key.Seal([]byte("secret"), []byte("a"))
	if got, err := key.Open(sealed, []byte("a")); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bound := range []string{"", "b", "aa"} {
		if _, err := key.Open(sealed, []byte(bound)); err == nil {
			t.Errorf("opened for %q", bound)
		}
	}
	if _, err := key.open(sealed, []byte("a")); err == nil {
		t.Error("it can be taken for a key")
	}
	if _, err := key.Open(key.seal([]byte("key"), []byte("a")), []byte("a")); err == nil {
		t.Error("a key can be opened for others")
	}
}
