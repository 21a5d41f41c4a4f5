// Package secretfile reads and makes small files that hold a secret: keys and
// tokens that live outside the database.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Access says who besides its owner may read a file.
type Access fs.FileMode

const (
	// Owner alone may read.
	Owner Access = 0o077
	// Group may read too, as is usual for the keys of TLS certificates.
	Group Access = 0o037
	// Public is for a file that everybody may read, and only its owner may write.
	Public Access = 0o022
)

// Read gives the content of a file of at most limit octets. It refuses a file
// that more may read, or others write, than access says: a secret that others
// could read is none. Errors name the file; a missing one is fs.ErrNotExist.
func Read(path string, limit int64, access Access) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch mode := st.Mode(); {
	case !mode.IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case mode.Perm()&fs.FileMode(access) != 0 && access == Public:
		return nil, fmt.Errorf("%s has mode %04o, so that others may change it: chmod go-w %s", path, mode.Perm(), path)
	case mode.Perm()&fs.FileMode(access) != 0:
		return nil, fmt.Errorf("%s holds a secret, but has mode %04o, so that others may read or change it: chmod 600 %s", path, mode.Perm(), path)
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is longer than %d octets", path, limit)
	}
	return content, nil
}

// Create makes a file of mode 0600, and its folder. The file appears complete
// and on disk or not at all. If it is there already, also when another process
// makes it at the same moment, that one stays and made is false.
func Create(path string, content []byte) (made bool, err error) {
	err = create(path, content, 0o600, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// Replace makes a file of mode 0644, which is not secret, in the same way; what
// was there is replaced.
func Replace(path string, content []byte) error {
	return create(path, content, 0o644, os.Rename)
}

// create writes a file under another name and has publish give it its own.
func create(path string, content []byte, mode fs.FileMode, publish func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if rm := os.Remove(f.Name()); !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := publish(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
