//go:build !linux

package export

import (
	"fmt"
	"io/fs"
)

// syncTree has a folder and all below it on the disk.
func (d *disk) syncTree(dir string) error {
	return fs.WalkDir(d.root.FS(), dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := d.root.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := f.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", name, err)
		}
		return nil
	})
}
