package tafolder

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// disk writes so that what returned without error outlives a crash.
type disk struct {
	step func() error // called before each change of the disk; nil: nothing can go wrong
}

// do makes the changes one after the other until one fails.
func (d disk) do(changes ...func() error) error {
	for _, change := range changes {
		if d.step != nil {
			if err := d.step(); err != nil {
				return err
			}
		}
		if err := change(); err != nil {
			return err
		}
	}
	return nil
}

// create makes a new file of mode 0600.
func (d disk) create(path string, content []byte) error {
	var f *os.File
	err := d.do(
		func() (err error) { f, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); return err },
		func() error { return write(f, content[:len(content)/2]) },
		func() error { return write(f, content[len(content)/2:]) },
		func() error { return f.Sync() },
	)
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}

// replace puts a whole file in place at once.
func (d disk) replace(path string, content []byte) error {
	tmp := path + ".new"
	if err := os.RemoveAll(tmp); err != nil { // what a crash left
		return err
	}
	if err := d.create(tmp, content); err != nil {
		return err
	}
	return d.rename(tmp, path)
}

// rename moves a file or a folder and has that on the disk.
func (d disk) rename(from, to string) error {
	return d.do(
		func() error { return syncFolder(filepath.Dir(from)) },
		func() error { return os.Rename(from, to) },
		func() error { return syncFolder(filepath.Dir(to)) },
	)
}

// appendAt writes behind the first end octets of a file; what else is there is
// dropped.
func (d disk) appendAt(path string, end int64, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = d.do(
		func() error { return f.Truncate(end) },
		func() error { _, err := f.Seek(end, io.SeekStart); return err },
		func() error { return write(f, content[:len(content)/2]) },
		func() error { return write(f, content[len(content)/2:]) },
		func() error { return f.Sync() },
	)
	return errors.Join(err, f.Close())
}

func write(f *os.File, content []byte) error {
	_, err := f.Write(content)
	return err
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
